"""Which part of a picture is kept: the whole, the centre, a random part; two protocols of these.

Apart because this is where the published code trains on other pictures than it is tested on (errata): it crops at
random in training and squashes the whole picture into a square at test time. Here nothing is squashed unless asked.

Boxes are fractions of height and width, so that one box fits a photograph and a label map of another resolution.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from sdm_lite.datasets.image_files import Box

# Short side of the picture over that of the crop, drawn evenly: the published code's 256..320 pixels for 256.
LARGEST_ZOOM = 1.25


class Protocol(NamedTuple):
    """How pictures come to the size that is asked for.

    Attributes:
        name: as in PROTOCOLS.
        squash: keep the whole picture at test time, whatever becomes of its shape, and crop every training picture at
            random; or keep the centre, and crop at random only the further crops of a picture.
        halve: resample as the published code does, see `image_files.resample`.
        max_instance_id: larger instance ids become this one, or None.
    """

    name: str
    squash: bool
    halve: bool
    max_instance_id: int | None

    def box(self, shape: tuple[int, int], size: tuple[int, int], crop: int, key: str, *, in_training: bool) -> Box:
        """The part of a picture that one of its crops keeps.

        Args:
            shape: (height, width) of the picture.
            size: (height, width) that is asked for.
            crop: 0 is the first.
            key: what the random choices depend on, besides the number of the crop.
            in_training: whether a protocol that squashes is to crop at random instead.
        """
        if crop > 0 or (self.squash and in_training):
            seed = f"{key} {crop}".encode(errors="surrogateescape")  # a file's name may be no UTF-8
            return random_box(shape, size, random.Random(seed))
        return WHOLE if self.squash else centre_box(shape, size)


WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
PROTOCOLS = {
    "sdm_lite": Protocol("sdm_lite", squash=False, halve=False, max_instance_id=None),
    "reference": Protocol("reference", squash=True, halve=True, max_instance_id=255),
}


def centre_box(shape: tuple[int, int], size: tuple[int, int]) -> Box:
    """The largest part in the middle of a picture of `shape` that has the shape of `size`."""
    height, width = _largest(shape, size)
    return ((1 - height) / 2, (1 - width) / 2, (1 + height) / 2, (1 + width) / 2)


def random_box(shape: tuple[int, int], size: tuple[int, int], chance: random.Random) -> Box:
    """A part with the shape of `size`, 0.8 to 1 of the largest there is (evenly in its inverse), anywhere."""
    zoom = chance.uniform(1, LARGEST_ZOOM)
    height, width = (side / zoom for side in _largest(shape, size))
    top, left = chance.uniform(0, 1 - height), chance.uniform(0, 1 - width)
    return (top, left, top + height, left + width)


def _largest(shape: tuple[int, int], size: tuple[int, int]) -> tuple[float, float]:
    """Height and width, as fractions, of the largest part of a picture that has the shape of `size`."""
    zoom = max(size[0] / shape[0], size[1] / shape[1])
    return size[0] / zoom / shape[0], size[1] / zoom / shape[1]
