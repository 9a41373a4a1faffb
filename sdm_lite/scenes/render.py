"""From the shapes of a scene to pixels: its label map, its instance map and its picture.

Every shape lives in unit coordinates (x to the right, y down), so that one layout can be drawn at any size. A shape has
a `class_id` and two methods: `cover(grid)` says which pixels it claims, `paint(canvas, patch, look, draws)` colours
them. Nothing is random there: what varies comes in through `Look` (made from an `Appearance`) and `draws`, four uniform
numbers in [0, 1) of the shape's own.

Shapes: n x n pixels of a grid, h x w of the window of a shape in it. A canvas is (3, n, n) float32, RGB in 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np

from sdm_lite.scenes.look import DAY, HAZES, LIGHTS, NIGHT, SKIES, SNOWS, WINTER, Appearance, rgb, textures

CLASS_NAMES = ("sky", "sun", "cloud", "mountain", "grass", "road", "wall", "roof", "tree", "car", "water")
SKY, SUN, CLOUD, MOUNTAIN, GRASS, ROAD, WALL, ROOF, TREE, CAR, WATER = range(len(CLASS_NAMES))


class Patch(NamedTuple):
    """The window of a grid that holds a shape.

    Attributes:
        rows, cols: slices of the grid.
        x, y: centres of the pixels, (1, w) and (h, 1) float32.
        mask: (h, w) bool, true where the shape is.
    """

    rows: slice
    cols: slice
    x: np.ndarray
    y: np.ndarray
    mask: np.ndarray


class Grid:
    """Pixel centres of an n x n picture of the unit square, and windows of it."""

    def __init__(self, n: int):
        self.n = n
        self.x = ((np.arange(n, dtype=np.float32) + 0.5) / n)[None, :]
        self.y = ((np.arange(n, dtype=np.float32) + 0.5) / n)[:, None]

    def window(self, x0: float, x1: float, y0: float, y1: float) -> tuple[slice, slice, np.ndarray, np.ndarray]:
        """The rows, cols, x (1, w) and y (h, 1) of the pixels that may lie in a box, clipped to the picture."""
        n = self.n
        rows = slice(min(max(int(y0 * n), 0), n), min(max(int(y1 * n) + 1, 0), n))
        cols = slice(min(max(int(x0 * n), 0), n), min(max(int(x1 * n) + 1, 0), n))
        return rows, cols, self.x[:, cols], self.y[rows]


@lru_cache(maxsize=16)
def grid_of(n: int) -> Grid:
    """The grid of n x n pixels, made once."""
    return Grid(n)


class Look:
    """The light of one picture: what every shape needs to know of an Appearance.

    Args:
        grid: that is drawn on.
        appearance: of the picture.
        sun: its centre (x, y), or None; light falls from its side.
    """

    def __init__(self, grid: Grid, appearance: Appearance, sun: tuple[float, float] | None):
        mood = appearance.mood
        self.grid, self.appearance = grid, appearance
        self.time, self.season = appearance.time_of_day, appearance.season
        self.snow, self.haze = SNOWS[self.time], HAZES[self.time]
        self.side = (1.0 if mood[6] < 0.5 else -1.0) if sun is None else (1.0 if sun[0] > 0.5 else -1.0)
        self.sun = sun
        self.light = LIGHTS[self.time] * (0.93 + 0.12 * mood[5])
        tint = 1.0 + (mood[0] - 0.5) * rgb(0.30, 0.06, -0.14)
        pale = 0.2 if self.season == WINTER and self.time == DAY else 0.0
        self.sky = [color * tint * (1 - pale) + pale * rgb(0.78, 0.84, 0.90) for color in SKIES[self.time]]

    def texture(self, kind: int, patch: Patch) -> np.ndarray:
        """The crop (h, w) of a texture that lies under a patch, mean 0 and variance 1."""
        tile, dx, dy = self.appearance.crops[kind]
        n = self.grid.n
        field = textures(n)[kind, tile]
        top, left = int(dy) * n // 8, int(dx) * n // 8
        rows, cols = patch.rows, patch.cols
        return field[top + rows.start : top + rows.stop, left + cols.start : left + cols.stop]


class Shape(Protocol):
    """What every shape of `land` and `things` has."""

    class_id: int

    def cover(self, grid: Grid) -> Patch:
        """The pixels of a grid that it claims."""

    def paint(self, canvas: np.ndarray, patch: Patch, look: Look, draws: np.ndarray) -> None:
        """Colour its pixels; draws: (4,) uniform numbers in [0, 1)."""


class Layout(NamedTuple):
    """The shapes of a scene from back to front, each with its place for an instance id; and the centre of the sun."""

    items: tuple[Shape, ...]
    sun: tuple[float, float] | None


def stamp(canvas: np.ndarray, patch: Patch, color: np.ndarray, mask: np.ndarray | None = None) -> None:
    """Write a colour, (3, 1, 1) or (3, h, w), on the canvas where the patch's mask, or another of its size, is true."""
    np.copyto(canvas[:, patch.rows, patch.cols], color, where=patch.mask if mask is None else mask)


def shadow(canvas: np.ndarray, look: Look, x: float, y: float, width: float, height: float) -> None:
    """Darken a soft ellipse of ground about (x, y), shifted away from the light; width and height are half axes."""
    x = x - 0.15 * look.side * width
    rows, cols, px, py = look.grid.window(x - width, x + width, y - height, y + height)
    bump = 1.0 - ((px - x) / width) ** 2 - ((py - y) / height) ** 2
    canvas[:, rows, cols] *= 1.0 - (0.25 if look.time == NIGHT else 0.42) * np.clip(bump, 0.0, 1.0)


def number_items(items: Sequence[Shape], size: int) -> np.ndarray:
    """The number of the front item at each pixel's centre, (size, size) uint8."""
    grid = grid_of(size)
    numbers = np.zeros((size, size), np.uint8)
    for number, item in enumerate(items):
        patch = item.cover(grid)
        np.copyto(numbers[patch.rows, patch.cols], np.uint8(number), where=patch.mask)
    return numbers


def paint(layout: Layout, appearance: Appearance, size: int) -> np.ndarray:
    """The picture of a layout, (3, size, size) float32 in [-1, 1], drawn at twice the size and averaged down."""
    grid = grid_of(2 * size)
    look = Look(grid, appearance, layout.sun)
    canvas = np.empty((3, grid.n, grid.n), np.float32)  # (3, 2 size, 2 size)
    for number, item in enumerate(layout.items):
        patch = item.cover(grid)
        if patch.mask.size:
            item.paint(canvas, patch, look, appearance.draws[number])
    np.clip(canvas, 0.0, 1.0, out=canvas)
    rows = canvas[:, 0::2] + canvas[:, 1::2]  # (3, size, 2 size)
    return (rows[:, :, 0::2] + rows[:, :, 1::2]) * 0.5 - 1.0
