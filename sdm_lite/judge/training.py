"""How the Scenes judge is trained, and what it gets right: the pictures, the loop, the scores.

Apart from the network because those who score with a judge need none of it; `python -m sdm_lite.judge` runs it.

Shapes: B batch, K classes, N images, C channels, H x W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from sdm_lite import metrics
from sdm_lite.judge.network import Judge, JudgeConfig, pool
from sdm_lite.progress import Progress
from sdm_lite.scenes.dataset import Scenes

# Many small batches learn more a minute than few large ones.
NUM_STEPS = 3600
BATCH_SIZE = 8
LEARNING_RATE = 4e-3
HEAD_WEIGHT = 0.1  # of each head's loss, next to that of the pixels


# Data.


class JudgeData(NamedTuple):
    """Pictures of Scenes with everything the judge is to tell from them.

    Attributes:
        images: (N, 3, H, W) uint8.
        label_maps: (N, H, W) uint8.
        times_of_day: (N,) int64, indices into scenes.TIMES_OF_DAY.
        seasons: (N,) int64, indices into scenes.SEASONS.
    """

    images: Tensor
    label_maps: Tensor
    times_of_day: Tensor
    seasons: Tensor


def draw_data(size: int, num_images: int, seed: int) -> JudgeData:
    """The first pictures of a Scenes data set, each with its own layout and appearance.

    Args:
        size: height and width in pixels.
        num_images: N.
        seed: of Scenes.

    Returns:
        N pictures with their labels.
    """
    scenes = Scenes(size, length=num_images, seed=seed)
    with Progress(f"drawing {num_images} scenes", total=num_images) as count:
        pictures = scenes.materialize(range(num_images), progress=lambda _: count.update())
    appearances = [scenes.own_appearance(i) for i in range(num_images)]
    times = torch.tensor([appearance.time_of_day for appearance in appearances])
    seasons = torch.tensor([appearance.season for appearance in appearances])
    return JudgeData(pictures.images, pictures.label_map, times, seasons)


def as_images(pixels: Tensor) -> Tensor:
    """Pictures in 8 bits as the judge reads them: float32 in [-1, 1]."""
    return pixels.float() / 127.5 - 1


# Training.


class JudgeStep(NamedTuple):
    """One step of training: how many are done, the loss of its batch, and the judge as it now is."""

    num_done: int
    loss: float
    judge: Judge


def train_judge(
    config: JudgeConfig,
    data: JudgeData,
    *,
    num_steps: int = NUM_STEPS,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> Iterator[JudgeStep]:
    """Train a judge from random weights.

    Cross-entropy of every pixel, rare classes weighted up, plus that of the two heads. AdamW, a warm-up over a tenth of
    the steps and a cosine to zero, half of the pictures mirrored. The result is a function of the arguments alone.

    Args:
        config: of the judge.
        data: what to train on.
        num_steps: how many updates.
        batch_size: pictures an update.
        learning_rate: at its peak.
        seed: of weights, order and mirroring.
        device: where to compute.

    Yields:
        Every step. The judge of the last one is finished: in evaluation mode, its features in units of their spread; it
        is still on the device.

    Raises:
        ValueError: before any work, if a number is out of range.
    """
    check_training(len(data.images), num_steps, batch_size, learning_rate)
    return _train_steps(config, data, num_steps, batch_size, learning_rate, seed, torch.device(device))


def check_training(num_images: int, num_steps: int, batch_size: int, learning_rate: float) -> None:
    """Raise ValueError if a judge cannot be trained with these numbers; see `train_judge`."""
    if num_steps < 1 or not 1 <= batch_size <= num_images or not learning_rate > 0:
        raise ValueError(
            f"expected num_steps >= 1, batch_size in 1..{num_images} (the images) and learning_rate > 0, "
            f"got {num_steps}, {batch_size} and {learning_rate}"
        )


def _train_steps(
    config: JudgeConfig,
    data: JudgeData,
    num_steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    device: torch.device,
) -> Iterator[JudgeStep]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = Judge(config).train().to(device)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=learning_rate, weight_decay=0.01)
    class_weights = _class_weights(data.label_maps, config.num_classes).to(device)
    for step in range(num_steps):
        optimizer.param_groups[0]["lr"] = learning_rate * _schedule((step + 1) / num_steps)
        batch = JudgeData(*(column.to(device) for column in _batch(data, batch_size, generator)))
        loss = _loss(judge, batch, class_weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == num_steps - 1:
            _finish(judge, data, device)
        yield JudgeStep(step + 1, loss.item(), judge)


def _schedule(progress: float) -> float:
    """Share of the peak learning rate: linear over the first tenth, then a cosine to zero."""
    return min(progress / 0.1, 0.5 + 0.5 * math.cos(math.pi * max(progress - 0.1, 0) / 0.9))


def _class_weights(label_maps: Tensor, num_classes: int) -> Tensor:
    """(K,) weights, falling with the square root of a class' share of the pixels, 1 on an average pixel."""
    share = torch.bincount(label_maps.flatten(), minlength=num_classes).double() / label_maps.numel()
    weights = share.clamp(min=1e-3).rsqrt()
    return (weights / (weights * share).sum()).float()


