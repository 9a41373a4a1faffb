"""Score a model on held-out Scenes with the Scenes judge, next to what the truth itself would score.

One layout of Scenes can be drawn many times, so every score has its yardstick: as many true pictures of the same
layouts, measured by the same judge against the same reference. `python -m sdm_lite.evaluate MODEL` prints the table.

    floor      Frechet distance of true pictures to (other) true pictures of the same layouts: what a perfect model gets
    ceiling    mIoU of the judge on true pictures
    diversity  mean perceptual distance between true pictures of one layout: neither less nor more is right

Of photographs there is one for each label map; `evaluate_photographs` scores those. Heusel et al. (2017, FID); Zhang
et al. (2018, LPIPS' formula); Wang et al. (2022), section 4.1, for the three metrics.

Shapes: L layouts, N pictures of each, C features, K classes, H x W pixels, R bootstrap resamples.
"""

from __future__ import annotations

import dataclasses
import time
from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite import metrics
from sdm_lite.checkpoints import Model
from sdm_lite.evaluate.drawing import SampleSettings, ShowProgress, draw_groups, silently
from sdm_lite.evaluate.scores import Measurements, ScenesScores, Sizes, Truth, score
from sdm_lite.judge.network import HELD_OUT_SEED, Judge
from sdm_lite.scenes.dataset import SEASONS, Scenes

# Measuring pictures.


def mean_absolute_laplacian(images: Tensor) -> Tensor:
    """How much fine detail there is in each picture: mean |4 x - its four neighbours| over its inner pixels.

    Args:
        images: (B, 3, H, W).

    Returns:
        (B,).
    """
    inner = images[..., 1:-1, 1:-1]
    neighbours = images[..., :-2, 1:-1] + images[..., 2:, 1:-1] + images[..., 1:-1, :-2] + images[..., 1:-1, 2:]
    return (4 * inner - neighbours).abs().mean((1, 2, 3))


@torch.no_grad()
def evaluate_images(judge: Judge, images: Tensor, label_maps: Tensor, *, batch_size: int = 128) -> Measurements:
    """Let the judge read pictures, generated or true.

    Args:
        judge: in evaluation mode.
        images: (L, N, 3, H, W) in [-1, 1], N pictures of each layout.
        label_maps: (L, H, W) int64.
        batch_size: pictures at a time.

    Returns:
        The measurements, on the CPU.

    Raises:
        ValueError: if images and label maps do not go together.
    """
    if images.ndim != 5 or images.shape[:1] + images.shape[3:] != label_maps.shape:
        raise ValueError(
            "images must be (L, N, 3, H, W) and label_maps (L, H, W), "
            f"got {tuple(images.shape)} and {tuple(label_maps.shape)}"
        )
    num_layouts, num_samples = images.shape[:2]
    device, num_classes = judge.feature_mean.device, judge.config.num_classes
    features, times, seasons, roughness, predicted = [], [], [], [], []
    for batch in images.flatten(0, 1).split(batch_size):
        reading = judge.read(batch.to(device))
        features.append(reading.features.cpu())
        times.append(reading.time_of_day.argmax(1).cpu())
        seasons.append(reading.season.argmax(1).cpu())
        predicted.append(reading.logits.argmax(1).cpu())
        roughness.append(mean_absolute_laplacian(batch).cpu())
    predicted_maps = torch.cat(predicted).unflatten(0, (num_layouts, num_samples))
    pairs = zip(predicted_maps, label_maps, strict=True)
    confusion = [metrics.confusion_matrix(p, t.expand_as(p), num_classes) for p, t in pairs]
    columns = (torch.cat(column).unflatten(0, (num_layouts, num_samples)) for column in (times, seasons, roughness))
    return Measurements(torch.cat(features).unflatten(0, (num_layouts, num_samples)), torch.stack(confusion), *columns)


@torch.no_grad()
def layout_diversity(judge: Judge, images: Tensor) -> Tensor:
    """Mean perceptual distance of all pairs of pictures of each layout.

    Args:
        judge: in evaluation mode.
        images: (L, N, 3, H, W) in [-1, 1], N >= 2.

    Returns:
        (L,) float64.
    """
    images = images.to(judge.feature_mean.device)
    values = [metrics.pairwise_diversity(judge.perceptual_distance, pictures) for pictures in images]
    return torch.tensor(values, dtype=torch.float64)


# The truth.


