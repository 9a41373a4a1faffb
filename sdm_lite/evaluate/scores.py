"""From what the judge measured to scores: which numbers, next to which of the truth, with which intervals.

Apart from `sdm_lite.evaluate.scenes`, which draws and measures: here are measurements alone, no model and no picture.

Shapes: L layouts, N pictures of each, C features, K classes, R bootstrap resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sdm_lite import metrics
from sdm_lite.judge.network import metric_name

NAMES = {
    "miou": metric_name("mIoU"),
    "miou_true": "the same of true pictures",
    "miou_ratio": "ratio",
    "frechet": metric_name("FID"),
    "frechet_floor": "the same of true pictures (floor)",
    "frechet_ratio": "ratio",
    "diversity": "diversity (LPIPS formula on the Scenes judge)",
    "diversity_true": "the same of true pictures",
    "diversity_ratio": "ratio",
    "time_of_day_tv": f"TV distance of {metric_name('time of day')}",
    "time_of_day_tv_true": "the same of true pictures",
    "season_tv": f"TV distance of {metric_name('season')}",
    "season_tv_true": "the same of true pictures",
    "high_frequency_ratio": "mean |Laplacian| by that of true pictures",
}
RATIOS = {
    "miou_ratio": ("miou", "miou_true"),
    "frechet_ratio": ("frechet", "frechet_floor"),
    "diversity_ratio": ("diversity", "diversity_true"),
    "high_frequency_ratio": ("roughness", "roughness_true"),
}

Statistic = Callable[[Tensor], float]  # of the indices of those layouts that it is computed on


class Measurements(NamedTuple):
    """What the judge reads off N pictures of each of L layouts, and how rough the pictures are.

    Attributes:
        features: (L, N, C).
        confusion: (L, K, K) int64, summed over the N pictures: row = label map, column = judge.
        time_of_day: (L, N) int64, the most probable.
        season: (L, N) int64, the most probable.
        roughness: (L, N), mean |Laplacian|.
    """

    features: Tensor
    confusion: Tensor
    time_of_day: Tensor
    season: Tensor
    roughness: Tensor


class Sizes(NamedTuple):
    """How many layouts and pictures a score rests on.

    Attributes:
        num_layouts: L, the first layouts of Scenes(seed=HELD_OUT_SEED).
        num_renders: true pictures a layout, as the reference.
        samples_per_layout: samples of each diversity layout, and true pictures a layout to stand where samples stand.
        num_diversity_layouts: the first so many layouts measure diversity.
    """

    num_layouts: int = 512
    num_renders: int = 16
    samples_per_layout: int = 4
    num_diversity_layouts: int = 128

    @property
    def num_images(self) -> int:
        """How many samples the model draws."""
        return self.num_layouts + self.num_diversity_layouts * (self.samples_per_layout - 1)

    def check(self) -> None:
        """Raise ValueError if nothing could be measured with these numbers."""
        if self.num_layouts < 2 or self.num_renders < 1 or self.samples_per_layout < 2:
            raise ValueError(f"expected at least 2 layouts, 1 render and 2 samples_per_layout, got {self}")
        if not 1 <= self.num_diversity_layouts <= self.num_layouts:
            raise ValueError(f"num_diversity_layouts must lie in 1..num_layouts, got {self}")


class Truth(NamedTuple):
    """True pictures of the layouts that a model is scored on, measured.

    Attributes:
        reference: of num_renders pictures a layout, which everything is compared with.
        yardstick: of samples_per_layout other pictures a layout, in the place of samples.
        diversity: (diversity layouts,), of the yardstick's pictures.
    """

    reference: Measurements
    yardstick: Measurements
    diversity: Tensor

    @property
    def sizes(self) -> Sizes:
        """The numbers that it was measured with."""
        num_layouts, num_renders = self.reference.time_of_day.shape
        return Sizes(num_layouts, num_renders, self.yardstick.time_of_day.shape[1], len(self.diversity))


@dataclass(frozen=True)
class ScenesScores:
    """Scores of a model on held-out Scenes, all by the Scenes judge; NAMES has what to call each in a table.

    Attributes:
        miou: of one sample a layout.
        miou_true: of true pictures of the same layouts.
        miou_ratio: miou / miou_true.
        frechet: distance of one sample a layout to the reference.
        frechet_floor: mean over sets of equally many true pictures, one a layout, of their distance to the reference.
        frechet_ratio: frechet / frechet_floor; 1 is perfect.
        diversity: mean pairwise perceptual distance of samples of one layout.
        diversity_true: the same of as many true pictures.
        diversity_ratio: diversity / diversity_true; 1 is right.
        time_of_day_tv: total variation distance between the shares of day, sunset and night, samples to reference.
        time_of_day_tv_true: the same of equally many true pictures: what chance alone makes of it.
        season_tv: the same of the seasons.
        season_tv_true: the same of the seasons.
        high_frequency_ratio: mean |Laplacian| of samples by that of true pictures; below 1 is blurred, above noisy.
        num_layouts: L.
        num_images: samples drawn.
        seconds_per_image: of drawing.
        class_iou: (K,) behind miou.
        intervals: 95 % bootstrap interval over layouts (low, high) of each score above, by name.
        settings: what was asked for: sampler, steps, guidance scale, seeds.
    """

    miou: float
    miou_true: float
    miou_ratio: float
    frechet: float
    frechet_floor: float
    frechet_ratio: float
    diversity: float
    diversity_true: float
    diversity_ratio: float
    time_of_day_tv: float
    time_of_day_tv_true: float
    season_tv: float
    season_tv_true: float
    high_frequency_ratio: float
    num_layouts: int
    num_images: int
    seconds_per_image: float
    class_iou: tuple[float, ...]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)


def score(generated: Measurements, diversity: Tensor, truth: Truth, *, num_resamples: int = 200) -> ScenesScores:
    """Compare measured samples with measured true pictures of the same layouts.

    An interval is the score plus the spread of its bootstrap replicates about their mean. Resampling repeats some
    layouts, which alone raises distances such as the Frechet distance; taking only the spread leaves that out.

    Args:
        generated: of one picture a layout.
        diversity: (diversity layouts,) of groups of pictures.
        truth: of the same layouts.
        num_resamples: R, of the bootstrap.

    Returns:
        The scores; num_images counts the pictures of `generated`, and seconds_per_image is nan.

    Raises:
        ValueError: if `generated` holds not one picture of each of the truth's layouts.
    """
    sizes = truth.sizes
    if tuple(generated.time_of_day.shape) != (sizes.num_layouts, 1) or len(diversity) != sizes.num_diversity_layouts:
        raise ValueError(
            f"expected one picture of each of {sizes.num_layouts} layouts and {sizes.num_diversity_layouts} "
            f"diversities, got {tuple(generated.time_of_day.shape)} and {len(diversity)}"
        )
    values, replicates = _bootstrapped(_statistics(generated, diversity, truth), num_resamples)
    return ScenesScores(
        **{name: values[name] for name in NAMES},
        num_layouts=sizes.num_layouts,
        num_images=generated.time_of_day.numel(),
        seconds_per_image=float("nan"),
        class_iou=tuple(metrics.intersection_over_union(generated.confusion.sum(0)).tolist()),
        intervals={name: _interval(values[name], replicates[name]) for name in NAMES},
    )


def _bootstrapped(
    statistics: dict[str, tuple[Statistic, int]], num_resamples: int
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """The value of every statistic and of RATIOS, and the (R,) bootstrap replicates of each."""
    values, replicates = {}, {}
    for name, (statistic, num_items) in statistics.items():
        values[name] = statistic(torch.arange(num_items))
        replicates[name] = metrics.bootstrap(statistic, num_items, num_resamples=num_resamples)
    for name, (above, below) in RATIOS.items():
        # One seed, so that both were resampled alike and the ratio is that of one set of layouts.
        values[name] = values[above] / values[below] if values[below] else float("nan")
        with np.errstate(divide="ignore", invalid="ignore"):
            replicates[name] = replicates[above] / replicates[below]
    return values, replicates


def _interval(value: float, replicates: np.ndarray) -> tuple[float, float]:
    """95 % of the replicates' spread about their mean, about the value; no score here can be negative."""
    low, high = np.quantile(replicates - replicates.mean(), [0.025, 0.975])
    return max(float(value + low), 0.0), float(value + high)


