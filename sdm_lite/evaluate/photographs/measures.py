"""What is measured of pictures for photographs' label maps, one measure after the other, each beside its yardstick.

Apart from `scoring`, which draws and puts them together, because other judges take the same halvings and intervals.

    bound      bits per dimension of held-out photographs, beside that of training ones: the gap was learned by heart
    floor      Frechet distance of one half of the held-out photographs to the other half
    ceiling    mIoU of the judge on the held-out photographs; both over labelled pixels alone, void is ignored

Ho et al. (2020, the bound); Heusel et al. (2017, FID); Zhang et al. (2018, LPIPS); Wang et al. (2022), section 4.1.

Shapes: L label maps, N samples of each, C features, H x W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sdm_lite import metrics
from sdm_lite.batches import Example
from sdm_lite.bound import evaluate_bound, learned
from sdm_lite.checkpoints import Model
from sdm_lite.datasets.photographs import Photographs
from sdm_lite.evaluate.drawing import SampleSettings
from sdm_lite.evaluate.measurements import Measurements
from sdm_lite.evaluate.measures import Measure
from sdm_lite.evaluate.photographs.pairs import different_photographs
from sdm_lite.evaluate.scenes import evaluate_images, layout_diversity, mean_absolute_laplacian
from sdm_lite.guidance import denoiser
from sdm_lite.judge.head import HeadJudge
from sdm_lite.judge.lpips import LEAST_SIDE, load_lpips
from sdm_lite.judge.network import Judge, metric_name
from sdm_lite.judge.photographs import OWN_JUDGE
from sdm_lite.judge.weights import JudgeUnavailableError
from sdm_lite.progress import ShowProgress, silently

Examples = Example  # as default_collate makes one of L: (L, 3, H, W), (L, H, W), (L, H, W)
MoreMeasures = Callable[[Tensor, Examples], dict[str, Measure]]  # (L, N, 3, H, W), L photographs -> measures by key

NUM_HALVINGS = 100
NUM_RESAMPLES = 200
LEAST_FOR_HALVES = 4  # photographs: a half needs two for a covariance


def void_counts(dataset: Photographs, label_maps: Tensor) -> dict[str, int]:
    """How many pixels of label maps (L, H, W) mIoU is not of, and of how many; nothing where nothing can be void."""
    if dataset.void_id is None:
        return {}
    return {"num_void_pixels": int((label_maps == dataset.void_id).sum()), "num_pixels": label_maps.numel()}


def bound_measure(
    model: Model,
    held_out: Examples,
    training: Examples,
    settings: SampleSettings,
    *,
    num_strata: int = 16,
    progress: ShowProgress = silently,
) -> Measure:
    """The variational bound of held-out photographs, bits per dimension, beside that of training photographs.

    Args:
        model: network and process.
        held_out: photographs that it was not trained on.
        training: photographs that it was trained on.
        settings: their seed, of timesteps and noise, and their batch size; the bound knows no guidance.
        num_strata: timesteps besides t = 1, see `bound.evaluate_bound`.
        progress: shows how far it is.
    """
    values = []
    for name, photographs in (("held-out", held_out), ("training", training)):
        batches = list(zip(*(part.split(settings.batch_size) for part in photographs), strict=True))
        totals: list[Tensor] = []
        for image, label_map, instance_map in progress(batches, description=f"bound of {name} photographs"):
            condition = model.unet.condition(label_map, instance_map)  # (B, K, H, W)
            bounds = evaluate_bound(
                denoiser(model.unet, model.diffusion, condition, 1.0),
                model.diffusion,
                image.to(condition),
                variances={"learned": learned},
                num_strata=num_strata,
                seed=settings.seed + len(totals),
            )
            totals.append(bounds["learned"].total)
        values.append(torch.cat(totals))
    name = "variational bound of held-out photographs, bits/dim"
    return mean_of(name, values[0], mean_of("of training photographs", values[1]))


def detail_measure(samples: Tensor, held_out: Examples) -> Measure:
    """How rough the first sample of each map is, beside the photographs: less is blurred, more is noisy."""
    values, true = (mean_absolute_laplacian(images).double() for images in (samples[:, 0], held_out.image))
    return mean_of("fine detail, mean |Laplacian|", values, mean_of("of the held-out photographs", true))


class Readings(NamedTuple):
    """What a judge reads off the first sample of each map and off its photograph."""

    samples: Measurements
    photographs: Measurements


def readings_of(judge: Judge, samples: Tensor, held_out: Examples) -> Readings:
    """What a judge reads.

    Args:
        judge: in evaluation mode.
        samples: (L, N, 3, H, W) in [-1, 1].
        held_out: L photographs.
    """
    images = samples[:, :1], held_out.image[:, None]
    return Readings(*(evaluate_images(judge, of, held_out.label_map) for of in images))


def judge_measures(
    judge: Judge, samples: Tensor, held_out: Examples, readings: Readings | None = None
) -> dict[str, Measure]:
    """mIoU, Frechet distance and diversity by a judge of one's own, beside what the held-out photographs score.

    The Frechet distance is that of the samples of one half of the label maps to the photographs of the other half,
    mean over halvings; its floor puts the photographs of the first half in the samples' place. So both are of equally
    many pictures, of the same label maps, against the same photographs.

    Args:
        judge: in evaluation mode.
        samples: (L, N, 3, H, W) in [-1, 1], N >= 2; all but diversity is of the first of each map.
        held_out: L photographs.
        readings: if they are there already.

    Returns:
        Measures by key; no "frechet" where there are fewer than LEAST_FOR_HALVES photographs; of a `HeadJudge` mIoU
        alone, as the features of its frozen network are no judge of one's own: see `pretrained.pretrained_measures`.
    """
    of_samples, of_true = readings or readings_of(judge, samples, held_out)
    ceiling = _miou("of the held-out photographs", of_true.confusion)
    found = {"miou": replace(_miou(metric_name("mIoU", OWN_JUDGE), of_samples.confusion), yardstick=ceiling)}
    if isinstance(judge, HeadJudge):
        return found
    name = metric_name("diversity, LPIPS' formula", OWN_JUDGE)
    found["diversity"] = diversity_measure(name, partial(layout_diversity, judge), samples, held_out)
    if len(samples) >= LEAST_FOR_HALVES:
        values, floors = halved_distances(of_samples.features[:, 0], of_true.features[:, 0])
        found["frechet"] = above_floor(metric_name("FID", OWN_JUDGE), values, floors)
    return found


def class_ious(readings: Readings, class_names: Sequence[str]) -> tuple[dict[str, float], dict[str, float]]:
    """IoU of each class over all maps, of samples and of photographs; of classes that are there, void is none."""
    both = [metrics.intersection_over_union(of.confusion.sum(0)).tolist() for of in readings]
    there = [k for k in range(len(both[0])) if not (math.isnan(both[0][k]) and math.isnan(both[1][k]))]
    samples, photographs = ({class_names[k]: of[k] for k in there} for of in both)
    return samples, photographs


def diversity_measure(name: str, diversity: Callable[[Tensor], Tensor], samples: Tensor, held_out: Examples) -> Measure:
    """Diversity of samples, beside that of different photographs of near-equal label maps where there are enough.

    Args:
        name: of the measure.
        diversity: from pictures (L, N, 3, H, W) to the mean distance of all pairs of each map, (L,).
        samples: (L, N, 3, H, W) in [-1, 1], N >= 2.
        held_out: L photographs.
    """
    measure = mean_of(name, diversity(samples))
    pairs = different_photographs(held_out)
    if pairs is None:
        return measure
    words = f"of {len(pairs)} pairs of photographs of near-equal maps"
    return replace(measure, yardstick=mean_of(words, diversity(pairs), items="pairs of photographs"))


def by_distance(distance: metrics.Distance) -> Callable[[Tensor], Tensor]:
    """The diversity that `diversity_measure` takes, of a distance of two pictures."""

    def diversity(pictures: Tensor) -> Tensor:
        numbers = [metrics.pairwise_diversity(distance, group) for group in pictures]
        return torch.tensor(numbers, dtype=torch.float32, device="cpu")

    return diversity


def find_lpips(size: tuple[int, int], device: torch.device) -> tuple[metrics.Distance | None, str]:
    """LPIPS if its weights lie on this machine already, else None and why not: nothing is downloaded."""
    if min(size) < LEAST_SIDE:
        return None, f"Diversity by LPIPS: takes pictures of at least {LEAST_SIDE} pixels on a side."
    try:
        return load_lpips(device=device).perceptual_distance, ""
    except JudgeUnavailableError as error:
        return None, f"Diversity by LPIPS: {error}"


def halved_distances(features: Tensor, true: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Frechet distances of features (L, C), and of true features in their place, to true ones of the other half."""
    values, floors = [], []
    for one, other in halvings(len(true)):
        for found, tested in ((values, features), (floors, true)):
            found.append(metrics.frechet_distance(tested[one], true[other]))
    return np.array(values), np.array(floors)


