"""The shapes of the landscape: sky, sun, clouds, mountains, grass, water and roads.

Apart from the things that stand on it. What a shape is, and its units: see `sdm_lite.scenes.render`. A curve is (65,)
heights y at the KNOTS.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sdm_lite.scenes.look import (
    CLOUD_BASES,
    CLOUD_TOPS,
    FOLIAGE,
    GLOWS,
    GRASS_TEXTURE,
    GRASSES,
    ICE,
    NIGHT,
    PUFF,
    ROADS,
    ROCK,
    ROCKS,
    SNOW_LINES,
    SPECKS,
    SUN_COLORS,
    WATERS,
    WAVES,
    WINTER,
    pick,
    rgb,
)
from sdm_lite.scenes.render import CLOUD, GRASS, MOUNTAIN, ROAD, SKY, SUN, WATER, Grid, Look, Patch, stamp

KNOTS = np.linspace(0.0, 1.0, 65)  # x of the heights that make a curve

# Sky ----------------------------------------------------------------------------------------------


class Sky(NamedTuple):
    """The background: a gradient from zenith to `horizon`, the sun's glow, and a few stars at night."""

    horizon: float
    class_id = SKY

    def cover(self, grid: Grid) -> Patch:
        """Every pixel."""
        return Patch(slice(0, grid.n), slice(0, grid.n), grid.x, grid.y, np.ones((grid.n, grid.n), bool))

    def paint(self, canvas: np.ndarray, patch: Patch, look: Look, draws: np.ndarray) -> None:
        """Blend three colours downwards, add a glow about the sun, then stars."""
        top, middle, bottom = look.sky
        t = np.clip(patch.y / (self.horizon + 0.06), 0.0, 1.0) ** 1.25
        canvas[:] = (
            top * np.clip(1 - 2 * t, 0, 1) + middle * (1 - np.abs(2 * t - 1)) + bottom * np.clip(2 * t - 1, 0, 1)
        )
        if look.sun is not None:
            distance = (patch.x - look.sun[0]) ** 2 + (patch.y - look.sun[1]) ** 2
            canvas += GLOWS[look.time] * (1.0 / (1.0 + 45.0 * distance))
        if look.time == NIGHT:
            specks = look.texture(SPECKS, patch)
            canvas += np.clip(specks - 2.2, 0.0, 0.5) * (0.9 * (1 - t))


class Sun(NamedTuple):
    """A disc: the sun, or the moon at night."""

    x: float
    y: float
    radius: float
    class_id = SUN

    def cover(self, grid: Grid) -> Patch:
        """The disc."""
        r = self.radius
        rows, cols, x, y = grid.window(self.x - r, self.x + r, self.y - r, self.y + r)
        return Patch(rows, cols, x, y, (x - self.x) ** 2 + (y - self.y) ** 2 < r * r)

    def paint(self, canvas: np.ndarray, patch: Patch, look: Look, draws: np.ndarray) -> None:
        """Fill with the hour's colour; the moon has maria."""
        color = SUN_COLORS[look.time]
        if look.time == NIGHT:
            color = color * (1.0 - 0.06 * np.clip(look.texture(FOLIAGE, patch), 0, 2))
        stamp(canvas, patch, color)


class Cloud(NamedTuple):
    """A heap of discs, each (x, y, radius) in units of `width`, cut flat at the bottom."""

    x: float
    y: float
    width: float
    puffs: tuple
    class_id = CLOUD

    def cover(self, grid: Grid) -> Patch:
        """The union of the discs above the flat base."""
        w = self.width
        rows, cols, x, y = grid.window(self.x - 0.56 * w, self.x + 0.56 * w, self.y - 0.4 * w, self.y + 0.1 * w)
        u, v = (x - self.x) / w, (y - self.y) / w
        mask = np.zeros((v.shape[0], u.shape[1]), bool)
        for px, py, pr in self.puffs:
            mask |= (u - px) ** 2 + (v - py) ** 2 < pr * pr
        return Patch(rows, cols, x, y, mask & (v < 0.09))

    def paint(self, canvas: np.ndarray, patch: Patch, look: Look, draws: np.ndarray) -> None:
        """Shade from a bright top on the side of the light to a darker base."""
        u, v = (patch.x - self.x) / self.width, (patch.y - self.y) / self.width
        t = 0.62 - 2.0 * v + 0.35 * look.side * u + 0.10 * look.texture(PUFF, patch)
        t = np.clip(t, 0.0, 1.0)
        base, top = CLOUD_BASES[look.time], CLOUD_TOPS[look.time] * (0.94 + 0.1 * draws[0])
        stamp(canvas, patch, base + (top - base) * t)


# Land ---------------------------------------------------------------------------------------------


def below(grid: Grid, heights: np.ndarray) -> Patch:
    """What lies below a curve (65,)."""
    top = np.interp(grid.x[0], KNOTS, heights).astype(np.float32)
    rows, cols, x, y = grid.window(0.0, 1.0, float(top.min()), 1.0)
    return Patch(rows, cols, x, y, y > top[None])


