"""Some photographs of a data set, all in memory at once, 8 bits a value.

Apart from the data sets, which read one at a time, and from caches, which are for thousands: to measure something a
few hundred are enough, and nothing is to be left on the disk.

Shapes: N pictures, H x W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sdm_lite.datasets.photographs import Photographs, spread
from sdm_lite.progress import Progress


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
    if number < 1:
        raise ValueError(f"the number of photographs must be at least 1, got {number}")
    indices = spread(len(dataset), number)
    names, raws, left_out = [], [], list(dataset.left_out)
    with Progress(f"reading {dataset.split} photographs", total=len(indices)) as bar:
        for i, raw in zip(indices, dataset.read_many(indices), strict=True):
            bar.update()
            if isinstance(raw, ValueError):
                if not dataset.skip_bad:
                    raise raw
                left_out.append(str(raw))
                continue
            names.append(dataset.names[i])
            raws.append(raw)
    if not raws:
        raise ValueError(f"no photograph of {dataset.root}, split {dataset.split}, can be read: {left_out[0]}")
    images, label_maps, instance_maps = (torch.from_numpy(np.stack(column)) for column in zip(*raws, strict=True))
    images = images.movedim(-1, 1).contiguous()
    return Pictures(names, images, label_maps.long(), instance_maps.long(), left_out)