def halvings(number: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Indices of one half of photographs and of the other, again and again; the same whenever it is asked."""
    generator = torch.Generator("cpu").manual_seed(0)
    for _ in range(NUM_HALVINGS):
        order = torch.randperm(number, generator=generator, device="cpu")
        yield order[: number // 2], order[number // 2 : 2 * (number // 2)]


def halved(name: str, distances: np.ndarray) -> Measure:
    """The mean of distances over halvings, and where 95 % of them lie."""
    low, high = np.quantile(distances, [0.025, 0.975])
    interval = metrics.Interval(float(low), float(high), f"95 % of {len(distances)} halvings of the photographs")
    return Measure(name, float(distances.mean()), interval)


def above_floor(name: str, values: np.ndarray, floors: np.ndarray) -> Measure:
    """Distances over halvings, beside those of photographs in the samples' place and less them, halving by halving."""
    floor = halved("of held-out photographs to each other (floor)", floors)
    return replace(halved(name, values), yardstick=floor, difference=halved("less the floor", values - floors))


def mean_of(name: str, values: Tensor, yardstick: Measure | None = None, *, items: str = "photographs") -> Measure:
    """The mean of a value of each photograph, (L,), bootstrapped over photographs, or what `items` says they are."""
    return resampled(name, lambda i: values[i].mean().item(), len(values), yardstick, items=items)


def _miou(name: str, confusion: Tensor) -> Measure:
    return resampled(name, lambda i: metrics.mean_iou(confusion[i].sum(0)), len(confusion))


def resampled(
    name: str,
    statistic: Callable[[Tensor], float],
    number: int,
    yardstick: Measure | None = None,
    *,
    items: str = "photographs",
) -> Measure:
    """A statistic of photographs, given by their indices, bootstrapped over photographs."""
    interval = metrics.bootstrap_interval(statistic, number, items=items, num_resamples=NUM_RESAMPLES)
    return Measure(name, statistic(torch.arange(number, device="cpu")), interval, yardstick)
