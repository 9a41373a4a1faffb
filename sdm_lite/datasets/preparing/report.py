"""What a folder was taken for: lines and a picture, so that one sees whether a colour was given the right name.

Apart from preparing because that is right or wrong without anybody looking.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sdm_lite.datasets.image_files import read_colours, resample_ids
from sdm_lite.datasets.pairing import shortened
from sdm_lite.datasets.photographs import spread
from sdm_lite.datasets.preparing.folder import Prepared
from sdm_lite.datasets.preparing.label_maps import half_of, read_values
from sdm_lite.datasets.preparing.pairs import WHOLE, read_pair
from sdm_lite.datasets.preparing.reader import Reader
from sdm_lite.pictures import colorize
from sdm_lite.progress import counted
from sdm_lite.viz import show_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT = 120  # pixels of a picture in the grid
NUM_SHOWN = 6
MOST_VALUES = 8  # of one class, in the table


def format_prepared(done: Prepared) -> str:
    """What was taken for what, in lines: files, splits, and a table of classes with their values and shares."""
    table, tally = done.table, done.tally
    splits = {split: sum(pair.split == split for pair in done.ready) for split in sorted({p.split for p in done.ready})}
    told = ", ".join(f"{split or 'no split'} {number}" for split, number in splits.items())
    lines = [f"{counted(len(done.ready), 'photograph')} with label maps: {told}"]
    lines += [f"  {line}" for line in done.found.told]
    kind = "colours" if table.is_colours else "ids"
    lines.append(f"{len(table.class_names)} classes of {counted(len(table.values), kind[:-1])}: {table.where}")
    width = max(len(name) for name in table.class_names)
    lines.append(f"{'id':>5}  {'class':<{width}}  {'share':>8}  {kind}")
    total = max(1, tally.num_pixels)
    for k, name in enumerate(table.class_names):
        indices = np.flatnonzero(table.classes == k)
        share = 100 * tally.num_by_class[k] / total
        values = [table.told(i) for i in indices.tolist()]
        more = f", and {len(values) - MOST_VALUES} more" if len(values) > MOST_VALUES else ""
        lines.append(f"{k:>5}  {name:<{width}}  {share:>6.2f} %  {', '.join(values[:MOST_VALUES])}{more}".rstrip())
    never = [table.told(i) for i in np.flatnonzero(tally.num_by_value == 0).tolist()]
    if never:
        lines.append(f"never found: {shortened(never)}")
    if table.is_colours and (tally.num_near or tally.num_far):
        near, far, void = (100 * number / total for number in (tally.num_near, tally.num_far, tally.num_void))
        lines.append(
            f"{near:.2f} % of the pixels are near a colour and not it, {far:.2f} % are far from any: "
            f"{far - void:.2f} % took a colour beside them, {void:.2f} % are void"
        )
    elif tally.num_void:
        lines.append(f"{100 * tally.num_void / total:.2f} % of the pixels have ids that no table has, and are void")
    if tally.num_scaled:
        lines.append(f"{counted(tally.num_scaled, 'label map')} of another size scaled to the photograph's (nearest)")
    if set(splits) - {""} and "val" not in splits:
        lines.append("no folder of the source is val: rename one there, as training chooses by it")
    return "\n".join(lines)


def picture(done: Prepared, reader: Reader, *, num_shown: int = NUM_SHOWN) -> Figure:
    """A few examples: the photograph, the label map as the file has it, and the classes that it was taken for.

    Ids are shown as greys from the smallest, black, to the greatest, white.

    Args:
        done: what was prepared, at least one pair.
        reader: how it was read.
        num_shown: examples at most, evenly spread.
    """
    pairs = [done.ready[i] for i in spread(len(done.ready), num_shown)]
    rows: list[list[np.ndarray]] = [[], [], []]
    seen: set[int] = set()
    size = None
    for pair in pairs:
        photograph, reading = read_pair(pair, done.table, reader)
        size = size or (HEIGHT, max(1, round(HEIGHT * photograph.shape[1] / photograph.shape[0])))
        rows[0].append(resample_ids(photograph, WHOLE, size))
        rows[1].append(resample_ids(_as_it_is(pair.label_map, done, reader), WHOLE, size))
        classes = resample_ids(reading.label_map, WHOLE, size)
        seen |= set(np.unique(classes).tolist())
        rows[2].append(colorize(classes, done.table.palette))
    shown = sorted(seen)
    names = [done.table.class_names[k] for k in shown]
    title = f"{counted(len(done.ready), 'photograph')}, {len(done.table.class_names)} classes"
    legend = names, done.table.palette[shown]
    return show_grid(rows, row_labels=["photograph", "as it is", "taken for"], title=title, legend=legend)


def _as_it_is(path: Path, done: Prepared, reader: Reader) -> np.ndarray:
    """A label map as its file has it, (H, W, 3) uint8."""
    if done.table.is_colours:
        return half_of(read_colours(path), reader.half)
    ids = read_values(path, is_colours=False, half=reader.half)
    highest = max(1, int(done.table.values.max()))
    return np.repeat((255 * ids.clip(0, highest) // highest).astype(np.uint8)[..., None], 3, axis=-1)
