"""How the Scenes judge is trained, and what it gets right: the pictures, the loop, the scores.

Apart from the network because those who score with a judge need none of it; `python -m sdm_lite.judge` runs it.

Shapes: B batch, K classes, N pictures, C channels, H x W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from sdm_lite import metrics
from sdm_lite.batches import Batch
from sdm_lite.judge.head import HeadConfig
from sdm_lite.judge.network import Judge, JudgeConfig, pool
from sdm_lite.progress import Progress
from sdm_lite.scenes.dataset import Scenes

# Many small batches learn more a minute than few large ones.
NUM_STEPS = 3600
BATCH_SIZE = 8
LEARNING_RATE = 4e-3
HEAD_WEIGHT = 0.1  # of each head's loss, next to that of the pixels


def read_scenes(scenes: Scenes) -> tuple[Batch, Tensor]:
    """All pictures of a Scenes data set, each with its own layout, and what the heads are to read.

    Returns:
        The pictures, and their appearances (N, 2) int64: time of day and season.
    """
    with Progress(f"drawing {len(scenes)} scenes", total=len(scenes)) as count:
        pictures = scenes.materialize(range(len(scenes)), progress=lambda _: count.update())
    own = [scenes.own_appearance(i) for i in range(len(scenes))]
    return pictures, torch.tensor([[appearance.time_of_day, appearance.season] for appearance in own], device="cpu")


# Training.


class JudgeStep(NamedTuple):
    """One step of training: the loss of its batch, and the judge as it now is."""

    loss: float
    judge: Judge


def train_judge(
    config: JudgeConfig | HeadConfig,
    pictures: Batch,
    appearances: Tensor | None = None,
    *,
    num_steps: int = NUM_STEPS,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> Iterator[JudgeStep]:
    """Train a judge from random weights.

    Cross-entropy of every labelled pixel, rare classes weighted up, plus that of the two heads. AdamW, a warm-up over a
    tenth of the steps and a cosine to zero, half of the pictures mirrored. The result is a function of the arguments
    alone.

    Args:
        config: of the judge.
        pictures: N of them, to train on.
        appearances: (N, 2) int64, time of day and season; None = all 0, for heads of one outcome.
        num_steps: how many updates.
        batch_size: pictures an update.
        learning_rate: at its peak.
        seed: of weights, order and mirroring.
        device: where to compute.

    Yields:
        Every step. The judge of the last one is finished: in evaluation mode, its features in units of their spread; it
        is still on the device.

    Raises:
        ValueError: before any work, if a number is out of range or no pixel is labelled.
    """
    check_training(len(pictures.images), num_steps, batch_size, learning_rate)
    if config.void_id is not None and (pictures.label_map == config.void_id).all():
        raise ValueError(f"expected labelled pixels to learn from, got void (class {config.void_id}) in all of them")
    appearances = _appearances(pictures, appearances)

    def steps() -> Iterator[JudgeStep]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            with torch.device("cpu"):  # whatever torch's defaults are
                judge = config.build().float().train().to(device)
        remembered = judge.remember(pictures)
        generator = torch.Generator("cpu").manual_seed(seed)
        optimizer = torch.optim.AdamW(judge.parameters(), lr=learning_rate, weight_decay=0.01)
        class_weights = _class_weights(pictures.label_map, config.num_classes, config.void_id).to(device)
        for step in range(num_steps):
            optimizer.param_groups[0]["lr"] = learning_rate * _schedule((step + 1) / num_steps)
            chosen = torch.randint(len(pictures.images), (batch_size,), generator=generator, device="cpu")
            mirrored = torch.rand(batch_size, generator=generator, dtype=torch.float32, device="cpu") < 0.5
            batch = pictures.at(chosen).mirrored(mirrored).to(device)
            layers = None if remembered is None else remembered(chosen, mirrored)
            loss = _loss(judge, batch, appearances[chosen].to(device), class_weights, layers)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step == num_steps - 1:
                _finish(judge, pictures)
            yield JudgeStep(loss.item(), judge)

    return steps()


def check_training(num_images: int, num_steps: int, batch_size: int, learning_rate: float) -> None:
    """Raise ValueError if a judge cannot be trained with these numbers; see `train_judge`."""
    if num_steps < 1 or not 1 <= batch_size <= num_images or not learning_rate > 0:
        raise ValueError(
            f"expected num_steps >= 1, batch_size in 1..{num_images} (the images) and learning_rate > 0, "
            f"got {num_steps}, {batch_size} and {learning_rate}"
        )


def _appearances(pictures: Batch, appearances: Tensor | None) -> Tensor:
    """(N, 2) int64; 0 where there is nothing to read."""
    if appearances is not None:
        return appearances
    return torch.zeros(len(pictures.images), 2, dtype=torch.int64, device="cpu")


def _schedule(progress: float) -> float:
    """Share of the peak learning rate: linear over the first tenth, then a cosine to zero."""
    return min(progress / 0.1, 0.5 + 0.5 * math.cos(math.pi * max(progress - 0.1, 0) / 0.9))


def _class_weights(label_maps: Tensor, num_classes: int, void_id: int | None = None) -> Tensor:
    """(K,) weights, falling with the root of a class' share of labelled pixels, 1 on an average one; 0 for void."""
    counts = torch.bincount(label_maps.flatten(), minlength=num_classes).double()
    if void_id is not None:
        counts[void_id] = 0
    share = counts / counts.sum()
    weights = share.clamp(min=1e-3).rsqrt()
    if void_id is not None:
        weights[void_id] = 0
    return (weights / (weights * share).sum()).float()


def _loss(
    judge: Judge, batch: Batch, appearances: Tensor, class_weights: Tensor, layers: list[Tensor] | None = None
) -> Tensor:
    reading = judge.read(batch.x0) if layers is None else judge.reading(layers)
    target, void_id = batch.label_map.long(), judge.config.void_id
    if void_id is None:
        pixels = F.cross_entropy(reading.logits, target, weight=class_weights)
    elif (target == void_id).all():  # the mean over no pixel would be nan
        pixels = 0.0
    else:
        pixels = F.cross_entropy(reading.logits, target, weight=class_weights, ignore_index=void_id)
    return (
        pixels
        + HEAD_WEIGHT * F.cross_entropy(reading.time_of_day, appearances[:, 0])
        + HEAD_WEIGHT * F.cross_entropy(reading.season, appearances[:, 1])
    )


@torch.no_grad()
def _finish(judge: Judge, pictures: Batch) -> None:
    """Measure the spread of the features on (at most 2048 of) the training pictures."""
    judge.eval()
    parts = torch.arange(len(pictures.images), device="cpu")[:2048].split(256)
    pooled = torch.cat([pool(judge.layers(pictures.at(part).to(judge.device).x0)) for part in parts])
    judge.feature_mean.copy_(pooled.mean(0))
    judge.feature_std.copy_(pooled.std(0).clamp(min=1e-6))


# What a judge is worth.


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
        appearances: as for `train_judge`.
        batch_size: pictures at a time.

    Returns:
        Its scores.
    """
    num_images, num_classes = len(pictures.images), judge.config.num_classes
    appearances = _appearances(pictures, appearances)
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
