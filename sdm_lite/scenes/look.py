"""How a picture of a scene looks: what varies (hour, season, colours), textures and palettes.

Apart from what stands where: one layout has many appearances. Colours are RGB in 0..1, (3, 1, 1) float32; palettes are
tuples of them, one for each hour or season.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

TIMES_OF_DAY = ("day", "sunset", "night")
SEASONS = ("summer", "autumn", "winter")
DAY, SUNSET, NIGHT = range(3)
SUMMER, AUTUMN, WINTER = range(3)
TIME_OF_DAY_PROBABILITIES = (0.5, 0.3, 0.2)
SEASON_PROBABILITIES = (0.4, 0.3, 0.3)

MAX_ITEMS = 32  # a layout holds fewer; each has its row of draws in an Appearance
NUM_TILES = 4  # of each texture


class Appearance(NamedTuple):
    """Everything about a picture that its layout does not decide.

    Attributes:
        time_of_day: index into TIMES_OF_DAY.
        season: index into SEASONS.
        mood: (8,) uniform numbers in [0, 1): hue of sky, grass, rock, water, road; light and its side; haze.
        crops: (6, 3) integers: for each texture which tile, and the offset of its crop in eighths of the picture.
        draws: (MAX_ITEMS, 4) uniform numbers in [0, 1): each item's own colour.
    """

    time_of_day: int
    season: int
    mood: np.ndarray
    crops: np.ndarray
    draws: np.ndarray


def draw_appearance(rng: np.random.Generator) -> Appearance:
    """The appearance that a random stream leads to."""
    hour, season = rng.random(2)
    return Appearance(
        int(np.searchsorted(np.cumsum(TIME_OF_DAY_PROBABILITIES)[:-1], hour, side="right")),
        int(np.searchsorted(np.cumsum(SEASON_PROBABILITIES)[:-1], season, side="right")),
        rng.random(8, np.float32),
        np.stack([rng.integers(0, NUM_TILES, 6), rng.integers(0, 8, 6), rng.integers(0, 8, 6)], axis=1),
        rng.random((MAX_ITEMS, 4), np.float32),
    )


# Textures: periodic smooth noise, the same field at every size ------------------------------------

GRASS_TEXTURE, FOLIAGE, WAVES, ROCK, PUFF, SPECKS = range(6)
# (centre, width) of the band of frequencies along x and along y, in cycles per picture
BANDS = (
    ((2, 3.5), (6, 4)),
    ((6, 5), (6, 5)),
    ((0, 2.5), (10, 3.5)),
    ((6, 4), (3, 4)),
    ((0, 5), (2, 5)),
    ((9, 5), (9, 5)),
)


@lru_cache(maxsize=16)
def textures(n: int) -> np.ndarray:
    """Noise (6, NUM_TILES, 2n, 2n) float32, variance 1, period n: any n x n crop is a picture's worth."""
    rng = np.random.Generator(np.random.PCG64(20221))
    highest = 24
    f = np.arange(-highest, highest + 1)
    keep = f[np.abs(f) < n / 2]
    out = np.empty((len(BANDS), NUM_TILES, 2 * n, 2 * n), np.float32)
    for kind, ((cx, wx), (cy, wy)) in enumerate(BANDS):
        amplitude = np.exp(-(((np.abs(f)[None, :] - cx) / wx) ** 2) - ((np.abs(f)[:, None] - cy) / wy) ** 2)
        amplitude[highest, highest] = 0.0
        amplitude /= np.sqrt((amplitude**2).sum())  # of all frequencies, so that no size has a contrast of its own
        for tile in range(NUM_TILES):
            wave = amplitude * np.exp(2j * np.pi * rng.random(amplitude.shape))
            spectrum = np.zeros((n, n), complex)
            spectrum[np.ix_(keep % n, keep % n)] = wave[np.ix_(keep + highest, keep + highest)]
            field = np.fft.ifft2(spectrum).real * (n * n * math.sqrt(2.0))
            out[kind, tile] = np.tile(field, (2, 2))
    return out


# Light and colour ---------------------------------------------------------------------------------


def rgb(*values: float) -> np.ndarray:
    """A colour, (3, 1, 1) float32, ready to multiply a picture of shading (h, w)."""
    return np.array(values, np.float32).reshape(3, 1, 1)


