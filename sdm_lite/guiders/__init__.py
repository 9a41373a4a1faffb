"""Guidance beyond Algorithm 2: what later papers make of two predictions, each in its space."""

from sdm_lite.guiders.guided import Guide, Pair, guided
from sdm_lite.guiders.methods import annealed, apg, cfg, cfg_plus_plus, cfg_zero_star, rescale, tcfg
from sdm_lite.guiders.predicted_image import clipped, dynamic_thresholding, extrapolation

__all__ = [
    "Guide",
    "Pair",
    "annealed",
    "apg",
    "cfg",
    "cfg_plus_plus",
    "cfg_zero_star",
    "clipped",
    "dynamic_thresholding",
    "extrapolation",
    "guided",
    "rescale",
    "tcfg",
]
