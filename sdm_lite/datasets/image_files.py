"""Photographs and id maps out of files: opened, checked, turned upright, resampled.

Apart because what may be wrong with one file is the same for every data set: damaged, not an image, in colours where
ids are expected. Every error names the file and what to do about it. The door of Pillow for data sets.

Shapes: H x W pixels.
"""

from __future__ import annotations

import os
import re
import struct
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
EXIF_ORIENTATION = 0x0112
SIDEWAYS = (5, 6, 7, 8)  # orientations that exchange height and width
TIFF_SIZE, TIFF_PHOTOMETRIC = (256, 257), 262
# Formats that give back the numbers that were written, by a file's content: its name can be any. BMP and PGM could, but
# of their small kinds Pillow stretches some, turns some round and misreads some.
KEEPS_IDS = ("PNG", "TIFF")
TIFF_KEEPS_IDS = ("raw", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "packbits", "lzma", "zstd")
SMALL_GREY = re.compile(r"L;([24])")  # Pillow's name for grey of 2 or 4 bits, which it stretches to 0..255


def open_photograph(path: Path) -> Image.Image:
    """A photograph upright and in RGB, as a Pillow image.

    The EXIF orientation is applied. Grey, palette, CMYK and 16-bit files become RGB; what is transparent becomes white.

    Raises:
        ValueError: if the file is no readable image, or has numbers of more than 16 bits.
    """
    from PIL import Image

    with _opened(path) as image:
        image.load()
        image = _upright(image)
        if image.mode.startswith("I"):  # Pillow would clip 16 bits rather than scale them.
            values = np.asarray(image, dtype=np.int64)
            if values.min() < 0 or values.max() >= 2**16:
                raise ValueError(f"values from {values.min()} to {values.max()}, where 0 to 65535 is black to white")
            image = Image.fromarray((values >> 8).astype(np.uint8))
        if image.mode == "F":
            raise ValueError("32-bit floating-point numbers, and nothing says which is white")
        if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA"):
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return image.convert("RGB")


def read_ids(path: Path) -> np.ndarray:
    """The numbers in an id map as they were written, (H, W), uint8 or, from files of 16 or 32 bits, int32.

    A palette is ignored: its indices are the ids. So is that grey of 2 or 4 bits is meant to be stretched.

    Raises:
        ValueError: if the file is no readable image, holds colours, or is of a kind that makes other ids, such as JPEG.
    """
    with _opened(path) as image:
        fault = _changes_ids(image)
        small = SMALL_GREY.match(_raw_mode(image))
        if not fault:
            image.load()
            if image.mode in ("1", "L", "P"):
                return np.asarray(image).astype(np.uint8) // (255 // (2 ** int(small[1]) - 1) if small else 1)
            if image.mode.startswith("I"):
                return np.asarray(image).astype(np.int32)
            fault = f"an image of mode {_colours(image)}"
    raise ValueError(f"expected label ids (one number a pixel) in {path}, got {fault}")


def read_colours(path: Path) -> np.ndarray:
    """The colours of a label map of any format as a viewer shows them, (H, W, 3) uint8; what is transparent is ignored.

    Nothing is turned: a label map has no up of its own.

    Raises:
        ValueError: if the file is no readable image of 8 bits.
    """
    with _opened(path) as image:
        if image.mode.startswith("I") or image.mode == "F":
            fault = f"an image of mode {image.mode}, whose numbers are no colours"
        else:
            return np.asarray(image.convert("RGBA").convert("RGB"))
    raise ValueError(f"expected a label map in colours in {path}, got {fault}")


def read_ids_or_colours(path: Path) -> np.ndarray:
    """What a label map holds: ids (H, W) as `read_ids`, or, of three channels, colours (H, W, 3) uint8.

    Raises:
        ValueError: as `read_ids` where one number stands at a pixel, as `read_colours` elsewhere.
    """
    with _opened(path) as image:
        in_colours = image.mode in ("RGB", "RGBA", "CMYK", "YCbCr")
    return read_colours(path) if in_colours else read_ids(path)


def is_lossy(path: Path) -> bool:
    """Whether a file is of a format that may give back other colours than were saved in it, such as JPEG.

    Raises:
        ValueError: if the file is no image.
    """
    with _opened(path) as image:
        return bool(_changes_ids(image))


def photograph_size(path: Path) -> tuple[int, int]:
    """Height and width of a photograph upright, from the head of its file.

    Raises:
        ValueError: if the file is no image.
    """
    with _opened(path) as image:
        width, height = image.size
        if image.format == "TIFF":  # some versions of Pillow have turned its size already
            width, height = (image.tag_v2[tag] for tag in TIFF_SIZE)
        return (width, height) if _orientation(image) in SIDEWAYS else (height, width)


