"""Scenes: procedural landscapes with label maps. `python -m sdm_lite.scenes` draws some."""

from sdm_lite.scenes.dataset import PALETTE, TEST_SEED, TRAIN_SEED, VALIDATION_SEED, Scenes
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
    "TEST_SEED",
    "TIMES_OF_DAY",
    "TIME_OF_DAY_PROBABILITIES",
    "TRAIN_SEED",
    "VALIDATION_SEED",
]
