"""The shapes of the things that stand on the land: houses, trees and cars.

Apart from the land, as they are placed on it one by one. What a shape is, and its units: see `sdm_lite.scenes.render`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sdm_lite.scenes.look import (
    CAR_COLORS,
    CONIFERS,
    CROWNS,
    DARK,
    FOLIAGE,
    GLASS,
    LAMP,
    NIGHT,
    ROOF_COLORS,
    TRUNK,
    WALL_COLORS,
    WINTER,
    pick,
    rgb,
)
from sdm_lite.scenes.render import CAR, ROOF, TREE, Grid, Look, Patch, shadow, stamp


class House(NamedTuple):
    """The wall or the roof of a house on its base line (x, y): from the front, or a gable and a long side."""

    x: float
    y: float
    width: float
    height: float
    frontal: bool
    hip: float
    side: float
    class_id: int

    def local(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates u in [0, 1] along the house (mirrored by `side`) and v in [0, 1] upwards."""
        return self.side * (x - self.x) / self.width + 0.5, (self.y - y) / self.height

    def cover(self, grid: Grid) -> Patch:
        """The walls, or the roof."""
        half = 0.5 * self.width
        rows, cols, x, y = grid.window(self.x - half, self.x + half, self.y - self.height, self.y)
        u, v = self.local(x, y)
        roof_fill = self.frontal_roof if self.frontal else self.long_roof
        roof = roof_fill(u, v)
        if self.class_id == ROOF:
            return Patch(rows, cols, x, y, roof)
        if self.frontal:
            wall = (np.abs(u - 0.5) < 0.43) & (v < 0.58)
        else:
            gable = 0.58 + 0.42 * (1.0 - np.abs(u - 0.27) / 0.23)
            wall = ((np.abs(u - 0.27) < 0.23) & (v < gable)) | ((u >= 0.5) & (u < 0.95) & (v < 0.58))
        return Patch(rows, cols, x, y, wall & (v > 0) & ~roof)

    def frontal_roof(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The trapezoid (a triangle for hip = 1) above the walls, (h, w) bool."""
        return (v > 0.55) & (np.abs(u - 0.5) < 0.5 * (1.0 - self.hip * (v - 0.55) / 0.45)) & (v < 1.0)

    def long_roof(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The slope over the long side and the edge of the roof over the gable, (h, w) bool."""
        t = (1.0 - v) / 0.45
        slope = (v > 0.53) & (u > 0.27 + 0.21 * t) & (u < 0.79 + 0.21 * t)
        edge = 0.58 + 0.42 * (1.0 - np.abs(u - 0.27) / 0.23)
        return (slope | ((u < 0.29) & (v > edge - 0.05) & (v < edge + 0.10))) & (v < 1.0)

    def paint(self, canvas: np.ndarray, patch: Patch, look: Look, draws: np.ndarray) -> None:
        """The roof in courses, or the walls with windows and a door."""
        u, v = self.local(patch.x, patch.y)
        if self.class_id == ROOF:
            color = pick(ROOF_COLORS, draws) * look.light * (1.4 if look.time == NIGHT else 1.0)
            shade = 0.80 + 0.30 * v + 0.05 * np.sin(v * 60.0) + 0.03 * look.texture(FOLIAGE, patch)
            if look.season == WINTER:
                color = color + (look.snow - color) * 0.16
            stamp(canvas, patch, color * shade)
            return
        shadow(canvas, look, self.x, self.y, 0.62 * self.width, 0.16 * self.height)
        color = pick(WALL_COLORS, draws) * look.light * (1.4 if look.time == NIGHT else 1.0)
        lit = self.side * look.side
        front = 1.0 if self.frontal else (1.02 if lit < 0 else 0.86)
        shade = np.where(u < 0.5, front, front if self.frontal else 1.88 - front) * (0.92 + 0.14 * v)
        stamp(canvas, patch, color * shade)
        self.paint_windows(canvas, patch, look, draws)

    def paint_windows(self, canvas: np.ndarray, patch: Patch, look: Look, draws: np.ndarray) -> None:
        """Windows (most are lit at night) and a door."""
        u, v = self.local(patch.x, patch.y)
        glow = look.time == NIGHT and draws[3] < 0.85
        glass = LAMP if glow else GLASS * look.light * (1.1 if look.time == NIGHT else 1.0)
        first, door = (0.27, 0.5) if self.frontal else (0.62, 0.27)
        high = np.abs(v - 0.32) < 0.115
        panes = high & ((np.abs(u - first) < 0.085) | (np.abs(u - (0.73 if self.frontal else 0.83)) < 0.085))
        stamp(canvas, patch, glass, panes & patch.mask)
        stamp(
            canvas,
            patch,
            (0.55 + 0.35 * draws[1]) * TRUNK * 1.5 * look.light,
            (np.abs(u - door) < 0.07) & (v < 0.34) & patch.mask,
        )


class Tree(NamedTuple):
    """A tree on its base (x, y): a conifer, or a trunk with a crown of discs (x, y, radius in widths)."""

    x: float
    y: float
    width: float
    height: float
    conifer: bool
    puffs: tuple
    class_id = TREE

    def local(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates u in [-0.5, 0.5] across and v in [0, 1] upwards."""
        return (x - self.x) / self.width, (self.y - y) / self.height

    def cover(self, grid: Grid) -> Patch:
        """Crown and trunk."""
        half = 0.5 * self.width
        rows, cols, x, y = grid.window(self.x - half, self.x + half, self.y - self.height, self.y)
        u, v = self.local(x, y)
        mask = (np.abs(u) < 0.085) & (v < 0.5)
        if self.conifer:
            for low, high, wide in ((0.12, 0.62, 0.5), (0.36, 0.82, 0.39), (0.58, 1.0, 0.28)):
                mask |= (v > low) & (np.abs(u) < wide * (high - v) / (high - low))
        else:
            w = v * (self.height / self.width)
            for px, py, pr in self.puffs:
                mask |= (u - px) ** 2 + (w - py) ** 2 < pr * pr
        return Patch(rows, cols, x, y, mask & (v > 0))

    def paint(self, canvas: np.ndarray, patch: Patch, look: Look, draws: np.ndarray) -> None:
        """Leaves lit from above and from the side of the light; snow on conifers and bare crowns in winter."""
        shadow(canvas, look, self.x, self.y, 0.6 * self.width, 0.2 * self.width)
        u, v = self.local(patch.x, patch.y)
        color = (
            pick(CONIFERS if self.conifer else CROWNS[look.season], draws)
            * look.light
            * (1.15 if look.time == NIGHT else 1.0)
        )
        leaf = look.texture(FOLIAGE, patch)
        lit = 0.55 * look.side * u + 0.55 * (v - 0.55)
        shade = 0.98 + 0.8 * lit + 0.11 * leaf
        if self.conifer:
            shade = shade + 0.16 * np.sin(v * 26.0)
        body = color * shade
        if look.season == WINTER:
            snow = np.clip(lit * 2.4 + 0.16 * leaf - 0.02, 0.0, 0.62 if self.conifer else 0.42)
            body += (look.snow - body) * snow
        stamp(canvas, patch, body)
        low = 0.12 if self.conifer else 0.28
        stamp(
            canvas, patch, TRUNK * look.light * (1.0 + look.side * u * 3), (v < low) & (np.abs(u) < 0.085) & patch.mask
        )


class Car(NamedTuple):
    """A car on its base line (x, y), from behind, or in profile with its nose to `side`."""

    x: float
    y: float
    width: float
    height: float
    profile: bool
    side: float
    class_id = CAR

    def local(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates u in [-0.5, 0.5] along the car and v in [0, 1] upwards."""
        return self.side * (x - self.x) / self.width, (self.y - y) / self.height

    def cover(self, grid: Grid) -> Patch:
        """Body, cabin and wheels."""
        half = 0.5 * self.width
        rows, cols, x, y = grid.window(self.x - half, self.x + half, self.y - self.height, self.y)
        u, v = self.local(x, y)
        if self.profile:
            body = (np.abs(u) < 0.5 - 0.06 * (v > 0.45)) & (v > 0.14) & (v < 0.58)
            cabin = (v >= 0.5) & (v < 1.0) & (np.abs(u + 0.06) < 0.40 - 0.30 * (v - 0.5))
            wheels = self.wheels(u, v)
        else:
            body = (np.abs(u) < 0.5) & (v > 0.12) & (v < 0.60)
            cabin = (v >= 0.5) & (v < 1.0) & (np.abs(u) < 0.46 - 0.26 * (v - 0.5))
            wheels = (np.abs(np.abs(u) - 0.36) < 0.11) & (v <= 0.2)
        return Patch(rows, cols, x, y, (body | cabin | wheels) & (v > 0))

    def wheels(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The two wheels of the profile, (h, w) bool."""
        ratio = self.height / self.width
        return (np.abs(u) - 0.28) ** 2 + ((v - 0.2) * ratio) ** 2 < 0.0121

    def paint(self, canvas: np.ndarray, patch: Patch, look: Look, draws: np.ndarray) -> None:
        """The body in a saturated colour, then dark windows, wheels, and lamps."""
        shadow(canvas, look, self.x, self.y - 0.02 * self.height, 0.62 * self.width, 0.22 * self.height)
        u, v = self.local(patch.x, patch.y)
        color = pick(CAR_COLORS, draws) * look.light * (1.45 if look.time == NIGHT else 1.0)
        stamp(canvas, patch, color * (0.82 + 0.30 * v))
        glass = GLASS * 0.55 * look.light
        if self.profile:
            panes = (v > 0.58) & (v < 0.88) & (np.abs(u + 0.06) < 0.335 - 0.30 * (v - 0.5)) & (np.abs(u + 0.07) > 0.025)
            tyres = self.wheels(u, v)
            lamps = (u > 0.42) & (np.abs(v - 0.42) < 0.10)
            lamp = LAMP if look.time == NIGHT else rgb(0.95, 0.92, 0.75) * look.light
        else:
            panes = (v > 0.58) & (v < 0.90) & (np.abs(u) < 0.38 - 0.26 * (v - 0.5))
            tyres = (np.abs(np.abs(u) - 0.36) < 0.11) & (v <= 0.18)
            lamps = (np.abs(np.abs(u) - 0.39) < 0.09) & (np.abs(v - 0.42) < 0.09)
            lamp = rgb(1.0, 0.22, 0.12) * (1.0 if look.time == NIGHT else 0.85)
        stamp(canvas, patch, glass, panes & patch.mask)
        stamp(canvas, patch, DARK * look.light, tyres & patch.mask)
        stamp(canvas, patch, lamp, lamps & patch.mask)
