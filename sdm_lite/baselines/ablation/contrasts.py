"""Cells of Table 4 and differences of two of them, over layouts and seeds.

Shapes: S seeds, R bootstrap resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sdm_lite.baselines.ablation.readings import SCALES, Reading, readings
from sdm_lite.baselines.ablation.runs import CONCAT, LONG_STEPS, MATCHES, SDM, SHORT_STEPS, num_steps, runs
from sdm_lite.metrics import Interval, layouts_and_seeds_interval

UNGUIDED, GUIDED = SCALES
# What each score is called, and whether more of it is better.
NAMES = {
    "frechet": "FID less its floor",
    "frechet_within": "FID less its floor, hour and season held fixed",
    "miou": "mIoU ratio",
    "miou_edges": "mIoU ratio at edges",
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
    """

    size: int
    system: str
    match: str
    scale: float
    of_sdm: int | None = None

    def readings(self, output: Path) -> list[dict[str, Reading]] | None:
        """One a seed, or None if any is missing."""
        found = [readings(run, self.scale, output) for run in runs(self.size, self.system, self.match, self.of_sdm)]
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


def mean_of(cell: Cell, score: str, output: Path) -> Found | None:
    """A score of a cell, or None if a run is missing."""
    found = cell.readings(output)
    return None if found is None else _over([one[score] for one in found])


def difference(contrast: Contrast, score: str, output: Path) -> Found | None:
    """A score of the one less that of the other, or None if a run is missing."""
    pair = [cell.readings(output) for cell in (contrast.one, contrast.other)]
    if None in pair:
        return None
    one, other = ([of_seed[score] for of_seed in of] for of in pair)
    return _over(one, other, same_runs=contrast.same_runs)


def _over(one: Sequence[Reading], other: Sequence[Reading] = (), *, same_runs: bool = False) -> Found:
    """Mean of the one less mean of the other, over seeds, all on the same resamples of layouts."""
    values = [np.array([reading.value for reading in of]) for of in (one, other) if of]
    replicates = [np.mean([reading.replicates for reading in of], axis=0) for of in (one, other) if of]  # (R,) each
    seeds = values[0] - values[1] if other else values[0]
    groups = [seeds] if same_runs or not other else values
    value = float(values[0].mean() - (values[1].mean() if other else 0.0))
    spread = replicates[0] - (replicates[1] if other else 0.0)
    number = one[0].num_layouts
    interval = layouts_and_seeds_interval(value, spread, groups, num_layouts=number)
    return Found(value, interval, tuple(seeds.tolist()), number)
