"""The small segmentation network that scores Scenes. `python -m sdm_lite.judge` trains one."""

from sdm_lite.judge.head import HeadConfig, HeadJudge
from sdm_lite.judge.network import (
    Judge,
    JudgeConfig,
    Reading,
    load_judge,
    metric_name,
    save_judge,
)

__all__ = [
    "HeadConfig",
    "HeadJudge",
    "Judge",
    "JudgeConfig",
    "Reading",
    "load_judge",
    "metric_name",
    "save_judge",
]
