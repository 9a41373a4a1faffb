"""The sampling panel: scrubbing draws nothing, settings draw anew, bad input is a line; without widgets a figure."""

import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from tiny_world import tiny_model, tiny_scenes

from sdm_lite.edit import sample_repaint
from sdm_lite.pictures import to_uint8
from sdm_lite.sampling import sample_ddpm
from sdm_lite.widgets import SampleSettings, SamplingPanel
from sdm_lite.widgets import panel as widgets_panel
from sdm_lite.widgets.base import picture_tag
from sdm_lite.widgets.drawing import Frame, condition_of, draw_sample

pytest.importorskip("ipywidgets")
pytest.importorskip("matplotlib")

SCALES = (0.0, 1.5, 5.0)
SETTINGS = SampleSettings(num_steps=4, guidance_interval=(1, 800))


@pytest.fixture
def panel(live):
    made = SamplingPanel(tiny_model(), tiny_scenes(), [3, 5], scales=SCALES, settings=SETTINGS)
    yield made
    made.cancel()
    assert made.wait(20)


def shown(panel):
    return panel._pictures.value


def sample_tag(layout, settings):
    """The sample of some settings as it must stand on the page."""
    model = tiny_model()
    drawing = draw_sample(model, condition_of(model, tiny_scenes()[layout]), settings, list)
    return picture_tag(drawing.picture, f"sample, s = {settings.guidance_scale:g}", side=160)


def test_every_scale_is_drawn_from_one_noise_and_scrubbing_draws_nothing(panel, monkeypatch):
    assert panel.wait(20) and "drawn in" in panel._runner._line.value
    monkeypatch.setattr(widgets_panel, "draw_sample", None)
    for scale in (5.0, 0.0, 1.5):
        panel._controls._slider.value = scale
        assert sample_tag(3, replace(SETTINGS, guidance_scale=scale)) in shown(panel)
        assert "null - cond" in panel._strip.value and "t = 1000" in panel._strip.value
        assert not panel._runner.is_running


@pytest.mark.parametrize(
    "control, value, layout, settings",
    [
        ("_seed", 9, 3, replace(SETTINGS, seed=9)),
        ("_num_steps", 7, 3, replace(SETTINGS, num_steps=7)),
        ("_sampler", sample_ddpm, 3, replace(SETTINGS, sampler=sample_ddpm)),
        ("_layout", "layout 5", 5, SETTINGS),
        ("_last", 500, 3, replace(SETTINGS, guidance_interval=(1, 500))),
    ],
)
def test_another_setting_is_another_picture(panel, control, value, layout, settings):
    getattr(panel._controls, control).value = value
    assert panel.wait(20) and sample_tag(layout, settings) in shown(panel)


def test_the_sample_that_is_shown_can_be_had(panel):
    assert panel.wait(20)
    tag = picture_tag(panel.sample, "sample, s = 1.5", side=160)
    assert tag in shown(panel)
    panel._controls._slider.value = 5.0
    assert picture_tag(panel.sample, "sample, s = 5", side=160) in shown(panel) and tag not in shown(panel)


def test_a_setting_of_before_is_there_at_once(panel, monkeypatch):
    panel.wait(20)
    before = shown(panel)
    panel._controls._seed.value = 4
    panel.wait(20)
    assert shown(panel) != before
    monkeypatch.setattr(widgets_panel, "draw_sample", None)
    panel._controls._seed.value = 0
    assert shown(panel) == before


def test_the_panel_shows_label_map_and_truth_with_words(panel):
    assert 'alt="label map: ' in shown(panel) and "grass" in shown(panel) and 'alt="a true picture"' in shown(panel)


def gan_like(calls):
    """Whatever draws beside: a grey that its seed and its map decide."""

    def paint(label_maps, instance_maps, seeds):
        calls.append(tuple(seeds))
        greys = [0.1 * seed + 0.01 * float(one.float().mean()) for seed, one in zip(seeds, label_maps, strict=True)]
        return torch.stack([torch.full((3, *label_maps.shape[1:]), grey) for grey in greys])

    return paint