def pick(palette: Sequence[np.ndarray], draws: np.ndarray) -> np.ndarray:
    """A colour of a palette, by draws[0], its brightness and warmth a little varied by draws[1] and draws[2]."""
    color = palette[int(draws[0] * len(palette))]
    return color * (0.9 + 0.2 * draws[1]) * (1.0 + (draws[2] - 0.5) * WARMTH)


WARMTH = rgb(0.16, 0.0, -0.16)
LIGHTS = (rgb(1.0, 1.0, 1.0), rgb(0.98, 0.76, 0.66), rgb(0.37, 0.44, 0.63))
SKIES = (  # from the zenith down
    (rgb(0.20, 0.46, 0.88), rgb(0.42, 0.66, 0.95), rgb(0.76, 0.88, 0.97)),
    (rgb(0.26, 0.20, 0.50), rgb(0.80, 0.38, 0.47), rgb(1.0, 0.68, 0.36)),
    (rgb(0.015, 0.025, 0.11), rgb(0.05, 0.08, 0.23), rgb(0.10, 0.14, 0.34)),
)
SUN_COLORS = (rgb(1.0, 0.92, 0.45), rgb(1.0, 0.86, 0.42), rgb(0.93, 0.94, 0.86))
GLOWS = (rgb(0.22, 0.18, 0.05), rgb(0.38, 0.22, 0.02), rgb(0.10, 0.12, 0.17))
HAZES = (rgb(0.60, 0.70, 0.84), rgb(0.66, 0.44, 0.55), rgb(0.22, 0.27, 0.42))
CLOUD_TOPS = (rgb(1.0, 1.0, 1.0), rgb(1.0, 0.86, 0.76), rgb(0.44, 0.48, 0.60))
CLOUD_BASES = (rgb(0.74, 0.76, 0.82), rgb(0.62, 0.46, 0.58), rgb(0.26, 0.29, 0.41))
GRASSES = (rgb(0.40, 0.66, 0.22), rgb(0.72, 0.60, 0.27))
ROADS = (rgb(0.43, 0.43, 0.45), rgb(0.43, 0.42, 0.43), rgb(0.47, 0.48, 0.51))
WATERS = (rgb(0.13, 0.40, 0.70), rgb(0.20, 0.27, 0.60), rgb(0.04, 0.14, 0.40))  # already lit
SNOW_LINES = (0.065, 0.085, 0.125)  # how far down snow lies on a peak 0.25 high
ICE = rgb(0.20, 0.46, 0.62)
ROCKS = (rgb(0.50, 0.46, 0.47), rgb(0.46, 0.46, 0.52), rgb(0.54, 0.45, 0.40))
SNOWS = (rgb(0.94, 0.97, 1.0), rgb(0.80, 0.72, 0.88), rgb(0.40, 0.48, 0.70))  # already lit: violet at sunset
WALL_COLORS = (
    rgb(0.95, 0.87, 0.68),
    rgb(0.94, 0.76, 0.64),
    rgb(0.93, 0.83, 0.52),
    rgb(0.91, 0.70, 0.68),
    rgb(0.84, 0.74, 0.66),
)
ROOF_COLORS = (rgb(0.69, 0.24, 0.16), rgb(0.52, 0.20, 0.18), rgb(0.44, 0.28, 0.20), rgb(0.30, 0.31, 0.40))
CAR_COLORS = (
    rgb(0.88, 0.10, 0.10),
    rgb(0.98, 0.76, 0.05),
    rgb(0.08, 0.26, 0.85),
    rgb(0.78, 0.10, 0.52),
    rgb(0.0, 0.62, 0.58),
)
CROWNS = (
    (rgb(0.16, 0.42, 0.13), rgb(0.22, 0.48, 0.12), rgb(0.12, 0.36, 0.17)),
    (rgb(0.82, 0.38, 0.07), rgb(0.70, 0.20, 0.09), rgb(0.78, 0.50, 0.08)),
    (rgb(0.40, 0.31, 0.27), rgb(0.44, 0.36, 0.33), rgb(0.36, 0.30, 0.25)),
)
CONIFERS = (rgb(0.09, 0.30, 0.18), rgb(0.11, 0.33, 0.14), rgb(0.08, 0.28, 0.22))
TRUNK = rgb(0.34, 0.22, 0.14)
GLASS = rgb(0.27, 0.35, 0.46)
LAMP = rgb(1.0, 0.82, 0.36)
DARK = rgb(0.10, 0.10, 0.12)
