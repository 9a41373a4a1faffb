"""From what the judge measured to scores: which numbers, next to which of the truth, with which intervals.

Apart from `scenes`, which draws and measures: here are measurements alone, no model and no picture.

Shapes: L layouts, N pictures of each, C features, D pooled features of all levels, K classes, R bootstrap resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sdm_lite import metrics
from sdm_lite.evaluate.measures import Measure
from sdm_lite.judge.network import metric_name
from sdm_lite.metrics import Interval

Statistic = Callable[[Tensor], float]  # of the indices of those layouts that it is computed on


class Measurements(NamedTuple):
    """What the judge reads off N pictures of each of L layouts, and how rough and how sharp the pictures are.

    Attributes:
        features: (L, N, C).
        confusion: (L, K, K) int64, summed over the N pictures: row = label map, column = judge.
        time_of_day: (L, N) int64, the most probable.
        season: (L, N) int64, the most probable.
        roughness: (L, N), mean |Laplacian|.
        levels: (L, N, D), mean and standard deviation of every channel of all levels, as `judge.network.pool_levels`.
        edge_confusion: (L, K, K) int64, the part of `confusion` at pixels with a 4-neighbour of another class.
        edge_sharpness: (L, N), share of the change of colour across label edges that falls on one step.
    """

    features: Tensor
    confusion: Tensor
    time_of_day: Tensor
    season: Tensor
    roughness: Tensor
    levels: Tensor
    edge_confusion: Tensor
    edge_sharpness: Tensor


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


def score(generated: Measurements, diversity: Tensor, truth: Truth, *, num_resamples: int = 200) -> dict[str, Measure]:
    """Compare measured samples with measured true pictures of the same layouts.

        miou                    of one sample a layout, beside that of true pictures of the same layouts
        frechet                 distance of one sample a layout to the reference, beside the floor: the mean of that of
                                sets of equally many true pictures, one a layout; a ratio of 1 is perfect
        diversity               mean pairwise perceptual distance of samples of one layout, beside that of as many true
                                pictures; a ratio of 1 is right
        time_of_day_tv          total variation distance between the shares of day, sunset and night, samples to
                                reference, beside that of equally many true pictures: what chance alone makes of it
        season_tv               the same of the seasons
        high_frequency_ratio    mean |Laplacian| of samples by that of true pictures; below 1 is blurred, above noisy

    Args:
        generated: of one picture a layout.
        diversity: (diversity layouts,) of groups of pictures.
        truth: of the same layouts.
        num_resamples: R, of the bootstrap.

    Returns:
        Measures by these names.

    Raises:
        ValueError: if `generated` holds not one picture of each of the truth's layouts.
    """
    reference, yardstick, sizes = truth.reference, truth.yardstick, truth.sizes
    if tuple(generated.time_of_day.shape) != (sizes.num_layouts, 1) or len(diversity) != sizes.num_diversity_layouts:
        raise ValueError(
            f"expected one picture of each of {sizes.num_layouts} layouts and {sizes.num_diversity_layouts} "
            f"diversities, got {tuple(generated.time_of_day.shape)} and {len(diversity)}"
        )
    compared = partial(_compared, num_layouts=sizes.num_layouts, num_resamples=num_resamples)
    variation = {
        head: compared(
            f"TV distance of {metric_name(head.replace('_', ' '))}",
            _variation(getattr(generated, head), getattr(reference, head)),
            _variation(getattr(yardstick, head), getattr(reference, head)),
        )
        for head in ("time_of_day", "season")
    }
    detail = compared("", _mean(generated.roughness), _mean(reference.roughness))
    return {
        "miou": compared(metric_name("mIoU"), _miou(generated), _miou(yardstick)),
        "frechet": compared(
            metric_name("FID"), _frechet(generated, reference), _frechet(yardstick, reference), of_truth=" (floor)"
        ),
        "diversity": compared(
            "diversity (LPIPS formula on the Scenes judge)",
            _mean(diversity),
            _mean(truth.diversity),
            num_layouts=sizes.num_diversity_layouts,
        ),
        **{f"{head}_tv": replace(measure, ratio=None) for head, measure in variation.items()},  # chance may be 0
        "high_frequency_ratio": replace(detail.ratio, name="mean |Laplacian| by that of true pictures"),
    }


def _compared(
    name: str, samples: Statistic, truth: Statistic, *, num_layouts: int, num_resamples: int, of_truth: str = ""
) -> Measure:
    """A statistic of samples, of true pictures, and the one by the other."""
    value, true = (statistic(torch.arange(num_layouts)) for statistic in (samples, truth))
    # One seed, so that both are resampled alike and the ratio is that of one set of layouts.
    replicates, true_replicates = (
        metrics.bootstrap(statistic, num_layouts, num_resamples=num_resamples) for statistic in (samples, truth)
    )
    yardstick = Measure(f"the same of true pictures{of_truth}", true, _centred(true, true_replicates, num_layouts))
    with np.errstate(divide="ignore", invalid="ignore"):  # of a truth that is 0 there is no ratio: nan
        value_by_true = value / true if true else float("nan")
        ratio = Measure("ratio", value_by_true, _centred(value_by_true, replicates / true_replicates, num_layouts))
    return Measure(name, value, _centred(value, replicates, num_layouts), yardstick, ratio)


def _centred(value: float, replicates: np.ndarray, num_layouts: int) -> Interval:
    """95 % of the replicates' spread about their mean, about the value; no score here can be negative.

    Resampling repeats some layouts, which alone raises distances such as the Frechet distance; taking only the spread
    leaves that out.
    """
    low, high = np.quantile(replicates - replicates.mean(), [0.025, 0.975])
    return Interval(
        max(float(value + low), 0.0), float(value + high), f"95 % centred bootstrap over {num_layouts} layouts"
    )


# The statistics.


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
