"""Scenes: procedural landscapes with label maps. `python -m sdm_lite.scenes` draws some."""

from sdm_lite.scenes.dataset import PALETTE, Scenes
from sdm_lite.scenes.look import (
    SEASON_PROBABILITIES,
    SEASONS,
    TIME_OF_DAY_PROBABILITIES,
    TIMES_OF_DAY,
    Appearance,
)

__all__ = [
    "Appearance",
    "PALETTE",
    "SEASONS",
    "SEASON_PROBABILITIES",
    "Scenes",
    "TIMES_OF_DAY",
    "TIME_OF_DAY_PROBABILITIES",
]
