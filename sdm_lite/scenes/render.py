"""From the shapes of a scene to pixels: its label map, its instance map and its picture.

Every shape lives in unit coordinates (x to the right, y down), so that one layout can be drawn at any size. A shape has
a `class_id` and two methods: `cover(grid)` says which pixels it claims, `paint(canvas, patch, look, draws)` colours
them. Nothing is random there: what varies comes in through `Look` (made from an `Appearance`) and `draws`, four uniform
numbers of the shape's own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from sdm_lite.scenes.look import NIGHT, Look

CLASS_NAMES = ("sky", "sun", "cloud", "mountain", "grass", "road", "wall", "roof", "tree", "car", "water")
SKY, SUN, CLOUD, MOUNTAIN, GRASS, ROAD, WALL, ROOF, TREE, CAR, WATER = range(len(CLASS_NAMES))


class Patch(NamedTuple):
    """The window of a grid that holds a shape: slices, pixel centres x (1, w) and y (h, 1), and the mask (h, w)."""

    rows: slice
    cols: slice
    x: np.ndarray
    y: np.ndarray
    mask: np.ndarray


class Grid:
    """Pixel centres of an n x n picture of the unit square, and windows of it."""

    def __init__(self, n):
        """Place n pixel centres on each axis."""
        self.n = n
        self.x = ((np.arange(n, dtype=np.float32) + 0.5) / n)[None, :]
        self.y = ((np.arange(n, dtype=np.float32) + 0.5) / n)[:, None]

    def window(self, x0, x1, y0, y1):
        """Return rows, cols, x, y of the pixels whose centres may lie in the box (clipped to the picture)."""
        n = self.n
        rows = slice(min(max(int(y0 * n), 0), n), min(max(int(y1 * n) + 1, 0), n))
        cols = slice(min(max(int(x0 * n), 0), n), min(max(int(x1 * n) + 1, 0), n))
        return rows, cols, self.x[:, cols], self.y[rows]


@lru_cache(maxsize=16)
def grid_of(n):
    """Return the (cached) Grid with n x n pixels."""
    return Grid(n)


def stamp(canvas, patch, color, mask=None):
    """Write a colour on the canvas where the patch's mask, or another of its size, is true."""
    np.copyto(canvas[:, patch.rows, patch.cols], color, where=patch.mask if mask is None else mask)


def shadow(canvas, look, x, y, width, height):
    """Darken a soft ellipse of ground about (x, y), shifted away from the light."""
    x = x - 0.15 * look.side * width
    rows, cols, px, py = look.grid.window(x - width, x + width, y - height, y + height)
    bump = 1.0 - ((px - x) / width) ** 2 - ((py - y) / height) ** 2
    canvas[:, rows, cols] *= 1.0 - (0.25 if look.time == NIGHT else 0.42) * np.clip(bump, 0.0, 1.0)


def number_items(items, size):
    """Return (size, size) uint8: the number of the front item at each pixel's centre."""
    grid = grid_of(size)
    numbers = np.zeros((size, size), np.uint8)
    for number, item in enumerate(items):
        patch = item.cover(grid)
        np.copyto(numbers[patch.rows, patch.cols], np.uint8(number), where=patch.mask)
    return numbers


def rasterise(layout, size):
    """Return the label map and the instance map, (size, size) uint8."""
    instances = number_items(layout.items, size)
    classes = np.array([item.class_id for item in layout.items], np.uint8)
    return classes[instances], instances


def paint(layout, appearance, size):
    """Return the picture (3, size, size) float32 in [-1, 1], drawn at twice the size and averaged down."""
    grid = grid_of(2 * size)
    look = Look(grid, appearance, layout.sun)
    canvas = np.empty((3, grid.n, grid.n), np.float32)
    for number, item in enumerate(layout.items):
        patch = item.cover(grid)
        if patch.mask.size:
            item.paint(canvas, patch, look, appearance.draws[number])
    np.clip(canvas, 0.0, 1.0, out=canvas)
    rows = canvas[:, 0::2] + canvas[:, 1::2]
    return (rows[:, :, 0::2] + rows[:, :, 1::2]) * 0.5 - 1.0
