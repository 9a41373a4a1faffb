"""The paper's own measures, by published networks: FID by Inception-v3, diversity by LPIPS, mIoU by a segmenter.

Apart from `photographs`, which measures what it can with what comes with the package: these take weights that somebody
has to fetch (docs/judges.md), and are asked for one by one. Wang et al. (2022), section 4.1, for the protocol.

Shapes: L label maps, N samples of each, D features, K classes, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite import metrics
from sdm_lite.batches import Example
from sdm_lite.evaluate.measures import Measure
from sdm_lite.evaluate.photographs.measures import (
    LEAST_FOR_HALVES,
    above_floor,
    by_distance,
    diversity_measure,
    halved_distances,
    resampled,
)
from sdm_lite.judge.inception import Inception
from sdm_lite.judge.lpips import LPIPS_BACKBONES, load_lpips, normalised_twice
from sdm_lite.judge.network import metric_name
from sdm_lite.judge.segmenter import NO_CLASS, Segmenter

PUBLISHED_SCRIPT = "published-script"  # LPIPS as the paper's script has it, see `judge.lpips.normalised_twice`
LPIPS_CHOICES = (*LPIPS_BACKBONES, PUBLISHED_SCRIPT)
NUM_SUBSETS = 50


class PublishedJudges(NamedTuple):
    """What was asked for, ready to measure.

    Attributes:
        inception: or None.
        diversity: distances by their names, for tables.
        segmenter: or None.
        batch_size: pictures at a time; changes nothing but memory and time.
    """

    inception: Inception | None = None
    diversity: dict[str, metrics.Distance] = {}  # noqa: RUF012 (never changed)
    segmenter: Segmenter | None = None
    batch_size: int = 32

    def __call__(self, samples: Tensor, held_out: Example) -> dict[str, Measure]:
        """All of their measures.

        Args:
            samples: (L, N, 3, H, W) in [-1, 1], N >= 2; all but diversity is of the first of each map.
            held_out: L photographs with their label maps, as default_collate makes one Example of them.
        """
        found = {}
        if self.inception is not None:
            found |= inception_measures(self.inception, samples[:, 0], held_out.image, batch_size=self.batch_size)
        for name, distance in self.diversity.items():
            told = metric_name("diversity", name)
            found[f"diversity, {name}"] = diversity_measure(told, by_distance(distance), samples, held_out)
        if self.segmenter is not None:
            found |= segmenter_measures(self.segmenter, samples[:, 0], held_out, batch_size=self.batch_size)
        return found


def load_diversity(net: str, folder: Path | None, *, device: str | torch.device) -> tuple[str, metrics.Distance]:
    """A name for tables, and the distance: one of LPIPS', or what the paper's published script computes.

    Args:
        net: one of LPIPS_CHOICES.
        folder: see `judge.lpips.load_lpips`.
        device: where to compute.

    Raises:
        ValueError: see `judge.lpips.load_lpips`.
    """
    judge = load_lpips("alex" if net == PUBLISHED_SCRIPT else net, folder, device=device)
    if net == PUBLISHED_SCRIPT:
        return f"{judge.name}, of pictures normalised twice", normalised_twice(judge.perceptual_distance)
    return judge.name, judge.perceptual_distance


# One measure after the other.


def inception_measures(
    judge: Inception, samples: Tensor, photographs: Tensor, *, batch_size: int = 32
) -> dict[str, Measure]:
    """FID as the paper has it, of all samples to the photographs of the same maps; and that of halves, with its floor.

    The first is what tables of papers hold. It is biased, about as 1 / L, and beside nothing: compare it at one L. The
    second is as `photographs.judge_measures` has it: samples of one half of the maps to photographs of the other half,
    beside photographs in the samples' place.

    Args:
        judge: or any other with a name and `features`.
        samples: (L, 3, H, W) in [-1, 1].
        photographs: the same shape, the i-th of the same label map as the i-th sample.
        batch_size: pictures at a time.

    Returns:
        "inception_fid", and from LEAST_FOR_HALVES photographs on "inception_frechet".
    """
    of_samples, true = (
        torch.cat([judge.features(batch).cpu() for batch in images.split(batch_size)])
        for images in (samples, photographs)
    )  # (L, D) each
    number = len(true)
    name = metric_name(f"FID, {number} samples to {number} photographs", judge.name)
    value = metrics.frechet_distance(of_samples, true)
    maps = [str(i) for i in range(number)]
    (error,) = metrics.subset_errors(
        lambda i, j: [metrics.frechet_distance(of_samples[i], true[j])], maps, maps, num_subsets=NUM_SUBSETS
    )
    interval = metrics.normal_interval(value, error, f"over {number} photographs and their samples")
    found = {"inception_fid": Measure(name, value, interval)}
    if number >= LEAST_FOR_HALVES:
        name = metric_name(f"FID of halves, {number // 2} to {number // 2}", judge.name)
        found["inception_frechet"] = above_floor(name, *halved_distances(of_samples, true))
    return found


def segmenter_measures(
    segmenter: Segmenter, samples: Tensor, held_out: Example, *, batch_size: int = 32
) -> dict[str, Measure]:
    """Mean IoU by a published segmenter, over the classes that it can see, beside what it reads in the photographs.

    Pixels whose true class it does not know are left out. A pixel that it gives to a class that the data set does not
    have is wrong, as one is that it gives to another class.

    Args:
        segmenter: see `judge.segmenter`.
        samples: (L, 3, H, W) in [-1, 1].
        held_out: L photographs with their label maps.
        batch_size: pictures at a time.

    Returns:
        "segmenter_miou".
    """
    size = "x".join(map(str, segmenter.size_for(samples.shape[-2:])))
    name = metric_name(f"mIoU, {len(segmenter.known_ids)} classes", f"{segmenter.name}, pictures brought to {size}")
    of_samples, of_true = (
        torch.stack(list(_overlaps(segmenter, images, held_out.label_map, batch_size)))
        for images in (samples, held_out.image)
    )  # (L, 2, K) each
    return {"segmenter_miou": replace(_miou(name, of_samples), yardstick=_miou("of the held-out photographs", of_true))}


def _overlaps(segmenter: Segmenter, images: Tensor, label_maps: Tensor, batch_size: int) -> Iterator[Tensor]:
    """Intersection and union, in pixels, of every class that the segmenter knows, for each picture: (2, K)."""
    known = torch.tensor(segmenter.known_ids, device="cpu")
    other = int(max(known.max(), label_maps.max())) + 1  # the place of all that the other side does not know
    target = label_maps.where(torch.isin(label_maps, known), other)
    for batch, maps in zip(images.split(batch_size), target.split(batch_size), strict=True):
        read = segmenter.predict(batch).cpu()
        for predicted, true in zip(read.where(read != NO_CLASS, other), maps, strict=True):
            confusion = metrics.confusion_matrix(predicted, true, other + 1, ignore_label=other)
            intersection = confusion.diagonal()
            yield torch.stack([intersection, confusion.sum(0) + confusion.sum(1) - intersection])[:, known]


def _miou(name: str, overlaps: Tensor) -> Measure:
    def statistic(i: Tensor) -> float:
        intersection, union = overlaps[i].sum(0).double()
        return (intersection / union).nanmean().item()  # 0 / 0, a class that is nowhere, is nan

    return resampled(name, statistic, len(overlaps))
