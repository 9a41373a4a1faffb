"""Scenes: procedural landscapes with label maps, a pure function of (seed, index), many true renders of each layout.

`python -m sdm_lite.scenes --output grid.png` draws a grid of them.
"""

from __future__ import annotations

import argparse
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from sdm_lite.labels import Example
from sdm_lite.scenes_layout import draw_layout
from sdm_lite.scenes_look import (
    SEASON_PROBABILITIES,
    SEASONS,
    TIME_OF_DAY_PROBABILITIES,
    TIMES_OF_DAY,
    Appearance,
    draw_appearance,
)
from sdm_lite.scenes_render import CLASS_NAMES, paint, rasterise

__all__ = [
    "SEASONS",
    "SEASON_PROBABILITIES",
    "TIMES_OF_DAY",
    "TIME_OF_DAY_PROBABILITIES",
    "Appearance",
    "Scenes",
]

# Told apart by colour-blind eyes too: tests/test_scenes.py measures it.
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

    def materialize(self, indices, *, progress=None):
        """Draw many scenes at once into memory: what `self[i]` gives, in 8 bits.

        Args:
            indices: Sequence of N scene numbers.
            progress: Called with the number of scenes done, after each.

        Returns:
            images (N, 3, size, size), label_maps (N, size, size), instance_maps (N, size, size): uint8 tensors.
        """
        indices = list(indices)
        images = torch.empty((len(indices), 3, self.size, self.size), dtype=torch.uint8)
        label_maps = torch.empty((len(indices), self.size, self.size), dtype=torch.uint8)
        instance_maps = torch.empty_like(label_maps)
        for n, i in enumerate(indices):
            layout = self._layout(i)
            label_map, instance_map = rasterise(layout, self.size)
            picture = paint(layout, self.own_appearance(i), self.size)
            images[n] = torch.from_numpy(np.rint((picture + 1.0) * 127.5).astype(np.uint8))
            label_maps[n], instance_maps[n] = torch.from_numpy(label_map), torch.from_numpy(instance_map)
            if progress is not None:
                progress(n + 1)
        return images, label_maps, instance_maps


# python -m sdm_lite.scenes ------------------------------------------------------------------------


def grid_picture(scenes, num_rows, num_renders):
    """Return a (H, W, 3) uint8 picture: in each row a layout and several renders of it, two layouts to a row."""
    gap = max(scenes.size // 16, 2)
    cell = scenes.size + gap
    picture = np.full((num_rows * cell + gap, 2 * (num_renders + 1) * cell + gap, 3), 255, np.uint8)
    for k in range(2 * num_rows):
        row, half = divmod(k, 2)
        tiles = [scenes.palette[scenes.layout(k)[0].numpy()]]
        for s in range(num_renders):
            tiles.append(np.rint((scenes.render(k, s).numpy().transpose(1, 2, 0) + 1) * 127.5).astype(np.uint8))
        for column, tile in enumerate(tiles):
            top, left = row * cell + gap, (half * (num_renders + 1) + column) * cell + gap
            picture[top : top + scenes.size, left : left + scenes.size] = tile
    return picture


def main(argv=None):
    """Write a grid of layouts and renders as a picture, and print how fast scenes are drawn."""
    parser = argparse.ArgumentParser(prog="python -m sdm_lite.scenes", description=main.__doc__)
    parser.add_argument("--output", type=Path, required=True, help="PNG file to write, for example grid.png")
    parser.add_argument("--size", type=int, default=64, help="pixels a side, a multiple of 8 in 16..256 (default 64)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the data set (default 0)")
    parser.add_argument("--rows", type=int, default=8, help="rows of two layouts each (default 8)")
    parser.add_argument("--renders", type=int, default=4, help="renders of each layout (default 4)")
    parser.add_argument("--zoom", type=int, default=1, help="enlarge each pixel so many times (default 1)")
    args = parser.parse_args(argv)
    if min(args.rows, args.renders, args.zoom) < 1:
        parser.error("--rows, --renders and --zoom must be at least 1")
    if not args.output.resolve().parent.is_dir():
        parser.error(f"--output: no folder {args.output.resolve().parent}; create it first")
    try:
        scenes = Scenes(size=args.size, seed=args.seed)
    except ValueError as error:
        parser.error(str(error))
    from sdm_lite.viz import save_png

    picture = grid_picture(scenes, args.rows, args.renders)
    save_png(args.output, picture.repeat(args.zoom, 0).repeat(args.zoom, 1))
    start = time.perf_counter()
    for i in range(200):
        scenes[i]
    rate = 200 / (time.perf_counter() - start)
    print(f"wrote {args.output}; {rate:.0f} pictures/s at {args.size} px (layout and render)")


if __name__ == "__main__":
    main()
