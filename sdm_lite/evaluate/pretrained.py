"""Scores of photographs by a judge that has not seen them: KID, FID and diversity, each beside that of photographs.

Apart from `photographs` because such a judge needs no label maps and no training, and is one measure among others.

Binkowski et al. (2018, KID); Heusel et al. (2017, FID); Zhang et al. (2018, LPIPS' formula).

Shapes: L label maps, N samples of each, C features, H x W pixels.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from sdm_lite import metrics
from sdm_lite.evaluate.measures import Measure
from sdm_lite.evaluate.photographs.measures import (
    LEAST_FOR_HALVES,
    Examples,
    MoreMeasures,
    above_floor,
    diversity_measure,
    halved,
    halved_distances,
    halvings,
    resampled,
)
from sdm_lite.evaluate.scenes import layout_diversity
from sdm_lite.judge.efficientnet import EfficientNetLite0, find_weights, load_efficientnet
from sdm_lite.judge.network import metric_name


def pretrained_at_hand(device: torch.device | str) -> list[MoreMeasures]:
    """`pretrained_measures` where the judge's package is installed, else nothing: asked unasked, as it costs little."""
    return [] if find_weights() is None else [partial(pretrained_measures, load_efficientnet(device=device))]


def pretrained_measures(
    judge: EfficientNetLite0, samples: Tensor, held_out: Examples, *, batch_size: int = 32
) -> dict[str, Measure]:
    """KID, FID and diversity by a judge that has not seen these photographs.

    KID compares the first sample of every map with the photographs of all others, `metrics.pair_kernel`; it has no
    bias, and beside it stands that of halves of the photographs, whose mean is 0 but for chance. FID is that of the
    samples of one half of the maps to the photographs of the other half, as `photographs.judge_measures` has it.

    Args:
        judge: in evaluation mode: `name`, `device`, `features`, `layers`.
        samples: (L, N, 3, H, W) in [-1, 1], N >= 2.
        held_out: L photographs.
        batch_size: pictures at a time.

    Returns:
        Measures "kid_pretrained", "frechet_pretrained" and "diversity_pretrained"; only the last of fewer photographs
        than LEAST_FOR_HALVES.
    """
    name = metric_name("diversity, LPIPS' formula", judge.name)
    diversity = diversity_measure(name, partial(layout_diversity, judge), samples, held_out)
    if len(samples) < LEAST_FOR_HALVES:
        return {"diversity_pretrained": diversity}
    values, true = (_features(judge, images, batch_size) for images in (samples[:, 0], held_out.image))
    pairs = metrics.pair_kernel(values.double()[:, None], true.double()[:, None])
    kid = resampled(metric_name("KID", judge.name), partial(metrics.kernel_distance_of_pairs, pairs), len(true))
    halves = np.array([metrics.kernel_distance(true[one], true[two]) for one, two in halvings(len(true))])
    return {
        "kid_pretrained": replace(kid, yardstick=halved("of held-out photographs to each other", halves)),
        "frechet_pretrained": above_floor(metric_name("FID", judge.name), *halved_distances(values, true)),
        "diversity_pretrained": diversity,
    }


@torch.no_grad()
def _features(judge: EfficientNetLite0, images: Tensor, batch_size: int) -> Tensor:
    """(B, C) on the CPU, of images (B, 3, H, W)."""
    return torch.cat([judge.features(batch.to(judge.device)).cpu() for batch in images.split(batch_size)])
