"""One photograph and its label map: read, found to fit each other, written as an example of the target.

Apart from going through all of them, so that a picture of a few is made by the same reading.

Shapes: H x W pixels, N values of a table.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sdm_lite.datasets.image_files import SIDEWAYS, open_photograph, orientation, resample_ids
from sdm_lite.datasets.preparing.label_maps import Reading, half_of, read_label_map
from sdm_lite.datasets.preparing.reader import SIDES, Reader
from sdm_lite.datasets.preparing.sources import Pair
from sdm_lite.datasets.preparing.tables import Table
from sdm_lite.files import write_whole
from sdm_lite.pictures import png_bytes

WHOLE = (0.0, 0.0, 1.0, 1.0)


class Tally(NamedTuple):
    """What the label maps of a source hold, in pixels.

    Attributes:
        num_by_class: (num_classes + 1,) int64, of each class of the label maps that were made, void last.
        num_by_value: (N,) int64, of each value of the table, as the files have them.
        num_near: near a colour of the table, but not it.
        num_far: far from every colour.
        num_void: those of them that became void, as nothing beside them was of a colour either.
        num_scaled: label maps that had another size than their photograph, and the same shape.
    """

    num_by_class: np.ndarray
    num_by_value: np.ndarray
    num_near: int = 0
    num_far: int = 0
    num_void: int = 0
    num_scaled: int = 0

    def __add__(self, other: Tally) -> Tally:  # type: ignore[override]
        """Both together."""
        return Tally(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def num_pixels(self) -> int:
        """Of all label maps."""
        return int(self.num_by_class.sum())


def no_tally(table: Table) -> Tally:
    """Of no label map."""
    return Tally(*(np.zeros(number, dtype=np.int64) for number in (table.void_id + 1, len(table.values))))


def convert(pair: Pair, table: Table, reader: Reader, draft: Path | None) -> Tally:
    """Read a pair and write it, if there is a draft to write to; a ValueError names the file that is not right."""
    photograph, reading = read_pair(pair, table, reader)
    num_by_class = np.bincount(reading.label_map.ravel(), minlength=table.void_id + 1)
    tally = Tally(num_by_class, reading.num_by_value, reading.num_near, reading.num_far, reading.num_void)
    height, width = photograph.shape[:2]
    label_map = reading.label_map
    if label_map.shape != (height, width):
        label_map, tally = resample_ids(label_map, WHOLE, (height, width)), tally._replace(num_scaled=1)
    if draft is not None:
        image, label = files_of(pair, draft, halves=bool(reader.side_by_side))
        write_whole(label, png_bytes(label_map.astype(np.uint8 if table.void_id < 256 else np.uint16)))
        if reader.side_by_side:
            write_whole(image, png_bytes(photograph))
        else:
            link(pair.photograph, image)
    return tally


def read_pair(pair: Pair, table: Table, reader: Reader) -> tuple[np.ndarray, Reading]:
    """A photograph, upright, (H, W, 3) uint8, and its label map, whose shape may be that of a smaller picture.

    Raises:
        ValueError: if a file cannot be read, or the two do not fit each other.
    """
    photograph = np.asarray(open_photograph(pair.photograph))
    if reader.side_by_side:
        photograph = half_of(photograph, SIDES[reader.side_by_side][1])
    reading = read_label_map(
        pair.label_map,
        table,
        half=reader.half,
        tolerance=reader.tolerance,
        unknown_is_void=reader.unknown_is_void,
    )
    shape, partner = photograph.shape[:2], reading.label_map.shape
    # A side that was rounded when a label map was made smaller is off by less than one of its pixels.
    if abs(shape[0] * partner[1] - shape[1] * partner[0]) >= max(shape[0], shape[1]):
        told = [f"{height} x {width}" for height, width in (shape, partner)]
        turned = "; is one of them turned on its side?" if shape == partner[::-1] else ""
        if turned and orientation(pair.photograph) in SIDEWAYS:
            turned = ": the photograph's EXIF tag turns it upright, turn the label map the same way"
        raise ValueError(
            f"expected one shape, got {told[0]} pixels in {pair.photograph} and {told[1]} in {pair.label_map}{turned}"
        )
    return photograph, reading


def files_of(pair: Pair, folder: Path, *, halves: bool) -> tuple[Path, Path]:
    """The photograph and the label map of a pair in a prepared folder."""
    suffix = ".png" if halves else pair.photograph.suffix.lower()
    image, label = (folder / kind / pair.split / pair.name for kind in ("images", "labels"))
    return image.with_name(f"{pair.name}{suffix}"), label.with_name(f"{pair.name}.png")


def link(source: Path, target: Path) -> None:
    """A second name for a file, or a copy where file systems differ; whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        write_whole(target, source.read_bytes())
