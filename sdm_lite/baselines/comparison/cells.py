"""Rows of the table over layouts and seeds, and how far SDM lies from the best of the GANs.

The best of nine is chosen by what was measured, and a choice by noisy numbers is lucky: the lowest of nine FIDs errs
low, the highest of nine diversities high. So

    value      SDM's mean over seeds less the best of the nine means over seeds
    layouts    within each resample of the layouts the best is chosen anew
    seeds      for each training seed the best is chosen anew

and the interval covers the choosing. What bias is left makes the best GAN look better than it is: it is against SDM.

Shapes: G GANs, S seeds, R bootstrap resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sdm_lite.baselines.comparison.readings import Reading, load, load_reading, truth_path
from sdm_lite.baselines.comparison.runs import LESSON, SDM, SEEDS, Run, has_perceptual
from sdm_lite.metrics import Interval, centred_interval, layouts_and_seeds_interval

LAYOUTS, LAYOUTS_AND_SEEDS = "layouts", "layouts and seeds"
# Whether the best of a score is its lowest.
LOWEST = {"frechet": True, "frechet_within": True, "time_of_day_tv": True, "season_tv": True}


class Cell(NamedTuple):
    """A system as it is trained and drawn: a row of the table.

    Attributes:
        size: of the pictures.
        system: SDM, or a name of `runs.GANS`.
        length: of training.
        perceptual: whether the perceptual term is in the loss; of a system without one both are the same runs.
        scale: of guidance, None of a GAN.
    """

    size: int
    system: str
    length: str = LESSON
    perceptual: bool = True
    scale: float | None = None

    def runs(self) -> list[Run]:
        """One a seed."""
        perceptual = self.perceptual or not has_perceptual(self.system)
        return [Run(self.size, self.system, seed, self.length, perceptual) for seed in SEEDS]

    def readings(self, output: Path) -> dict[int, dict[str, Reading]]:
        """Those that are there, by seed."""
        found = {run.seed: load(run, self.scale, output) for run in self.runs()}
        return {seed: one for seed, one in found.items() if one is not None}


class Found(NamedTuple):
    """A number over layouts and seeds.

    Attributes:
        value: the mean over seeds, or a difference.
        interval: of it.
        kind: LAYOUTS_AND_SEEDS, or LAYOUTS where there is one seed alone.
        seeds: the same for each seed alone.
        num_layouts: that it rests on.
    """

    value: float
    interval: Interval
    kind: str
    seeds: tuple[float, ...]
    num_layouts: int


class Best(NamedTuple):
    """SDM beside the best of several GANs.

    Attributes:
        difference: SDM less the best.
        system: which was the best on all layouts.
        share: of the resamples in which it was.
    """

    difference: Found
    system: str
    share: float


def mean_of(cell: Cell, score: str, output: Path) -> Found | None:
    """A score of a cell over the seeds that are there; None if there are none."""
    readings = [one[score] for one in cell.readings(output).values()]
    if not readings:
        return None
    seeds = [one.value for one in readings]
    replicates = np.mean([one.replicates for one in readings], axis=0)
    return _found(float(np.mean(seeds)), replicates, [seeds], seeds, readings[0].num_layouts)


def truth_of(size: int, score: str, output: Path) -> Found | None:
    """What the truth scores on the same layouts: the floor of a distance, the ceiling of mIoU."""
    found = load_reading(truth_path(size, output))
    if found is None:
        return None
    one = found[score]
    return _found(one.value, one.replicates, [[one.value]], [one.value], one.num_layouts)


def ratio_to_truth(cell: Cell, score: str, output: Path) -> float | None:
    """A score of a cell by that of true pictures."""
    found, truth = mean_of(cell, score, output), truth_of(cell.size, score, output)
    return None if found is None or truth is None else found.value / truth.value


def difference(one: Cell, other: Cell, score: str, output: Path) -> Found | None:
    """A score of the one less that of the other, layouts resampled once for both; None if either has no runs."""
    best = best_of(one, [other], score, output)
    return None if best is None else best.difference


def best_of(sdm: Cell, gans: Sequence[Cell], score: str, output: Path) -> Best | None:
    """SDM less the best of some GANs, over the seeds that all of these have.

    Args:
        sdm: the one.
        gans: the others, G of them.
        score: whose best is its lowest if it is in LOWEST, else its highest.
        output: folder of the command.

    Returns:
        The difference, or None if SDM, or any of the GANs, has no run, or they have no seed in common.
    """
    ours, theirs = sdm.readings(output), [gan.readings(output) for gan in gans]
    common = [seed for seed in SEEDS if all(seed in one for one in theirs)]
    if not ours or not theirs or not common:
        return None
    best, place = (np.min, np.argmin) if LOWEST.get(score, False) else (np.max, np.argmax)
    values = np.array([[one[seed][score].value for seed in common] for one in theirs])  # (G, S)
    replicates = np.array([np.mean([one[seed][score].replicates for seed in common], axis=0) for one in theirs])
    if np.isnan(values).any():
        return None
    own = [one[score].value for one in ours.values()]
    of_sdm = np.mean([one[score].replicates for one in ours.values()], axis=0)  # (R,)
    chosen, of_seeds = int(place(values.mean(1))), best(values, axis=0).tolist()
    value = float(np.mean(own) - best(values.mean(1)))
    spread = of_sdm - best(replicates, axis=0)
    seeds = [a - b for a, b in zip(own, of_seeds, strict=False)]
    found = _found(value, spread, [own, of_seeds], seeds, next(iter(ours.values()))[score].num_layouts)
    share = float((place(replicates, axis=0) == chosen).mean())
    return Best(found, gans[chosen].system, share)


def no_worse(sdm: Cell, gans: Sequence[Cell], output: Path) -> list[str] | None:
    """The GANs with an FID as low as SDM's and a diversity as high, by means over seeds; None if a run is missing."""
    ours = {score: mean_of(sdm, score, output) for score in ("frechet", "diversity")}
    found = []
    for gan in gans:
        theirs = {score: mean_of(gan, score, output) for score in ours}
        if None in (*ours.values(), *theirs.values()):
            return None
        if theirs["frechet"].value <= ours["frechet"].value and theirs["diversity"].value >= ours["diversity"].value:
            found.append(gan.system)
    return found