class Mountains(NamedTuple):
    """A range: a jagged crest (a curve), its haze (0 near, 1 far) and the y of the valley."""

    crest: np.ndarray
    haze: float
    foot: float
    class_id = MOUNTAIN

    def cover(self, grid: Grid) -> Patch:
        """What lies between crest and foot (the rest would be hidden)."""
        patch = below(grid, self.crest)
        rows = slice(patch.rows.start, min(int(self.foot * grid.n) + 1, grid.n))
        keep = rows.stop - rows.start
        return Patch(rows, patch.cols, patch.x, patch.y[:keep], patch.mask[:keep])

    def paint(self, canvas: np.ndarray, patch: Patch, look: Look, draws: np.ndarray) -> None:
        """Rock lit from the side, snow above a ragged line, and haze towards the valley."""
        rough = look.texture(ROCK, patch)
        top = np.interp(patch.x[0], KNOTS, self.crest).astype(np.float32)[None]
        ahead = np.interp(patch.x[0] + 0.035 * look.side, KNOTS, self.crest).astype(np.float32)[None]
        depth = patch.y - top
        # The crest falls towards the light: a lit face. The faces fade downwards.
        face = np.clip((ahead - top) * 9.0, -0.36, 0.30) * np.exp(-5.0 * depth)
        shade = 0.92 + face + 0.08 * rough
        rock = pick(ROCKS, look.appearance.mood[[2, 5, 0]]) * look.light * (0.78 if look.season == WINTER else 0.9)
        color = rock * shade
        line = SNOW_LINES[look.season] + 0.05 * (look.appearance.mood[7] - 0.5)
        height = self.foot - self.crest.min()
        reach = line * height / 0.25 - (top - self.crest.min()) * 0.9 - depth
        snow = np.clip((reach + 0.014 * rough) * 40.0, 0.0, 0.9)
        color += (look.snow * (0.86 + 1.2 * face) - color) * snow
        haze = self.haze * (0.8 + 0.4 * look.appearance.mood[7]) * np.clip(0.5 + 1.6 * depth, 0.0, 1.0)
        color += (look.haze - color) * haze
        stamp(canvas, patch, color)


class Hill(NamedTuple):
    """Grassland below a smooth crest; `far` hills are paler."""

    crest: np.ndarray
    far: float
    class_id = GRASS

    def cover(self, grid: Grid) -> Patch:
        """What lies below the crest."""
        return below(grid, self.crest)

    def paint(self, canvas: np.ndarray, patch: Patch, look: Look, draws: np.ndarray) -> None:
        """Meadow, stubble or snow: brighter at the crest and towards the light."""
        if look.season == WINTER:
            color = look.snow
        else:
            color = GRASSES[look.season] * look.light * (1.0 + (look.appearance.mood[1] - 0.5) * rgb(0.26, 0.08, -0.2))
        color = color * (0.96 + 0.08 * draws[0])
        color = color * (1 - 0.22 * self.far) + look.sky[2] * (0.2 * self.far)
        contrast = 0.025 if look.season == WINTER else 0.065
        top = np.interp(patch.x[0], KNOTS, self.crest).astype(np.float32)[None]
        shade = 1.03 - 0.28 * np.clip(patch.y - top, 0.0, 0.5) * (0.5 if look.season == WINTER else 1.0)
        shade = shade + 0.09 * look.side * (patch.x - 0.5) + contrast * look.texture(GRASS_TEXTURE, patch)
        stamp(canvas, patch, color * shade)


# Water and roads ----------------------------------------------------------------------------------


def paint_water(canvas: np.ndarray, patch: Patch, look: Look) -> None:
    """Deep colour mixed with the sky's, lighter far away, with waves."""
    shore = float(patch.y[0, 0])
    far = np.clip(1.0 - (patch.y - shore) * 3.0, 0.0, 1.0)
    deep = WATERS[look.time] * (1.0 + (look.appearance.mood[3] - 0.5) * rgb(-0.2, 0.14, 0.1))
    if look.season == WINTER:
        deep = 0.7 * deep + 0.3 * ICE * look.light
    mirror = look.sky[1] * 0.7 + look.sky[2] * 0.25 + rgb(0.0, 0.02, 0.07)
    mix = 0.20 + 0.24 * far + 0.10 * look.texture(WAVES, patch)
    stamp(canvas, patch, deep + (mirror - deep) * mix)


def paint_road(
    canvas: np.ndarray, patch: Patch, look: Look, across: np.ndarray, along: np.ndarray, half_width: np.ndarray
) -> None:
    """Asphalt with pale shoulders and a dashed line; across in [-1, 1] over the road, along counts dashes."""
    color = ROADS[look.season] * look.light * (0.9 + 0.25 * look.appearance.mood[4])
    if look.time == NIGHT:
        color = color * rgb(1.12, 1.0, 0.84)
    edge = np.abs(across)
    shade = 1.0 + 0.03 * look.texture(GRASS_TEXTURE, patch) + 0.16 * np.clip(edge * 5 - 4, 0.0, 1.0)
    line = (edge * half_width < 0.010 + 0.035 * half_width) & (along % 1.0 < 0.55) & (half_width > 0.06)
    shade = shade + 0.55 * line
    stamp(canvas, patch, color * shade)


