"""SPADE: a group norm whose scale and shift are read off the label map, pixel by pixel.

Apart from the U-Net because it is the one place where labels enter, and because its scale and shift need neither the
noisy image nor the timestep: computed once for a label map, they serve every step (`modulation`). Park et al. (2019);
Wang et al. (2022), Eq. 8.

Shapes: B batch, C feature channels, K condition channels, H x W pixels of the image, h x w of the features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdm_lite.pyramid import Level, convolve

# What SPADE does to its normalised features, (B, C, h, w) to the same: scales and shifts them, pixel by pixel.
Modulator = Callable[[Tensor], Tensor]


class ScaleShift(NamedTuple):
    """What one SPADE does to its normalised features: scale = 1 + gamma and shift = beta, each (B, C, h, w)."""

    scale: Tensor
    shift: Tensor

    def __call__(self, normalised: Tensor) -> Tensor:
        """Scale and shift (B, C, h, w)."""
        return torch.addcmul(self.shift, normalised, self.scale)

    def in_place(self, normalised: Tensor) -> None:
        """The same, written over what was given: for sampling, where no gradient needs it."""
        torch.addcmul(self.shift, normalised, self.scale, out=normalised)


class SPADE(nn.Module):
    """Parameter-free group norm, scaled and shifted by what a small network reads off the label map.

        out = (1 + gamma(c)) GroupNorm(h) + beta(c)

    Wang et al. (2022), Eq. 8, which writes gamma for 1 + gamma; the published code and Park et al. (2019) use this
    form.

    Args:
        channels: C of the features that are normalised.
        condition_channels: K.
        hidden_channels: width of the shared 3x3 convolution; the paper's code uses 128.
        num_groups: of the group norm; 32 in the paper's code.
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

    def read(self, level: Level) -> ScaleShift:
        """Scale and shift for a condition (B, K, h, w) at the features' resolution; no features, no timestep in it."""
        hidden = F.relu(convolve(level, self.shared))  # (B, hidden, h, w)
        gamma, beta = self.gamma_beta(hidden).chunk(2, dim=1)  # (B, C, h, w) each
        return ScaleShift(1 + gamma, beta)

    def forward(self, h: Tensor, modulation: Modulator) -> Tensor:
        """Normalise (B, C, h, w) features, then scale and shift them."""
        return modulation(F.group_norm(h, self.num_groups))  # (B, C, h, w)


class PlainNorm(nn.GroupNorm):
    """The group norm of the encoder, with learned scale and shift and no label: it ignores any modulation."""

    def forward(self, h: Tensor, modulation: None = None) -> Tensor:
        """Normalise (B, C, h, w) features."""
        return super().forward(h)  # (B, C, h, w)
