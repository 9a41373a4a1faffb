"""The small segmentation network that scores Scenes. `python -m sdm_lite.judge` trains one."""

from sdm_lite.judge.network import (
    FORMAT,
    HELD_OUT_SEED,
    TRAIN_SEED,
    Judge,
    JudgeConfig,
    Reading,
    load_judge,
    metric_name,
    pool,
    save_judge,
)

__all__ = [
    "FORMAT",
    "HELD_OUT_SEED",
    "Judge",
    "JudgeConfig",
    "Reading",
    "TRAIN_SEED",
    "load_judge",
    "metric_name",
    "pool",
    "save_judge",
]
