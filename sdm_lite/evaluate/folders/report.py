"""What a comparison of two folders leaves behind: the protocol in words, the tables, scores.json and report.md.

Apart from measuring because these are words and files.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from sdm_lite.evaluate.folders.measuring import Comparison, FolderFacts
from sdm_lite.evaluate.folders.ruler import Ruler, Shift
from sdm_lite.evaluate.measures import Measure
from sdm_lite.files import to_json, write_whole
from sdm_lite.progress import counted

SHORT = {"kid": "KID", "fid": "FID", "precision": "prec.", "recall": "recall", "density": "dens.", "coverage": "cover.",
         "diversity": "divers.", "miou": "mIoU"}  # fmt: skip


def folder_lines(comparison: Comparison) -> list[str]:
    """How many pictures there are in each folder, of what size and range, and what about them a reader should know."""
    return [
        line
        for title, facts in (("true pictures", comparison.real), ("samples", comparison.samples))
        for line in _of_folder(title, facts)
    ]


def _of_folder(title: str, facts: FolderFacts) -> list[str]:
    told = f"{facts.num_pictures} pictures, {facts.sizes}, values {facts.low} to {facts.high}"
    lines = [f"{title}, {facts.root}: {told}"]
    lines += [f"  note: {note}" for note in facts.notes]
    return lines + [f"  left out: {line}" for line in facts.left_out]


def protocol_lines(comparison: Comparison) -> list[str]:
    """How the pictures were made comparable and the numbers computed, in sentences."""
    protocol, (height, width) = comparison.protocol, comparison.protocol.size
    real, samples = comparison.real.num_pictures, comparison.samples.num_pictures
    lines = [
        f"Pictures are turned upright by their EXIF tag, made RGB, and brought to {height} x {width} pixels by "
        f"Pillow's {protocol.filter_name} filter, which is widened when it reduces; those of that size are left as "
        "they are. Nothing is cropped. Values 0..255 become -1..1.",
        f"Features are those of {comparison.judge}, one vector a picture. Scores carry its name: they compare with no "
        "number that another network gave.",
        "KID: squared maximum mean discrepancy under the kernel (x.y / D + 1)^3, without bias, of all pictures, not of "
        "blocks of them (Binkowski et al., 2018); pairs of pictures of one label map are left out.",
        f"FID: Frechet distance of two Gaussians (Heusel et al., 2017). It is biased upwards, the more the fewer the "
        f"pictures: it is of {real} and {samples}, and compares with no FID of other numbers.",
        "Precision and recall by the 3 nearest neighbours (Kynkaanniemi et al., 2019), density and coverage by 5 "
        "(Naeem et al., 2020), by Euclidean distance of the features as they are, borders included. They depend on the "
        "number of pictures too.",
        f"The {samples} samples are of {counted(comparison.num_label_maps, 'label map')} by their names: NAME, NAME_0, "
        "NAME_1 ... or files in a folder NAME.",
        "Intervals of these six: a random half of the names (at most 500), without duplicates, again and again; "
        "pictures of one name go together. They cover which pictures were taken. They do not cover another training "
        "run or seed, and they are of scores at this number of pictures, bias included.",
    ]
    if comparison.num_shared:
        lines.append(
            f"{comparison.num_shared} of the label maps have a true picture of the same name. Pictures of one label "
            "map are alike, so FID is lower, and the shares higher, than against true pictures of other maps: "
            "the last row of what moves the scores compares with other maps."
        )
    if "diversity" in comparison.measures:
        lines.append(
            f"Diversity: mean {comparison.judge} distance of all pairs of samples of one label map, then the mean over "
            "label maps, which its interval resamples."
        )
    if "miou" in comparison.measures:
        lines.append(
            "mIoU: intersection over union of the classes that are there and that the segmenter knows, pixels of all "
            "samples counted together (void ids "
            f"{', '.join(map(str, protocol.void)) or 'none'} count for nothing); label maps are brought to the size of "
            "the pictures by nearest neighbour. Its interval resamples label maps."
        )
    return lines


def score_table(comparison: Comparison) -> str:
    """A score a row with its interval; the true pictures' below it where they have one; then what intervals are."""
    rows = []
    for key, measure in comparison.measures.items():
        rows.append((key, measure.name, measure))
        if measure.yardstick is not None:
            rows.append((f"what is below {key}", f"  {measure.yardstick.name}", measure.yardstick))
    width = max(len(name) for _, name, _ in rows)
    lines, kinds = [], {}
    for key, name, measure in rows:
        lines.append(f"{name:<{width}}  {_number(measure.value):>9}   {_bounds(measure)}")
        kinds.setdefault(measure.interval.kind, []).append(key)
    lines += [f"intervals of {', '.join(keys)}: {kind}" for kind, keys in kinds.items()]
    if comparison.class_iou:
        known = {k: iou for k, iou in comparison.class_iou.items() if not math.isnan(iou)}
        lines.append("IoU by class id: " + ", ".join(f"{k} {iou:.2f}" for k, iou in known.items()))
    return "\n".join(lines + [f"left out: {line}" for line in comparison.left_out])


