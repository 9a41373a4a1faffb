"""Some photographs of a data set, all in memory at once, 8 bits a value.

Apart from the data sets, which read one at a time, and from caches, which are for thousands: to measure something a
few hundred are enough, and nothing is to be left on the disk.

Shapes: N pictures, H x W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sdm_lite.datasets.photographs import Photographs


@dataclass(frozen=True)
class Pictures:
    """Photographs with what is where in them.

    Attributes:
        names: N, of the examples.
        images: (N, 3, H, W) uint8.
        label_maps: (N, H, W) int64.
        instance_maps: (N, H, W) int64.
        left_out: a line for each bad one that was skipped.
    """

    names: list[str]
    images: Tensor
    label_maps: Tensor
    instance_maps: Tensor
    left_out: list[str]

    def __len__(self) -> int:
        """N, the number of pictures."""
        return len(self.names)

    @property
    def x0(self) -> Tensor:
        """The photographs as a network sees them, (N, 3, H, W) float32 in [-1, 1]."""
        return self.images.float() / 127.5 - 1


def read_pictures(dataset: Photographs, number: int) -> Pictures:
    """At most so many examples of a data set, evenly spread over it, the first and the last among them.

    Args:
        dataset: what to read; if it skips bad examples, those are left out and listed.
        number: at least 1.

    Raises:
        ValueError: if the number is below 1, or an example is bad and may not be skipped, or all are.
    """
    few = dataset.thinned(number)
    images, label_maps, instance_maps = (torch.stack(column) for column in zip(*few.read_all(), strict=True))
    images = ((images + 1) * 127.5).round().to(torch.uint8)
    return Pictures(few.names, images, label_maps, instance_maps, few.left_out)
