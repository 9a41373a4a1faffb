"""Score a model on held-out Scenes with the Scenes judge, next to what the truth itself would score.

One layout of Scenes can be drawn many times, so every score has its yardstick: true pictures of the same layouts,
measured by the same judge against the same reference. `python -m sdm_lite.evaluate MODEL` prints the table.

    floor      Frechet distance of true pictures to other true pictures of the same layouts: what a perfect model gets
    ceiling    mIoU of the judge on true pictures
    diversity  mean perceptual distance between true pictures of one layout: neither less nor more is right

Of photographs there is one for each label map; `evaluate_photographs` scores those. Heusel et al. (2017, FID); Zhang
et al. (2018, LPIPS' formula); Wang et al. (2022), section 4.1, for the three metrics.

Shapes: L layouts, N pictures of each, C features, K classes, H x W pixels, R bootstrap resamples.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sdm_lite import metrics
from sdm_lite.checkpoints import Model
from sdm_lite.evaluate.drawing import Painter, SampleSettings, paint_groups, painter
from sdm_lite.evaluate.exchange import NUM_EXCHANGES
from sdm_lite.evaluate.measurements import Measurements
from sdm_lite.evaluate.measures import Scores
from sdm_lite.evaluate.scene_scores import Sizes, Truth, score
from sdm_lite.judge.efficientnet import EfficientNetLite0
from sdm_lite.judge.network import Judge, layer_distance
from sdm_lite.progress import ShowProgress, silently
from sdm_lite.scenes.dataset import Scenes
from sdm_lite.scenes.look import SEASONS

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
        label_maps: (L, H, W) int64; the confusion leaves out pixels of the judge's void class.
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
    num_layouts, num_pictures = images.shape[:2]
    maps = label_maps.repeat_interleave(num_pictures, 0)  # (L N, H, W)
    columns: list[list[Tensor]] = [[] for _ in range(7)]
    for batch, batch_maps in zip(images.flatten(0, 1).split(batch_size), maps.split(batch_size), strict=True):
        reading = judge.read(batch.to(judge.device))
        heads = (logits.argmax(1) for logits in (reading.logits, reading.time_of_day, reading.season))
        of_pictures = (mean_absolute_laplacian(batch), metrics.edge_sharpness(batch, batch_maps))
        for column, values in zip(columns, (reading.features, reading.levels, *heads, *of_pictures), strict=True):
            column.append(values.cpu())
    features, levels, predicted, times, seasons, roughness, sharpness = (
        torch.cat(column).unflatten(0, (num_layouts, num_pictures)) for column in columns
    )
    num_classes, void = judge.config.num_classes, judge.config.void_id
    confusion, edge_confusion = [], []
    for read, asked in zip(predicted, label_maps, strict=True):  # (N, H, W) and (H, W)
        edges = metrics.edge_pixels(asked)
        confusion.append(metrics.confusion_matrix(read, asked.expand_as(read), num_classes, ignore_label=void))
        at_edges = read[:, edges], asked[edges].expand(num_pictures, -1)
        edge_confusion.append(metrics.confusion_matrix(*at_edges, num_classes, ignore_label=void))
    return Measurements(
        features, torch.stack(confusion), times, seasons, roughness, levels, torch.stack(edge_confusion), sharpness
    )


@torch.no_grad()
def layout_diversity(judge: Judge | EfficientNetLite0, images: Tensor) -> Tensor:
    """Mean perceptual distance of all pairs of pictures of each layout; each picture is read once, not once a pair.

    Args:
        judge: in evaluation mode, with `layers`.
        images: (L, N, 3, H, W) in [-1, 1], N >= 2.

    Returns:
        (L,) float64.
    """
    first, second = torch.combinations(torch.arange(images.shape[1], device=judge.device)).T  # (P,) each
    values = []
    for pictures in images:
        layers = judge.layers(pictures.to(judge.device))
        distances = layer_distance([layer[first] for layer in layers], [layer[second] for layer in layers])
        values.append(distances.double().mean())
    return torch.stack(values).cpu()


# The truth.


def measure_truth(
    judge: Judge,
    sizes: Sizes,
    *,
    look: Callable[[int, Tensor], object] | None = None,
    progress: ShowProgress = silently,
) -> Truth:
    """Draw and measure true pictures of the held-out layouts: half a minute or more, and good for every model.

    Args:
        judge: its image_size says how large to draw.
        sizes: how many layouts and pictures.
        look: called with the number of each layout and its pictures (N, 3, H, W), to measure more of them.
        progress: shows how far it is, for instance `sdm_lite.progress.progress`.

    Returns:
        The truth.

    Raises:
        ValueError: if a number is too small.
    """
    sizes.check()
    scenes = Scenes(judge.config.image_size[0], length=sizes.num_layouts, seed=sizes.scenes_seed)
    reference, diversity = [], []
    for i in progress(range(sizes.num_layouts), description="true pictures"):
        label_map = scenes.layout(i)[0][None]  # (1, H, W)
        pictures = torch.stack([scenes.render(i, seed) for seed in range(sizes.num_renders)])[None]  # (1, N, 3, H, W)
        reference.append(evaluate_images(judge, pictures, label_map))
        if look is not None:
            look(i, pictures[0])
        if i < sizes.num_diversity_layouts:
            diversity.append(layout_diversity(judge, pictures[:, : sizes.samples_per_layout]))
    return Truth(_joined(reference), torch.cat(diversity), sizes)


def _joined(parts: list[Measurements]) -> Measurements:
    return Measurements(*(torch.cat(column) for column in zip(*parts, strict=True)))


# The model, or whatever else draws.


def evaluate_model(
    model: Model,
    judge: Judge,
    settings: SampleSettings,
    sizes: Sizes,
    *,
    num_resamples: int = 200,
    num_exchanges: int = NUM_EXCHANGES,
    truth: Truth | None = None,
    keep: Callable[[list[Tensor]], object] | None = None,
    progress: ShowProgress = silently,
) -> Scores:
    """Score a model on held-out Scenes.

    One sample of every layout is scored; the first num_diversity_layouts get further samples, for diversity alone.

    Args:
        model: network and process, for the judge's image size.
        judge: in evaluation mode.
        settings: how to sample.
        sizes: how many layouts and pictures.
        num_resamples: R, of the intervals' bootstrap.
        num_exchanges: of the exchange tests; 0 = no test.
        truth: from `measure_truth` with the same sizes, to score several models; None = measured here.
        keep: called with the samples, one (N, 3, H, W) a layout, before any is measured: what took long is not lost.
        progress: shows how far it is, for instance `sdm_lite.progress.progress`.

    Returns:
        The scores; `score` says what they are.

    Raises:
        ValueError: before any work, if a number is out of range or model and judge do not go together.
    """
    settings = check_evaluation(model, judge, settings, sizes)
    return evaluate_painter(
        painter(model, settings),
        judge,
        sizes,
        seed=settings.seed,
        batch_size=settings.batch_size,
        settings=settings.told(),
        num_resamples=num_resamples,
        num_exchanges=num_exchanges,
        truth=truth,
        keep=keep,
        progress=progress,
    )


def evaluate_painter(
    paint: Painter,
    judge: Judge,
    sizes: Sizes,
    *,
    seed: int = 0,
    batch_size: int = 32,
    settings: dict[str, object] | None = None,
    num_resamples: int = 200,
    num_exchanges: int = NUM_EXCHANGES,
    truth: Truth | None = None,
    keep: Callable[[list[Tensor]], object] | None = None,
    progress: ShowProgress = silently,
) -> Scores:
    """Score whatever draws pictures for label maps, a GAN for instance, by the very measures of `evaluate_model`.

    Args:
        paint: (label maps, instance maps, seeds) -> pictures, at the judge's image size.
        judge: in evaluation mode, of Scenes.
        sizes: how many layouts and pictures.
        seed: of the pictures.
        batch_size: pictures at a time.
        settings: what else the pictures depend on, to be told with the scores.
        num_resamples: as for `evaluate_model`, and so are those that follow.
        num_exchanges: of the exchange tests.
        truth: of the same sizes.
        keep: called with the pictures.
        progress: shows how far it is.

    Returns:
        The scores.

    Raises:
        ValueError: before any work, if a number is out of range or the judge is none of Scenes.
    """
    check_judge(judge, sizes)
    if num_resamples < 1 or num_exchanges < 0:
        raise ValueError(
            f"num_resamples must be at least 1 and num_exchanges at least 0, got {num_resamples} and {num_exchanges}"
        )
    if truth is not None and truth.sizes != sizes:
        raise ValueError(f"the truth was measured with other numbers: expected {sizes}, got {truth.sizes}")
    truth = measure_truth(judge, sizes, progress=progress) if truth is None else truth
    maps = sizes.layouts(judge.config.image_size[0])  # (L, H, W) each
    start = time.perf_counter()
    groups = paint_groups(paint, *maps, sizes.samples_of, seed=seed, batch_size=batch_size, progress=progress)
    seconds = time.perf_counter() - start
    if keep is not None:
        keep(groups)
    return score_samples(
        groups,
        judge,
        truth,
        seconds=seconds,
        settings={**(settings or {}), "seed": seed},
        num_resamples=num_resamples,
        num_exchanges=num_exchanges,
    )


def score_samples(
    groups: Sequence[Tensor],
    judge: Judge,
    truth: Truth,
    *,
    seconds: float,
    settings: dict[str, object],
    num_resamples: int = 200,
    num_exchanges: int = NUM_EXCHANGES,
) -> Scores:
    """Scores of pictures that are drawn, whoever drew them.

    Args:
        groups: one (N, 3, H, W) in [-1, 1] a layout of the truth, `truth.sizes.samples_of` pictures each.
        judge: in evaluation mode.
        truth: of the layouts.
        seconds: that drawing took.
        settings: what the pictures depend on, to be told with the scores.
        num_resamples: R, of the intervals' bootstrap.
        num_exchanges: of the exchange tests; 0 = no test.

    Returns:
        The scores; `score` says what they are.

    Raises:
        ValueError: if there are not as many pictures as the truth's sizes ask for.
    """
    sizes = truth.sizes
    if [len(group) for group in groups] != sizes.samples_of:
        raise ValueError(f"groups: expected {sum(sizes.samples_of)} pictures of {sizes}, got {sum(map(len, groups))}")
    label_maps, _ = sizes.layouts(judge.config.image_size[0])
    measured = evaluate_images(judge, torch.stack([group[:1] for group in groups]), label_maps)
    diversity = layout_diversity(judge, torch.stack(list(groups[: sizes.num_diversity_layouts])))
    class_iou = metrics.intersection_over_union(measured.confusion.sum(0)).tolist()
    return Scores(
        score(measured, diversity, truth, num_resamples=num_resamples, num_exchanges=num_exchanges),
        held_out="layouts",
        num_held_out=sizes.num_layouts,
        num_images=sum(sizes.samples_of),
        seconds_per_image=seconds / sum(sizes.samples_of),
        settings={**settings, **sizes._asdict()},
        class_iou=dict(zip(Scenes.class_names, class_iou, strict=True)),
    )


def check_judge(judge: Judge, sizes: Sizes) -> None:
    """Raise ValueError if a number is out of range, or the judge is none of Scenes."""
    sizes.check()
    if judge.config.num_seasons != len(SEASONS):
        raise ValueError("the judge reads no seasons, so it was not trained on Scenes: give judge-32, or --dataset")


def check_evaluation(model: Model, judge: Judge, settings: SampleSettings, sizes: Sizes) -> SampleSettings:
    """The settings as they will be used; ValueError if a number is out of range or model and judge do not fit."""
    check_judge(judge, sizes)
    model.unet.config.check_data("Scenes", Scenes.num_classes, has_instances=True)
    if model.unet.config.image_size != judge.config.image_size:
        raise ValueError(
            f"the model draws {model.unet.config.image_size} pixels and the judge reads {judge.config.image_size}"
        )
    return settings.check(model)
