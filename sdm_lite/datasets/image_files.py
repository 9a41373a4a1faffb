"""Photographs and id maps out of files: opened, checked, turned upright, resampled.

Apart because what may be wrong with one file is the same for every data set: damaged, not an image, in colours where
ids are expected. Every error names the file and what to do about it. The door of Pillow for data sets.

Shapes: H x W pixels.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

Box = tuple[float, float, float, float]
"""Part of a picture: (top, left, bottom, right) as fractions of its height and width, 0..1."""

MAX_COLOURS_TOLD = 10_000
LOSSY = ("JPEG", "MPO", "JPEG2000")  # by their content: a file can have any name
EXIF_ORIENTATION = 0x0112
SIDEWAYS = (5, 6, 7, 8)  # orientations that exchange height and width


def open_photograph(path: Path) -> Image.Image:
    """A photograph upright and in RGB, as a Pillow image.

    The EXIF orientation is applied. Grey, palette, CMYK and 16-bit files become RGB; what is transparent becomes white.

    Raises:
        ValueError: if the file is no readable image.
    """
    from PIL import Image, ImageOps

    with _opened(path) as image:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # Pillow would clip 16 bits rather than scale them.
        image = Image.fromarray((np.asarray(image, dtype=np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA"):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def read_ids(path: Path) -> np.ndarray:
    """The numbers in an id map, (H, W), uint8 or, from files of 16 or 32 bits, int32.

    A palette is ignored: its indices are the ids.

    Raises:
        ValueError: if the file is no readable image, holds colours, or has been through JPEG, which makes other ids.
    """
    image = _open(path)
    if image.format in LOSSY:
        raise ValueError(f"expected label ids in {path}, got {image.format}, which changes them: give the PNG file")
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    if image.mode in ("L", "P"):
        return np.array(image)
    if image.mode.startswith("I"):
        return np.asarray(image).astype(np.int32)
    raise ValueError(f"expected label ids (one number a pixel) in {path}, got an image of mode {_colours(image)}")


def photograph_size(path: Path) -> tuple[int, int]:
    """Height and width of a photograph upright, from the head of its file.

    Raises:
        ValueError: if the file is no image.
    """
    with _opened(path) as image:
        turned = image.getexif().get(EXIF_ORIENTATION, 1) in SIDEWAYS
        return (image.width, image.height) if turned else (image.height, image.width)


def orientation(path: Path) -> int:
    """The EXIF orientation by which a photograph is turned, 1 (upright as it lies) to 8; 1 where nothing says so.

    Raises:
        ValueError: if the file is no image.
    """
    with _opened(path) as image:
        try:
            return image.getexif().get(EXIF_ORIENTATION, 1)
        except Exception:  # what broken EXIF leads Pillow to raise has no common name
            return 1


def read_mask(path: Path) -> np.ndarray:
    """Where a mask, black and white in whatever mode, is not black: (H, W) bool.

    Raises:
        ValueError: if the file is no readable image.
    """
    return np.asarray(_open(path).convert("L")) > 0


def resample(photograph, box: Box, size: tuple[int, int], *, halve: bool = False) -> np.ndarray:
    """Part of a photograph at another size, averaged down so that nothing is aliased.

    Args:
        photograph: a Pillow image in RGB.
        box: the part to keep.
        size: (height, width) of the result.
        halve: average squares of two pixels as often as possible first, as the published code does; or leave it all
            to the bicubic filter, which Pillow widens with the reduction.

    Returns:
        (H, W, 3) uint8.
    """
    from PIL import Image

    (top, left, bottom, right), (height, width) = box, size
    inside = min((bottom - top) * photograph.height / height, (right - left) * photograph.width / width)
    while halve and inside >= 2:
        photograph = photograph.resize((photograph.width // 2, photograph.height // 2), Image.Resampling.BOX)
        inside /= 2
    # Pillow refuses what rounding puts beyond the edge.
    top, left, bottom, right = (min(max(edge, 0.0), 1.0) for edge in (top, left, bottom, right))
    edges = (left * photograph.width, top * photograph.height, right * photograph.width, bottom * photograph.height)
    return np.array(photograph.resize((width, height), Image.Resampling.BICUBIC, box=edges))


def resample_ids(ids: np.ndarray, box: Box, size: tuple[int, int]) -> np.ndarray:
    """Part of an id map (H', W') at another size (H, W): each pixel takes the id nearest to its centre."""
    (top, left, bottom, right), (height, width) = box, size
    rows = top * ids.shape[0] + (np.arange(height) + 0.5) * (bottom - top) * ids.shape[0] / height
    columns = left * ids.shape[1] + (np.arange(width) + 0.5) * (right - left) * ids.shape[1] / width
    # A centre on the border of two pixels is rounding's to decide, unless it is moved a little.
    rows, columns = ((centres + 1e-6).astype(np.int64) for centres in (rows, columns))
    return np.ascontiguousarray(ids[rows[:, None], columns[None]])


def in_threads(function: Callable[[Any], Any], items: Iterable[Any], num_threads: int | None = None) -> Iterator[Any]:
    """What a function returns for each item, in order, worked out by threads: Pillow lets go of Python while it works.

    Args:
        function: of one item.
        items: only a few more are taken than are asked for, or all pictures would wait in memory.
        num_threads: None = one a core.
    """
    num_threads = num_threads or os.cpu_count() or 1
    pool, pending = ThreadPoolExecutor(num_threads), deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 4 * num_threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _open(path: Path) -> Image.Image:
    with _opened(path) as image:
        image.load()
        return image


@contextmanager
def _opened(path: Path) -> Iterator:
    """An image file; whatever Pillow makes of a bad one becomes a ValueError that names it."""
    from PIL import Image

    # A camera of 100 megapixels is no attack; more than 179 are refused below. `catch_warnings` is not for threads.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError:
        raise ValueError(f"expected a readable image, got no file at {path}; it was there when it was listed") from None
    except Image.DecompressionBombError:
        most = 2 * Image.MAX_IMAGE_PIXELS
        raise ValueError(f"expected a picture of at most {most / 1e6:.0f} megapixels, got {path}: shrink it") from None
    except (OSError, SyntaxError, ValueError) as error:
        # Pillow raises SyntaxError for some broken PNG files.
        reason = str(error).replace(str(path), "it") or type(error).__name__
        raise ValueError(f"expected a readable image, got {path}: {reason}; replace the file") from error


def _colours(image) -> str:
    """What an image is that should have held ids, and what to do."""
    mode = image.mode
    if mode not in ("RGB", "RGBA"):
        return f"{mode}; save it with one channel of 8 or 16 bits"
    rgb = np.asarray(image.convert("RGB"))
    if (rgb == rgb[..., :1]).all():
        return f"{mode} with equal channels; save one of them, for example with Pillow's convert('L')"
    colours = image.convert("RGB").getcolors(MAX_COLOURS_TOLD)
    count = f"{len(colours)} colours" if colours else f"more than {MAX_COLOURS_TOLD} colours"
    if colours and len(colours) <= 256:
        return f"{mode} with {count}: a colour-coded label map; write the class id of each colour in its place"
    return f"{mode} with {count}: a photograph, or a label map saved as JPEG; give the PNG file with the ids"
