"""Colours as one whole number each, so that they can be counted, sorted and looked up as ids are.

Apart because coloured label maps of published data sets and of anyone's own are looked up alike.
"""

from __future__ import annotations

import numpy as np


def packed(colours: np.ndarray) -> np.ndarray:
    """Colours (..., 3) of 0..255 as (...) int64: 65536 r + 256 g + b."""
    r, g, b = np.moveaxis(colours.astype(np.int64), -1, 0)
    return r << 16 | g << 8 | b


def unpacked(values: np.ndarray) -> np.ndarray:
    """The colours (..., 3) int64 of packed values (...)."""
    return np.stack([values >> 16, values >> 8 & 255, values & 255], axis=-1)
