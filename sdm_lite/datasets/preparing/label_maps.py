"""One label map as people have it, ids or colours, JPEG or not, as the classes of a table.

Apart from the table because here is what blur does: a pixel between two colours is neither, and may look like a third.
A pixel farther than the tolerance from every colour is far: where the file is of a kind that blurs, it takes the
nearest colour of those beside it, and so does a strip whose colour lies between those of its two sides.

Shapes: H x W pixels, N values of a table.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sdm_lite.datasets.colours import packed, unpacked
from sdm_lite.datasets.image_files import is_lossy, read_colours, read_ids_or_colours
from sdm_lite.datasets.preparing.tables import Table, told_value

LOSSY_TOLERANCE = 48.0
"""In steps of 0..255, where a file is JPEG and nothing is said: beyond it a pixel is a mixture of two."""
MOST_UNKNOWN = 0.005  # of the pixels of a label map may be of no colour before it is told to be none of this table
NUM_ROUNDS = 4  # how many pixels wide a seam of blur is filled from each side
UNKNOWN = -1


class Reading(NamedTuple):
    """A label map read.

    Attributes:
        label_map: (H, W) int64 classes.
        num_by_value: (N,) int64, pixels of each value of the table, before anything was filled.
        num_near: pixels that are not exactly a colour of the table, but near one.
        num_far: pixels that are far from all.
        num_void: far pixels for which nothing was found beside them either: void.
    """

    label_map: np.ndarray
    num_by_value: np.ndarray
    num_near: int
    num_far: int
    num_void: int


def half_of(pixels: np.ndarray, side: str) -> np.ndarray:
    """The "left" or the "right" half of an array (H, W, ...), or all of it where the side is ""."""
    middle = pixels.shape[1] // 2
    return {"": pixels, "left": pixels[:, :middle], "right": pixels[:, middle:]}[side]


def read_pixels(path: Path) -> np.ndarray:
    """What stands in a file: ids (H, W), of three equal channels too, or colours (H, W, 3) uint8.

    Raises:
        ValueError: if the file cannot be read, or is grey in a format that gives back other ids.
    """
    pixels = read_ids_or_colours(path)
    if pixels.ndim == 2 or (pixels != pixels[..., :1]).any():
        return pixels
    if is_lossy(path):
        raise ValueError(
            f"expected label ids (one number a pixel) in {path}, got grey in a format that can change them"
        )
    return pixels[..., 0].copy()


def read_values(path: Path, *, is_colours: bool | None, half: str = "") -> np.ndarray:
    """The values in a file, (H, W) int64: ids, or packed colours.

    Args:
        path: of the file.
        is_colours: what they are; None = colours where three different channels are, else ids.
        half: which part of it, "left" or "right"; "" for all.

    Raises:
        ValueError: if the file cannot be read, or is not of what is asked for.
    """
    pixels = read_colours(path) if is_colours else read_pixels(path)
    pixels = half_of(pixels, half)
    if is_colours is False and pixels.ndim == 3:
        raise ValueError(
            f"expected label ids (one number a pixel) in {path}, got colours; give a table: --colours FILE"
        )
    return packed(pixels) if pixels.ndim == 3 else pixels.astype(np.int64)


def read_label_map(
    path: Path,
    table: Table,
    *,
    half: str = "",
    tolerance: float | None = None,
    unknown_is_void: bool = False,
) -> Reading:
    """The classes in a file.

    Args:
        path: of the file.
        table: what its values mean.
        half: which part of it is the label map, "left" or "right"; "" for all.
        tolerance: greatest distance of a pixel from its colour, Euclidean, in steps of 0..255; None = 0, or
            LOSSY_TOLERANCE where the file's format blurs.
        unknown_is_void: whether values that the table does not have may be void, however many they are.

    Raises:
        ValueError: if the file cannot be read, or values are not in the table, naming the file and the commonest.
    """
    values = read_values(path, is_colours=table.is_colours, half=half)
    lossy = table.is_colours and is_lossy(path)
    tolerance = (LOSSY_TOLERANCE if lossy else 0.0) if tolerance is None else tolerance
    there, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    nearest, distance = _nearest(there, table)
    known = distance <= tolerance
    num_by_value = np.bincount(nearest[known], weights=counts[known], minlength=len(table.values)).astype(np.int64)
    classes = np.where(known, table.classes[nearest], UNKNOWN)
    label_map = classes[inverse].reshape(values.shape)  # (H, W)
    if lossy:
        label_map[_seams(label_map, table, tolerance)] = UNKNOWN
        label_map = _filled(label_map, unpacked(values), table)
    unknown = label_map == UNKNOWN
    if unknown.any() and not unknown_is_void:
        _refuse_unknown(path, table, values[unknown], values.size)
    label_map[unknown] = table.void_id
    num_near, num_far = int(counts[known & (distance > 0)].sum()), int(counts[~known].sum())
    return Reading(label_map, num_by_value, num_near, num_far, int(unknown.sum()))


def _nearest(there: np.ndarray, table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Of each value, the index of the nearest in the table and its distance: of ids 0, or infinity where it is none."""
    if table.is_colours:
        colours, nearest, distance = unpacked(table.values).astype(np.float32), [], []
        for part in np.array_split(unpacked(there).astype(np.float32), len(there) // 4096 + 1):
            apart = np.linalg.norm(part[:, None] - colours, axis=-1)  # (part, N)
            nearest.append(apart.argmin(axis=1))
            distance.append(apart.min(axis=1))
        return np.concatenate(nearest), np.concatenate(distance)
    order = np.argsort(table.values)
    place = order[np.searchsorted(table.values, there, sorter=order).clip(max=len(order) - 1)]
    return place, np.where(table.values[place] == there, 0.0, np.inf)


def _seams(label_map: np.ndarray, table: Table, tolerance: float) -> np.ndarray:
    """Where a thin strip of a class parts two others and its colour lies between theirs: blur, not a class.

    Thin is what lies in no square of 3 x 3 of its class. A thin strip with one class on both sides, a pole before the
    sky, is none.
    """
    height, width = label_map.shape
    rows, columns = np.nonzero((label_map != UNKNOWN) & ~_wide(label_map))
    classes = label_map[rows, columns]
    palette = table.with_void().palette.astype(np.float32)
    seam = np.zeros(len(rows), dtype=bool)
    for (dy, dx), reach in product(((0, 1), (1, 0), (1, 1), (1, -1)), (2, 3)):
        sides = [
            label_map[(rows + sign * reach * dy).clip(0, height - 1), (columns + sign * reach * dx).clip(0, width - 1)]
            for sign in (-1, 1)
        ]
        parts = (sides[0] != sides[1]) & np.all([(side != classes) & (side != UNKNOWN) for side in sides], axis=0)
        first, second, own = (palette[one[parts]] for one in (*sides, classes))
        along = second - first  # different classes: different colours
        t = ((own - first) * along).sum(axis=1) / (along**2).sum(axis=1)
        seam[parts] |= np.linalg.norm(first + t.clip(0, 1)[:, None] * along - own, axis=1) <= tolerance
    seams = np.zeros(label_map.shape, dtype=bool)
    seams[rows[seam], columns[seam]] = True
    return seams


def _wide(label_map: np.ndarray) -> np.ndarray:
    """Where a pixel lies in a square of 3 x 3 of its class."""
    padded = np.pad(label_map, 2, mode="edge")
    height, width = label_map.shape
    # Whether the square whose corner a pixel of the padded map is has one class.
    one_class = np.ones((height + 2, width + 2), dtype=bool)
    for dy in range(3):
        for dx in range(3):
            one_class &= padded[dy : dy + height + 2, dx : dx + width + 2] == padded[:-2, :-2]
    wide = np.zeros((height, width), dtype=bool)
    for dy in range(3):
        for dx in range(3):
            wide |= one_class[dy : dy + height, dx : dx + width]
    return wide


def _filled(label_map: np.ndarray, colours: np.ndarray, table: Table) -> np.ndarray:
    """Unknown pixels take the class of a neighbour, of the eight the one whose colour is nearest; round by round."""
    palette = table.with_void().palette.astype(np.float32)
    colours = colours.astype(np.float32)
    height, width = label_map.shape
    for _ in range(NUM_ROUNDS):
        rows, columns = np.nonzero(label_map == UNKNOWN)
        if not len(rows):
            break
        padded = np.pad(label_map, 1, constant_values=UNKNOWN)
        beside = np.stack(
            [padded[rows + dy, columns + dx] for dy in range(3) for dx in range(3) if (dy, dx) != (1, 1)], axis=1
        )  # (unknown pixels, 8)
        apart = np.linalg.norm(palette[beside] - colours[rows, columns][:, None], axis=-1)
        apart[beside == UNKNOWN] = np.inf
        best = beside[np.arange(len(rows)), apart.argmin(axis=1)]  # UNKNOWN where all are
        label_map[rows, columns] = best
    return label_map


def _refuse_unknown(path: Path, table: Table, values: np.ndarray, num_pixels: int) -> None:
    """Raise ValueError if too many pixels are of values that the table does not have; of ids, any is too many."""
    if table.is_colours and len(values) <= MOST_UNKNOWN * num_pixels:
        return
    there, counts = np.unique(values, return_counts=True)
    most = int(counts.argmax())
    what = "a colour" if table.is_colours else "an id"
    raise ValueError(
        f"expected values of {table.where} in {path}, got {len(values)} pixels of others, most of them "
        f"{told_value(int(there[most]), table.is_colours)} ({counts[most]} pixels): give {what} of it a name there, "
        "or --unknown-is-void"
    )
