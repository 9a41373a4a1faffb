"""What a judge is worth: what it gets right on true pictures that it was not trained on.

Apart from training because shipped judges are measured too, and weights chosen by it while one is trained.

Shapes: B batch, K classes, N pictures.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite import metrics
from sdm_lite.batches import Batch
from sdm_lite.judge.network import Judge


class JudgeScores(NamedTuple):
    """What a judge gets right on true pictures that it was not trained on.

    Attributes:
        iou: (K,) intersection over union of every class; nan for void, and for a class neither there nor read.
        miou: mean of those that are not nan.
        time_of_day_accuracy: share of pictures.
        season_accuracy: share of pictures.
        num_images: pictures it was measured on.
        num_pixels: their pixels.
        num_ignored: those of them that are void, on which nothing was measured.
    """

    iou: list[float]
    miou: float
    time_of_day_accuracy: float
    season_accuracy: float
    num_images: int
    num_pixels: int
    num_ignored: int


@torch.no_grad()
def score_judge(
    judge: Judge, pictures: Batch, appearances: Tensor | None = None, *, batch_size: int = 128
) -> JudgeScores:
    """Measure a judge on true pictures.

    Args:
        judge: in evaluation mode, on any device.
        pictures: N that it was not trained on.
        appearances: (N, 2) int64, time of day and season; None = all 0, for heads of one outcome.
        batch_size: pictures at a time.

    Returns:
        Its scores.
    """
    num_images, num_classes = len(pictures.images), judge.config.num_classes
    appearances = appearances_of(pictures, appearances)
    confusion = torch.zeros(num_classes, num_classes, dtype=torch.long, device="cpu")
    right = torch.zeros(2, dtype=torch.float32, device="cpu")  # of times of day and of seasons
    for part in torch.arange(num_images, device="cpu").split(batch_size):
        batch = pictures.at(part)
        reading = judge.read(batch.to(judge.device).x0)
        confusion += metrics.confusion_matrix(
            reading.logits.argmax(1).cpu(), batch.label_map, num_classes, ignore_label=judge.config.void_id
        )
        read = torch.stack([reading.time_of_day.argmax(1), reading.season.argmax(1)], dim=1).cpu()  # (B, 2)
        right += (read == appearances[part]).sum(0)
    accuracies = (right.double() / num_images).tolist()
    iou, num_pixels = metrics.intersection_over_union(confusion).tolist(), pictures.label_map.numel()
    num_ignored = num_pixels - int(confusion.sum())
    return JudgeScores(iou, metrics.mean_iou(confusion), *accuracies, num_images, num_pixels, num_ignored)


def appearances_of(pictures: Batch, appearances: Tensor | None) -> Tensor:
    """Time of day and season (N, 2) int64; 0 where there is nothing to read."""
    if appearances is not None:
        return appearances
    return torch.zeros(len(pictures.images), 2, dtype=torch.int64, device="cpu")
