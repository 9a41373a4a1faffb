"""Figures as PNG: bytes, and files that are there whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sdm_lite.files import write_whole
from sdm_lite.pictures import png_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file, cropped to what is drawn on it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.1, facecolor="white")
    return buffer.getvalue()


def save_png(path: str | Path, picture: np.ndarray | Figure) -> Path:
    """Writes an array or a figure as PNG: the file is there whole, or not at all.

    Args:
        path: where to; missing folders are made.
        picture: (H, W, 3) uint8, or a Figure.

    Returns:
        The path.
    """
    return write_whole(path, png_bytes(picture) if isinstance(picture, np.ndarray) else figure_png(picture))