def test_others_draw_the_same_map_from_the_same_seed_beside_the_sample(live):
    calls = []
    panel = SamplingPanel(
        tiny_model(), tiny_scenes(), [3, 5], scales=SCALES, settings=SETTINGS, beside={"a GAN": gan_like(calls)}
    )

    def expected(layout, seed):
        example = tiny_scenes()[layout]
        picture = gan_like([])(example.label_map[None], example.instance_map[None], [seed])[0]
        return picture_tag(to_uint8(picture), "a GAN", side=160)

    assert panel.wait(20) and expected(3, 0) in shown(panel)
    panel._controls._slider.value = 5.0
    assert calls == [(0,)]  # nothing of it changes with the scale
    panel._controls._seed.value = 7
    assert expected(3, 7) in shown(panel)
    panel._controls._layout.value = "layout 5"
    assert panel.wait(20) and expected(5, 7) in shown(panel) and calls == [(0,), (7,), (7,)]


def test_others_stand_in_the_figure_too(monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    grid, _ = SamplingPanel(
        tiny_model(), tiny_scenes(), [3], scales=SCALES, settings=SETTINGS, beside={"a GAN": gan_like([])}
    ).figures()
    assert [label.get_text() for label in grid.axes[0].get_xticklabels()][-2:] == ["a GAN", "a true picture"]


def test_any_scale_can_be_typed_in_live_mode(panel):
    panel._controls._mode.value = True
    panel._controls._typed.value = "2.25"
    assert panel.wait(20) and sample_tag(3, replace(SETTINGS, guidance_scale=2.25)) in shown(panel)
    assert panel.settings.guidance_scale == 2.25


@pytest.mark.parametrize("typed", ["strong", "", "-1", "nan", "1,5"])
def test_a_scale_that_is_none_is_a_line_and_the_picture_stays(panel, typed):
    panel.wait(20)
    before = shown(panel)
    panel._controls._mode.value = True
    panel.wait(20)
    panel._controls._typed.value = typed
    assert 'role="alert"' in panel._runner._line.value and "guidance_scale must be" in panel._runner._line.value
    assert shown(panel) == before
    panel._controls._typed.value = "1"
    assert panel.wait(20) and "s = 1<" in shown(panel)


def test_back_from_live_mode_the_slider_rules(panel):
    panel._controls._mode.value = True
    panel._controls._typed.value = "7"
    panel.wait(20)
    panel._controls._mode.value = False
    assert panel.wait(20) and sample_tag(3, SETTINGS) in shown(panel)


class Gate:
    """Stands in for draw_sample: waits at its first step until it is opened."""

    def __init__(self, monkeypatch):
        self.inside, self.open, self.drawn = threading.Event(), threading.Event(), []
        monkeypatch.setattr(widgets_panel, "draw_sample", self)

    def __call__(self, model, condition, settings, on_frame):
        self.inside.set()
        assert self.open.wait(20)
        self.drawn.append(settings.guidance_scale)
        return draw_sample(model, condition, settings, on_frame)


def test_what_the_slider_shows_is_drawn_first_and_a_move_does_not_start_anew(live, monkeypatch):
    gate = Gate(monkeypatch)
    panel = SamplingPanel(tiny_model(), tiny_scenes(), [3], scales=SCALES, settings=SETTINGS)
    assert gate.inside.wait(20)
    panel._controls._slider.value = 5.0
    assert "s = 5: not drawn yet" in shown(panel)
    gate.open.set()
    assert panel.wait(20) and gate.drawn == [1.5, 5.0, 0.0]


def test_cancel_keeps_what_is_drawn_and_draw_goes_on(live, monkeypatch):
    gate = Gate(monkeypatch)
    panel = SamplingPanel(tiny_model(), tiny_scenes(), [3], scales=SCALES, settings=SETTINGS)
    assert gate.inside.wait(20)
    panel.cancel()
    gate.open.set()
    assert panel.wait(20) and "cancelled" in panel._runner._line.value and gate.drawn == [1.5]
    panel._draw()
    assert panel.wait(20) and sorted(gate.drawn[1:]) == [0.0, 1.5, 5.0]


def test_after_a_cancel_scrubbing_to_a_drawn_scale_starts_nothing(panel):
    panel.wait(20)
    del panel._kept[("layout 3", replace(SETTINGS, guidance_scale=5.0))]
    panel._controls._slider.value = 0.0
    assert not panel._runner.is_running
    panel._controls._slider.value = 5.0
    assert panel.wait(20) and "sample, s = 5" in shown(panel)


def test_an_error_in_the_drawing_is_a_line(live, monkeypatch):
    def fail(*_):
        raise RuntimeError("out of memory\nat step 3")

    monkeypatch.setattr(widgets_panel, "draw_sample", fail)
    panel = SamplingPanel(tiny_model(), tiny_scenes(), [3], scales=SCALES, settings=SETTINGS)
    assert panel.wait(20) and "RuntimeError: out of memory at step 3" in panel._runner._line.value


def test_two_panels_at_once_both_end(live):
    panels = [
        SamplingPanel(tiny_model(), tiny_scenes(), [3], scales=SCALES, settings=replace(SETTINGS, seed=seed))
        for seed in (1, 2)
    ]
    for panel, seed in zip(panels, (1, 2), strict=True):
        assert panel.wait(20) and sample_tag(3, replace(SETTINGS, seed=seed)) in shown(panel)


def test_it_keeps_a_bounded_number_of_drawings(live, monkeypatch):
    monkeypatch.setattr(widgets_panel, "MAX_KEPT", 5)
    panel = SamplingPanel(tiny_model(), tiny_scenes(), [3], scales=SCALES, settings=SETTINGS)
    for seed in (1, 2, 3):
        panel.wait(20)
        panel._controls._seed.value = seed
    assert panel.wait(20) and len(panel._kept) == 5 and "drawn in" in panel._runner._line.value
    assert {key[1].seed for key in panel._kept} == {2, 3}


def test_any_function_that_samples_can_be_chosen(live):
    sampler = partial(sample_repaint, jump_length=2)
    panel = SamplingPanel(tiny_model(), tiny_scenes(), [3], scales=SCALES, settings=replace(SETTINGS, sampler=sampler))
    assert panel._controls._sampler.label == "sample_repaint(jump_length=2)" and panel.settings.sampler is sampler
    assert panel.wait(20) and sample_tag(3, replace(SETTINGS, sampler=sampler)) in shown(panel)
    panel._controls._sampler.label = "DDIM"
    assert panel.wait(20) and sample_tag(3, SETTINGS) in shown(panel)


def test_without_widgets_every_scale_and_the_strip_are_drawn_once(monkeypatch, capsys):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    panel = SamplingPanel(tiny_model(), tiny_scenes(), [3, 5], scales=SCALES, settings=SETTINGS)
    assert panel.widget is None and panel.sample is None and panel.settings == SETTINGS and panel.wait()
    grid, strip = panel.figures()
    assert picture_tag(panel.sample, "sample, s = 1.5", side=160) == sample_tag(3, SETTINGS)
    labels = [" ".join(label.get_text().split()) for label in grid.axes[0].get_xticklabels()]
    assert labels == ["label map", "s = 0", "s = 1.5", "s = 5", "a true picture"]
    assert [" ".join(label.get_text().split()) for label in strip.axes[0].get_yticklabels()][2] == "null - cond"
    assert len(strip.axes[0].get_xticklabels()) == 4
    footers = [text.get_text() for text in strip.axes[0].texts][:4]
    assert all(float(text) > 0 for text in footers), "a number under each column"
    assert "sampling: 12 steps" in capsys.readouterr().out


def test_the_strip_shows_which_way_the_label_moves_the_picture():
    more_blue_noise = torch.stack([torch.zeros(2, 2), torch.zeros(2, 2), torch.ones(2, 2)])
    frame = Frame(500, torch.zeros(3, 2, 2), torch.zeros(3, 2, 2), more_blue_noise)
    (tile,) = widgets_panel._strip([frame])["null - cond"]
    assert tile.picture[0, 0].tolist() == [128, 128, 0], "noise that is blue is taken away: the picture gets yellow"


@pytest.mark.parametrize(
    "indices, scales, settings, message",
    [
        ([], SCALES, SETTINGS, "at least one layout"),
        ([1], (), SETTINGS, "at least one guidance scale"),
        ([1], (1.0, -2.0), SETTINGS, "guidance_scale must be"),
        ([1], SCALES, replace(SETTINGS, num_steps=0), "num_steps"),
        ([1], SCALES, replace(SETTINGS, guidance_scale="fast"), "guidance_scale must be"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_drawn(live, monkeypatch, indices, scales, settings, message):
    monkeypatch.setattr(widgets_panel, "draw_sample", None)
    with pytest.raises(ValueError, match=message):
        SamplingPanel(tiny_model(), tiny_scenes(), indices, scales=scales, settings=settings)


def test_the_default_scales_have_the_papers_own():
    assert {1.5, 2.0} <= set(widgets_panel.SCALES) and np.all(np.diff(widgets_panel.SCALES) > 0)
