"""Small things and crowded layouts: what the paper shows in figures and puts no number on.

A thing is an object one could count: sun, cloud, wall, roof, tree, car. Sky, ground and water are none.

Shapes: L layouts, N pictures of each, H x W pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.judge import Judge
from sdm_lite.scenes.render import CAR, CLOUD, ROOF, SUN, TREE, WALL

THING_CLASSES = (SUN, CLOUD, WALL, ROOF, TREE, CAR)


class SmallThings(NamedTuple):
    """The smallest third of all things in some layouts.

    Attributes:
        numbers: (L, H, W) int64: 0 where none of them is, else 1, 2, ... within each layout.
        counts: (L,) int64, how many each layout has.
        most: pixels of the largest of them.
    """

    numbers: Tensor
    counts: Tensor
    most: int


def small_things(label_maps: Tensor, instance_maps: Tensor) -> SmallThings:
    """Find the smallest third of all things, by pixels; of two of one size the first counts as smaller.

    Args:
        label_maps: (L, H, W) int64.
        instance_maps: (L, H, W) int64; every instance is of one class.
    """
    areas, places = [], []
    for i, (classes, instances) in enumerate(zip(label_maps, instance_maps, strict=True)):
        for id in instances.unique().tolist():
            mask = instances == id
            if int(classes[mask][0]) in THING_CLASSES:
                areas.append(int(mask.sum()))
                places.append((i, id))
    order = sorted(range(len(areas)), key=areas.__getitem__)[: len(areas) // 3]
    numbers, counts = torch.zeros_like(instance_maps), torch.zeros(len(label_maps), dtype=torch.int64, device="cpu")
    for i, id in (places[k] for k in sorted(order)):
        counts[i] += 1
        numbers[i][instance_maps[i] == id] = counts[i]
    return SmallThings(numbers, counts, max((areas[k] for k in order), default=0))


@torch.no_grad()
def recalled(judge: Judge, images: Tensor, label_maps: Tensor, things: SmallThings, batch_size: int = 128) -> Tensor:
    """How many small things of each layout are read as what they are: the sum over them of the share of their pixels.

    Args:
        judge: in evaluation mode.
        images: (L, N, 3, H, W) in [-1, 1].
        label_maps: (L, H, W) int64.
        things: of the layouts.
        batch_size: pictures at a time.

    Returns:
        (L,) float64, mean over the N pictures; by `things.counts` it is the recall.
    """
    number = images.shape[1]
    parts = images.flatten(0, 1).split(batch_size)
    read = torch.cat([judge.predict(part.to(judge.device)).cpu() for part in parts])  # (L N, H, W)
    found = torch.zeros(len(label_maps), dtype=torch.float64, device="cpu")
    for i, count in enumerate(things.counts.tolist()):
        right = (read[i * number : (i + 1) * number] == label_maps[i]).double().mean(0)  # (H, W)
        for k in range(1, count + 1):
            found[i] += right[things.numbers[i] == k].mean()
    return found


def fullest_third(instance_maps: Tensor) -> Tensor:
    """Indices of the third of layouts that have most objects, (L // 3,) int64; of two with as many the later one."""
    counts = torch.tensor([len(one.unique()) for one in instance_maps], device="cpu")
    return counts.argsort(stable=True)[len(counts) - len(counts) // 3 :]
