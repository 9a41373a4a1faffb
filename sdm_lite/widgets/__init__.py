"""What moves in a notebook: panel, painter, user study, pictures replaced in place."""

from sdm_lite.widgets.drawing import Settings
from sdm_lite.widgets.live_image import LiveImage
from sdm_lite.widgets.painter import LabelPainter, label_painter
from sdm_lite.widgets.panel import SamplingPanel, sampling_panel
from sdm_lite.widgets.study import Pair, UserStudy, sample_pairs, user_study

__all__ = [
    "LabelPainter",
    "LiveImage",
    "Pair",
    "SamplingPanel",
    "Settings",
    "UserStudy",
    "label_painter",
    "sample_pairs",
    "sampling_panel",
    "user_study",
]
