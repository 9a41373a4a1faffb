"""SPADE: a group norm whose scale and shift are read off the label map, pixel by pixel.

Apart from the U-Net because it is the one place where labels enter, and because its scale and shift need neither the
noisy image nor the timestep: computed once for a label map, they serve every step. Park et al. (2019); Wang et al.
(2022), Eq. 8.

Shapes: B batch, C feature channels, K condition channels, H x W pixels of the image, h x w of the features.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ScaleShift(NamedTuple):
    """What one SPADE does to its normalised features: scale = 1 + gamma and shift = beta, each (B, C, h, w)."""

    scale: Tensor
    shift: Tensor


def condition_pyramid(condition: Tensor, num_levels: int) -> list[Tensor]:
    """The condition at every resolution of the network, nearest neighbour, level l being 2^l times smaller.

    Args:
        condition: (B, K, H, W).
        num_levels: how many resolutions, the full one included.

    Returns:
        num_levels tensors (B, K, H / 2^l, W / 2^l). Nearest down-sampling by a power of two keeps each cell's first
        pixel.
    """
    return [condition[:, :, :: 2**level, :: 2**level].contiguous() for level in range(num_levels)]


class SPADE(nn.Module):
    """Parameter-free group norm, scaled and shifted by what a small network reads off the label map.

        out = (1 + gamma(x)) GroupNorm(h) + beta(x)

    Wang et al. (2022), Eq. 8, which writes gamma for 1 + gamma; the published code and Park et al. (2019) use this
    form.

    Args:
        channels: C of the features that are normalised.
        condition_channels: K.
        hidden_channels: width of the shared 3x3 convolution; the paper's code uses 128.
        num_groups: of the group norm.
        kernel_size: of the convolution that gives gamma and beta; 3 in the paper's code.
        level: which level of the condition's pyramid has the features' resolution.
    """

    def __init__(
        self,
        channels: int,
        *,
        condition_channels: int,
        hidden_channels: int = 128,
        num_groups: int = 32,
        kernel_size: int = 3,
        level: int = 0,
    ):
        super().__init__()
        self.num_groups = num_groups
        self.level = level
        self.shared = nn.Conv2d(condition_channels, hidden_channels, 3, padding=1)
        # gamma and beta in one convolution: the same numbers as two, one pass over the hidden features.
        self.gamma_beta = nn.Conv2d(hidden_channels, 2 * channels, kernel_size, padding=kernel_size // 2)

    def modulation(self, pyramid: list[Tensor]) -> ScaleShift:
        """Scale and shift for a condition, from its pyramid; no features and no timestep in it."""
        hidden = F.relu(self.shared(pyramid[self.level]))  # (B, hidden, h, w)
        gamma, beta = self.gamma_beta(hidden).chunk(2, dim=1)  # (B, C, h, w) each
        return ScaleShift(1 + gamma, beta)

    def forward(self, h: Tensor, modulation: ScaleShift) -> Tensor:
        """Normalise (B, C, h, w) features and apply a scale and shift of the same size, or of batch 1."""
        normalised = F.group_norm(h, self.num_groups)
        return torch.addcmul(modulation.shift, normalised, modulation.scale)


class PlainNorm(nn.GroupNorm):
    """The group norm of the encoder, with learned scale and shift and no label: it ignores any modulation."""

    def forward(self, h: Tensor, modulation: None = None) -> Tensor:
        """Normalise (B, C, h, w) features."""
        return super().forward(h)
