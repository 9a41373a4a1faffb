"""What moves in a notebook: panel, painter, user study, pictures replaced in place."""

from sdm_lite.evaluate.drawing import SampleSettings
from sdm_lite.widgets.flipbook import Flipbook
from sdm_lite.widgets.live_image import LiveImage
from sdm_lite.widgets.painter import LabelPainter
from sdm_lite.widgets.panel import SamplingPanel
from sdm_lite.widgets.student_panel import StudentPanel
from sdm_lite.widgets.study import Pair, UserStudy, paint_pairs, sample_pairs

__all__ = [
    "Flipbook",
    "LabelPainter",
    "LiveImage",
    "Pair",
    "SampleSettings",
    "SamplingPanel",
    "StudentPanel",
    "UserStudy",
    "paint_pairs",
    "sample_pairs",
]
