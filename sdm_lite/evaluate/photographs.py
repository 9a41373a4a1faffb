"""Score a model on held-out photographs, where each label map has one true picture, and a judge may be one's own.

Apart from `evaluate_model`, which has the true distribution of pictures of a layout to compare with: here every
yardstick is made of the held-out photographs themselves.

    bound      bits per dimension of held-out photographs, beside that of training ones: the gap was learned by heart
    floor      Frechet distance of one half of the held-out photographs to the other half
    ceiling    mIoU of the judge on the held-out photographs; both over labelled pixels alone, void is ignored

Ho et al. (2020, the bound); Heusel et al. (2017, FID); Zhang et al. (2018, LPIPS); Wang et al. (2022), section 4.1.

Shapes: L label maps, N samples of each, C features, H x W pixels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from sdm_lite import metrics
from sdm_lite.batches import Example
from sdm_lite.bound import evaluate_bound, learned
from sdm_lite.checkpoints import Model
from sdm_lite.datasets.photographs import Photographs, spread
from sdm_lite.evaluate.drawing import Painter, SampleSettings, draw_groups, paint_groups
from sdm_lite.evaluate.measures import Measure, Scores
from sdm_lite.evaluate.scenes import evaluate_images, layout_diversity, mean_absolute_laplacian
from sdm_lite.guidance import denoiser
from sdm_lite.judge.efficientnet import GET_IT
from sdm_lite.judge.efficientnet import NAME as EFFICIENTNET
from sdm_lite.judge.head import HeadJudge
from sdm_lite.judge.lpips import LEAST_SIDE, load_lpips
from sdm_lite.judge.network import Judge, metric_name
from sdm_lite.judge.photographs import OWN_JUDGE, check_void
from sdm_lite.judge.weights import JudgeUnavailableError
from sdm_lite.progress import ShowProgress, silently

Examples = Example  # as default_collate makes one of L: (L, 3, H, W), (L, H, W), (L, H, W)
MoreMeasures = Callable[[Tensor, Examples], dict[str, Measure]]  # (L, N, 3, H, W), L photographs -> measures by key

NUM_HALVINGS = 100
NUM_RESAMPLES = 200
LEAST_FOR_HALVES = 4  # photographs: a half needs two for a covariance


class PhotographSizes(NamedTuple):
    """How many samples and photographs the scores rest on.

    Attributes:
        samples_per_map: N, at least 2.
        num_bound: photographs of each split that the bound is measured on, at most; at least 2.
        num_strata: timesteps of the bound, besides t = 1, see `bound.evaluate_bound`.
    """

    samples_per_map: int = 4
    num_bound: int = 32
    num_strata: int = 16


def evaluate_photographs(
    model: Model,
    held_out: Photographs,
    training: Photographs,
    settings: SampleSettings,
    sizes: PhotographSizes,
    *,
    judge: Judge | None = None,
    more: Sequence[MoreMeasures] = (),
    progress: ShowProgress = silently,
) -> tuple[Scores, Tensor]:
    """Draw samples for held-out label maps, and score them with whatever is at hand.

    Args:
        model: network and process.
        held_out: L photographs, at least 2; all are read. See `Photographs.thinned`.
        training: what the model was trained on, at least 2; a few are read, for the bound.
        settings: how to sample; the bound is that of the conditional network itself, whatever the guidance.
        sizes: how many samples, and photographs for the bound.
        judge: trained on the same data set, or None; see `judge.photographs`.
        more: further measures, for instance `pretrained.pretrained_measures`, or by
            `published.PublishedJudges`.
        progress: shows how far it is, for instance `sdm_lite.progress.progress`.

    Returns:
        The scores, and the samples (L, N, 3, H, W).

    Raises:
        ValueError: before any work, if a number is out of range or model, data set and judge do not go together; or if
            there are fewer than two photographs, or bad ones that may not be skipped.
    """
    _check(model, held_out, sizes, judge)
    settings = settings.check(model.diffusion)
    photographs = default_collate(list(held_out.read_all()))
    seen = default_collate(list(training.thinned(sizes.num_bound).read_all()))
    if min(len(photographs.image), len(seen.image)) < 2:
        raise ValueError(f"expected at least 2 photographs of each split, got {len(held_out)} and {len(training)}")
    start = time.perf_counter()
    samples_of = [sizes.samples_per_map] * len(held_out)
    drawn = draw_groups(model, photographs.label_map, photographs.instance_map, samples_of, settings, progress=progress)
    seconds, samples = time.perf_counter() - start, torch.stack(drawn)  # samples (L, N, 3, H, W)
    few = spread(len(held_out), sizes.num_bound)
    some = Examples(*(part[few] for part in photographs))
    bound = bound_measure(model, some, seen, settings, num_strata=sizes.num_strata, progress=progress)
    scores = score_photographs(
        samples,
        photographs,
        held_out,
        seconds=seconds,
        settings={**settings.told(), **sizes._asdict(), "split": held_out.split, "num_training": len(training)},
        bound=bound,
        judge=judge,
        more=more,
        device=model.unet.device,
    )
    return scores, samples


def evaluate_photograph_painter(
    paint: Painter,
    held_out: Photographs,
    *,
    samples_per_map: int = 4,
    seed: int = 0,
    batch_size: int = 32,
    settings: dict[str, object] | None = None,
    judge: Judge | None = None,
    more: Sequence[MoreMeasures] = (),
    device: torch.device | str = "cpu",
    progress: ShowProgress = silently,
) -> tuple[Scores, Tensor]:
    """Draw pictures for held-out label maps by whatever draws, a GAN for instance, and score them as a model's.

    The bound is left out: it is one of a diffusion model.

    Args:
        paint: (label maps, instance maps, seeds) -> pictures, of the size of the photographs.
        held_out: L photographs, at least 2; all are read.
        samples_per_map: N, at least 2.
        seed: of the pictures.
        batch_size: pictures at a time.
        settings: what else the pictures depend on, to be told with the scores.
        judge: trained on the same data set, or None.
        more: further measures.
        device: where LPIPS computes.
        progress: shows how far it is.

    Returns:
        The scores, and the pictures (L, N, 3, H, W).

    Raises:
        ValueError: before any work, if a number is out of range, or judge and data set do not go together; or if there
            are fewer than two photographs, or bad ones that may not be skipped.
    """
    _check_judge(judge, held_out)
    if samples_per_map < 2:
        raise ValueError(f"samples_per_map must be at least 2, got {samples_per_map}")
    photographs = default_collate(list(held_out.read_all()))
    if len(photographs.image) < 2:
        raise ValueError(f"expected at least 2 photographs, got {len(held_out)}")
    start = time.perf_counter()
    maps = photographs.label_map, photographs.instance_map
    samples_of = [samples_per_map] * len(held_out)
    drawn = paint_groups(paint, *maps, samples_of, seed=seed, batch_size=batch_size, progress=progress)
    seconds, samples = time.perf_counter() - start, torch.stack(drawn)  # samples (L, N, 3, H, W)
    scores = score_photographs(
        samples,
        photographs,
        held_out,
        seconds=seconds,
        settings={**(settings or {}), "seed": seed, "samples_per_map": samples_per_map},
        judge=judge,
        more=more,
        device=device,
    )
    return scores, samples


def score_photographs(
    samples: Tensor,
    photographs: Examples,
    held_out: Photographs,
    *,
    seconds: float,
    settings: dict[str, object],
    bound: Measure | None = None,
    judge: Judge | None = None,
    more: Sequence[MoreMeasures] = (),
    device: torch.device | str = "cpu",
) -> Scores:
    """Scores of pictures that are drawn for photographs' label maps, whoever drew them.

    Args:
        samples: (L, N, 3, H, W) in [-1, 1].
        photographs: the L held-out ones, read.
        held_out: the same as a data set.
        seconds: that drawing took.
        settings: what the pictures depend on, to be told with the scores.
        bound: of a diffusion model, or None.
        judge: trained on the same data set, or None.
        more: further measures.
        device: where LPIPS computes.

    Returns:
        The scores.
    """
    measures = {} if bound is None else {"bound": bound}
    measures["detail"] = detail_measure(samples, photographs)
    left_out, counted = [], {}
    if judge is not None:
        counted = void_counts(held_out, photographs.label_map)
        measures |= judge_measures(judge, samples, photographs)
        if "frechet" not in measures and not isinstance(judge, HeadJudge):
            left_out.append(f"{metric_name('FID', OWN_JUDGE)}: takes at least {LEAST_FOR_HALVES} held-out photographs.")
    else:
        height, width = held_out.size
        left_out.append(
            "FID, mIoU and diversity by a judge of your own: `python -m sdm_lite.judge train --dataset "
            f"{held_out.name} --root FOLDER --size {height} {width} --output judge.safetensors` trains one, "
            "`--judge judge.safetensors` asks it."
        )
    for measure in more:
        measures |= measure(samples, photographs)
    names = " ".join(measure.name for measure in measures.values())
    if EFFICIENTNET not in names:
        left_out.append(f"KID, FID and diversity by {EFFICIENTNET}, which has not seen these photographs: {GET_IT}.")
    if not any("LPIPS, " in measure.name for measure in measures.values()):
        distance, why_not = find_lpips(held_out.size, torch.device(device))
        if distance is None:
            left_out.append(why_not)
        else:
            numbers = [metrics.pairwise_diversity(distance, group) for group in samples]
            values = torch.tensor(numbers, dtype=torch.float32, device="cpu")
            measures["lpips"] = mean_of("diversity (LPIPS, AlexNet)", values)
    if "Inception" not in names:
        left_out.append(
            "FID by Inception-v3 and mIoU by a published segmenter: `--inception` and `--segmenter`; their weights do "
            "not come with this package (docs/judges.md)."
        )
    return Scores(
        measures,
        held_out="photographs",
        num_held_out=len(held_out),
        num_images=samples.shape[0] * samples.shape[1],
        seconds_per_image=seconds / (samples.shape[0] * samples.shape[1]),
        settings={**settings, **counted},
        left_out=left_out,
    )


def _check(model: Model, dataset: Photographs, sizes: PhotographSizes, judge: Judge | None) -> None:
    config = model.unet.config
    config.check_data(dataset.name, dataset.num_classes, has_instances=dataset.has_instances)
    if dataset.size != config.image_size:
        raise ValueError(f"the model draws {config.image_size} pixels, {dataset.name} was opened at {dataset.size}")
    _check_judge(judge, dataset)
    for name, least in PhotographSizes(samples_per_map=2, num_bound=2, num_strata=1)._asdict().items():
        if getattr(sizes, name) < least:
            raise ValueError(f"{name} must be at least {least}, got {getattr(sizes, name)}")


def _check_judge(judge: Judge | None, dataset: Photographs) -> None:
    if judge is not None and judge.config.num_classes != dataset.num_classes:
        raise ValueError(
            f"the judge knows {judge.config.num_classes} classes, {dataset.name} has {dataset.num_classes}"
        )
    if judge is not None:
        check_void(judge, dataset)


def void_counts(dataset: Photographs, label_maps: Tensor) -> dict[str, int]:
    """How many pixels of label maps (L, H, W) mIoU is not of, and of how many; nothing where nothing can be void."""
    if dataset.void_id is None:
        return {}
    return {"num_void_pixels": int((label_maps == dataset.void_id).sum()), "num_pixels": label_maps.numel()}


# One measure after the other.


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


def judge_measures(judge: Judge, samples: Tensor, held_out: Examples) -> dict[str, Measure]:
    """mIoU, Frechet distance and diversity by a judge of one's own, beside what the held-out photographs score.

    The Frechet distance is that of the samples of one half of the label maps to the photographs of the other half,
    mean over halvings; its floor puts the photographs of the first half in the samples' place. So both are of equally
    many pictures, of the same label maps, against the same photographs.

    Args:
        judge: in evaluation mode.
        samples: (L, N, 3, H, W) in [-1, 1], N >= 2; all but diversity is of the first of each map.
        held_out: L photographs.

    Returns:
        Measures by key; no "frechet" where there are fewer than LEAST_FOR_HALVES photographs; of a `HeadJudge` mIoU
        alone, as the features of its frozen network are no judge of one's own: see `pretrained.pretrained_measures`.
    """
    of_samples = evaluate_images(judge, samples[:, :1], held_out.label_map)
    of_true = evaluate_images(judge, held_out.image[:, None], held_out.label_map)
    ceiling = _miou("of the held-out photographs", of_true.confusion)
    found = {"miou": replace(_miou(metric_name("mIoU", OWN_JUDGE), of_samples.confusion), yardstick=ceiling)}
    if isinstance(judge, HeadJudge):
        return found
    diversity = layout_diversity(judge, samples)
    found["diversity"] = mean_of(metric_name("diversity, LPIPS' formula", OWN_JUDGE), diversity)
    if len(samples) >= LEAST_FOR_HALVES:
        values, floors = halved_distances(of_samples.features[:, 0], of_true.features[:, 0])
        found["frechet"] = above_floor(metric_name("FID", OWN_JUDGE), values, floors)
    return found


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


def mean_of(name: str, values: Tensor, yardstick: Measure | None = None) -> Measure:
    """The mean of a value of each photograph, (L,), bootstrapped over photographs."""
    return resampled(name, lambda i: values[i].mean().item(), len(values), yardstick)


def _miou(name: str, confusion: Tensor) -> Measure:
    return resampled(name, lambda i: metrics.mean_iou(confusion[i].sum(0)), len(confusion))


def resampled(
    name: str, statistic: Callable[[Tensor], float], number: int, yardstick: Measure | None = None
) -> Measure:
    """A statistic of photographs, given by their indices, bootstrapped over photographs."""
    interval = metrics.bootstrap_interval(statistic, number, items="photographs", num_resamples=NUM_RESAMPLES)
    return Measure(name, statistic(torch.arange(number, device="cpu")), interval, yardstick)