# The statistics.


def _statistics(generated: Measurements, diversity: Tensor, truth: Truth) -> dict[str, tuple[Statistic, int]]:
    """Every score that is no ratio, as a function of the layouts it is computed on, with how many there are."""
    reference, yardstick, sizes = truth.reference, truth.yardstick, truth.sizes
    layouts = {
        "miou": _miou(generated),
        "miou_true": _miou(yardstick),
        "frechet": _frechet(generated, reference),
        "frechet_floor": _frechet(yardstick, reference),
        "time_of_day_tv": _variation(generated.time_of_day, reference.time_of_day),
        "time_of_day_tv_true": _variation(yardstick.time_of_day, reference.time_of_day),
        "season_tv": _variation(generated.season, reference.season),
        "season_tv_true": _variation(yardstick.season, reference.season),
        "roughness": _mean(generated.roughness),
        "roughness_true": _mean(reference.roughness),
    }
    groups = {"diversity": _mean(diversity), "diversity_true": _mean(truth.diversity)}
    return {name: (statistic, sizes.num_layouts) for name, statistic in layouts.items()} | {
        name: (statistic, sizes.num_diversity_layouts) for name, statistic in groups.items()
    }


def _mean(values: Tensor) -> Statistic:
    return lambda i: values[i].mean().item()


def _miou(of: Measurements) -> Statistic:
    return lambda i: metrics.mean_iou(of.confusion[i].sum(0))


def _frechet(of: Measurements, reference: Measurements) -> Statistic:
    """Mean over the sets of one picture a layout that `of` holds."""

    def statistic(i: Tensor) -> float:
        target = metrics.feature_moments(reference.features[i].flatten(0, 1))
        sets = (metrics.feature_moments(features) for features in of.features[i].unbind(1))
        return float(np.mean([metrics.frechet_distance_of_moments(one, target) for one in sets]))

    return statistic


def _variation(of: Tensor, reference: Tensor) -> Statistic:
    """Mean total variation distance, over the sets of one picture a layout, of what a head read, (L, N) each."""
    num = 1 + int(max(of.max(), reference.max()))

    def shares(read: Tensor, i: Tensor) -> Tensor:
        """How often each outcome was read, (N, num), for each set of one picture a layout."""
        return F.one_hot(read[i], num).double().mean(0)

    def statistic(i: Tensor) -> float:
        target = shares(reference, i).mean(0)
        return float(np.mean([metrics.total_variation(one, target) for one in shares(of, i)]))

    return statistic
