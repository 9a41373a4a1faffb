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

from sdm_lite.pyramid import Level, convolve

# Up to this many pixels the null label's scale and shift are kept whole: a few hundred kilobytes, and one operation
# where a border takes nine.
SMALL = 16 * 16

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

    @property
    def num_bytes(self) -> int:
        """Memory that it takes."""
        return self.scale.nbytes + self.shift.nbytes


class NullScaleShift(NamedTuple):
    """The same for the null label, whose scale and shift are constant but for a border.

    SPADE's first convolution sees zeros everywhere, padding included, so that its output is one number a channel; its
    last one pads that with zeros, and differs along as many pixels p as it pads (1 for the paper's 3x3, 0 for 1x1).

    Attributes:
        inside: of every pixel further than p from the border, 1 x 1.
        rows: the p top and p bottom rows, 2 p x w.
        columns: the p left and p right columns, h x 2 p.
    """

    inside: ScaleShift
    rows: ScaleShift
    columns: ScaleShift

    @classmethod
    def of(cls, table: ScaleShift, height: int, width: int) -> NullScaleShift:
        """From a table of (1, C, 2 p + 1, 2 p + 1), whose middle row and column stand for all between the borders."""
        p = table.scale.shape[-1] // 2
        border = [*range(p), *range(p + 1, 2 * p + 1)]
        down, across = (
            torch.tensor([*range(p), *[p] * (side - 2 * p), *range(p + 1, 2 * p + 1)]) for side in (height, width)
        )
        return cls(
            ScaleShift(*(part[..., p : p + 1, p : p + 1] for part in table)),
            ScaleShift(*(part[..., border, :][..., across] for part in table)),
            ScaleShift(*(part[..., border][..., down, :] for part in table)),
        )

    def __call__(self, normalised: Tensor) -> Tensor:
        """Scale and shift (B, C, h, w): everything as if it were inside, then the border over it."""
        out = self.inside(normalised)
        for place, line in self._border(normalised):
            out[place] = line
        return out

    def in_place(self, normalised: Tensor) -> None:
        """The same, written over what was given."""
        border = self._border(normalised)
        self.inside.in_place(normalised)
        for place, line in border:
            normalised[place] = line

    def _border(self, normalised: Tensor) -> list[tuple[tuple, Tensor]]:
        """Where each line of the border is, and the line, scaled and shifted."""
        p = self.rows.scale.shape[-2] // 2
        lines = []
        for i in (*range(p), *range(-p, 0)):
            for part, place in ((self.rows, (..., i, slice(None))), (self.columns, (..., i))):
                lines.append((place, torch.addcmul(part.shift[place], normalised[place], part.scale[place])))
        return lines

    @property
    def num_bytes(self) -> int:
        """Memory that it takes."""
        return self.inside.num_bytes + self.rows.num_bytes + self.columns.num_bytes


class Recomputed(NamedTuple):
    """A scale and shift that is not kept but read off the condition each time: slower, and no memory."""

    spade: SPADE
    level: Level

    def __call__(self, normalised: Tensor) -> Tensor:
        """Scale and shift (B, C, h, w)."""
        return self.spade.read(self.level)(normalised)

    def in_place(self, normalised: Tensor) -> None:
        """The same, written over what was given."""
        self.spade.read(self.level).in_place(normalised)

    @property
    def num_bytes(self) -> int:
        """Memory that it takes beyond the condition."""
        return 0


class Stacked(NamedTuple):
    """Two of them for the two halves of a batch: conditional above, null below. Works in place."""

    conditional: ScaleShift | Recomputed
    null: ScaleShift | NullScaleShift

    def __call__(self, normalised: Tensor) -> Tensor:
        """Scale and shift (2 B, C, h, w), which is written over: it is the norm's own and nobody else's."""
        for part, half in zip(self, normalised.chunk(2), strict=True):
            part.in_place(half)
        return normalised


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

    def read(self, level: Level) -> ScaleShift:
        """Scale and shift for a condition at the features' resolution; no features and no timestep in it."""
        hidden = F.relu(convolve(level, self.shared))  # (B, hidden, h, w)
        gamma, beta = self.gamma_beta(hidden).chunk(2, dim=1)  # (B, C, h, w) each
        return ScaleShift(1 + gamma, beta)

    def modulation(self, pyramid: list[Level]) -> ScaleShift:
        """Scale and shift for a condition, from its pyramid.

        Without gradients they are to be kept and read at many steps: beta is then copied out of the convolution's
        output, of which it is every other half pixel, so that it is read faster and the output's memory is freed.
        """
        read = self.read(pyramid[self.level])
        if torch.is_grad_enabled():
            return read
        return ScaleShift(read.scale, read.shift.contiguous(memory_format=torch.channels_last))

    def null_modulation(self, pyramid: list[Level]) -> ScaleShift | NullScaleShift:
        """Scale and shift for the null label: one copy for the whole batch, and all but the border of it one number.

        Args:
            pyramid: of zeros, for a batch of 1, or of 2 to stand for any larger one: torch takes another convolution
                for one small image than for several, and the last digits would differ from those of a full pass.

        Returns:
            A NullScaleShift, or a ScaleShift of batch 1 where the features are at most SMALL or all border.
        """
        null = pyramid[self.level].condition
        height, width = null.shape[2:]
        border = self.gamma_beta.padding[0]
        if height * width <= SMALL or min(height, width) <= 2 * border:
            return ScaleShift(*(part[:1].clone(memory_format=torch.channels_last) for part in self.read(Level(null))))
        whole = ScaleShift(*(part[:1] for part in self.read(Level(null[..., :64, :64]))))  # no larger map says more
        lines = [*range(border + 1), *range(-border, 0)]
        table = ScaleShift(*(part[..., lines, :][..., lines] for part in whole))
        return NullScaleShift.of(table, height, width)

    def forward(self, h: Tensor, modulation: Modulator) -> Tensor:
        """Normalise (B, C, h, w) features, then scale and shift them."""
        return modulation(F.group_norm(h, self.num_groups))


class PlainNorm(nn.GroupNorm):
    """The group norm of the encoder, with learned scale and shift and no label: it ignores any modulation."""

    def forward(self, h: Tensor, modulation: None = None) -> Tensor:
        """Normalise (B, C, h, w) features."""
        return super().forward(h)
