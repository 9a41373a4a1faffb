"""SPADE: a group norm whose scale and shift are read off the label map, pixel by pixel.

Apart from the U-Net because it is the one place where labels enter, and because its scale and shift need neither the
noisy image nor the timestep: computed once for a label map, they serve every step. Park et al. (2019); Wang et al.
(2022), Eq. 8.

Shapes: B batch, C feature channels, K condition channels, H x W pixels of the image, h x w of the features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# What SPADE does to its normalised features, (B, C, h, w) to the same: scales and shifts them, pixel by pixel.
Modulator = Callable[[Tensor], Tensor]


class ScaleShift(NamedTuple):
    """What one SPADE does to its normalised features: scale = 1 + gamma and shift = beta, each (B, C, h, w)."""

    scale: Tensor
    shift: Tensor

    def __call__(self, normalised: Tensor) -> Tensor:
        """Scale and shift (B, C, h, w)."""
        return torch.addcmul(self.shift, normalised, self.scale)

    @property
    def num_bytes(self) -> int:
        """Memory that it takes."""
        return self.scale.nbytes + self.shift.nbytes


class NullScaleShift(NamedTuple):
    """The same for the null label, whose scale and shift are constant but for a border: (1, C, 2 p + 1, 2 p + 1) each.

    p is the padding of SPADE's last convolution (1 for the paper's 3x3, 0 for 1x1). Entry (p, p) holds everywhere
    further than p pixels from the border, the others along the border that they lie on. Its first convolution sees
    zeros everywhere, padding included, and so has no border of its own.
    """

    scale: Tensor
    shift: Tensor

    def __call__(self, normalised: Tensor) -> Tensor:
        """Scale and shift (B, C, h, w): the inside in one go, then the border over it."""
        p = self.scale.shape[-1] // 2
        centre = (..., slice(p, p + 1), slice(p, p + 1))
        out = torch.addcmul(self.shift[centre], normalised, self.scale[centre])
        for i in (*range(p), *range(-p, 0)):
            scale, shift = (self._line(part[..., i, :], normalised.shape[3]) for part in self)
            out[..., i, :] = torch.addcmul(shift, normalised[..., i, :], scale)
            scale, shift = (self._line(part[..., i], normalised.shape[2]) for part in self)
            out[..., i] = torch.addcmul(shift, normalised[..., i], scale)
        return out

    @staticmethod
    def _line(values: Tensor, length: int) -> Tensor:
        """Stretch the middle one of 2 p + 1 values (1, C, 2 p + 1) until there are `length`."""
        p = values.shape[-1] // 2
        middle = values[..., p : p + 1].expand(*values.shape[:-1], length - 2 * p)
        return torch.cat([values[..., :p], middle, values[..., p + 1 :]], dim=-1)

    @property
    def num_bytes(self) -> int:
        """Memory that it takes."""
        return self.scale.nbytes + self.shift.nbytes


class Recomputed(NamedTuple):
    """A scale and shift that is not kept but read off the condition (B, K, h, w) each time: slower, and no memory."""

    spade: SPADE
    condition: Tensor

    def __call__(self, normalised: Tensor) -> Tensor:
        """Scale and shift (B, C, h, w)."""
        return self.spade.read(self.condition)(normalised)

    @property
    def num_bytes(self) -> int:
        """Memory that it takes beyond the condition."""
        return 0


class Stacked(NamedTuple):
    """Two of them for the two halves of a batch: conditional above, null below."""

    conditional: Modulator
    null: Modulator

    def __call__(self, normalised: Tensor) -> Tensor:
        """Scale and shift (2 B, C, h, w)."""
        above, below = normalised.chunk(2)
        return torch.cat([self.conditional(above), self.null(below)])


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

    def read(self, condition: Tensor) -> ScaleShift:
        """Scale and shift for a condition (B, K, h, w), at the features' resolution; no features, no timestep in it."""
        hidden = F.relu(self.shared(condition))  # (B, hidden, h, w)
        gamma, beta = self.gamma_beta(hidden).chunk(2, dim=1)  # (B, C, h, w) each
        return ScaleShift(1 + gamma, beta)

    def modulation(self, pyramid: list[Tensor]) -> ScaleShift:
        """Scale and shift for a condition, from its pyramid."""
        return self.read(pyramid[self.level])

    def null_modulation(self, pyramid: list[Tensor]) -> ScaleShift | NullScaleShift:
        """Scale and shift for the null label: one copy for the whole batch, and all but the border of it one number.

        Args:
            pyramid: of zeros, for a batch of 1, or of 2 to stand for any larger one: torch takes another convolution
                for one small image than for several, and the last digits would differ from those of a full pass.

        Returns:
            A NullScaleShift, or a ScaleShift of batch 1 where the features are smaller than two borders.
        """
        null = pyramid[self.level]
        whole = ScaleShift(*(part[:1] for part in self.read(null[..., :64, :64])))  # no larger map says more
        border = self.gamma_beta.padding[0]
        if min(null.shape[2:]) <= 2 * border:
            return ScaleShift(*(part.clone() for part in whole))
        lines = [*range(border + 1), *range(-border, 0)]
        return NullScaleShift(*(part[..., lines, :][..., lines] for part in whole))

    def forward(self, h: Tensor, modulation: Modulator) -> Tensor:
        """Normalise (B, C, h, w) features, then scale and shift them."""
        return modulation(F.group_norm(h, self.num_groups))


class PlainNorm(nn.GroupNorm):
    """The group norm of the encoder, with learned scale and shift and no label: it ignores any modulation."""

    def forward(self, h: Tensor, modulation: None = None) -> Tensor:
        """Normalise (B, C, h, w) features."""
        return super().forward(h)
