"""Semantic image synthesis with diffusion models, small enough to read: Wang et al. (2022), "SDM".

The public names, in reading order. Everything else is one import away in the module of its concept.
"""

# ruff: noqa: E402 (what Ctrl-C says has to be settled before seconds of imports)
import sys
from types import TracebackType


def _interrupted_in_one_line(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """Tell of Ctrl-C while a command is still being imported as the command itself would."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, where)


# `python -m sdm_lite.NAME`, or the script; anybody else's program keeps its own way.
if sys.argv[:1] == ["-m"] or sys.argv[:1] and sys.argv[0].replace("\\", "/").split("/")[-1].startswith("sdm-lite"):
    sys.excepthook = _interrupted_in_one_line

from sdm_lite.batches import Example
from sdm_lite.checkpoints import Model, load_model, save_model
from sdm_lite.diffusion import (
    Denoiser,
    DiffusionConfig,
    Gaussian,
    GaussianDiffusion,
    Losses,
    Prediction,
    cosine_betas,
    linear_betas,
)
from sdm_lite.guidance import denoiser
from sdm_lite.labels import drop_condition, encode_labels, null_like
from sdm_lite.presets import PRESETS, UNetConfig
from sdm_lite.sampling import SampleNoise, Step, last, sample_ddim, sample_ddpm, sample_dpmpp_2m
from sdm_lite.scenes import Scenes
from sdm_lite.spade import SPADE
from sdm_lite.unet import SDMUNet

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "SPADE",
    "Denoiser",
    "DiffusionConfig",
    "Example",
    "Gaussian",
    "GaussianDiffusion",
    "Losses",
    "Model",
    "Prediction",
    "SDMUNet",
    "SampleNoise",
    "Scenes",
    "Step",
    "UNetConfig",
    "cosine_betas",
    "denoiser",
    "drop_condition",
    "encode_labels",
    "last",
    "linear_betas",
    "load_model",
    "null_like",
    "sample_ddim",
    "sample_ddpm",
    "sample_dpmpp_2m",
    "save_model",
]
