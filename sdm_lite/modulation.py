"""What is kept of a label map for a trajectory: every SPADE's scale and shift, within a bound.

Apart from the U-Net, whose `modulate` is the idea, because these are the ways to hold its result: in full, read anew
where memory is short, for the null label as one number and a border, and two branches on top of each other. Each gives
what `modulate` gives, bit for bit.

Shapes: B batch, C feature channels, K condition channels, H x W pixels of the image, h x w of the features.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.pyramid import Level
from sdm_lite.spade import SPADE, ScaleShift
from sdm_lite.unet import Modulation, SDMUNet

# Up to this many pixels the null label's scale and shift are kept whole: a few hundred kilobytes, and one operation
# where a border takes nine.
SMALL = 16 * 16


def keep_modulation(unet: SDMUNet, condition: Tensor, *, max_bytes: int | None = None) -> Modulation:
    """`SDMUNet.modulate` to be read at many steps, without gradients, in no more memory than is allowed.

    Args:
        unet: the network.
        condition: (B, K, H, W), or batch 1 to share one label map among all samples.
        max_bytes: keep no more than this. Levels that do not fit, the largest first, are not kept but read off the
            label map in each `decode`, with the same result. None keeps all.

    Raises:
        ValueError: if the condition does not suit the network, or max_bytes < 0.
    """
    kept, pyramid = _kept_levels(unet, condition, max_bytes), unet.pyramid(condition)
    return [
        _apart(spade.read(pyramid[spade.level])) if spade.level in kept else Recomputed(spade, pyramid[spade.level])
        for spade in unet.spades()
    ]


def keep_null_modulation(unet: SDMUNet, condition: Tensor) -> Modulation:
    """`SDMUNet.modulate` of the null label, one copy for the whole batch: it takes next to no memory.

    Args:
        unet: the network.
        condition: (B, K, H, W), whose null label it is; read for its shape alone.

    Raises:
        ValueError: if the condition does not suit the network.
    """
    # Of 2 to stand for any larger batch: torch takes another convolution for one small image than for several, and the
    # last digits would differ from those of a full pass.
    pyramid = unet.pyramid(torch.zeros_like(condition[:2]))
    return [_null_scale_shift(spade, pyramid[spade.level].condition) for spade in unet.spades()]


def modulation_bytes(unet: SDMUNet, condition: Tensor) -> list[int]:
    """How much memory `keep_modulation` takes for each level of a condition (B, K, H, W), full resolution first."""
    batch, _, height, width = condition.shape
    sizes = [0] * len(unet.config.channel_multipliers)
    for spade in unet.spades():
        pixels = (height >> spade.level) * (width >> spade.level)
        sizes[spade.level] += batch * spade.gamma_beta.out_channels * pixels * condition.element_size()
    return sizes


def _kept_levels(unet: SDMUNet, condition: Tensor, max_bytes: int | None) -> range:
    sizes = modulation_bytes(unet, condition)
    if max_bytes is None:
        return range(len(sizes))
    if max_bytes < 0:
        raise ValueError(f"max_bytes must be at least 0, or None to keep all, got {max_bytes}")
    first = next(level for level in range(len(sizes) + 1) if sum(sizes[level:]) <= max_bytes)
    return range(first, len(sizes))


def _apart(read: ScaleShift) -> ScaleShift:
    """Copy the shift out of the convolution's output, of which it is every other half pixel.

    It is then read faster, and the output's memory is freed.
    """
    return ScaleShift(read.scale, read.shift.contiguous(memory_format=torch.channels_last))


def _null_scale_shift(spade: SPADE, null: Tensor) -> ScaleShift | NullScaleShift:
    """Of zeros (B, K, h, w): a NullScaleShift, or of batch 1 where the features are at most SMALL or all border."""
    height, width = null.shape[2:]
    border = spade.gamma_beta.padding[0]
    if height * width <= SMALL or min(height, width) <= 2 * border:
        return ScaleShift(*(part[:1].clone(memory_format=torch.channels_last) for part in spade.read(Level(null))))
    whole = ScaleShift(*(part[:1] for part in spade.read(Level(null[..., :64, :64]))))  # no larger map says more
    lines = [*range(border + 1), *range(-border, 0)]
    table = ScaleShift(*(part[..., lines, :][..., lines] for part in whole))
    return NullScaleShift.of(table, height, width)


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
            torch.tensor([*range(p), *[p] * (side - 2 * p), *range(p + 1, 2 * p + 1)], device=table.scale.device)
            for side in (height, width)
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


class Stacked(NamedTuple):
    """Two of them for the two halves of a batch: conditional above, null below. Works in place."""

    conditional: ScaleShift | Recomputed
    null: ScaleShift | NullScaleShift

    def __call__(self, normalised: Tensor) -> Tensor:
        """Scale and shift (2 B, C, h, w), which is written over: it is the norm's own and nobody else's."""
        for part, half in zip(self, normalised.chunk(2), strict=True):
            part.in_place(half)
        return normalised