def _batch(data: JudgeData, batch_size: int, generator: torch.Generator) -> JudgeData:
    index = torch.randint(len(data.images), (batch_size,), generator=generator)
    batch = JudgeData(*(column[index] for column in data))
    mirrored = torch.rand(batch_size, generator=generator) < 0.5
    images = torch.where(mirrored[:, None, None, None], batch.images.flip(-1), batch.images)
    label_maps = torch.where(mirrored[:, None, None], batch.label_maps.flip(-1), batch.label_maps)
    return batch._replace(images=images, label_maps=label_maps)


def _loss(judge: Judge, batch: JudgeData, class_weights: Tensor) -> Tensor:
    reading = judge.read(as_images(batch.images))
    return (
        F.cross_entropy(reading.logits, batch.label_maps.long(), weight=class_weights)
        + HEAD_WEIGHT * F.cross_entropy(reading.time_of_day, batch.times_of_day)
        + HEAD_WEIGHT * F.cross_entropy(reading.season, batch.seasons)
    )


@torch.no_grad()
def _finish(judge: Judge, data: JudgeData, device: torch.device) -> None:
    """Measure the spread of the features on (at most 2048 of) the training pictures."""
    judge.eval()
    pictures = data.images[:2048].split(256)
    pooled = torch.cat([pool(judge.layers(as_images(pixels.to(device)))) for pixels in pictures])
    judge.feature_mean.copy_(pooled.mean(0))
    judge.feature_std.copy_(pooled.std(0).clamp(min=1e-6))


# What a judge is worth.


class JudgeScores(NamedTuple):
    """What a judge gets right on true pictures that it was not trained on.

    Attributes:
        iou: (K,) intersection over union of every class.
        miou: their mean.
        time_of_day_accuracy: share of pictures.
        season_accuracy: share of pictures.
        num_images: pictures it was measured on.
    """

    iou: list[float]
    miou: float
    time_of_day_accuracy: float
    season_accuracy: float
    num_images: int


@torch.no_grad()
def score_judge(judge: Judge, data: JudgeData, *, batch_size: int = 128) -> JudgeScores:
    """Measure a judge on true pictures.

    Args:
        judge: in evaluation mode, on any device.
        data: pictures that it was not trained on.
        batch_size: pictures at a time.

    Returns:
        Its scores.
    """
    num_classes, device = judge.config.num_classes, judge.feature_mean.device
    confusion = torch.zeros(num_classes, num_classes, dtype=torch.long)
    right_times = right_seasons = 0
    for columns in zip(*(column.split(batch_size) for column in data), strict=True):
        batch = JudgeData(*columns)
        reading = judge.read(as_images(batch.images.to(device)))
        confusion += metrics.confusion_matrix(reading.logits.argmax(1).cpu(), batch.label_maps, num_classes)
        right_times += (reading.time_of_day.argmax(1).cpu() == batch.times_of_day).sum().item()
        right_seasons += (reading.season.argmax(1).cpu() == batch.seasons).sum().item()
    num = len(data.images)
    iou = metrics.intersection_over_union(confusion).tolist()
    return JudgeScores(iou, metrics.mean_iou(confusion), right_times / num, right_seasons / num, num)