def count_no_worse(sdm: Cell, gans: Sequence[Cell], output: Path) -> Found | None:
    """How many GANs `no_worse` has, with percentiles of that count over resamples; None if a run is missing.

    In a resample layouts are drawn once for all systems, as everywhere, and training seeds for each system by itself,
    with replacement (Efron & Tibshirani 1993). A count takes few values: an interval centred on it would hold numbers
    that are no counts. Three seeds that are drawn from three scatter less than three new ones would.
    """
    found = no_worse(sdm, gans, output)
    if found is None:
        return None
    generator = np.random.default_rng(0)
    readings = [cell.readings(output) for cell in (sdm, *gans)]
    of_each = []
    for one in readings:
        scores = np.stack([[one[seed][score].replicates for seed in one] for score in ("frechet", "diversity")])
        drawn = generator.integers(len(one), size=scores.shape[1:])  # (S, R)
        of_each.append(np.take_along_axis(scores, drawn[None], axis=1).mean(axis=1))  # (2, R)
    (fid, diversity), *others = of_each
    counts = np.sum([(theirs[0] <= fid) & (theirs[1] >= diversity) for theirs in others], axis=0)  # (R,)
    low, high = np.quantile(counts, [0.025, 0.975], method="inverted_cdf")
    num_layouts = next(iter(readings[0].values()))["frechet"].num_layouts
    num_seeds = min(map(len, readings))
    interval = Interval(float(low), float(high), f"95 % of resamples of {num_layouts} layouts and {num_seeds} seeds")
    return Found(len(found), interval, LAYOUTS_AND_SEEDS if num_seeds > 1 else LAYOUTS, (), num_layouts)


def sdm_cell(size: int, scale: float, length: str = LESSON) -> Cell:
    """SDM's row."""
    return Cell(size, SDM, length, True, scale)


def _found(
    value: float, replicates: np.ndarray, groups: Sequence[Sequence[float]], seeds: Sequence[float], number: int
) -> Found:
    """With an interval over layouts and seeds; over layouts alone where a group has one seed."""
    if min(map(len, groups)) > 1:
        interval = layouts_and_seeds_interval(value, replicates, groups, num_layouts=number)
        return Found(value, interval, LAYOUTS_AND_SEEDS, tuple(seeds), number)
    interval = centred_interval(value, replicates, of=f"{number} layouts, one seed of training")
    return Found(value, interval, LAYOUTS, tuple(seeds), number)
