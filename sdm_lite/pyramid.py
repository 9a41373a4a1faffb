"""The condition at every resolution, and SPADE's first convolution over it without its zeros.

Apart from SPADE because all SPADEs of one resolution share it: it is built once for a batch. A label map in one-hot
form is nearly all zeros: at each pixel one class, perhaps an edge, of up to 184 channels. A convolution of it is a sum
of a few rows of the weights, which is faster to look up than to multiply where the classes are many.

Shapes: B batch, K condition channels, H x W pixels of the image, h x w at one resolution.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# From so many channels on, looking up is faster than multiplying on a CPU, forward and backward
# (benchmarks/first_convolution.py). Not tried on a GPU, where it stays a convolution.
MIN_CHANNELS = 20
MAX_ONES = 2  # a class and an edge


class Level(NamedTuple):
    """The condition at one resolution.

    Attributes:
        condition: (B, K, h, w).
        ones: (B, MAX_ONES, h, w) int64, the channels that are 1 at each pixel, -1 for none; or None if the condition is
            something else than a few ones among zeros, or if looking up would not be faster.
    """

    condition: Tensor
    ones: Tensor | None = None


def condition_pyramid(condition: Tensor, num_levels: int) -> list[Level]:
    """The condition at every resolution of the network, nearest neighbour, level l being 2^l times smaller.

    Args:
        condition: (B, K, H, W).
        num_levels: how many resolutions, the full one included.

    Returns:
        num_levels levels of (B, K, H / 2^l, W / 2^l). Nearest down-sampling by a power of two keeps each cell's first
        pixel.
    """
    ones = find_ones(condition) if condition.device.type == "cpu" and condition.shape[1] >= MIN_CHANNELS else None
    # Channels last, as the network's weights are: else each SPADE of a level would convert it anew.
    return [
        Level(
            condition[:, :, :: 2**level, :: 2**level].contiguous(memory_format=torch.channels_last),
            None if ones is None else ones[:, :, :: 2**level, :: 2**level],
        )
        for level in range(num_levels)
    ]


def find_ones(condition: Tensor) -> Tensor | None:
    """Which channels are 1 at each pixel, (B, MAX_ONES, H, W) int64, -1 for none; or None unless that says all."""
    values, channels = condition.topk(MAX_ONES, dim=1)  # (B, MAX_ONES, H, W) each
    is_one = values == 1
    if condition.requires_grad or not torch.equal(is_one.sum(1), condition.count_nonzero(1)):
        return None
    return torch.where(is_one, channels, -1)


def convolve(level: Level, convolution: nn.Conv2d) -> Tensor:
    """The convolution of the condition, (B, K, h, w) to (B, C, h, w), by looking up if its ones are known.

    Args:
        level: the condition at one resolution.
        convolution: of stride 1, padded with zeros to keep the size.
    """
    if level.ones is None:
        return convolution(level.condition)
    batch, _, height, width = level.ones.shape
    channels, side = convolution.in_channels, convolution.kernel_size[0]
    # One row of weights for each tap and channel, and a last one of zeros for "none".
    rows = convolution.weight.permute(2, 3, 1, 0).flatten(0, 2)  # (side^2 K, C)
    rows = torch.cat([rows, rows.new_zeros(1, rows.shape[1])])
    padded = F.pad(level.ones, [side // 2] * 4, value=-1)  # (B, ones, h + side - 1, w + side - 1)
    taps = torch.stack([padded[:, :, i : i + height, j : j + width] for i in range(side) for j in range(side)], dim=-1)
    tap = torch.arange(side**2, device=taps.device)
    index = torch.where(taps < 0, side**2 * channels, taps + channels * tap)  # (B, ones, h, w, taps)
    index = index.movedim(1, -1).reshape(batch * height * width, -1)  # (B h w, taps ones)
    summed = F.embedding_bag(index, rows, mode="sum") + convolution.bias  # (B h w, C)
    return summed.view(batch, height, width, -1).movedim(-1, 1)  # (B, C, h, w)
