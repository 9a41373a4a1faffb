"""What stands where in a scene: layouts drawn at random, in continuous coordinates.

Apart from the shapes, which say how a thing looks where it stands. Units are those of `sdm_lite.scenes.render`, and `u`
is always the stream of uniform numbers that a layout is drawn from.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from sdm_lite.scenes.land import KNOTS, Cloud, Crossing, Hill, Lake, Mountains, Path, Sea, Sky, Sun
from sdm_lite.scenes.look import MAX_ITEMS
from sdm_lite.scenes.render import ROAD, ROOF, WALL, WATER, Layout, Shape, number_items
from sdm_lite.scenes.things import Car, House, Tree

Obstacle = Lake | Path | Crossing
REFERENCE_SIZE, SMALLEST = 32, 6  # an item shows at least so many pixels at this size, or it is left out


class Uniforms:
    """A stream of uniform numbers in [0, 1), drawn in one block because single draws are slow."""

    def __init__(self, rng: np.random.Generator):
        self.numbers = iter(rng.random(512).tolist())

    def between(self, low: float, high: float) -> float:
        """A number uniform in [low, high)."""
        return low + (high - low) * next(self.numbers)

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return next(self.numbers) < probability

    def count(self, *probabilities: float) -> int:
        """The number k with probability probabilities[k]."""
        u = next(self.numbers)
        return min(int((np.cumsum(probabilities) <= u).sum()), len(probabilities) - 1)

    def sign(self) -> float:
        """1.0 or -1.0."""
        return 1.0 if next(self.numbers) < 0.5 else -1.0


def smooth_curve(u: Uniforms, level: float, swing: float) -> np.ndarray:
    """The heights (65,) of a gently rolling line about `level`, within about `swing` of it."""
    waves = swing * u.between(0.3, 0.65) * np.sin(math.tau * (u.between(0.35, 0.85) * KNOTS + u.between(0, 1)))
    waves += 0.3 * swing * np.sin(math.tau * (u.between(1.1, 1.9) * KNOTS + u.between(0, 1)))
    return level + waves


def jagged_crest(u: Uniforms, foot: float, height: float) -> np.ndarray:
    """The heights (65,) of a mountain crest: one to three peaks roughened by midpoint displacement."""
    profile = np.full(65, u.between(0.2, 0.38))
    for _ in range(1 + u.count(0.3, 0.4, 0.3)):
        x, reach, peak = u.between(0.02, 0.98), u.between(0.25, 0.5), u.between(0.55, 1.0)
        profile = np.maximum(profile, peak * (1.0 - np.abs(KNOTS - x) / reach))
    rough = np.zeros(65)
    scale, step = 0.13, 32
    while step >= 2:
        middles = np.arange(step, 64, 2 * step)
        bumps = np.array([u.between(-scale, scale) for _ in middles])
        rough[middles] = 0.5 * (rough[middles - step] + rough[middles + step]) + bumps
        scale, step = scale * 0.62, step // 2
    rough[1::2] = 0.5 * (rough[0:-1:2] + rough[2::2])
    return foot - height * np.clip(profile + rough * (0.35 + profile), 0.03, 1.1)


def draw_sky(u: Uniforms, horizon: float) -> tuple[Sun | None, list[Shape]]:
    """The sun, if there is one, and the items of the sky."""
    items = [Sky(horizon)]
    sun = None
    if u.chance(0.8):
        radius = u.between(0.056, 0.085)
        sun = Sun(u.between(0.12, 0.88), u.between(0.11, 0.24), radius)
        items.append(sun)
    for _ in range(u.count(0.25, 0.3, 0.28, 0.17)):
        puffs = [(u.between(-0.08, 0.08), -0.08, u.between(0.19, 0.23))]
        for side in (-1, 1):
            puffs.append((side * u.between(0.18, 0.24), u.between(-0.03, 0.01), u.between(0.13, 0.17)))
            puffs.append((side * u.between(0.34, 0.40), 0.03, u.between(0.08, 0.11)))
        x, y, width = u.between(0.08, 0.92), u.between(0.13, 0.30), u.between(0.26, 0.44)
        if sun is not None and abs(x - sun.x) < 0.42 * width:  # a sliver of sun is no sun
            x = sun.x + (0.5 * width if sun.x < 0.5 else -0.5 * width)
        items.append(Cloud(x, y, width, tuple(puffs)))
    return sun, items


def draw_land(u: Uniforms, horizon: float) -> tuple[list[Shape], np.ndarray, list[Obstacle]]:
    """The items of the land, the crest (65,) of the near hill, and the obstacles (roads and water) on it."""
    items, obstacles = [], []
    if u.chance(0.64):
        far = u.chance(0.5)
        height = u.between(0.16, 0.29)
        items.append(Mountains(jagged_crest(u, horizon - 0.01, height), 0.62 if far else 0.28, horizon + 0.12))
        if far and u.chance(0.75):
            items.append(
                Mountains(jagged_crest(u, horizon - 0.01, height * u.between(0.4, 0.62)), 0.22, horizon + 0.12)
            )
    water = u.chance(0.44)
    kind = u.count(0.42, 0.33, 0.25)
    road = u.chance(0.52)
    crossing = u.chance(0.36) or (water and kind == 2)
    if water and kind == 0:
        items.append(Sea(horizon + 0.01))
        crest = smooth_curve(u, horizon + u.between(0.17, 0.26), 0.09)
    else:
        items.append(Hill(smooth_curve(u, horizon, 0.05), 1.0))
        crest = smooth_curve(u, horizon + u.between(0.07, 0.12), 0.05)
    items.append(Hill(crest, 0.0))
    if water and kind == 1:
        x, y = u.between(0.15, 0.85), min(float(crest.max()) + u.between(0.12, 0.2), 0.86)
        obstacles.append(Lake(x, y, u.between(0.26, 0.42), u.between(0.065, 0.095), u.between(0, math.tau)))
    if water and kind == 2:
        obstacles.append(draw_path(u, WATER, crest, 0.03, u.between(0.17, 0.28)))
    if road and crossing:
        level = u.between(0.70, 0.76)
        obstacles.append(Crossing(smooth_curve(u, level, 0.025), u.between(0.17, 0.20)))
    elif road:
        obstacles.append(draw_path(u, ROAD, crest, 0.026, u.between(0.22, 0.32)))
    return items + obstacles, crest, obstacles


def draw_path(u: Uniforms, class_id: int, crest: np.ndarray, far_half: float, near_half: float) -> Path:
    """A road or river from the crest (65,) to the foreground, and half its width at either end."""
    far_x = u.between(0.2, 0.8)
    start = float(np.interp(far_x, KNOTS, crest)) - 0.03
    near_x = 0.5 + 0.6 * (far_x - 0.5) + u.sign() * u.between(0.0, 0.25)
    return Path(class_id, crest, start, far_x, near_x, u.sign() * u.between(0.05, 0.13), far_half, near_half)


def place(
    u: Uniforms,
    taken: list[tuple[float, float]],
    obstacles: list[Obstacle],
    crest: np.ndarray,
    width: float,
    low: float,
) -> tuple[float, float, float] | None:
    """Free ground (x, y, scale) for something of a width (at scale 1), from y = low down; None after eight tries.

    `taken` has (x, half width) of what stands already, and gets that of what is placed.
    """
    for _ in range(8):
        x, y = u.between(0.08, 0.92), u.between(low, 0.93)
        ground = float(np.interp(x, KNOTS, crest))
        y = max(y, ground + 0.05)
        scale = 0.82 + 0.5 * min(max((y - 0.6) / 0.35, 0.0), 1.0)
        half = 0.5 * width * scale
        free = all(abs(x - other) > 0.75 * (half + other_half) for other, other_half in taken)
        if free and not any(o.blocks(x + d, y) for o in obstacles for d in (-0.8 * half, 0.0, 0.8 * half)):
            taken.append((x, half))
            return x, y, scale
    return None


def draw_tree(u: Uniforms, x: float, y: float, scale: float) -> Tree:
    """A tree of either kind with its base at (x, y)."""
    if u.chance(0.42):
        width = u.between(0.19, 0.23) * scale
        return Tree(x, y, width, width * u.between(1.5, 1.85), True, ())
    width = u.between(0.20, 0.25) * scale
    top = u.between(0.95, 1.1)
    puffs = (
        (u.between(-0.06, 0.06), top - 0.28, 0.28),
        (-0.22, top - u.between(0.44, 0.54), 0.27),
        (0.22, top - u.between(0.44, 0.54), 0.27),
        (u.between(-0.08, 0.08), top - 0.58, 0.27),
    )
    return Tree(x, y, width, width * top, False, puffs)


def draw_house(u: Uniforms, x: float, y: float, scale: float) -> list[House]:
    """The wall and the roof of a house with its base line at (x, y)."""
    frontal = u.chance(0.45)
    width = (u.between(0.23, 0.28) if frontal else u.between(0.27, 0.33)) * scale
    height = width * (u.between(0.84, 1.0) if frontal else u.between(0.68, 0.78))
    hip, side = u.between(0.55, 1.0), u.sign()
    return [House(x, y, width, height, frontal, hip, side, part) for part in (WALL, ROOF)]


def draw_cars(u: Uniforms, obstacles: list[Obstacle], free_ground: Callable) -> list[Car]:
    """Cars: from behind on a winding road, in profile on a crossing one, now and then on the meadow."""
    road = next((o for o in obstacles if o.class_id == ROAD), None)
    if road is None:
        spot = free_ground(0.24, 0.76) if u.chance(0.16) else None
        return [] if spot is None else [Car(spot[0], spot[1], 0.25, 0.115, True, u.sign())]
    cars = []
    for lane in range(u.count(0.22, 0.5, 0.28)):
        if isinstance(road, Crossing):
            x = u.between(0.16, 0.84) if lane == 0 else (cars[0].x + u.between(0.36, 0.5)) % 1.0
            y = float(np.interp(x, KNOTS, road.top)) + road.width * (0.52, 0.86)[lane]
            cars.append(Car(x, y, u.between(0.25, 0.29), u.between(0.12, 0.135), True, (1.0, -1.0)[lane]))
        else:
            y = u.between(0.87, 0.96) if lane == 0 else cars[0].y - u.between(0.15, 0.19)
            centre, half = (float(v) for v in road.middle(y))
            width = max(0.17, 0.72 * half)
            cars.append(Car(centre + half * (0.42, -0.42)[lane], y, width, 0.78 * width, False, 1.0))
    return [car for car in cars if 0.08 < car.x < 0.92]


def draw_layout(rng: np.random.Generator) -> Layout:
    """The layout that a random stream leads to."""
    u = Uniforms(rng)
    horizon = u.between(0.40, 0.52)
    sun, sky = draw_sky(u, horizon)
    land, crest, obstacles = draw_land(u, horizon)
    taken = []

    def free_ground(width: float, low: float = 0.60) -> tuple[float, float, float] | None:
        return place(u, taken, obstacles, crest, width, low)

    things = [[car] for car in draw_cars(u, obstacles, free_ground)]
    taken += [(car[0].x, 0.5 * car[0].width) for car in things if car[0].y > 0.8]
    for _ in range(u.count(0.32, 0.36, 0.22, 0.10)):
        spot = free_ground(0.28)
        if spot is not None:
            things.append(draw_house(u, *spot))
    for _ in range(u.count(0.14, 0.24, 0.28, 0.22, 0.12)):
        spot = free_ground(0.22)
        if spot is not None:
            things.append([draw_tree(u, *spot)])
    things.sort(key=lambda thing: thing[0].y)
    items = sky + land + [part for thing in things for part in thing]
    assert len(items) <= MAX_ITEMS
    return Layout(tuple(without_slivers(items)), None if sun is None else (sun.x, sun.y))


def without_slivers(items: list[Shape]) -> list[Shape]:
    """Items without those that others hide but for a few pixels, which nobody could name; the same at every size."""
    counts = np.bincount(number_items(items, REFERENCE_SIZE).ravel(), minlength=len(items))
    return [item for item, count in zip(items, counts, strict=True) if count >= SMALLEST]
