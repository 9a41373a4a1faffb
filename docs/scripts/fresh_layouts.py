"""A ratio of two FIDs on sets of layouts that nothing else is scored on, each of another seed of Scenes.

A single set of test layouts that one model after the other is scored on is worn, and its bootstrap is wide. K disjoint
sets of as many layouts each (an FID depends on how many) give K ratios, and what these scatter by is all that layouts
and noise do: Student's t with K - 1 degrees of freedom, nothing resampled.

Shapes: K sets of L layouts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sdm_lite.evaluate import Sizes, Truth, evaluate_images, measure_truth
from sdm_lite.evaluate.floors import frechet_to_the_others
from sdm_lite.judge import Judge
from sdm_lite.metrics.seeds import student_quantile
from sdm_lite.progress import progress

# Of Scenes: nothing else is scored on this seed or a later one. Whoever trains because of these sets takes later ones.
FIRST_SEED = 11


def fresh_sizes(sizes: Sizes, num_sets: int) -> list[Sizes]:
    """As many layouts as of the test set, K times; diversity is not asked."""
    return [
        sizes._replace(scenes_seed=FIRST_SEED + k, num_diversity_layouts=1, samples_per_layout=2)
        for k in range(num_sets)
    ]


def fresh_maps(of: Sequence[Sizes], size: int) -> tuple[Tensor, Tensor]:
    """Label maps and instance maps of all sets, one set after the other, (K L, size, size) int64 each."""
    label_maps, instance_maps = zip(*(one.layouts(size) for one in of), strict=True)
    return torch.cat(label_maps), torch.cat(instance_maps)


def fresh_truths(judge: Judge, of: Sequence[Sizes]) -> list[Truth]:
    """True pictures of each set, measured: half a minute a set."""
    return [measure_truth(judge, one) for one in progress(of, description="true pictures of fresh layouts")]


def distances(pictures: Tensor, judge: Judge, truths: Sequence[Truth]) -> Iterator[float]:
    """The FID of each set: pictures (K L, 3, H, W), one of each layout of `fresh_maps`."""
    for part, truth in zip(pictures.chunk(len(truths)), truths, strict=True):
        label_maps, _ = truth.sizes.layouts(part.shape[-1])
        features = evaluate_images(judge, part[:, None], label_maps).features[:, 0]
        yield frechet_to_the_others(features, truth.reference.features)(torch.arange(len(part)))[0]


def mean_ratio(ones: Sequence[float], others: Sequence[float]) -> dict[str, object]:
    """The mean over sets of one distance over another, its 95 % interval of Student's t, and each set's ratio."""
    ratios = torch.tensor([one / other for one, other in zip(ones, others, strict=True)], dtype=torch.float64)
    value, number = ratios.mean().item(), len(ratios)
    half = student_quantile(0.975, number - 1) * ratios.std().item() / number**0.5
    return {"value": value, "interval": [value - half, value + half], "sets": ratios.tolist()}