class Sea(NamedTuple):
    """Open water from a straight horizon down to whatever shore is painted over it."""

    top: float
    class_id = WATER

    def cover(self, grid: Grid) -> Patch:
        """Everything below the horizon."""
        rows, cols, x, y = grid.window(0.0, 1.0, self.top, 1.0)
        return Patch(rows, cols, x, y, np.broadcast_to(y > self.top, (y.shape[0], x.shape[1])))

    def paint(self, canvas: np.ndarray, patch: Patch, look: Look, draws: np.ndarray) -> None:
        """Water."""
        paint_water(canvas, patch, look)


class Lake(NamedTuple):
    """An ellipse with a gently winding shore."""

    x: float
    y: float
    rx: float
    ry: float
    phase: float
    class_id = WATER

    def level(self, x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray | float:
        """A field that is below 1 inside and grows outwards."""
        u, v = (x - self.x) / self.rx, (y - self.y) / self.ry
        return u * u + (v - 0.28 * np.sin(3.0 * u + self.phase)) ** 2

    def cover(self, grid: Grid) -> Patch:
        """The inside."""
        rows, cols, x, y = grid.window(
            self.x - self.rx, self.x + self.rx, self.y - 1.3 * self.ry, self.y + 1.3 * self.ry
        )
        return Patch(rows, cols, x, y, self.level(x, y) < 1.0)

    def blocks(self, x: float, y: float) -> bool:
        """Whether (x, y) is too wet to stand on."""
        return bool(self.level(x, y) < 1.35)

    def paint(self, canvas: np.ndarray, patch: Patch, look: Look, draws: np.ndarray) -> None:
        """Water."""
        paint_water(canvas, patch, look)


class Path(NamedTuple):
    """A road or river that winds from a crest (a curve) to the foreground, as wide as perspective makes it."""

    class_id: int
    crest: np.ndarray
    start: float
    far_x: float
    near_x: float
    bend: float
    far_half: float
    near_half: float

    def middle(self, y: np.ndarray | float) -> tuple[np.ndarray | float, np.ndarray | float]:
        """The centre x and the half width at heights y."""
        t = np.clip((y - self.start) / (1.0 - self.start), 0.0, 1.0)
        wind = self.bend * np.sin(2 * np.pi * np.sqrt(t)) * (0.3 + t)
        return self.far_x + (self.near_x - self.far_x) * t**1.2 + wind, self.far_half + (
            self.near_half - self.far_half
        ) * t**1.25

    def cover(self, grid: Grid) -> Patch:
        """The band about the centre line, on the near side of the crest."""
        patch = below(grid, self.crest)
        centre, half = self.middle(patch.y)
        return patch._replace(mask=patch.mask & (np.abs(patch.x - centre) < half) & (patch.y > self.start))

    def blocks(self, x: float, y: float) -> bool:
        """Whether (x, y) is on it."""
        centre, half = self.middle(y)
        return bool(abs(x - centre) < half * 1.1)

    def paint(self, canvas: np.ndarray, patch: Patch, look: Look, draws: np.ndarray) -> None:
        """Water or asphalt."""
        if self.class_id == WATER:
            paint_water(canvas, patch, look)
            return
        centre, half = self.middle(patch.y)
        along = 5.0 * np.log(np.maximum(patch.y - self.start + 0.10, 0.05))
        paint_road(canvas, patch, look, (patch.x - centre) / half, along, half)


class Crossing(NamedTuple):
    """A road across the whole picture, between a curve and that curve shifted down by `width`."""

    top: np.ndarray
    width: float
    class_id = ROAD

    def cover(self, grid: Grid) -> Patch:
        """The band."""
        top = np.interp(grid.x[0], KNOTS, self.top).astype(np.float32)[None]
        rows, cols, x, y = grid.window(0.0, 1.0, float(top.min()), float(top.max()) + self.width)
        return Patch(rows, cols, x, y, (y > top) & (y < top + self.width))

    def blocks(self, x: float, y: float) -> bool:
        """Whether (x, y) is on it."""
        return -0.02 < y - float(np.interp(x, KNOTS, self.top)) < self.width + 0.02

    def paint(self, canvas: np.ndarray, patch: Patch, look: Look, draws: np.ndarray) -> None:
        """Asphalt."""
        top = np.interp(patch.x[0], KNOTS, self.top).astype(np.float32)[None]
        across = (patch.y - top) / (0.5 * self.width) - 1.0
        paint_road(canvas, patch, look, across, patch.x * 6.0, np.float32(0.5 * self.width))
