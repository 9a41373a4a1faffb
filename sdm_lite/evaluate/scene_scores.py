"""From what the judge measured to scores: which numbers, next to which of the truth, with which intervals.

Apart from `scenes`, which draws and measures: here are measurements alone, no model and no picture. A score is a
function of the layouts that it is computed on, for samples and for the truth at once, so that the bootstrap resamples
both together and the comparison of the two is that of one set of layouts.

Shapes: L layouts, N pictures of each, C features, D pooled features of all levels, K classes, R bootstrap resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sdm_lite import metrics
from sdm_lite.evaluate.exchange import NUM_EXCHANGES, ExchangeTest, exchange_tests
from sdm_lite.evaluate.floors import frechet_to_the_others, variation_to_the_others
from sdm_lite.evaluate.measurements import Measurements, held_fixed
from sdm_lite.evaluate.measures import Measure
from sdm_lite.judge.network import metric_name
from sdm_lite.scenes.dataset import TEST_SEED, Scenes

COVERED = "layouts: their choice and the samples' noise, not the training run"


class Sizes(NamedTuple):
    """Which layouts a score rests on, and how many pictures.

    Attributes:
        num_layouts: L, the first layouts of Scenes(seed=scenes_seed).
        num_renders: true pictures a layout, which samples are compared with, at least 2: the floor takes one of them
            out, again and again.
        samples_per_layout: pictures of each diversity layout.
        num_diversity_layouts: the first so many layouts measure diversity.
        scenes_seed: `scenes.TEST_SEED` to report, `scenes.VALIDATION_SEED` to choose.
    """

    num_layouts: int = 512
    num_renders: int = 16
    samples_per_layout: int = 4
    num_diversity_layouts: int = 128
    scenes_seed: int = TEST_SEED

    def check(self) -> None:
        """Raise ValueError if nothing could be measured with these numbers."""
        if self.num_layouts < 2 or self.num_renders < 2 or self.samples_per_layout < 2:
            got = f"{self.num_layouts}, {self.num_renders} and {self.samples_per_layout}"
            raise ValueError(f"num_layouts, num_renders and samples_per_layout must be at least 2, got {got}")
        if self.samples_per_layout > self.num_renders:
            raise ValueError(
                f"samples_per_layout must be at most num_renders, which is {self.num_renders}, "
                f"got {self.samples_per_layout}"
            )
        if not 1 <= self.num_diversity_layouts <= self.num_layouts:
            raise ValueError(
                f"num_diversity_layouts must be in 1..{self.num_layouts} (num_layouts), "
                f"got {self.num_diversity_layouts}"
            )

    @property
    def samples_of(self) -> list[int]:
        """How many samples each layout gets, L numbers: several where diversity is measured, one elsewhere."""
        several = self.num_diversity_layouts
        return [self.samples_per_layout] * several + [1] * (self.num_layouts - several)

    def layouts(self, size: int, label_set: str = "standard") -> tuple[Tensor, Tensor]:
        """Label maps and instance maps of the layouts at a size in pixels, (L, size, size) int64 each."""
        scenes = Scenes(size, length=self.num_layouts, seed=self.scenes_seed, label_set=label_set)
        label_maps, instance_maps = zip(*(scenes.layout(i) for i in range(len(scenes))), strict=True)
        return torch.stack(label_maps), torch.stack(instance_maps)


class Truth(NamedTuple):
    """True pictures of the layouts that a model is scored on, measured.

    Attributes:
        reference: of num_renders pictures a layout.
        diversity: (diversity layouts,), of samples_per_layout of them.
        sizes: the numbers that it was measured with.
    """

    reference: Measurements
    diversity: Tensor
    sizes: Sizes


class Statistic(NamedTuple):
    """A score as a function of layouts.

    Attributes:
        name: what is measured, and with whose help.
        of: indices of layouts (any number,) -> (of the samples, of true pictures).
        num_layouts: how many layouts there are.
        truth_name: what the truth's number is called.
        apart: what samples and truth are told apart by: "difference", of a distance, whose scale says nothing; "ratio",
            of a quantity; "value", of a distance without bias, which of true pictures is 0.
    """

    name: str
    of: Callable[[Tensor], tuple[float, float]]
    num_layouts: int
    truth_name: str = "the same of true pictures"
    apart: str = "difference"

    def beside_truth(self, i: Tensor) -> float:
        """Samples against true pictures, on layouts i: their ratio where that tells them apart, else the difference."""
        value, true = self.of(i)
        return value / true if self.apart == "ratio" else value - true


def statistics(generated: Measurements, diversity: Tensor, truth: Truth) -> dict[str, Statistic]:
    """All scores of measured samples next to measured true pictures of the same layouts.

        miou                    of one sample a layout, beside that of true pictures; a ratio of 1 is the target, above
                                are edges that are too hard, and the judge errs at edges alone
        miou_edges              the same of pixels with a 4-neighbour of another class
        miou_inside             the same of all other pixels
        edge_sharpness          share of the change of colour over a label edge that falls on one step, beside that of
                                true pictures; a ratio of 1 is right, above 1 anti-aliasing is missing
        frechet                 mean distance of one sample a layout to all but one of the true pictures; less the
                                floor, that of those left out, each in its turn, 0 is perfect
        frechet_within          the same, hour and season held fixed: `held_fixed`
        kernel_within           kernel distance of features of all levels, hour and season held fixed; without bias, so
                                that of true pictures is 0, and near 0 its interval is too wide rather than too narrow
        diversity               mean pairwise perceptual distance of samples of one layout, beside that of as many true
                                pictures; a ratio of 1 is right
        time_of_day_tv          total variation distance between the shares of day, sunset and night, measured as the
                                Frechet distance is: the floor is what chance alone makes of it
        season_tv               the same of the seasons
        high_frequency_ratio    mean |Laplacian| beside that of true pictures; below 1 is blurred, above noisy

    Args:
        generated: of one picture a layout.
        diversity: (diversity layouts,) of groups of pictures.
        truth: of the same layouts.

    Returns:
        Statistics by these names.

    Raises:
        ValueError: if `generated` holds not one picture of each of the truth's layouts.
    """
    reference, sizes = truth.reference, truth.sizes
    num_layouts = sizes.num_layouts
    if tuple(generated.time_of_day.shape) != (num_layouts, 1) or len(diversity) != sizes.num_diversity_layouts:
        raise ValueError(
            f"expected one picture of each of {num_layouts} layouts and {sizes.num_diversity_layouts} "
            f"diversities, got {tuple(generated.time_of_day.shape)} and {len(diversity)}"
        )
    heads = {"time_of_day_tv": "time_of_day", "season_tv": "season"}
    parts = {
        "miou": ("mIoU", lambda of: of.confusion),
        "miou_edges": ("mIoU at edges", lambda of: of.edge_confusion),
        "miou_inside": ("mIoU inside", lambda of: of.confusion - of.edge_confusion),
    }
    fixed, fixed_reference = (held_fixed(of, reference) for of in (generated, reference))
    return {
        **{
            key: Statistic(
                metric_name(name), _both(_miou, part(generated), part(reference)), num_layouts, apart="ratio"
            )
            for key, (name, part) in parts.items()
        },
        "edge_sharpness": Statistic(
            "sharpness at edges",
            _both(_mean, generated.edge_sharpness, reference.edge_sharpness),
            num_layouts,
            apart="ratio",
        ),
        "frechet": Statistic(
            metric_name("FID"),
            frechet_to_the_others(generated.features[:, 0], reference.features),
            num_layouts,
            "floor",
        ),
        "frechet_within": Statistic(
            metric_name("FID, hour and season held fixed"),
            frechet_to_the_others(fixed.features[:, 0], fixed_reference.features),
            num_layouts,
            "floor",
        ),
        "kernel_within": Statistic(
            metric_name("kernel distance of all levels, hour and season held fixed"),
            _kernel(fixed.levels, fixed_reference.levels),
            num_layouts,
            apart="value",
        ),
        "diversity": Statistic(
            "diversity (LPIPS formula on the Scenes judge)",
            _both(_mean, diversity, truth.diversity),
            len(diversity),
            apart="ratio",
        ),
        **{
            key: Statistic(
                f"TV distance of {metric_name(head.replace('_', ' '))}",
                variation_to_the_others(getattr(generated, head)[:, 0], getattr(reference, head)),
                num_layouts,
                "floor",
            )
            for key, head in heads.items()
        },
        "high_frequency_ratio": Statistic(
            "mean |Laplacian|", _both(_mean, generated.roughness, reference.roughness), num_layouts, apart="ratio"
        ),
    }


def score(
    generated: Measurements,
    diversity: Tensor,
    truth: Truth,
    *,
    num_resamples: int = 200,
    num_exchanges: int = NUM_EXCHANGES,
) -> dict[str, Measure]:
    """Compare measured samples with measured true pictures of the same layouts.

    Args:
        generated: of one picture a layout.
        diversity: (diversity layouts,) of groups of pictures.
        truth: of the same layouts.
        num_resamples: R, of the bootstrap.
        num_exchanges: of the tests beside the distances; 0 = no test.

    Returns:
        A measure for each of `statistics`, each number with a centred bootstrap interval over layouts: how far off. The
        distances have an `exchange_test` too: whether off at all, as their intervals are too wide at the truth.

    Raises:
        ValueError: if `generated` holds not one picture of each of the truth's layouts.
    """
    found = statistics(generated, diversity, truth)
    tests = exchange_tests(generated, truth.reference, num_exchanges=num_exchanges) if num_exchanges else {}
    return {key: _measure(statistic, num_resamples, tests.get(key)) for key, statistic in found.items()}


def _measure(statistic: Statistic, num_resamples: int, exchange: ExchangeTest | None) -> Measure:
    """A statistic of samples, of true pictures, and the one against the other, all resampled together."""
    number = statistic.num_layouts
    value, true = statistic.of(torch.arange(number, device="cpu"))
    samples, truth = metrics.bootstrap(statistic.of, number, num_resamples=num_resamples).T
    of = f"{number} {COVERED}"
    interval = metrics.centred_interval(value, samples, of=of)
    if statistic.apart == "value":
        return Measure(statistic.name, value, interval, exchange=exchange)
    yardstick = Measure(statistic.truth_name, true, metrics.centred_interval(true, truth, of=of))
    apart = {}
    if statistic.apart == "ratio":
        with np.errstate(divide="ignore", invalid="ignore"):  # of a truth that is 0 there is no ratio: nan
            ratio = value / true if true else float("nan")
            apart["ratio"] = Measure("ratio", ratio, metrics.centred_interval(ratio, samples / truth, of=of))
    else:
        less = metrics.centred_interval(value - true, samples - truth, of=of)
        apart["difference"] = Measure(f"less the {statistic.truth_name}", value - true, less)
    return Measure(statistic.name, value, interval, yardstick, exchange=exchange, **apart)


# Two ways to sample, on the same layouts and with the same noise.


def compare(one: Statistic, other: Statistic, *, num_resamples: int = 1000) -> Measure:
    """How much farther one set of samples is from the truth than another, layouts resampled once for both.

    Of a distance this is its difference, of a ratio that of the two absolute deviations from 1: less is better.

    Args:
        one: of `statistics`.
        other: the same statistic of the same layouts, drawn otherwise.
        num_resamples: R, of the bootstrap.

    Returns:
        One less other, with a centred bootstrap interval; `metrics.verdict` says what it allows to be said.

    Raises:
        ValueError: if the two are not the same statistic.
    """
    if one.name != other.name or one.num_layouts != other.num_layouts:
        raise ValueError(
            f"expected one statistic twice, got {one.name} of {one.num_layouts} layouts and {other.name} of "
            f"{other.num_layouts}"
        )

    def difference(i: Tensor) -> float:
        return _deviation(one, i) - _deviation(other, i)

    of = f"{one.num_layouts} {COVERED}, resampled once for both"
    value, interval = metrics.centred_bootstrap(difference, one.num_layouts, of=of, num_resamples=num_resamples)
    return Measure(f"{one.name}: one less the other", value, interval)


def _deviation(statistic: Statistic, i: Tensor) -> float:
    """How far samples are from the truth, on some layouts."""
    beside = statistic.beside_truth(i)
    return abs(beside - 1) if statistic.apart == "ratio" else beside


# The statistics.


def _both(
    statistic: Callable[[Tensor], float], of_samples: Tensor, of_truth: Tensor
) -> Callable[[Tensor], tuple[float, float]]:
    """A statistic of what was measured of each layout, of samples and of true pictures."""
    return lambda i: (statistic(of_samples[i]), statistic(of_truth[i]))


def _mean(values: Tensor) -> float:
    """Over those there are: of a layout without edges there is no sharpness."""
    return values.double().nanmean().item()


def _miou(confusion: Tensor) -> float:
    return metrics.mean_iou(confusion.sum(0))


def _kernel(levels: Tensor, reference: Tensor) -> Callable[[Tensor], tuple[float, float]]:
    """Kernel distance over pairs of layouts, of samples (L, 1, D) to true ones (L, N, D); and 0, the truth's own."""
    # In single precision: there are (L N)^2 terms, and each is off by about a millionth.
    pairs = metrics.pair_kernel(levels.float(), reference.float())
    return lambda i: (metrics.kernel_distance_of_pairs(pairs, i), 0.0)
