"""Semantic image synthesis with diffusion models, small enough to read: Wang et al. (2022), "SDM".

The public names, in reading order. Everything else is one import away in the module of its concept.
"""

from typing import TYPE_CHECKING

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
from sdm_lite.labels import Example, drop_condition, encode_labels, null_like
from sdm_lite.presets import PRESETS, UNetConfig
from sdm_lite.sampling import SampleNoise, Step, last, sample_ddim, sample_ddpm, sample_dpmpp_2m
from sdm_lite.spade import SPADE
from sdm_lite.unet import SDMUNet

if TYPE_CHECKING:
    from sdm_lite.checkpoints import Model, load_model, load_unet, save_model
    from sdm_lite.scenes import Scenes

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
    "load_unet",
    "null_like",
    "sample_ddim",
    "sample_ddpm",
    "sample_dpmpp_2m",
    "save_model",
]


def __getattr__(name: str) -> object:
    """Import what is a command too when it is first asked for: `python -m` must not find it imported already."""
    if name in ("Model", "load_model", "load_unet", "save_model"):
        from sdm_lite import checkpoints

        return getattr(checkpoints, name)
    if name == "Scenes":
        from sdm_lite.scenes import Scenes

        return Scenes
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The names that completion offers: those above too, before they are first asked for."""
    return sorted({*globals(), *__all__})
