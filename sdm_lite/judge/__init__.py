"""The small segmentation network that scores Scenes. `python -m sdm_lite.judge` trains one."""

from sdm_lite.judge.network import (
    HELD_OUT_SEED,
    TRAIN_SEED,
    Judge,
    JudgeConfig,
    Reading,
    load_judge,
    metric_name,
    save_judge,
)

__all__ = [
    "HELD_OUT_SEED",
    "Judge",
    "JudgeConfig",
    "Reading",
    "TRAIN_SEED",
    "load_judge",
    "metric_name",
    "save_judge",
]
