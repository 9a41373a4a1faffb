"""Scores beside what the truth itself scores. `python -m sdm_lite.evaluate` prints them."""

from sdm_lite.evaluate.drawing import Painter, SampleSettings, draw_groups, draw_samples, paint_groups
from sdm_lite.evaluate.measurements import Measurements
from sdm_lite.evaluate.measures import Measure, Scores, format_scores
from sdm_lite.evaluate.scene_scores import Sizes, Truth, score
from sdm_lite.evaluate.scenes import (
    evaluate_images,
    evaluate_model,
    evaluate_painter,
    layout_diversity,
    mean_absolute_laplacian,
    measure_truth,
    score_samples,
)

__all__ = [
    "Measure",
    "Measurements",
    "Painter",
    "SampleSettings",
    "Scores",
    "Sizes",
    "Truth",
    "draw_groups",
    "draw_samples",
    "evaluate_images",
    "evaluate_model",
    "evaluate_painter",
    "format_scores",
    "layout_diversity",
    "mean_absolute_laplacian",
    "measure_truth",
    "paint_groups",
    "score",
    "score_samples",
]
