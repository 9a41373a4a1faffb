"""A live figure passes every step on and draws as often as it says."""

import math

import numpy as np
import pytest

from sdm_lite.train import TrainStep
from sdm_lite.widgets import training as train_live
from sdm_lite.widgets.training import live_training


def steps(num, quartiles=(1.0, 2.0, 3.0, 4.0)):
    return [TrainStep(n, 1.0 / n, 1.0 / n, 0.5, 2.0, 1e-3, quartiles, 0.9) for n in range(1, num + 1)]


def test_steps_pass_unchanged_and_pictures_come_as_often_as_asked(monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    drawn, curves = [], []
    plain = train_live.loss_curves
    monkeypatch.setattr(train_live, "loss_curves", lambda means: curves.append(len(means)) or plain(means))

    def draw():
        drawn.append(1)
        return np.zeros((4, 4, 3), np.uint8)

    shown = []
    monkeypatch.setattr(train_live.LiveImage, "_show", lambda image: shown.append(image.alt))
    taken = steps(7)
    assert list(live_training(iter(taken), every=3, draw=draw)) == taken
    assert curves == [1, 2] and len(drawn) == 2
    assert [words.startswith("Training loss") for words in shown] == [True, False], "the loss above the pictures"


def test_steps_without_a_number_are_drawn_as_gaps():
    bad = [TrainStep(1, math.nan, math.nan, math.nan, math.nan, 1e-3, (math.nan,) * 4, 0.9, skipped=True)]
    figure = train_live.loss_curves([train_live.window_means(bad), train_live.window_means(steps(1))])
    assert len(figure.axes[0].lines) == 6


def test_a_wrong_interval_is_told():
    with pytest.raises(ValueError, match="every must be at least 1, got 0"):
        next(live_training(iter(steps(1)), every=0))
