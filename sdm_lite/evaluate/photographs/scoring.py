"""Draw for held-out photographs' label maps, each of which has one true picture, and score what was drawn.

Apart from `evaluate_model`, which has the true distribution of pictures of a layout to compare with: here every
yardstick is made of the held-out photographs themselves. A judge may be one's own.

Shapes: L label maps, N samples of each, H x W pixels.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import default_collate

from sdm_lite.checkpoints import Model
from sdm_lite.datasets.photographs import Photographs, spread
from sdm_lite.evaluate.drawing import Painter, SampleSettings, draw_groups, paint_groups
from sdm_lite.evaluate.measures import Measure, Scores
from sdm_lite.evaluate.photographs.measures import (
    LEAST_FOR_HALVES,
    Examples,
    MoreMeasures,
    bound_measure,
    by_distance,
    class_ious,
    detail_measure,
    diversity_measure,
    find_lpips,
    judge_measures,
    readings_of,
    void_counts,
)
from sdm_lite.judge.efficientnet import GET_IT
from sdm_lite.judge.efficientnet import NAME as EFFICIENTNET
from sdm_lite.judge.head import HeadJudge
from sdm_lite.judge.network import Judge, metric_name
from sdm_lite.judge.photographs import OWN_JUDGE, check_void
from sdm_lite.progress import ShowProgress, silently


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
    settings = settings.check(model)
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
    left_out, counted, class_iou, class_iou_true = [], {}, {}, {}
    if judge is not None:
        counted = void_counts(held_out, photographs.label_map)
        readings = readings_of(judge, samples, photographs)
        class_iou, class_iou_true = class_ious(readings, held_out.class_names)
        measures |= judge_measures(judge, samples, photographs, readings)
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
            name = "diversity (LPIPS, AlexNet)"
            measures["lpips"] = diversity_measure(name, by_distance(distance), samples, photographs)
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
        class_iou=class_iou,
        class_iou_true=class_iou_true,
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
