"""The painter: the page and plain controls paint one map, a stroke redraws the sample, bad gestures are told."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_world import tiny_model, tiny_scenes

from sdm_lite.pictures import to_uint8
from sdm_lite.widgets import LabelPainter, SampleSettings
from sdm_lite.widgets import canvas as widgets_canvas
from sdm_lite.widgets import painter as widgets_painter
from sdm_lite.widgets.base import picture_tag
from sdm_lite.widgets.drawing import condition_of, draw_sample
from sdm_lite.widgets.painting import landscapes

pytest.importorskip("ipywidgets")
pytest.importorskip("matplotlib")

SETTINGS = SampleSettings(num_steps=3, guidance_interval=(1, 800))
STROKE = {"kind": "brush", "places": [[2, 2], [2, 12]], "label": 10, "diameter": 3, "id": 1}


@pytest.fixture(params=["page", "plain"])
def painter(request, live, monkeypatch):
    if request.param == "page":
        pytest.importorskip("anywidget")
    else:
        monkeypatch.setattr(widgets_painter, "canvas_class", lambda: None)
    made = LabelPainter(tiny_model(), tiny_scenes(), [3, 5], settings=SETTINGS)
    yield made
    made.cancel()
    assert made.wait(20)


@pytest.fixture
def canvas(live):
    pytest.importorskip("anywidget")
    made = LabelPainter(tiny_model(), tiny_scenes(), [3, 5], settings=SETTINGS)
    yield made, made._front.widget
    made.cancel()
    assert made.wait(20)


def buttons(painter):
    """The plain controls' buttons by what is written on them."""
    rows = [part for part in painter._front.widget.children if hasattr(part, "children")]
    return {part.description: part for row in rows for part in row.children if hasattr(part, "click")}


def grey_of_its_map(label_maps, instance_maps, seeds):
    """Whatever draws beside: a grey that its seed and its map decide."""
    greys = [0.1 * seed + 0.02 * float(one.float().mean()) for seed, one in zip(seeds, label_maps, strict=True)]
    return torch.stack([torch.full((3, *label_maps.shape[1:]), grey) for grey in greys])


def beside_tag(label_map, seed):
    maps = torch.as_tensor(label_map)[None]
    return picture_tag(to_uint8(grey_of_its_map(maps, maps, [seed])[0]), "a GAN, of the same map", side=160)


def test_others_draw_the_painted_map_beside_the_sample(live):
    painter = LabelPainter(tiny_model(), tiny_scenes(), [3], settings=SETTINGS, beside={"a GAN": grey_of_its_map})
    assert painter.wait(20) and beside_tag(painter.label_map, 0) in painter._picture.value
    before = painter.label_map
    painter.gesture(STROKE)
    assert painter.wait(20) and not np.array_equal(before, painter.label_map)
    assert beside_tag(painter.label_map, 0) in painter._picture.value
    painter._seed.value = 3
    assert painter.wait(20) and beside_tag(painter.label_map, 3) in painter._picture.value


