"""Scores beside what the truth itself scores. `python -m sdm_lite.evaluate` prints them."""

from sdm_lite.evaluate.drawing import SampleSettings, draw_groups, draw_samples
from sdm_lite.evaluate.measurements import Measurements
from sdm_lite.evaluate.measures import Measure, Scores, format_scores
from sdm_lite.evaluate.scene_scores import Sizes, Truth, score
from sdm_lite.evaluate.scenes import (
    evaluate_images,
    evaluate_model,
    layout_diversity,
    mean_absolute_laplacian,
    measure_truth,
)

__all__ = [
    "Measure",
    "Measurements",
    "SampleSettings",
    "Scores",
    "Sizes",
    "Truth",
    "draw_groups",
    "draw_samples",
    "evaluate_images",
    "evaluate_model",
    "format_scores",
    "layout_diversity",
    "mean_absolute_laplacian",
    "measure_truth",
    "score",
]
