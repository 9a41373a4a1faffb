"""Are samples copies? How near each comes to a photograph that the network was trained on, and to which.

Apart from the other measures because it reads the training photographs. By pixels, mirrored or not, as training mirrors
them. A copy would be much nearer than held-out photographs are; a blurred picture is near to everything.

Shapes: L label maps, N samples of each, M training photographs, H x W pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.batches import Example
from sdm_lite.datasets.photographs import Photographs
from sdm_lite.evaluate.measures import Measure
from sdm_lite.evaluate.nearest import nearest
from sdm_lite.evaluate.photographs.measures import mean_of
from sdm_lite.pictures import to_uint8

KEY = "nearest"
HALF_RANGE = 127.5  # of bytes: a pixel of [-1, 1] is a byte less 127.5, by 127.5
CHUNK = 256  # photographs compared at once


class Seen(NamedTuple):
    """Training photographs.

    Attributes:
        names: M, of their files.
        images: (M, 3, H, W) uint8.
        total: how many there are, where M are some of them.
    """

    names: list[str]
    images: Tensor
    total: int


class NearestSeen(NamedTuple):
    """The nearest training photograph of each of some pictures.

    Attributes:
        distance: (B,), root mean square difference of pixels in [-1, 1].
        index: (B,) int64.
        image: (B, 3, H, W) uint8, mirrored where that is nearer.
    """

    distance: Tensor
    index: Tensor
    image: Tensor


def read_seen(training: Photographs, number: int) -> Seen:
    """At most so many training photographs, evenly spread, at the size of the data set.

    Raises:
        ValueError: if a photograph is bad and may not be skipped.
    """
    few = training.thinned(number)
    images = [torch.from_numpy(to_uint8(example.image)).movedim(-1, 0) for example in few.read_all()]
    return Seen(list(few.names), torch.stack(images), len(training))


def nearest_seen(pictures: Tensor, seen: Seen) -> NearestSeen:
    """The nearest training photograph of each picture (B, 3, H, W) in [-1, 1]."""
    queries = (pictures.float() + 1) * HALF_RANGE
    plain, mirrored = (nearest(queries, images, chunk_size=CHUNK) for images in (seen.images, seen.images.flip(-1)))
    turned = (mirrored.distance < plain.distance)[:, 0]
    index = torch.where(turned, mirrored.index[:, 0], plain.index[:, 0])
    distance = torch.where(turned, mirrored.distance[:, 0], plain.distance[:, 0]) / HALF_RANGE
    image = torch.where(turned[:, None, None, None], seen.images[index].flip(-1), seen.images[index])
    return NearestSeen(distance, index, image)


def nearest_measures(seen: Seen, samples: Tensor, held_out: Example) -> dict[str, Measure]:
    """How far the first sample of each map is from the nearest training photograph, beside held-out photographs.

    Args:
        seen: training photographs.
        samples: (L, N, 3, H, W) in [-1, 1].
        held_out: L photographs.
    """
    values, true = (nearest_seen(pictures, seen).distance.double() for pictures in (samples[:, 0], held_out.image))
    name = f"distance to the nearest of {len(seen.names)} training photographs, RMS of pixels"
    return {KEY: mean_of(name, values, mean_of("of the held-out photographs", true))}
