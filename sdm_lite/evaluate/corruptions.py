"""The ruler's ruler: true pictures spoiled in known ways, and which score sees which.

A score that cannot tell a spoiled true picture from a clean one measures nothing that such a spoiling destroys. Each
corruption names, before anything is measured, the scores that claim to see it; one sees it if the interval of its
paired difference to the clean pictures lies above 0. Heusel et al. (2017), section 3 and appendix A1, tried FID so.

Shapes: L layouts, N pictures of one, H x W pixels, R bootstrap resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sdm_lite import metrics
from sdm_lite.evaluate.measures import Measure
from sdm_lite.evaluate.scene_scores import Statistic, Truth, compare, statistics
from sdm_lite.evaluate.scenes import evaluate_images, layout_diversity
from sdm_lite.judge.network import Judge
from sdm_lite.progress import ShowProgress, silently
from sdm_lite.scenes.dataset import Scenes
from sdm_lite.scenes.look import DAY


class TruePictures(NamedTuple):
    """Clean pictures of one layout, and where they are from.

    Attributes:
        scenes: the data set.
        index: of the layout.
        seeds: N appearance seeds.
        pictures: (N, 3, H, W) in [-1, 1].
        label_map: (H, W) int64.
        instance_map: (H, W) int64, every id of one class.
    """

    scenes: Scenes
    index: int
    seeds: range
    pictures: Tensor
    label_map: Tensor
    instance_map: Tensor


# What can be done to pictures: TruePictures -> (N, 3, H, W).


def flat_colours(true: TruePictures) -> Tensor:
    """Every object painted in its mean colour."""
    spoiled = true.pictures.clone()
    for instance in true.instance_map.unique():
        where = true.instance_map == instance
        spoiled[:, :, where] = spoiled[:, :, where].mean(2, keepdim=True)
    return spoiled


def blurred(true: TruePictures) -> Tensor:
    """Every pixel the mean of the 3 x 3 about it."""
    return F.avg_pool2d(F.pad(true.pictures, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def noisy(true: TruePictures) -> Tensor:
    """Gaussian noise of standard deviation 0.05 added, a fortieth of the range."""
    noise = np.random.default_rng([true.index, true.seeds.start]).normal(0, 0.05, true.pictures.shape)
    return (true.pictures + torch.from_numpy(noise).float()).clamp(-1, 1)


def hard_edges(true: TruePictures) -> Tensor:
    """No anti-aliasing: a pixel at an edge takes the mean of its neighbours inside the same object, if any."""
    spoiled = true.pictures.clone()
    edges = metrics.edge_pixels(true.label_map)
    for instance in true.instance_map.unique():
        where = true.instance_map == instance
        inside = (where & ~edges).float()[None, None]
        count = _sum_3x3(inside)
        mean = _sum_3x3(true.pictures * inside) / count.clamp(min=1)
        replaced = where & edges & (count[0, 0] > 0)
        spoiled[:, :, replaced] = mean[:, :, replaced]
    return spoiled


def always_day(true: TruePictures) -> Tensor:
    """The same pictures at noon: right in all but how often each hour comes."""
    looks = (true.scenes.appearance(true.index, seed)._replace(time_of_day=DAY) for seed in true.seeds)
    return torch.stack([true.scenes.render_as(true.index, look) for look in looks])


def other_layout(true: TruePictures) -> Tensor:
    """True pictures, but of the layout that comes next."""
    following = (true.index + 1) % len(true.scenes)
    return torch.stack([true.scenes.render(following, seed) for seed in true.seeds])


def duplicates(true: TruePictures) -> Tensor:
    """Of each layout one picture, again and again."""
    return true.pictures[:1].expand_as(true.pictures)


def _sum_3x3(maps: Tensor) -> Tensor:
    return 9 * F.avg_pool2d(maps, 3, stride=1, padding=1)


class Corruption(NamedTuple):
    """A way to spoil true pictures.

    Attributes:
        spoil: does it; its docstring says what.
        seen_by: the scores that claim to see it, said before they are measured.
    """

    spoil: Callable[[TruePictures], Tensor]
    seen_by: tuple[str, ...]


CORRUPTIONS = {
    "flat colours": Corruption(
        flat_colours, ("frechet_within", "kernel_within", "miou_edges", "edge_sharpness", "high_frequency_ratio")
    ),
    "blur": Corruption(
        blurred,
        ("frechet_within", "kernel_within", "miou_edges", "miou_inside", "edge_sharpness", "high_frequency_ratio"),
    ),
    "noise": Corruption(noisy, ("kernel_within", "edge_sharpness", "high_frequency_ratio")),
    "hard edges": Corruption(hard_edges, ("kernel_within", "miou_edges", "edge_sharpness")),
    "always day": Corruption(always_day, ("frechet", "time_of_day_tv")),
    "other layout": Corruption(other_layout, ("miou", "miou_edges", "miou_inside", "edge_sharpness")),
    "duplicates": Corruption(duplicates, ("diversity",)),
}


# Which score sees what.


def spoiled_and_clean(
    judge: Judge, truth: Truth, *, progress: ShowProgress = silently
) -> dict[str, dict[str, Statistic]]:
    """The scores of true pictures in the place of samples, clean and after each corruption.

    As of a model, there is one picture of every layout, and of the first layouts several, for diversity. They are none
    of those that the truth was measured on.

    Args:
        judge: in evaluation mode.
        truth: of the layouts to draw, from `evaluate.measure_truth` with this judge.
        progress: shows how far it is.

    Returns:
        By "clean" and the names of `CORRUPTIONS`: what `scene_scores.statistics` returns.
    """
    sizes = truth.sizes
    scenes = Scenes(judge.config.image_size[0], length=sizes.num_layouts, seed=sizes.scenes_seed)
    groups: dict[str, list[Tensor]] = {name: [] for name in ("clean", *CORRUPTIONS)}
    layouts = [scenes.layout(i) for i in range(sizes.num_layouts)]
    for i in progress(range(sizes.num_layouts), description="spoiled pictures"):
        num = sizes.samples_per_layout if i < sizes.num_diversity_layouts else 1
        seeds = range(sizes.num_renders, sizes.num_renders + num)
        true = TruePictures(scenes, i, seeds, torch.stack([scenes.render(i, seed) for seed in seeds]), *layouts[i])
        groups["clean"].append(true.pictures)
        for name, corruption in CORRUPTIONS.items():
            groups[name].append(corruption.spoil(true))
    label_maps = torch.stack([label_map for label_map, _ in layouts])
    return {name: measured_as_samples(judge, pictures, label_maps, truth) for name, pictures in groups.items()}


def measured_as_samples(judge: Judge, groups: list[Tensor], label_maps: Tensor, truth: Truth) -> dict[str, Statistic]:
    """The scores of pictures that are there already.

    Args:
        judge: in evaluation mode.
        groups: of each layout (N, 3, H, W) in [-1, 1]; N >= 2 for the truth's diversity layouts, which come first.
        label_maps: (L, H, W) int64.
        truth: of the same layouts.

    Returns:
        What `scene_scores.statistics` returns, of the first picture of each layout; diversity of all.
    """
    generated = evaluate_images(judge, torch.stack([group[:1] for group in groups]), label_maps)
    several = torch.stack(groups[: truth.sizes.num_diversity_layouts])
    return statistics(generated, layout_diversity(judge, several), truth)


def differences(
    one: dict[str, Statistic], other: dict[str, Statistic], *, num_resamples: int = 200
) -> dict[str, Measure]:
    """How much farther one set of pictures is from the truth than another of the same layouts, by every score."""
    return {key: compare(one[key], other[key], num_resamples=num_resamples) for key in one}


def sees(difference: Measure) -> bool:
    """The rule: the interval of "spoiled less clean" lies above 0."""
    return difference.interval.low > 0
