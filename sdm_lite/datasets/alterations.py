"""Small changes to pictures that nobody means and everybody makes: another filter, JPEG, half the size and back.

Apart because they are not how pictures are read: they are made on purpose, to see how much a score moves by them.
Parmar et al. (2022) measured that for FID.

Shapes: H x W pixels.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from PIL import Image

FILTERS = {"bicubic": "BICUBIC", "bilinear": "BILINEAR", "area": "BOX"}
"""Pillow's filters by the field's names; all are widened with the reduction, so that nothing is aliased."""


def resized(picture: Image.Image, size: tuple[int, int], filter_name: str = "bicubic") -> Image.Image:
    """A picture at a size (height, width), whatever its shape was; as it is where it has that size.

    Args:
        picture: in RGB.
        size: (height, width).
        filter_name: a key of FILTERS.
    """
    from PIL import Image

    height, width = size
    if picture.size == (width, height):
        return picture
    return picture.resize((width, height), Image.Resampling[FILTERS[filter_name]])


def resized_with_aliasing(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A picture at a size by bilinear interpolation of four pixels, however much it is reduced.

    That is what torch's and OpenCV's bilinear resizing does by default, and what clean-fid warns of.
    """
    from PIL import Image

    height, width = size
    if picture.size == (width, height):
        return picture
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float()
    shrunk = F.interpolate(pixels, size=size, mode="bilinear", align_corners=False)[0]
    return Image.fromarray(shrunk.round().clamp(0, 255).byte().permute(1, 2, 0).numpy())


def halved_and_back(picture: Image.Image, filter_name: str) -> Image.Image:
    """A picture at half its height and width, and back again, by one filter: a mild blur."""
    height, width = picture.height, picture.width
    return resized(
        resized(picture, (max(height // 2, 1), max(width // 2, 1)), filter_name), (height, width), filter_name
    )


def through_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    """A picture written as JPEG and read again.

    Args:
        picture: in RGB.
        quality: 1..95, Pillow's; colours at half the resolution, as is usual.
    """
    from PIL import Image

    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(file) as read:
        return read.convert("RGB")