def ruler_table(ruler: Ruler) -> str:
    """How far each score moves by each alteration, a row each."""
    keys = [key for key in SHORT if key in ruler.base]
    names = ["half A against half B of the true pictures", *ruler.shifts]
    width = max(len(name) for name in names)
    head = f"{'':<{width}}" + "".join(f"{SHORT[key]:>17}" for key in keys)
    lines = [head, f"{names[0]:<{width}}" + "".join(f"{_shift(ruler.base.get(key), ''):>17}" for key in keys)]
    lines.append("and how far it moves by")
    for name, shifts in ruler.shifts.items():
        lines.append(f"{name:<{width}}" + "".join(f"{_shift(shifts.get(key), '+'):>17}" for key in keys))
    return "\n".join(lines)


def ruler_lines(ruler: Ruler) -> list[str]:
    """What the ruler's table is, in sentences."""
    lines = [
        f"Half A and half B are {ruler.num_pictures} true pictures each, at random, {ruler.num_halvings} times. The "
        "first row is their scores, the others are how far the scores move, with the same halves, when half B alone is "
        "altered so. In brackets one standard deviation over the halvings: they share pictures, so it is no interval.",
        "A difference between two folders that is no larger than a row of this table may be the row's.",
        f"The last row: {ruler.samples_told}.",
    ]
    if "diversity" in ruler.base:
        lines.append(
            "Diversity in this table is of pairs of different true pictures, both altered; mIoU of true pictures."
            if "miou" in ruler.base
            else "Diversity in this table is of pairs of different true pictures, both altered."
        )
    return lines


def scores_text(comparison: Comparison, ruler: Ruler | None, facts: dict[str, object]) -> str:
    """Everything that was measured, as JSON."""
    data = dataclasses.asdict(dataclasses.replace(comparison, sample_features=None))
    del data["sample_features"], data["sample_names"]
    data["protocol_in_words"] = protocol_lines(comparison)
    data["ruler"] = None if ruler is None else dataclasses.asdict(ruler)
    return to_json(facts | data, indent=1) + "\n"


def report_text(comparison: Comparison, ruler: Ruler | None, command: str) -> str:
    """The report, Markdown: every number in it a measured one."""
    table = "" if ruler is None else (
        "\n## What moves the scores\n\n```\n" + ruler_table(ruler) + "\n```\n\n"
        + "".join(f"- {line}\n" for line in ruler_lines(ruler))
    )  # fmt: skip
    return f"""# Two folders compared

    {command}

```
{chr(10).join(folder_lines(comparison))}
```

## Scores

```
{score_table(comparison)}
```

## Protocol

{chr(10).join(f"- {line}" for line in protocol_lines(comparison))}
{table}
Every number was written by `python -m sdm_lite.evaluate folders`.
"""


def write_folder_report(
    folder: Path, comparison: Comparison, ruler: Ruler | None, *, command: str, facts: dict[str, object]
) -> Path:
    """Write the numbers, then the report of them.

    Args:
        folder: made if missing.
        comparison: of the two folders.
        ruler: or None, where there is none, or none yet.
        command: that measured this.
        facts: what else the numbers should say of themselves.

    Returns:
        The report's path.
    """
    write_whole(folder / "scores.json", scores_text(comparison, ruler, {"command": command} | facts))
    return write_whole(folder / "report.md", report_text(comparison, ruler, command))


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def _bounds(measure: Measure) -> str:
    low, high, _ = measure.interval
    return "no interval" if math.isnan(low) else f"[{_number(low)}, {_number(high)}]"


def _shift(shift: Shift | None, sign: str) -> str:
    if shift is None:
        return "-"
    decimals = 3 if abs(shift.value) < 10 else 1
    value = f"{shift.value:{sign}.{decimals}f}"
    return value if math.isnan(shift.spread) else f"{value} ({shift.spread:.{decimals}f})"
