"""What a data set's folder holds: counts, faults, how often each class occurs, a picture.

Apart from reading because it is a report on all of it: where reading stops at the first bad file, this goes on and
lists them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sdm_lite.batches import Example
from sdm_lite.datasets.image_files import orientation, photograph_size
from sdm_lite.datasets.photographs import Photographs, spread
from sdm_lite.labels import instance_edges
from sdm_lite.pictures import colorize
from sdm_lite.progress import Progress, counted
from sdm_lite.viz import show_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH_OF_PICTURE = 1200
MOST_NAMES = 20  # of files with one and the same fault
IDS = re.compile(r"(\d+ \(\d+ pixels\)(, )?)+( and \d+ more ids)?")  # as `labels.listed_ids` tells them


class SplitReport(NamedTuple):
    """What a split holds, after reading it.

    Attributes:
        split: its name.
        num_examples: how many there are, bad ones not counted.
        num_read: how many of them the counts below are of.
        smallest, largest: (height, width) of the photographs read with the fewest and the most pixels; None if none
            could be read.
        num_pixels: (num_classes,) int64, pixels of each class at the size of the examples.
        num_pictures: (num_classes,) int64, examples in which each class occurs.
        bad: a line for each file or example that is not as it should be.
        shown: some examples, evenly spread.
        num_turned: photographs read that their EXIF tag turns or mirrors.
    """

    split: str
    num_examples: int
    num_read: int
    smallest: tuple[int, int] | None
    largest: tuple[int, int] | None
    num_pixels: np.ndarray
    num_pictures: np.ndarray
    bad: list[str]
    shown: list[Example]
    num_turned: int = 0


def check_split(dataset: Photographs, *, limit: int | None = None, num_shown: int = 8) -> SplitReport:
    """Read a data set that was opened with skip_bad, and report on it.

    Args:
        dataset: what to read.
        limit: read no more than this many examples, evenly spread; None for all.
        num_shown: how many examples to keep for a picture.
    """
    few = dataset if limit is None else dataset.thinned(limit)
    kept = set(spread(len(few), num_shown))
    num_pixels, num_pictures = np.zeros((2, dataset.num_classes), dtype=np.int64)
    bad, shown, sizes, num_turned = list(dataset.left_out), [], [], 0
    with Progress(f"reading {dataset.split}", total=len(few)) as bar:
        for i, result in enumerate(few.results()):
            bar.update()
            if isinstance(result, ValueError):
                bad.append(str(result))
                continue
            counts = torch.bincount(result.label_map.flatten(), minlength=dataset.num_classes).numpy()
            num_pixels += counts
            num_pictures += counts > 0
            sizes.append(photograph_size(few.sources(i)[0]))
            num_turned += orientation(few.sources(i)[0]) in range(2, 9)
            if i in kept:
                shown.append(result)
    sizes.sort(key=lambda size: size[0] * size[1])
    smallest, largest = (sizes[0], sizes[-1]) if sizes else (None, None)
    num_examples = len(dataset) - (len(few) - len(sizes))
    return SplitReport(
        dataset.split,
        num_examples,
        len(sizes),
        smallest,
        largest,
        num_pixels,
        num_pictures,
        bad,
        shown,
        num_turned,
    )


def format_counts(dataset: Photographs, report: SplitReport) -> str:
    """What a split holds, in lines."""
    sizes = sorted({report.smallest, report.largest} - {None}, key=lambda size: size[0] * size[1])
    told = " to ".join(f"{height} x {width}" for height, width in sizes)
    part = "" if report.num_read == report.num_examples else f" ({report.num_read} of them read)"
    lines = [f"{report.split}: {counted(report.num_examples, 'photograph')} with label maps{part}"]
    lines[0] += f", {told} pixels" if told else ""
    if dataset.note:
        lines.append(f"  {dataset.note}")
    if report.num_turned:
        lines.append(
            f"  {report.num_turned} of them are turned upright by their EXIF tag, and no label map is: see that these "
            "were drawn on the upright pictures"
        )
    if dataset.void_id is not None and report.num_read:
        void, total = report.num_pixels[dataset.void_id], report.num_pixels.sum()
        name = dataset.class_names[dataset.void_id]
        lines.append(f"  void ({name}): {100 * void / max(1, total):.2f} % of the pixels, which judges and mIoU ignore")
    return "\n".join([*lines, *format_bad(report.bad, dataset.root)])


def format_bad(bad: Sequence[str], root: Path) -> list[str]:
    """Lines that list what is bad: one for each kind of fault, and below it the other files that have it.

    Args:
        bad: a line for each file or example, with its path in it.
        root: of the data set, which all paths begin with.
    """
    if not bad:
        return []
    # To the end of the suffix, as names have spaces; what an id or a count of pixels is makes no other kind.
    path = re.compile(rf"{re.escape(str(root))}[/\\](?P<name>.*?(?:\.\w+)+)")
    kinds: dict[str, list[str]] = {}
    for line in bad:
        kinds.setdefault(re.sub(r"\d+", "0", IDS.sub("0", path.sub("", line))), []).append(line)
    lines = [f"  {len(bad)} bad:"]
    for first, *others in kinds.values():
        lines.append(f"    {first}")
        names = [found["name"] if (found := path.search(line)) else line for line in others]
        if names:
            more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
            lines.append(f"      the same in {len(names)} more: {', '.join(names[:MOST_NAMES])}{more}")
    return lines


def format_frequencies(class_names: Sequence[str], reports: Sequence[SplitReport]) -> str:
    """How often each class occurs, as a table, most frequent first.

    Below it a line of the classes that never occur, and one for each further split of those in it that the first split
    has no pixel of: trained on the first, a network draws something there, but it cannot know what.
    """
    total = sum(report.num_pixels for report in reports)
    if not total.any():
        return "no class occurs: nothing could be read"
    order = sorted(np.flatnonzero(total), key=lambda k: -total[k])
    width = max(len(class_names[k]) for k in order)
    header = f"{'id':>4}  {'class':<{width}}"
    header += "".join(f"  {report.split + ' pixels':>13}  {'pictures':>8}" for report in reports)
    lines = [header]
    for k in order:
        line = f"{k:>4}  {class_names[k]:<{width}}"
        for report in reports:
            share = report.num_pixels[k] / max(1, report.num_pixels.sum())
            line += f"  {100 * share:>11.2f} %  {report.num_pictures[k]:>8}"
        lines.append(line)
    for report in reports[1:]:
        new = (report.num_pixels > 0) & (reports[0].num_pixels == 0)
        lines += _listed(f"in {report.split}, never in {reports[0].split}", class_names, new)
    lines += _listed("never", class_names, total == 0)
    return "\n".join(lines)


def _listed(heading: str, class_names: Sequence[str], chosen: np.ndarray) -> list[str]:
    """A line with the names of some classes, if there are any."""
    names = [class_names[k] for k in np.flatnonzero(chosen)]
    return [f"{heading}: {', '.join(names)}"] if names else []


def picture(dataset: Photographs, shown: Sequence[Example], title: str) -> Figure:
    """Photographs, their label maps and, where the data set has them, edges; with a legend of the classes seen.

    Args:
        dataset: that they are from.
        shown: at least one.
        title: above it.
    """
    num_columns = max(1, min(len(shown), WIDTH_OF_PICTURE // dataset.size[1]))
    rows, labels = [], []
    for start in range(0, len(shown), num_columns):
        part = shown[start : start + num_columns]
        rows.append([example.image for example in part])
        rows.append([colorize(example.label_map, dataset.palette) for example in part])
        labels += ["photograph", "label map"]
        if dataset.has_instances:
            rows.append([_edges(example) for example in part])
            labels.append("edges")
    seen = torch.stack([example.label_map for example in shown]).unique().tolist()
    legend = [dataset.class_names[k] for k in seen], dataset.palette[seen]
    return show_grid(rows, row_labels=labels, title=title, legend=legend)


def _edges(example: Example) -> Tensor:
    """The edge channel in white on black, (3, H, W) in [-1, 1]."""
    return 2 * instance_edges(example.instance_map[None])[0].expand(3, -1, -1) - 1
