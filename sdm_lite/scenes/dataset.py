"""Scenes, the data set: a picture for every (seed, index), any number of renders of a layout.

Apart from how they are drawn because whoever trains on them needs to know no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sdm_lite.batches import Batch, Example, collate
from sdm_lite.scenes.label_sets import LABEL_SETS, PALETTE
from sdm_lite.scenes.layout import draw_layout
from sdm_lite.scenes.look import Appearance, draw_appearance
from sdm_lite.scenes.render import CLASS_NAMES, Layout, number_items, paint

# Three sets of layouts that share none: to train on; to choose with (settings, when to stop); to report on, never to
# choose with.
TRAIN_SEED, VALIDATION_SEED, TEST_SEED = 0, 1, 2

LAYOUT_STREAM, APPEARANCE_STREAM, OWN_APPEARANCE_STREAM = range(3)


def stream(*key: int) -> np.random.Generator:
    """The random stream that belongs to a key of non-negative integers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


@lru_cache(maxsize=256)
def layout_of(seed: int, index: int) -> Layout:
    """The layout of a scene; the last ones are kept, for many renders of one layout."""
    return draw_layout(stream(seed, index, LAYOUT_STREAM))


def maps_of(layout: Layout, size: int, label_set: str = "standard") -> tuple[Tensor, Tensor]:
    """Label map and instance map of a layout, (size, size) int64 each; every instance id is of one class."""
    instances = number_items(layout.items, size)
    label_map = LABEL_SETS[label_set].of_items(layout)[instances]
    return torch.from_numpy(label_map).long(), torch.from_numpy(instances).long()


def drawn(layout: Layout, appearance: Appearance, size: int, label_set: str = "standard") -> Example:
    """A layout drawn under an appearance."""
    return Example(torch.from_numpy(paint(layout, appearance, size)), *maps_of(layout, size, label_set))


class Scenes(Dataset):
    """Procedural landscapes: layouts and renders drawn from (seed, index), no files.

    The same index shows the same scene at every size, on every machine and in any order.

    Attributes:
        num_classes: 11, or as many as the label set has.
        class_names: in the order of the label ids.
        void_id: None: every pixel is labelled.
        palette: (num_classes, 3) uint8, a colour for each class.
        has_instances: whether two objects of one class are told apart: always.
        guidance_scale: that samples are drawn at where none is asked for.

    Args:
        size: height and width in pixels: a multiple of 8 from 16 to 256.
        length: number of scenes.
        seed: non-negative integer; another seed gives other scenes.
        label_set: what they are labelled with: standard, coarse (5 classes) or fine (23): `label_sets`. Pictures and
            instances are the same.

    Raises:
        ValueError: if a number is out of range, or there is no such label set.
    """

    num_classes = len(CLASS_NAMES)
    class_names = CLASS_NAMES
    void_id = None
    palette = PALETTE
    guidance_scale = 1.5
    has_instances = True

    def __init__(self, size: int = 64, length: int = 50_000, seed: int = 0, label_set: str = "standard"):
        if size not in range(16, 257, 8):
            raise ValueError(f"size: expected a multiple of 8 from 16 to 256, got {size!r}; use 32 or 64")
        if length < 1 or seed < 0:
            raise ValueError(f"expected length >= 1 and seed >= 0, got length={length!r} and seed={seed!r}")
        if label_set not in LABEL_SETS:
            raise ValueError(f"label_set: expected one of {', '.join(LABEL_SETS)}, got {label_set!r}")
        self.size, self.length, self.seed, self.label_set = int(size), int(length), int(seed), label_set
        if label_set != "standard":
            labels = LABEL_SETS[label_set]
            self.num_classes, self.class_names, self.palette = labels.num_classes, labels.class_names, labels.palette

    def __len__(self) -> int:
        """Number of scenes."""
        return self.length

    def _index(self, i: int) -> int:
        """An index in range; negative ones count from the end, as everywhere in Python."""
        i = int(i)
        if not -self.length <= i < self.length:
            raise IndexError(f"scene {i} asked of {self.length}: use 0 to {self.length - 1}, or a larger length")
        return i % self.length

    def _layout(self, i: int) -> Layout:
        return layout_of(self.seed, self._index(i))

    def layout(self, i: int) -> tuple[Tensor, Tensor]:
        """Label map and instance map of scene i, (size, size) int64 each; every instance id is of one class."""
        return maps_of(self._layout(i), self.size, self.label_set)

    def appearance(self, i: int, appearance_seed: int) -> Appearance:
        """The appearance (hour, season, colours, textures) of scene i that belongs to an appearance seed >= 0."""
        if appearance_seed < 0:
            raise ValueError(f"appearance_seed: expected an integer >= 0, got {appearance_seed!r}")
        return draw_appearance(stream(self.seed, self._index(i), APPEARANCE_STREAM, int(appearance_seed)))

    def own_appearance(self, i: int) -> Appearance:
        """The appearance with which scene i stands in the data set: that of `self[i]`."""
        return draw_appearance(stream(self.seed, self._index(i), OWN_APPEARANCE_STREAM))

    def render(self, i: int, appearance_seed: int) -> Tensor:
        """One true picture of layout i, (3, size, size) float32 in [-1, 1]: a sample of p(image | layout)."""
        return self.render_as(i, self.appearance(i, appearance_seed))

    def render_as(self, i: int, appearance: Appearance) -> Tensor:
        """The picture of layout i under a given appearance, (3, size, size) float32 in [-1, 1]."""
        return torch.from_numpy(paint(self._layout(i), appearance, self.size))

    def __getitem__(self, i: int) -> Example:
        """Scene i as it stands in the data set."""
        return drawn(self._layout(i), self.own_appearance(i), self.size, self.label_set)

    def materialize(
        self,
        indices: Sequence[int],
        *,
        progress: Callable[[int], object] | None = None,
        keeps_instance_ids: bool = False,
    ) -> Batch:
        """Many scenes at once, drawn into memory: what `self[i]` gives, in 8 bits.

        Args:
            indices: N scene numbers.
            progress: called with the number of scenes done, after each.
            keeps_instance_ids: whether objects are told apart by number, and not by their edges alone.

        Returns:
            images (N, 3, size, size), label_map and edges (N, size, size), uint8; instances int16 where kept.
        """

        def counted() -> Iterator[Example]:
            for number, i in enumerate(indices, start=1):
                yield self[i]
                if progress is not None:
                    progress(number)

        return collate(counted(), self.num_classes, has_instances=True, keeps_instance_ids=keeps_instance_ids)
