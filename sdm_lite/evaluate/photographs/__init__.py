"""Scores on held-out photographs: what is drawn for their label maps, measured beside the photographs themselves."""

from sdm_lite.evaluate.photographs.measures import MoreMeasures, judge_measures
from sdm_lite.evaluate.photographs.scoring import (
    PhotographSizes,
    evaluate_photograph_painter,
    evaluate_photographs,
    score_photographs,
)

__all__ = [
    "MoreMeasures",
    "PhotographSizes",
    "evaluate_photograph_painter",
    "evaluate_photographs",
    "judge_measures",
    "score_photographs",
]
