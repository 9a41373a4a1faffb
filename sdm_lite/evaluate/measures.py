"""One measure after the other of samples beside held-out photographs: bound, detail, judge, LPIPS.

Apart from `evaluate_photographs`, which says what is drawn and what is scored; here is how each number comes about.

Shapes: L label maps, N samples of each, C features, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sdm_lite import metrics
from sdm_lite.batches import Example
from sdm_lite.bound import evaluate_bound, learned
from sdm_lite.checkpoints import Model
from sdm_lite.evaluate.drawing import ShowProgress, silently
from sdm_lite.evaluate.scenes import evaluate_images, layout_diversity, mean_absolute_laplacian
from sdm_lite.guidance import denoiser
from sdm_lite.judge.network import Judge
from sdm_lite.judge.photographs import own_metric_name

NUM_HALVINGS = 100
NUM_RESAMPLES = 200
LEAST_FOR_HALVES = 4  # photographs: a half needs two for a covariance
LEAST_SIDE_FOR_LPIPS = 32  # AlexNet has nothing left of smaller pictures


class Measure(NamedTuple):
    """A number, and what to hold it against.

    Attributes:
        name: what was measured, and with whose help.
        value: of the samples; of the bound, on held-out photographs.
        interval: 95 %, over label maps; of a Frechet distance, over halvings.
        beside: the yardstick's name, or "" where there is none.
        beside_value: the yardstick, or None where there is none.
        beside_interval: as `interval`, or None.
    """

    name: str
    value: float
    interval: tuple[float, float]
    beside: str = ""
    beside_value: float | None = None
    beside_interval: tuple[float, float] | None = None


def bound_measure(
    model: Model,
    held_out: Example,
    training: Example,
    *,
    num_strata: int = 16,
    seed: int = 0,
    batch_size: int = 32,
    progress: ShowProgress | None = None,
) -> Measure:
    """The variational bound of held-out photographs, bits per dimension, beside that of training photographs.

    Args:
        model: network and process.
        held_out: photographs that it was not trained on, many in one: (L, 3, H, W), (L, H, W), (L, H, W).
        training: photographs that it was trained on, likewise.
        num_strata: timesteps besides t = 1, see `bound.evaluate_bound`.
        seed: of timesteps and noise.
        batch_size: photographs at a time.
        progress: shows how far it is.
    """
    values = []
    for name, photographs in (("held-out", held_out), ("training", training)):
        batches = list(zip(*(part.split(batch_size) for part in photographs), strict=True))
        totals = []
        for image, label_map, instance_map in (progress or silently)(
            batches, description=f"bound of {name} photographs"
        ):
            condition = model.unet.condition(label_map, instance_map)  # (B, K, H, W)
            bounds = evaluate_bound(
                denoiser(model.unet, model.diffusion, condition, 1.0),
                model.diffusion,
                image.to(condition),
                variances={"learned": learned},
                num_strata=num_strata,
                seed=seed + len(totals),
            )
            totals.append(bounds["learned"].total)
        values.append(torch.cat(totals))
    name = "variational bound of held-out photographs, bits/dim"
    return beside(mean_measure(name, values[0]), "of training photographs", mean_measure("", values[1]))


def detail_measure(samples: Tensor, held_out: Example) -> Measure:
    """How rough the first sample of each map is, beside the photographs: less is blurred, more is noisy."""
    name, values = "fine detail, mean |Laplacian|", mean_absolute_laplacian(samples[:, 0]).double()
    true = mean_measure("", mean_absolute_laplacian(held_out.image).double())
    return beside(mean_measure(name, values), "of the held-out photographs", true)


def judge_measures(judge: Judge, samples: Tensor, held_out: Example) -> dict[str, Measure]:
    """mIoU, Frechet distance and diversity by a judge of one's own, beside what the held-out photographs score.

    The Frechet distance is that of the samples of one half of the label maps to the photographs of the other half,
    mean over halvings; its floor puts the photographs of the first half in the samples' place. So both are of equally
    many pictures, of the same label maps, against the same photographs.

    Args:
        judge: in evaluation mode.
        samples: (L, N, 3, H, W) in [-1, 1], N >= 2; all but diversity is of the first of each map.
        held_out: L photographs, many in one: (L, 3, H, W), (L, H, W), (L, H, W).

    Returns:
        Measures by key; no "frechet" where there are fewer than LEAST_FOR_HALVES photographs.
    """
    of_samples = evaluate_images(judge, samples[:, :1], held_out.label_map)
    of_true = evaluate_images(judge, held_out.image[:, None], held_out.label_map)
    miou, ceiling = (_miou_measure(own_metric_name("mIoU"), one.confusion) for one in (of_samples, of_true))
    found = {
        "miou": beside(miou, "of the held-out photographs", ceiling),
        "diversity": mean_measure(own_metric_name("diversity, LPIPS' formula"), layout_diversity(judge, samples)),
    }
    if len(samples) >= LEAST_FOR_HALVES:
        values, floors = _halved_distances(of_samples.features[:, 0], of_true.features[:, 0])
        distance = Measure(own_metric_name("FID"), *_spread(values))
        floor = Measure("", *_spread(floors))
        found["frechet"] = beside(distance, "of held-out photographs to each other (floor)", floor)
    return found


def find_lpips(size: tuple[int, int], device: torch.device) -> tuple[metrics.Distance | None, str]:
    """LPIPS if its weights lie on this machine already, else None and why not: nothing is downloaded unasked."""
    if min(size) < LEAST_SIDE_FOR_LPIPS:
        return None, f"Diversity by LPIPS: takes pictures of at least {LEAST_SIDE_FOR_LPIPS} pixels on a side."
    if not (Path(torch.hub.get_dir()) / "checkpoints" / metrics.LPIPS_BACKBONES["alex"]).exists():
        fetch = "from sdm_lite.metrics import lpips_distance; lpips_distance()"
        return None, f'Diversity by LPIPS: AlexNet\'s weights are not here; `python -c "{fetch}"` fetches them.'
    try:
        return metrics.lpips_distance(device=device), ""
    except metrics.LpipsUnavailableError as error:
        return None, f"Diversity by LPIPS: {error}"


def _halved_distances(features: Tensor, true: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Frechet distances of features (L, C), and of true features in their place, to true ones of the other half."""
    generator = torch.Generator().manual_seed(0)
    half = len(true) // 2
    values, floors = [], []
    for _ in range(NUM_HALVINGS):
        order = torch.randperm(len(true), generator=generator)
        one, other = order[:half], order[half : 2 * half]
        target = metrics.feature_moments(true[other])
        for found, tested in ((values, features), (floors, true)):
            found.append(metrics.frechet_distance_of_moments(metrics.feature_moments(tested[one]), target))
    return np.array(values), np.array(floors)


def mean_measure(name: str, values: Tensor) -> Measure:
    """The mean of a value of each picture, with its bootstrap interval."""
    return _measure(name, lambda i: values[i].mean().item(), len(values))


def beside(measure: Measure, name: str, yardstick: Measure) -> Measure:
    """A measure with its yardstick, called by a name."""
    return measure._replace(beside=name, beside_value=yardstick.value, beside_interval=yardstick.interval)


def _miou_measure(name: str, confusion: Tensor) -> Measure:
    return _measure(name, lambda i: metrics.mean_iou(confusion[i].sum(0)), len(confusion))


def _measure(name: str, statistic: Callable[[Tensor], float], number: int) -> Measure:
    interval = metrics.bootstrap_interval(statistic, number, num_resamples=NUM_RESAMPLES)
    return Measure(name, statistic(torch.arange(number)), interval)


def _spread(values: np.ndarray) -> tuple[float, tuple[float, float]]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(values.mean()), (float(low), float(high))
