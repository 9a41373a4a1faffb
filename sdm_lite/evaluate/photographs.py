"""Score a model on held-out photographs, where each label map has one true picture, and a judge may be one's own.

Apart from `evaluate`, which has the true distribution of pictures of a layout to compare with: here every yardstick is
made of the held-out photographs themselves.

    bound      bits per dimension of held-out photographs, beside that of training ones: the gap was learned by heart
    floor      Frechet distance of one half of the held-out photographs to the other half
    ceiling    mIoU of the judge on the held-out photographs

Ho et al. (2020, the bound); Heusel et al. (2017, FID); Zhang et al. (2018, LPIPS); Wang et al. (2022), section 4.1.

Shapes: L label maps, N samples of each, C features, H x W pixels.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import default_collate

from sdm_lite import metrics
from sdm_lite.batches import Example
from sdm_lite.checkpoints import Model
from sdm_lite.datasets.photographs import Photographs, spread
from sdm_lite.evaluate.drawing import SampleSettings, ShowProgress, draw_groups
from sdm_lite.evaluate.measures import (
    LEAST_FOR_HALVES,
    Measure,
    bound_measure,
    detail_measure,
    find_lpips,
    judge_measures,
    mean_measure,
)
from sdm_lite.judge.network import Judge
from sdm_lite.judge.photographs import own_metric_name


@dataclass(frozen=True)
class PhotographScores:
    """What a model scores on held-out photographs.

    Attributes:
        measures: those that could be measured, by key: bound, detail, frechet, miou, diversity, lpips.
        left_out: a line for each that could not, and how to get it.
        num_photographs: L, held out.
        num_training: photographs that it was trained on.
        num_samples: drawn, L times N.
        seconds_per_image: of drawing.
        settings: what was asked for: sampler, steps, guidance scale, seed.
    """

    measures: dict[str, Measure]
    left_out: list[str]
    num_photographs: int
    num_training: int
    num_samples: int
    seconds_per_image: float
    settings: dict[str, object] = field(default_factory=dict)


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


def check_evaluation(
    model: Model, dataset: Photographs, settings: SampleSettings, sizes: PhotographSizes, judge: Judge | None = None
) -> None:
    """Raise ValueError, before any work, if a number is out of range or model, data set and judge do not go together.

    Args:
        model: network and process.
        dataset: the held-out split.
        settings: how to sample.
        sizes: how many samples and photographs.
        judge: who scores, or None.
    """
    config = model.unet.config
    config.check_data(dataset.name, dataset.num_classes, has_instances=dataset.has_instances)
    if dataset.size != config.image_size:
        raise ValueError(f"the model draws {config.image_size} pixels, {dataset.name} was opened at {dataset.size}")
    if judge is not None and judge.config.num_classes != dataset.num_classes:
        raise ValueError(
            f"the judge knows {judge.config.num_classes} classes, {dataset.name} has {dataset.num_classes}"
        )
    settings.check(model.diffusion)
    for name, least in PhotographSizes(samples_per_map=2, num_bound=2, num_strata=1)._asdict().items():
        if getattr(sizes, name) < least:
            raise ValueError(f"{name} must be at least {least}, got {getattr(sizes, name)}")


def evaluate_photographs(
    model: Model,
    held_out: Photographs,
    training: Photographs,
    settings: SampleSettings,
    sizes: PhotographSizes,
    *,
    judge: Judge | None = None,
    progress: ShowProgress | None = None,
) -> tuple[PhotographScores, Tensor]:
    """Draw samples for held-out label maps, and score them with whatever is at hand.

    Args:
        model: network and process.
        held_out: L photographs, at least 2; all are read. See `Photographs.thinned`.
        training: what the model was trained on, at least 2; a few are read, for the bound.
        settings: how to sample; the bound is that of the conditional network itself, whatever the guidance.
        sizes: how many samples, and photographs for the bound.
        judge: trained on the same data set, or None; see `judge_photographs`.
        progress: shows how far it is, for instance `sdm_lite.progress.progress`.

    Returns:
        The scores, and the samples (L, N, 3, H, W).

    Raises:
        ValueError: before any work, as `check_evaluation`, or if there are fewer than two photographs, or bad ones
            that may not be skipped.
    """
    check_evaluation(model, held_out, settings, sizes, judge)
    photographs = default_collate(list(held_out.read_all()))
    seen = default_collate(list(training.thinned(sizes.num_bound).read_all()))
    if min(len(photographs.image), len(seen.image)) < 2:
        raise ValueError(f"expected at least 2 photographs of each split, got {len(held_out)} and {len(training)}")
    start = time.perf_counter()
    samples_of = [sizes.samples_per_map] * len(held_out)
    drawn = draw_groups(model, photographs.label_map, photographs.instance_map, samples_of, settings, progress=progress)
    samples = torch.stack(drawn)
    seconds = time.perf_counter() - start
    measures, left_out = _measured(samples, held_out, photographs, judge, model.unet.device)
    few = spread(len(held_out), sizes.num_bound)
    bound = bound_measure(
        model,
        Example(*(part[few] for part in photographs)),
        seen,
        num_strata=sizes.num_strata,
        seed=settings.seed,
        batch_size=settings.batch_size,
        progress=progress,
    )
    num_samples = len(samples) * sizes.samples_per_map
    scores = PhotographScores(
        measures={"bound": bound, **measures},
        left_out=left_out,
        num_photographs=len(held_out),
        num_training=len(training),
        num_samples=num_samples,
        seconds_per_image=seconds / num_samples,
        settings={**settings.told(), **sizes._asdict()},
    )
    return scores, samples


def _measured(
    samples: Tensor, held_out: Photographs, photographs: Example, judge: Judge | None, device: torch.device
) -> tuple[dict[str, Measure], list[str]]:
    """What can be read off samples with whatever is at hand, and a line for each measure that cannot."""
    measures, left_out = {"detail": detail_measure(samples, photographs)}, []
    if judge is not None:
        measures |= judge_measures(judge, samples, photographs)
        if "frechet" not in measures:
            left_out.append(f"{own_metric_name('FID')}: takes at least {LEAST_FOR_HALVES} held-out photographs.")
    else:
        height, width = held_out.size
        left_out.append(
            "FID, mIoU and diversity by a judge of your own: `python -m sdm_lite.judge train --dataset "
            f"{held_out.name} --root FOLDER --size {height} {width} --output judge.safetensors` trains one, "
            "`--judge judge.safetensors` asks it."
        )
    distance, why_not = find_lpips(held_out.size, device)
    if distance is None:
        left_out.append(why_not)
    else:
        values = torch.tensor([metrics.pairwise_diversity(distance, group) for group in samples])
        measures["lpips"] = mean_measure("diversity (LPIPS, AlexNet)", values)
    left_out.append(
        "FID by Inception: its weights do not come with this package. With pytorch-fid installed, `python -m "
        "pytorch_fid photographs samples`, in the folder of this report, computes it; it takes thousands of pictures."
    )
    return measures, left_out
