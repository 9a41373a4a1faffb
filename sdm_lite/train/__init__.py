"""Training: Algorithm 1 and all that a run needs around it. `python -m sdm_lite.train` runs it."""

from sdm_lite.batches import Batch, ImageBatches
from sdm_lite.train.config import FINE_TUNE, LITE_DIFFUSION, RunConfig, TrainConfig
from sdm_lite.train.loop import (
    Draws,
    TrainStep,
    draw_step,
    draw_timesteps,
    ema_decay,
    ema_update,
    hybrid_losses,
    learning_rate_at,
    train,
)
from sdm_lite.train.resume import Run, make_optimizer, new_run

__all__ = [
    "Batch",
    "Draws",
    "FINE_TUNE",
    "ImageBatches",
    "LITE_DIFFUSION",
    "Run",
    "RunConfig",
    "TrainConfig",
    "TrainStep",
    "draw_step",
    "draw_timesteps",
    "ema_decay",
    "ema_update",
    "hybrid_losses",
    "learning_rate_at",
    "make_optimizer",
    "new_run",
    "train",
]
