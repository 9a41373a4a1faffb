"""What moves in a notebook: slider, panel, painter, user study."""

from sdm_lite.widgets.drawing import Settings
from sdm_lite.widgets.painter import LabelPainter, label_painter
from sdm_lite.widgets.panel import SamplingPanel, sampling_panel
from sdm_lite.widgets.slider import LiveImage, guidance_slider
from sdm_lite.widgets.study import Pair, UserStudy, sample_pairs, user_study

__all__ = [
    "LabelPainter",
    "LiveImage",
    "Pair",
    "SamplingPanel",
    "Settings",
    "UserStudy",
    "guidance_slider",
    "label_painter",
    "sample_pairs",
    "sampling_panel",
    "user_study",
]
