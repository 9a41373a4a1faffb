"""Drawings are the package's own samples; the strip is their way there, and null - cond is the way guidance pushes."""

from functools import partial

import numpy as np
import pytest
import torch
from tiny_world import tiny_model, tiny_scenes

from sdm_lite import SampleNoise, Scenes, denoiser
from sdm_lite.edit import sample_repaint
from sdm_lite.evaluate import draw_samples
from sdm_lite.pictures import to_uint8
from sdm_lite.sampling import SAMPLERS, sample_ddpm, timestep_pairs
from sdm_lite.widgets import SampleSettings
from sdm_lite.widgets.drawing import (
    NUM_FRAMES,
    condition_of,
    draw_sample,
    examples_of,
    in_words,
    label_difference,
    sampler_name,
)


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def condition(model):
    return condition_of(model, tiny_scenes()[3])


def drawn(model, condition, settings):
    return draw_sample(model, condition, settings, list)


@pytest.mark.parametrize("sampler", [*SAMPLERS.values(), partial(sample_repaint, jump_length=2)])
def test_a_drawing_is_a_sample_of_the_package(model, condition, sampler):
    settings = SampleSettings(2.5, 6, sampler, (1, 800), seed=7)
    maps = (part[None] for part in tiny_scenes().layout(3))
    expected = to_uint8(draw_samples(model, *maps, [7], settings))[0]
    assert np.array_equal(drawn(model, condition, settings).picture, expected)


def test_the_interval_changes_guided_samples_alone(model, condition):
    def picture(scale, interval):
        return drawn(model, condition, SampleSettings(scale, 5, guidance_interval=interval)).picture

    for scale, matters in ((0.0, False), (0.5, False), (1.0, False), (3.0, True)):
        assert np.array_equal(picture(scale, None), picture(scale, (1, 1000)))
        assert np.array_equal(picture(scale, None), picture(scale, (1, 800))) is not matters


@pytest.mark.parametrize("sampler", [*SAMPLERS.values(), partial(sample_repaint, jump_length=2)])
def test_frames_are_what_the_network_saw_and_said(model, condition, sampler):
    seen = []
    drawing = draw_sample(model, condition, SampleSettings(1.0, 4, sampler), seen.append)
    assert seen[0].t == 1000 and torch.equal(seen[0].x_t, SampleNoise([0])((3, 16, 16))[0])
    assert {frame.t for frame in seen} == {t for t, _ in timestep_pairs(1000, 4)}
    said = denoiser(model.unet, model.diffusion, condition)
    for frame in drawing.frames:
        assert torch.equal(frame.x0, said(frame.x_t[None], torch.tensor([frame.t])).x0[0])


def test_settings_that_differ_in_scale_start_from_one_noise(model, condition):
    first = [drawn(model, condition, SampleSettings(s, 2, seed=5)).frames[0].x_t for s in (0.0, 1.5, 5.0)]
    assert torch.equal(first[0], first[1]) and torch.equal(first[0], first[2])


def test_guidance_goes_along_the_label_difference(model, condition):
    # eps_s = eps_0 + s (cond - null): Algorithm 2, line 4.
    explained = label_difference(model, condition)
    for frame in drawn(model, condition, SampleSettings(num_steps=4)).frames:
        x_t, t = frame.x_t[None], torch.tensor([frame.t])
        null, guided = (denoiser(model.unet, model.diffusion, condition, s)(x_t, t).eps[0] for s in (0.0, 2.5))
        torch.testing.assert_close(guided, null + 2.5 * explained(frame).difference, atol=2e-5, rtol=2e-5)


def test_a_drawing_is_complete_once_every_frame_is_explained(model, condition):
    drawing = drawn(model, condition, SampleSettings(num_steps=2))
    first, last = drawing.frames
    explained = label_difference(model, condition)
    assert not drawing.is_complete and not drawing._replace(frames=(explained(first), last)).is_complete
    assert drawing._replace(frames=(explained(first), explained(last))).is_complete


def test_a_frame_may_end_a_drawing(model, condition):
    class Enough(Exception):
        pass

    seen = []

    def watch(frame):
        seen.append(frame)
        if len(seen) == 3:
            raise Enough

    with pytest.raises(Enough):
        draw_sample(model, condition, SampleSettings(num_steps=50), watch)
    assert len(seen) == 3


@pytest.mark.parametrize("num_steps", [1, 5, 8, 9, 40])
def test_a_strip_has_at_most_its_columns_first_and_last_among_them(model, condition, num_steps):
    times = [frame.t for frame in drawn(model, condition, SampleSettings(num_steps=num_steps)).frames]
    assert len(times) == min(num_steps, NUM_FRAMES) and times[0] == 1000 and times == sorted(set(times))[::-1]
    assert times[-1] == round(1000 / num_steps)


def test_layouts_that_do_not_fit(model):
    with pytest.raises(ValueError, match="at least one layout"):
        examples_of(model, tiny_scenes(), [])
    with pytest.raises(ValueError, match="reads 11 classes and instance edges, the data set has 3 classes"):

        class Other:
            num_classes = 3

        examples_of(model, Other(), [0])
    assert examples_of(model, Scenes(24), [0])["layout 0"].label_map.shape == (24, 24)
    with pytest.raises(ValueError, match="18"):
        examples_of(model, Scenes(18), [0])


def test_a_sampler_in_words():
    assert sampler_name(sample_ddpm) == "DDPM"
    assert sampler_name(partial(sample_repaint, jump_length=2)) == "sample_repaint(jump_length=2)"


def test_a_map_in_words():
    assert in_words(np.array([[0, 0, 0], [2, 2, 1]]), ["sky", "sun", "sea"]) == "sky 50%, sea 33%, sun 17%"
