"""The student's panel: a move of the slider is a picture at once, the pair is of one noise; the painter follows."""

import numpy as np
import pytest
import torch
from tiny_world import CONFIG, tiny_model, tiny_scenes

from sdm_lite.checkpoints import Model
from sdm_lite.student import Student
from sdm_lite.viz import alt_text
from sdm_lite.widgets import LabelPainter, SampleSettings, StudentPanel
from sdm_lite.widgets.base import picture_tag
from sdm_lite.widgets.drawing import condition_of, draw_sample
from sdm_lite.widgets.painting import LabelMap

pytest.importorskip("ipywidgets")
pytest.importorskip("matplotlib")


def tiny_student():
    torch.manual_seed(1)
    student = Student(CONFIG)
    for parameter in student.parameters():
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.3)
    return Model(student.eval(), tiny_model().diffusion)


@pytest.fixture
def panel(live):
    made = StudentPanel(tiny_student(), tiny_model(), tiny_scenes(), [3, 5])
    yield made
    made.cancel()
    assert made.wait(20)


def picture_of(model, layout, settings):
    return draw_sample(model, condition_of(model, tiny_scenes()[layout]), settings, list).picture


@pytest.mark.parametrize(
    "control, value, layout, settings",
    [
        ("_scale", 2.6, 3, SampleSettings(2.6, 4)),
        ("_num_steps", 1, 3, SampleSettings(1.5, 1)),
        ("_seed", 9, 3, SampleSettings(1.5, 4, seed=9)),
        ("_layout", "layout 5", 5, SampleSettings(1.5, 4)),
    ],
)
def test_a_move_is_drawn_before_it_returns(panel, control, value, layout, settings):
    before = panel.sample
    getattr(panel, control).value = value
    assert not panel._runner.is_running and panel.seconds > 0
    expected = picture_of(tiny_student(), layout, settings)
    assert np.array_equal(panel.sample, expected) and not np.array_equal(panel.sample, before)
    words = f"student, s = {settings.guidance_scale:g}"
    assert picture_tag(expected, words, side=160) in panel._pictures.value
    assert f"{settings.num_steps} evaluation" in panel._line.value and panel.settings == settings


def test_side_by_side_both_draw_from_one_noise_and_the_teacher_as_the_course_does(panel):
    panel._seed.value = 4
    panel._shown.value = "side by side"
    assert panel.wait(20) and "25 steps" in panel._runner._line.value
    asked = SampleSettings(1.5, 25, guidance_interval=(1, 800), seed=4)
    for model, settings, who in (
        (tiny_student(), SampleSettings(1.5, 4, seed=4), "student"),
        (tiny_model(), asked, "teacher"),
    ):
        assert picture_tag(picture_of(model, 3, settings), f"{who}, s = 1.5", side=160) in panel._pictures.value
    panel._shown.value = "teacher"
    assert panel.wait(20) and "student" not in panel._pictures.value and panel.sample is None
    panel._shown.value = "student"
    assert "teacher" not in panel._pictures.value


def test_a_teacher_s_picture_that_comes_late_is_not_shown(panel):
    panel._shown.value = "side by side"
    drawn = panel._drawn
    panel._scale.value = 2.0
    assert panel._drawn is not drawn and panel.wait(20)
    asked = SampleSettings(2.0, 25, guidance_interval=(1, 800))
    assert np.array_equal(panel._drawn["teacher"], picture_of(tiny_model(), 3, asked))


def test_without_widgets_both_stand_at_some_scales(monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    panel = StudentPanel(tiny_student(), tiny_model(), tiny_scenes(), [3], num_steps=2)
    (figure,) = panel.figures()
    assert panel.widget is None and panel.settings == SampleSettings(1.5, 2)
    assert "student, 2 evaluations" in alt_text(figure) and "teacher, 25 steps" in alt_text(figure)


def test_the_wrong_way_round_is_told(live):
    with pytest.raises(ValueError, match="expected a student and its teacher, in this order, got SDMUNet and Student"):
        StudentPanel(tiny_model(), tiny_student(), tiny_scenes())
    with pytest.raises(ValueError, match="num_steps of a student must be one of"):
        StudentPanel(tiny_student(), tiny_model(), tiny_scenes(), num_steps=3)


STROKE = {"kind": "brush", "places": [[2, 2], [9, 12]], "label": 10, "diameter": 3}


def test_a_stroke_on_its_way_is_drawn_and_the_map_stays(live):
    painter = LabelPainter(tiny_student(), tiny_scenes(), [3])
    assert painter.wait(20) and painter._settings.num_steps == 4
    before, first = painter.label_map, painter.sample
    assert painter.gesture({**STROKE, "unfinished": True}) is False and painter.wait(20)
    assert np.array_equal(painter.label_map, before) and not painter.labels.can_undo
    there = tiny_scenes()[3]
    draft = LabelMap(there.label_map, 11, instance_map=there.instance_map)
    draft.brush(STROKE["places"], 10, diameter=3)
    model = tiny_student()
    expected = draw_sample(model, condition_of(model, draft), painter._settings, list).picture
    assert np.array_equal(painter.sample, expected) and not np.array_equal(painter.sample, first)
    assert painter.gesture(STROKE) and painter.wait(20)
    assert np.array_equal(painter.label_map, draft.label_map) and np.array_equal(painter.sample, expected)


@pytest.mark.parametrize("make, follows", [(tiny_student, True), (tiny_model, False)])
def test_only_what_is_quick_is_told_of_strokes_that_go_on(live, make, follows):
    pytest.importorskip("anywidget")
    painter = LabelPainter(make(), tiny_scenes(), [3])
    assert painter._front.widget.follows is follows
    painter.cancel()
    assert painter.wait(20)
