"""Cells of Table 4 and differences of two of them, over layouts and seeds.

Shapes: S seeds, R bootstrap resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sdm_lite.baselines.ablation.readings import IN_GROUPS, SCALES, Reading, readings
from sdm_lite.baselines.ablation.runs import CLASS_STEPS, CONCAT, LONG_STEPS, MATCHES, SDM, SHORT_STEPS, num_steps, runs
from sdm_lite.metrics import Interval, layouts_and_seeds_interval
from sdm_lite.scenes.label_sets import LABEL_SETS

UNGUIDED, GUIDED = SCALES
# What each score is called, and whether more of it is better.
NAMES = {
    "frechet": "FID less its floor",
    "frechet_within": "FID less its floor, hour and season held fixed",
    "miou": "mIoU ratio",
    "miou_edges": "mIoU ratio at edges",
    IN_GROUPS: "mIoU ratio, classes merged to 5",
    "diversity": "diversity ratio",
    "time_of_day_tv": "hour less its floor",
    "season_tv": "season less its floor",
}


class Cell(NamedTuple):
    """A system under a match, a length and a scale of guidance: a mean over seeds.

    Attributes:
        size: of the pictures.
        system: SDM or CONCAT.
        match: one of MATCHES.
        scale: of guidance.
        of_sdm: steps that SDM takes where the two are matched; None = those of Table 4.
        label_set: what Scenes are labelled with.
    """

    size: int
    system: str
    match: str
    scale: float
    of_sdm: int | None = None
    label_set: str = "standard"

    def readings(self, output: Path) -> list[dict[str, Reading]] | None:
        """One a seed, or None if any is missing."""
        wanted = runs(self.size, self.system, self.match, self.of_sdm, self.label_set)
        found = [readings(run, self.scale, output) for run in wanted]
        return None if None in found else found


class Contrast(NamedTuple):
    """What is compared: the one less the other, under a name that says what would follow."""

    name: str
    one: Cell
    other: Cell

    @property
    def same_runs(self) -> bool:
        """Whether both are samples of the same networks, seed by seed."""
        return self.one._replace(scale=0.0) == self.other._replace(scale=0.0)


class Found(NamedTuple):
    """A number over layouts and seeds.

    Attributes:
        value: the mean over seeds, or a difference of two.
        interval: of it.
        seeds: the same for each seed alone; of two systems seed s less seed s, though nothing pairs them.
        num_layouts: that it rests on.
    """

    value: float
    interval: Interval
    seeds: tuple[float, ...]
    num_layouts: int


def table_cells(size: int) -> list[Cell]:
    """The cells of the table at one size; SDM is the same under both matches and stands once."""
    return [
        Cell(size, system, match, scale)
        for system, match in ((CONCAT, "parameters"), (CONCAT, "time"), (SDM, "parameters"))
        for scale in SCALES
    ]


def table_contrasts(size: int) -> list[Contrast]:
    """What the table is asked: does the decoder path help, guided and unguided; does guidance, in both."""
    of = [
        Contrast(f"{said}, equal {match}", Cell(size, SDM, match, scale), Cell(size, CONCAT, match, scale))
        for scale, said in ((GUIDED, "SDM less concat, guided"), (UNGUIDED, "SDM less concat, unguided"))
        for match in MATCHES
    ]
    return of + [
        Contrast(
            f"guided less unguided, {system}", Cell(size, system, match, GUIDED), Cell(size, system, match, UNGUIDED)
        )
        for system, match in ((SDM, "parameters"), (CONCAT, "time"))
    ]


def curve_contrasts(size: int) -> list[Contrast]:
    """SDM less concat at equal time, for every length that was trained."""
    return [
        Contrast(
            f"SDM less concat, guided, {num_steps(size, SDM, 'time', steps)} steps of SDM",
            Cell(size, SDM, "time", GUIDED, steps),
            Cell(size, CONCAT, "time", GUIDED, steps),
        )
        for steps in (*SHORT_STEPS[size], None, *LONG_STEPS[size])
    ]


def classes_contrasts(size: int) -> dict[str, Contrast]:
    """SDM less concat after as many steps under every label set, by its name, few classes to many."""
    return {
        label_set: Contrast(
            f"SDM less concat, guided, {labels.num_classes} classes",
            Cell(size, SDM, "time", GUIDED, steps, label_set),
            Cell(size, CONCAT, "time", GUIDED, steps, label_set),
        )
        for steps in CLASS_STEPS[size]
        for label_set, labels in LABEL_SETS.items()
    }


def mean_of(cell: Cell, score: str, output: Path) -> Found | None:
    """A score of a cell, or None if a run is missing."""
    found = cell.readings(output)
    if found is None or any(score not in one for one in found):
        return None
    return _over([[one[score] for one in found]])


def difference(contrast: Contrast, score: str, output: Path) -> Found | None:
    """A score of the one less that of the other, or None if a run is missing."""
    return _of_cells([contrast.one, contrast.other], score, output, same_runs=contrast.same_runs)


def change(one: Contrast, other: Contrast, score: str, output: Path) -> Found | None:
    """How much larger a difference is than another, or None if a run is missing; all four cells of other runs."""
    return _of_cells([one.one, one.other, other.one, other.other], score, output)


def _of_cells(cells: Sequence[Cell], score: str, output: Path, *, same_runs: bool = False) -> Found | None:
    found = [cell.readings(output) for cell in cells]
    if None in found or any(score not in of_seed for of in found for of_seed in of):
        return None
    return _over([[of_seed[score] for of_seed in of] for of in found], same_runs=same_runs)


SIGNS = (1, -1, -1, 1)  # of one mean, a difference of two, a difference of two differences


def _over(cells: Sequence[Sequence[Reading]], *, same_runs: bool = False) -> Found:
    """Means over seeds, added by SIGNS, all on the same resamples of layouts."""
    values = [sign * np.array([reading.value for reading in of]) for sign, of in zip(SIGNS, cells, strict=False)]
    replicates = [np.mean([one.replicates for one in of], axis=0) for of in cells]  # (R,) each
    seeds = np.sum(values, axis=0)
    groups = [seeds] if same_runs else values
    value = float(seeds.mean())
    spread = np.sum([sign * of for sign, of in zip(SIGNS, replicates, strict=False)], axis=0)
    number = cells[0][0].num_layouts
    interval = layouts_and_seeds_interval(value, spread, groups, num_layouts=number)
    return Found(value, interval, tuple(seeds.tolist()), number)
