"""Scenes: procedural landscapes with label maps, a pure function of (seed, index), many true renders of each layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch

from sdm_lite.batches import Batch, Example, collate
from sdm_lite.scenes.layout import draw_layout
from sdm_lite.scenes.look import (
    SEASON_PROBABILITIES,
    SEASONS,
    TIME_OF_DAY_PROBABILITIES,
    TIMES_OF_DAY,
    Appearance,
    draw_appearance,
)
from sdm_lite.scenes.render import CLASS_NAMES, paint, rasterise

__all__ = [
    "SEASONS",
    "SEASON_PROBABILITIES",
    "TIMES_OF_DAY",
    "TIME_OF_DAY_PROBABILITIES",
    "Appearance",
    "Scenes",
]

# Told apart by colour-blind eyes too: tests/scenes/test_dataset.py measures it.
PALETTE = np.array(
    [
        (140, 190, 235), (247, 197, 50), (225, 232, 240), (133, 118, 139), (110, 170, 70), (84, 80, 82),
        (233, 211, 165), (168, 66, 57), (24, 86, 28), (200, 28, 109), (45, 110, 185),
    ],
    np.uint8,
)  # fmt: skip

LAYOUT_STREAM, APPEARANCE_STREAM, OWN_APPEARANCE_STREAM = range(3)


def stream(*key):
    """Return the numpy Generator that belongs to a key of non-negative integers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


@lru_cache(maxsize=256)
def layout_of(seed, index):
    """Return the Layout of a scene; the last ones are kept, for many renders of one layout."""
    return draw_layout(stream(seed, index, LAYOUT_STREAM))


class Scenes(torch.utils.data.Dataset):
    """Procedural landscapes: layouts and renders drawn from (seed, index), no files.

    The same index shows the same scene at every size, on every machine and in any order.

    Attributes:
        num_classes: 11.
        class_names: Names in the order of the label ids.
        palette: (11, 3) uint8, a colour for each class.
    """

    num_classes = len(CLASS_NAMES)
    class_names = CLASS_NAMES
    palette = PALETTE

    def __init__(self, size=64, length=50_000, seed=0):
        """Describe the data set; nothing is drawn yet.

        Args:
            size: Height and width in pixels: a multiple of 8 from 16 to 256.
            length: Number of scenes.
            seed: Non-negative integer; another seed gives other scenes.

        Raises:
            ValueError: A size, length or seed out of range.
        """
        if size not in range(16, 257, 8):
            raise ValueError(f"size: expected a multiple of 8 from 16 to 256, got {size!r}; use 32 or 64")
        if length < 1 or seed < 0:
            raise ValueError(f"expected length >= 1 and seed >= 0, got length={length!r} and seed={seed!r}")
        self.size, self.length, self.seed = int(size), int(length), int(seed)

    def __len__(self):
        """Return the number of scenes."""
        return self.length

    def _index(self, i):
        """Check an index; Python's negative ones count from the end."""
        i = int(i)
        if not -self.length <= i < self.length:
            raise IndexError(f"scene {i} asked of {self.length}: use 0 to {self.length - 1}, or a larger length")
        return i % self.length

    def _layout(self, i):
        return layout_of(self.seed, self._index(i))

    def layout(self, i):
        """Draw the layout of scene i.

        Returns:
            label_map: (size, size) int64 class ids.
            instance_map: (size, size) int64; one id for each object, each id of one class.
        """
        label_map, instance_map = rasterise(self._layout(i), self.size)
        return torch.from_numpy(label_map.astype(np.int64)), torch.from_numpy(instance_map.astype(np.int64))

    def appearance(self, i, appearance_seed):
        """Draw the appearance (hour, season, colours, textures) of scene i that belongs to an appearance seed >= 0."""
        if appearance_seed < 0:
            raise ValueError(f"appearance_seed: expected an integer >= 0, got {appearance_seed!r}")
        return draw_appearance(stream(self.seed, self._index(i), APPEARANCE_STREAM, int(appearance_seed)))

    def own_appearance(self, i):
        """Draw the appearance with which scene i stands in the data set: that of `self[i]`."""
        return draw_appearance(stream(self.seed, self._index(i), OWN_APPEARANCE_STREAM))

    def render(self, i, appearance_seed):
        """Draw one true picture of layout i: a sample of p(image | layout).

        Returns:
            image: (3, size, size) float32 in [-1, 1].
        """
        return self.render_as(i, self.appearance(i, appearance_seed))

    def render_as(self, i, appearance):
        """Draw the picture of layout i under a given Appearance: (3, size, size) float32 in [-1, 1]."""
        return torch.from_numpy(paint(self._layout(i), appearance, self.size))

    def __getitem__(self, i):
        """Return the Example (image, label_map, instance_map) of scene i."""
        layout = self._layout(i)
        label_map, instance_map = (torch.from_numpy(a.astype(np.int64)) for a in rasterise(layout, self.size))
        return Example(torch.from_numpy(paint(layout, self.own_appearance(i), self.size)), label_map, instance_map)

    def materialize(self, indices: Sequence[int], *, progress: Callable[[int], object] | None = None) -> Batch:
        """Draw many scenes at once into memory: what `self[i]` gives, in 8 bits.

        Args:
            indices: N scene numbers.
            progress: called with the number of scenes done, after each.

        Returns:
            images (N, 3, size, size), label_map and edges (N, size, size), uint8.
        """

        def drawn() -> Iterator[Example]:
            for number, i in enumerate(indices, start=1):
                yield self[i]
                if progress is not None:
                    progress(number)

        return collate(drawn(), self.num_classes, has_instances=True)