def measure_truth(judge: Judge, sizes: Sizes, *, progress: ShowProgress | None = None) -> Truth:
    """Draw and measure true pictures of the held-out layouts: half a minute or more, and good for every model.

    Args:
        judge: its image_size says how large to draw.
        sizes: how many layouts and pictures.
        progress: shows how far it is, for instance `sdm_lite.progress.progress`.

    Returns:
        The truth.

    Raises:
        ValueError: if a number is too small.
    """
    sizes.check()
    num_layouts, num_renders, samples_per_layout, num_diversity_layouts = sizes
    scenes = Scenes(judge.config.image_size, length=num_layouts, seed=HELD_OUT_SEED)
    reference, yardstick, diversity = [], [], []
    show = progress or silently
    for i in show(range(num_layouts), description="true pictures"):
        label_map = scenes.layout(i)[0][None]
        pictures = torch.stack([scenes.render(i, seed) for seed in range(num_renders + samples_per_layout)])[None]
        reference.append(evaluate_images(judge, pictures[:, :num_renders], label_map))
        yardstick.append(evaluate_images(judge, pictures[:, num_renders:], label_map))
        if i < num_diversity_layouts:
            diversity.append(layout_diversity(judge, pictures[:, num_renders:]))
    return Truth(_joined(reference), _joined(yardstick), torch.cat(diversity))


# The model.


def evaluate_model(
    model: Model,
    judge: Judge,
    settings: SampleSettings,
    sizes: Sizes,
    *,
    num_resamples: int = 200,
    truth: Truth | None = None,
    progress: ShowProgress | None = None,
) -> ScenesScores:
    """Score a model on held-out Scenes.

    One sample of every layout is scored; the first num_diversity_layouts get further samples, for diversity alone.

    Args:
        model: network and process, for the judge's image size.
        judge: in evaluation mode.
        settings: how to sample.
        sizes: how many layouts and pictures.
        num_resamples: R, of the intervals' bootstrap.
        truth: from `measure_truth` with the same sizes, to score several models; None = measured here.
        progress: shows how far it is, for instance `sdm_lite.progress.progress`.

    Returns:
        The scores, with bootstrap intervals over layouts.

    Raises:
        ValueError: before any work, if a number is out of range or model and judge do not go together.
    """
    sizes.check()
    _check_model(model, judge)
    settings = settings.check(model.diffusion)
    if num_resamples < 1:
        raise ValueError(f"num_resamples must be at least 1, got {num_resamples}")
    if truth is None:
        truth = measure_truth(judge, sizes, progress=progress)
    elif truth.sizes != sizes:
        raise ValueError(f"the truth was measured with other numbers: expected {sizes}, got {truth.sizes}")
    start = time.perf_counter()
    drawn = _draw_all(model, judge.config.image_size, sizes, settings, progress)
    seconds = time.perf_counter() - start
    measured = evaluate_images(judge, drawn.firsts[:, None], drawn.label_maps)
    return dataclasses.replace(
        score(measured, layout_diversity(judge, drawn.groups), truth, num_resamples=num_resamples),
        num_images=sizes.num_images,
        seconds_per_image=seconds / sizes.num_images,
        settings={**settings.told(), "scenes_seed": HELD_OUT_SEED, **sizes._asdict()},
    )


def _check_model(model: Model, judge: Judge) -> None:
    size = judge.config.image_size
    if judge.config.num_seasons != len(SEASONS):
        raise ValueError("the judge reads no seasons, so it was not trained on Scenes: give judge-32, or --dataset")
    model.unet.config.check_data("Scenes", Scenes.num_classes, has_instances=True)
    if model.unet.config.image_size != (size, size):
        raise ValueError(f"the model draws {model.unet.config.image_size} pixels and the judge reads {(size, size)}")


class Drawn(NamedTuple):
    """Samples of a model.

    Attributes:
        label_maps: (L, H, W) int64.
        firsts: (L, 3, H, W), one sample of every layout.
        groups: (diversity layouts, samples_per_layout, 3, H, W); the first of each group is in `firsts` too.
    """

    label_maps: Tensor
    firsts: Tensor
    groups: Tensor


def _draw_all(
    model: Model, image_size: int, sizes: Sizes, settings: SampleSettings, progress: ShowProgress | None
) -> Drawn:
    """Every sample that a score needs: one of each layout, and more of the first ones."""
    scenes = Scenes(image_size, length=sizes.num_layouts, seed=HELD_OUT_SEED)
    maps = [scenes.layout(i) for i in range(sizes.num_layouts)]
    label_maps, instance_maps = (torch.stack(column) for column in zip(*maps, strict=True))
    few = sizes.num_layouts - sizes.num_diversity_layouts
    samples_of = [sizes.samples_per_layout] * sizes.num_diversity_layouts + [1] * few
    groups = draw_groups(model, label_maps, instance_maps, samples_of, settings, progress=progress)
    firsts = torch.stack([group[0] for group in groups])
    return Drawn(label_maps, firsts, torch.stack(groups[: sizes.num_diversity_layouts]))


def _joined(parts: list[Measurements]) -> Measurements:
    return Measurements(*(torch.cat(column) for column in zip(*parts, strict=True)))