def test_others_have_a_row_of_the_figure(monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    painter = LabelPainter(tiny_model(), tiny_scenes(), [3], settings=SETTINGS, beside={"a GAN": grey_of_its_map})
    (figure,) = painter.figures()
    assert figure.axes[0].get_yticklabels()[-1].get_text() == "a GAN"


def test_it_starts_with_the_first_layout_and_its_sample(painter):
    assert np.array_equal(painter.label_map, tiny_scenes().layout(3)[0].numpy())
    assert painter.wait(20)
    model = tiny_model()
    expected = draw_sample(model, condition_of(model, tiny_scenes()[3]), SETTINGS, list)
    assert np.array_equal(painter.sample, expected.picture)
    caption = "sample, s = 1.5, seed 0"
    assert picture_tag(painter.sample, f"{caption}, of a map with ", side=320)[:80] in painter._picture.value


def test_a_stroke_paints_whole_numbers_and_draws_again(painter):
    painter.wait(20)
    before = painter.sample
    assert painter.gesture(STROKE) and painter.wait(20)
    assert painter.label_map.dtype == np.int64 and (painter.label_map[1:4, 2:13] == 10).all()
    assert not np.array_equal(painter.sample, before)
    assert painter.gesture({"kind": "undo"}) and painter.wait(20)
    assert np.array_equal(painter.sample, before)


def test_what_changes_nothing_draws_nothing(painter, monkeypatch):
    painter.wait(20)
    monkeypatch.setattr(widgets_painter, "draw_sample", None)
    assert not painter.gesture({"kind": "redo"}) and not painter._runner.is_running


def test_starts_are_layouts_and_landscapes(painter):
    assert list(painter._starts) == ["layout 3", "layout 5", "meadow", "lake", "village"]
    assert painter.gesture({"kind": "preset", "index": 1})
    assert np.array_equal(painter.label_map, tiny_scenes().layout(5)[0].numpy())
    assert np.array_equal(np.unique(painter.labels.instance_map).size, tiny_scenes().layout(5)[1].unique().numel())
    assert painter.gesture({"kind": "preset", "index": 4}) and painter.gesture({"kind": "undo"})
    # The starts themselves are not painted on.
    painter.gesture(STROKE)
    painter.gesture({"kind": "preset", "index": 1})
    assert np.array_equal(painter.label_map, tiny_scenes().layout(5)[0].numpy())


@pytest.mark.parametrize(
    "gesture",
    [
        {},
        {"kind": "preset", "index": 99},
        {"kind": "preset"},
        {"kind": "clear"},
        {"kind": "brush", "places": "here", "label": 1, "diameter": 1},
        {"kind": "swap", "old": 0, "new": 11},
    ],
)
def test_a_bad_gesture_is_a_line_and_the_map_stays(painter, gesture):
    painter.wait(20)
    before = painter.label_map
    assert not painter.gesture(gesture)
    assert 'role="alert"' in painter._runner._line.value and np.array_equal(painter.label_map, before)


def test_a_map_of_one_class_is_drawn_and_said_to_be_strange(painter):
    assert painter.gesture({"kind": "clear", "label": 4}) and (painter.label_map == 4).all()
    assert (
        painter.wait(20) and "all grass" in painter._runner._line.value and "alert" not in painter._runner._line.value
    )


@pytest.mark.parametrize("typed", ["strong", "", "-3"])
def test_a_scale_that_is_none_is_a_line(painter, typed):
    painter.wait(20)
    before = painter.sample
    painter._scale.value = typed
    assert "guidance_scale must be" in painter._runner._line.value and painter.sample is before
    painter._scale.value = "0"
    assert painter.wait(20) and not np.array_equal(painter.sample, before)


def test_painting_from_another_cell(painter):
    painter.labels.rectangle((0, 0), (3, 3), 2)
    painter.redraw()
    assert painter.wait(20) and "cloud" in painter._runner._line.value


def test_each_sample_is_handed_on_with_its_map(live):
    seen = []
    painter = LabelPainter(
        tiny_model(), tiny_scenes(), [3], settings=SETTINGS, on_sample=lambda *pair: seen.append(pair)
    )
    painter.wait(20)
    painter.gesture(STROKE)
    assert painter.wait(20) and len(seen) == 2
    assert np.array_equal(seen[1][0], painter.label_map) and np.array_equal(seen[1][1], painter.sample)


# The page.


def test_the_page_mirrors_the_map_as_bytes(canvas):
    painter, page = canvas
    painter.gesture(STROKE)
    assert np.array_equal(np.frombuffer(page.labels, np.uint8).reshape(16, 16), painter.label_map)
    assert page.answered == 1 and page.can_undo and not page.can_redo
    assert page.class_names == list(tiny_scenes().class_names) and page.colours[0] == "#8cbeeb"
    assert len(page.colours) == 11 and page.presets[2:] == ["meadow", "lake", "village"]


def test_the_page_sends_gestures_and_is_answered_whatever_it_sends(canvas):
    painter, page = canvas
    page._handle_custom_msg({**STROKE, "id": 5}, [])
    assert (painter.label_map[2, 2:13] == 10).all() and page.answered == 5
    page._handle_custom_msg({"kind": "nonsense", "id": 6}, [])
    assert page.answered == 6
    page._handle_custom_msg("text", [])
    page._handle_custom_msg({"kind": "undo", "id": "seven"}, [])
    assert page.answered == 6 and np.array_equal(painter.label_map, tiny_scenes().layout(3)[0].numpy())


def test_the_page_is_small_and_complete():
    script = (widgets_canvas.FRONT / "painter.js").read_text(encoding="utf-8")
    style = (widgets_canvas.FRONT / "painter.css").read_text(encoding="utf-8")
    assert len(script) < 16_000 and script.isascii() and style.isascii()
    assert "http" not in script + style  # nothing is fetched
    for kind in ("brush", "rectangle", "fill", "swap", "undo", "redo", "preset", "clear"):
        assert f'"{kind}"' in script


# Plain controls.


def test_plain_controls_do_the_same(live, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    widgets_canvas.canvas_class.cache_clear()
    painter = LabelPainter(tiny_model(), tiny_scenes(), [3, 5], settings=SETTINGS)
    widgets_canvas.canvas_class.cache_clear()
    pressed = buttons(painter)
    start = painter.label_map
    pressed["Rectangle"].click()  # row 8, column 8, 4 x 4 of class 0
    assert (painter.label_map[8:12, 8:12] == 0).all()
    pressed["Undo"].click()
    assert np.array_equal(painter.label_map, start)
    pressed["Redo"].click()
    pressed["Turn everywhere"].click()  # sky into sun
    assert not (painter.label_map == 0).any()
    pressed["Disc"].click()
    assert painter.label_map[8, 8] == 0
    pressed["Fill"].click()
    pressed["Fill all"].click()
    assert not painter.label_map.any()
    pressed["Start from it"].click()
    assert np.array_equal(painter.label_map, start)
    painter.cancel()
    assert painter.wait(20)


# Without widgets.


def test_without_widgets_the_map_stands_beside_its_sample_and_can_be_painted(monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    painter = LabelPainter(tiny_model(), tiny_scenes(), [3], settings=SETTINGS)
    assert painter.widget is None and painter.gesture(STROKE)
    with pytest.raises(ValueError, match="expected a gesture"):
        painter.gesture({})
    painter.redraw()
    (figure,) = painter.figures()
    columns = [" ".join(label.get_text().split()) for label in figure.axes[0].get_xticklabels()]
    assert columns == ["your map", "layout 3", "meadow", "lake", "village"] and painter.sample.shape == (16, 16, 3)
    painter.gesture({"kind": "undo"})
    assert painter.figures()[0].axes[0].get_xticklabels()[0].get_text().split() == ["layout", "3"]


@pytest.mark.parametrize(
    "indices, settings, message",
    [([], SETTINGS, "at least one layout"), ([0], replace(SETTINGS, guidance_scale="x"), "guidance_scale")],
)
def test_bad_arguments(live, indices, settings, message):
    with pytest.raises(ValueError, match=message):
        LabelPainter(tiny_model(), tiny_scenes(), indices, settings=settings)


def test_landscapes_are_for_landscape_classes_alone():
    assert landscapes(16, 16, ("road", "car")) == {}
    made = landscapes(32, 48, tiny_scenes().class_names)
    assert all(one.shape == (32, 48) and (one.label_map == 0).mean() > 0.2 for one in made.values())
    for name, label in (("village", 6), ("lake", 10), ("meadow", 8)):
        assert (made[name].label_map == label).any()
