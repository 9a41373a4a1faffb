"""What the values in the label maps of a folder mean: out of the file that was given, or of all that is found.

Apart from reading one label map because here all of them are read, before any is written.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdm_lite.datasets.class_names import read_class_names
from sdm_lite.datasets.colours import packed
from sdm_lite.datasets.folder import UNLABELLED, UNLABELLED_ID
from sdm_lite.datasets.image_files import in_threads, is_lossy
from sdm_lite.datasets.preparing.label_maps import LOSSY_TOLERANCE, half_of, read_pixels
from sdm_lite.datasets.preparing.reader import Reader
from sdm_lite.datasets.preparing.sources import Pair
from sdm_lite.datasets.preparing.tables import (
    Table,
    found_entries,
    make_table,
    no_void,
    read_colour_table,
    read_id_map,
)
from sdm_lite.progress import Progress

EVEN = 12  # steps of 0..255 between pixels side by side in an even part of a JPEG file


def table_of(pairs: list[Pair], reader: Reader, num_workers: int) -> Table:
    """What the values mean: out of the file that was given, or as they are found in all label maps."""
    if reader.colours is not None:
        entries = read_colour_table(reader.colours)
        return make_table(entries, is_colours=True, void=reader.void, where=str(reader.colours))
    if reader.id_map is not None or reader.classes is not None:
        if reader.id_map is not None:
            entries, where = read_id_map(reader.id_map), str(reader.id_map)
        else:
            names, where = read_class_names(reader.classes), str(reader.classes)
            entries = [(reader.id_offset + k, name) for k, name in enumerate(names)]
            entries += [(k, UNLABELLED) for k in range(reader.id_offset)]
        if not no_void(reader.void) and UNLABELLED_ID not in {value for value, _ in entries}:
            entries.append((UNLABELLED_ID, UNLABELLED))
        return make_table(entries, is_colours=False, void=reader.void, where=where)
    values, counts, is_colours, lossy = _survey(pairs, reader, num_workers)
    tolerance = reader.tolerance if reader.tolerance is not None else LOSSY_TOLERANCE if lossy else 0.0
    entries = found_entries(values, counts, is_colours=is_colours, tolerance=tolerance)
    where = "the colours that were found" if is_colours else "the ids that were found"
    return make_table(entries, is_colours=is_colours, void=reader.void, where=where)


def _survey(pairs: list[Pair], reader: Reader, num_workers: int) -> tuple[np.ndarray, np.ndarray, bool, bool]:
    """All values of all label maps, pixels of each, whether they are colours, and whether a file is of a lossy format.

    They are what most files hold; in lossy ones, only pixels like those beside them count, as seams are no colours.
    """
    kinds: dict[bool, list[tuple[np.ndarray, np.ndarray]]] = {False: [], True: []}
    num_files, first_fault, any_lossy = {False: 0, True: 0}, None, False
    with Progress("reading label maps", total=len(pairs)) as bar:
        surveyed = in_threads(lambda pair: _survey_one(pair.label_map, reader.half), pairs, num_workers)
        for one in surveyed:
            bar.update()
            if isinstance(one, ValueError):
                first_fault = first_fault or one
                continue
            values, counts, is_colours, lossy = one
            num_files[is_colours] += 1
            any_lossy |= lossy
            kinds[is_colours].append((values, counts))
            if len(kinds[is_colours]) > 64:
                kinds[is_colours] = [_merged(kinds[is_colours])]
    if not any(num_files.values()):
        assert first_fault is not None, "there is at least one pair"
        raise first_fault
    is_colours = num_files[True] >= num_files[False]
    if is_colours:  # of three equal channels: greys among colours
        kinds[True] += [(values * 0x010101, counts) for values, counts in kinds[False] if values.max() < 256]
    return *_merged(kinds[is_colours]), is_colours, any_lossy


def _survey_one(path: Path, half: str) -> tuple[np.ndarray, np.ndarray, bool, bool] | ValueError:
    try:
        pixels = half_of(read_pixels(path), half)
        lossy = is_lossy(path)
    except ValueError as error:
        return error
    is_colours = pixels.ndim == 3
    values = packed(pixels) if is_colours else pixels.astype(np.int64)
    if lossy:
        even = np.ones(values.shape, dtype=bool)
        for axis in (0, 1):
            step = np.abs(np.diff(pixels.astype(np.int16), axis=axis)).max(axis=-1) <= EVEN
            pad = [(0, 0), (0, 0)]
            pad[axis] = (0, 1)
            even &= np.pad(step, pad, constant_values=True)
        values = values[even] if even.any() else values
    return *np.unique(values, return_counts=True), is_colours, lossy


def _merged(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Values and their counts, of several such as one."""
    values, inverse = np.unique(np.concatenate([values for values, _ in parts]), return_inverse=True)
    counts = np.bincount(inverse, weights=np.concatenate([counts for _, counts in parts]))
    return values, counts.astype(np.int64)
