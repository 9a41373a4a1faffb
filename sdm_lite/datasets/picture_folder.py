"""A folder of pictures, whoever made them: what is in it, which pictures are of one label map, read one by one.

Apart from the data sets because nothing is known of these pictures: no classes, no split, no promised size. Samples of
one label map are told by their names:

    NAME.png                    the sample for NAME, a name that the true pictures or the label maps have
    NAME_0.png  NAME_1.png ...  several samples for NAME
    NAME/whatever.png           the same, in a folder called NAME

Where NAME is known from nowhere else, NAME_0 to NAME_k without a gap, k >= 1, are samples of one NAME; all other
pictures are each of its own.

Shapes: H x W pixels.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sdm_lite.datasets.image_files import in_threads, open_photograph, photograph_size, read_ids, resample_ids
from sdm_lite.datasets.pairing import LABEL_MAPS, shortened
from sdm_lite.files import expanded

if TYPE_CHECKING:
    from PIL import Image

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
NUMBERED = re.compile(r"(.+)_(0|[1-9]\d*)")
WHOLE = 0.0, 0.0, 1.0, 1.0


@dataclass(frozen=True)
class PictureFolder:
    """Pictures of a folder and of the folders in it, by name.

    Attributes:
        root: the folder.
        files: by name, the path below the root without its suffix; in the order of names.
        sizes: (height, width) upright, by name.
        left_out: a line for each unreadable file that was left out: its name, what is wrong, what to do.
        num_others: files that are no pictures by their suffix; hidden ones are not counted.
    """

    root: Path
    files: dict[str, Path]
    sizes: dict[str, tuple[int, int]]
    left_out: list[str]
    num_others: int

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.files)


def open_folder(root: str | Path, *, skip_bad: bool = False) -> PictureFolder:
    """List the pictures of a folder, and open the head of every file.

    Args:
        root: the folder.
        skip_bad: leave out files that cannot be read, and list them.

    Raises:
        ValueError: if there is no such folder, no picture in it, two pictures of one name, or, unless skip_bad, a file
            that cannot be read: in one line the first of them and how many more.
    """
    root = expanded(root)
    if not root.is_dir():
        raise ValueError(f"expected a folder of pictures at {root}, got {'a file' if root.exists() else 'nothing'}")
    found, num_others = _by_name(root, PICTURES)
    if not found:
        raise ValueError(f"expected pictures ({', '.join(PICTURES)}) in {root}, got none among its {num_others} files")
    sizes = dict(zip(found, in_threads(_size_or_fault, found.values()), strict=True))
    faults = [size for size in sizes.values() if isinstance(size, str)]
    if faults and not skip_bad:
        raise unreadable(faults)
    kept = {name: path for name, path in found.items() if not isinstance(sizes[name], str)}
    if not kept:
        raise ValueError(f"expected a readable picture in {root}, got none of {len(found)}: {faults[0]}")
    return PictureFolder(root, kept, {name: sizes[name] for name in kept}, faults, num_others)


def label_files(root: str | Path) -> dict[str, Path]:
    """The label maps of a folder and of the folders in it, by name as in `PictureFolder.files`; nothing is opened.

    Raises:
        ValueError: if there is no such folder, or no label map in it.
    """
    root = expanded(root)
    if not root.is_dir():
        raise ValueError(f"expected a folder of label maps at {root}, got {'a file' if root.exists() else 'nothing'}")
    found, num_others = _by_name(root, LABEL_MAPS)
    found = found or _by_name(root, PICTURES)[0]  # whether these will do is seen in them, not in their names
    if not found:
        raise ValueError(
            f"expected label maps ({', '.join(LABEL_MAPS)}) in {root}, got none among its {num_others} files"
        )
    return found


def unreadable(faults: list[str]) -> ValueError:
    """The error that tells of files that cannot be read."""
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return ValueError(f"{faults[0]}{more}, or leave it out with --skip-bad")


def read_picture(path: Path) -> Image.Image | str:
    """A picture upright and in RGB, or a line that says why not."""
    try:
        return open_photograph(path)
    except ValueError as error:
        return str(error)


def read_label_map(path: Path, size: tuple[int, int]) -> np.ndarray | str:
    """The ids of a label map at a size, (H, W) int64, each the nearest to its place; or a line that says why not."""
    try:
        return resample_ids(read_ids(path), WHOLE, size).astype(np.int64)
    except ValueError as error:
        return str(error)


def label_map_names(names: Iterable[str], known: Collection[str]) -> list[str]:
    """What each sample is of, by its name: see the top of the file.

    Args:
        names: of samples, as in `PictureFolder.files`.
        known: names of true pictures and of label maps.

    Returns:
        For each the known name that it is of, the NAME of its series NAME_0, NAME_1 ..., or its own name.
    """
    names = list(names)
    known, there = set(known), set(names)
    found = []
    for name in names:
        numbered, folder = NUMBERED.fullmatch(name), name.rpartition("/")[0]
        if name in known:
            found.append(name)
        elif numbered and numbered[1] in known:
            found.append(numbered[1])
        elif folder in known:
            found.append(folder)
        elif numbered and _is_series(numbered[1], there):
            found.append(numbered[1])
        else:
            found.append(name)
    return found


def _is_series(stem: str, names: set[str]) -> bool:
    """Whether the names that are a stem and a number are stem_0, stem_1 and so on, two or more, with no gap."""
    numbers = {int(match[2]) for name in names if (match := NUMBERED.fullmatch(name)) and match[1] == stem}
    return len(numbers) > 1 and max(numbers) == len(numbers) - 1


def told_sizes(folder: PictureFolder) -> str:
    """The sizes of the pictures, in words: `256 x 192`, or how many there are."""
    sizes = sorted(set(folder.sizes.values()))
    each = [f"{height} x {width}" for height, width in sizes]
    return each[0] if len(each) == 1 else f"{len(each)} sizes ({shortened(each)})"


def _size_or_fault(path: Path) -> tuple[int, int] | str:
    try:
        return photograph_size(path)
    except ValueError as error:
        return str(error)


def _by_name(root: Path, suffixes: tuple[str, ...]) -> tuple[dict[str, Path], int]:
    """Files with some suffixes by their paths below a folder, in order, and how many others there are."""
    found: dict[str, Path] = {}
    num_others = 0
    for path in sorted(_files_below(root)):
        name = unicodedata.normalize("NFC", path.relative_to(root).with_suffix("").as_posix())
        if path.suffix.lower() not in suffixes:
            num_others += 1
        elif name in found:
            raise ValueError(f"expected one picture named {name} in {root}, got {found[name].name} and {path.name}")
        else:
            found[name] = path
    return found, num_others


def _files_below(root: Path) -> list[Path]:
    """Files of a folder and of those in it, without hidden ones; no link is followed back to where one came from."""
    found, seen = [], set()
    for place, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    return found