def orientation(path: Path) -> int:
    """The EXIF orientation by which a photograph is turned, 1 (upright as it lies) to 8; 1 where nothing says so.

    Raises:
        ValueError: if the file is no image.
    """
    with _opened(path) as image:
        return _orientation(image)


def read_mask(path: Path) -> np.ndarray:
    """Where a mask, black and white in whatever mode, is not black: (H, W) bool.

    Raises:
        ValueError: if the file is no readable image, or is of a kind that makes other masks, such as JPEG.
    """
    with _opened(path) as image:
        fault = _changes_ids(image)
        if not fault:
            return np.asarray(image.convert("L")) > 0
    raise ValueError(f"expected a mask (black and white) in {path}, got {fault}")


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


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image file; whatever Pillow raises at a bad one becomes a ValueError in one line that names it."""
    from PIL import Image

    # A camera of 100 megapixels is no attack; more than 179 are refused below. `catch_warnings` is not for threads.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    # Its warnings of metadata name no file, and what comes of it is seen here. `catch_warnings` is not for threads.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.\w+ImagePlugin")
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError:
        raise ValueError(f"expected a readable image, got no file at {path}; it was there when it was listed") from None
    except Image.DecompressionBombError:
        most = 2 * Image.MAX_IMAGE_PIXELS
        raise ValueError(f"expected a picture of at most {most / 1e6:.0f} megapixels, got {path}: shrink it") from None
    except Exception as error:  # what its plugins raise has no common name
        lines = str(error).replace(str(path), "it").splitlines()
        reason = lines[0] if lines else type(error).__name__
        raise ValueError(f"expected a readable image, got {path}: {reason}; replace the file") from error


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1..8, and 1 where nothing readable says so, as in every viewer.

    Pillow reads the whole block, and nothing of it where another tag is broken; what it also finds elsewhere, in a
    TIFF's own tags or in XMP, is asked for second.
    """
    found = _orientation_in(image.info.get("exif", b""))
    if found is None:
        try:
            found = image.getexif().get(EXIF_ORIENTATION)
        except Exception:  # what broken metadata leads Pillow to raise has no common name
            found = None
    return found if found in range(1, 9) else 1


def _orientation_in(block: bytes) -> int | None:
    """The orientation in an EXIF block, which is a TIFF file of tags alone; None if it cannot be found."""
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (number,) = struct.unpack_from(f"{order}H", block, start)
        for entry in range(start + 2, start + 2 + 12 * number, 12):
            tag, kind, _ = struct.unpack_from(f"{order}HHI", block, entry)
            if tag == EXIF_ORIENTATION:
                return struct.unpack_from(order + ("I" if kind == 4 else "H"), block, entry + 8)[0]
    except struct.error:  # too short, or no order of bytes
        pass
    return None


def _upright(image: Image.Image) -> Image.Image:
    """The image turned by its EXIF orientation.

    Pillow's own `exif_transpose` writes the whole block anew without the tag, which fails at any other tag.
    """
    from PIL.Image import Transpose

    turn = {
        2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM, 5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90,
    }.get(_orientation(image))  # fmt: skip
    return image if turn is None else image.transpose(turn)


def _raw_mode(image: Image.Image) -> str:
    """How the numbers lie in a file that is not yet loaded, in Pillow's words: "L;4"."""
    arguments = image.tile[0][3] if image.tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _changes_ids(image: Image.Image) -> str:
    """What of an open file would give other numbers than were written, and what to do; "" if nothing does."""
    if image.format not in KEEPS_IDS:
        if image.format in ("BMP", "PPM"):
            return f"{image.format}, which is not read here: save it as PNG"
        return f"{image.format}, which can change them: give the PNG file"
    if getattr(image, "n_frames", 1) > 1:
        return f"{image.n_frames} pages: give a file of one"
    if image.format == "TIFF":
        if (compression := image.info.get("compression")) not in TIFF_KEEPS_IDS:
            return f"TIFF compressed by {compression}, which can change them: give the PNG file"
        if image.tag_v2.get(TIFF_PHOTOMETRIC) == 0:
            return "TIFF in which 0 is white, which turns them round: save it with 0 as black"
    return ""


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
        return f"{mode} with {count}: a colour-coded label map: `datasets prepare folder` makes ids of colours"
    return f"{mode} with {count}: a photograph, or a label map saved as JPEG; give the PNG file with the ids"
