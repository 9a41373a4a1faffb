"""Drawings are the package's own samples; the strip is their way there, and cond - null is what guidance multiplies."""

import numpy as np
import pytest
import torch
from tiny_world import tiny_model, tiny_scenes

from sdm_lite import SampleNoise, Scenes, denoiser, encode_labels, last, sample_ddim, sample_ddpm, sample_dpmpp_2m
from sdm_lite.pictures import to_uint8
from sdm_lite.sampling import SAMPLERS
from sdm_lite.widgets.drawing import (
    NUM_COLUMNS,
    Settings,
    World,
    column_of,
    draw_sample,
    evenly,
    in_words,
    signed_picture,
)


@pytest.fixture(scope="module")
def world():
    return World(tiny_model(), tiny_scenes())


@pytest.fixture(scope="module")
def condition(world):
    return world.condition(world.layouts([3])["layout 3"])


def moments_of(world, condition, settings):
    return list(world.walk(condition, world.check(settings)))


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_drawing_is_a_sample_of_the_package(world, condition, name):
    label_map, instance_map = world.dataset.layout(3)
    model, noise = world.model, SampleNoise([7])
    x_T = noise((3, 16, 16))
    encoded = encode_labels(label_map[None], 11, instance_map[None])
    draw = denoiser(model.unet, model.diffusion, encoded, 2.5, guidance_interval=(1, 800))
    steps = {
        "DDIM": lambda: sample_ddim(draw, model.diffusion, x_T, 6),
        "DPM-Solver++(2M)": lambda: sample_dpmpp_2m(draw, model.diffusion, x_T, 6),
        "DDPM": lambda: sample_ddpm(draw, model.diffusion, x_T, 6, noise=noise),
    }
    settings = Settings(guidance_scale=2.5, seed=7, num_steps=6, sampler=name)
    expected = to_uint8(last(steps[name]()))[0]
    assert np.array_equal(draw_sample(world, condition, settings, lambda: None).picture, expected)


def test_the_interval_changes_guided_samples_alone(world, condition):
    def drawn(scale, interval):
        settings = Settings(scale, num_steps=5, guidance_interval=interval)
        return draw_sample(world, condition, settings, lambda: None).picture

    for scale, matters in ((0.0, False), (0.5, False), (1.0, False), (3.0, True)):
        assert np.array_equal(drawn(scale, None), drawn(scale, (1, 1000)))
        assert np.array_equal(drawn(scale, None), drawn(scale, (1, 800))) is not matters


def test_moments_are_a_chain_from_noise_to_sample(world, condition):
    moments = moments_of(world, condition, Settings(num_steps=5))
    assert [moment.t for moment in moments] == [1000, 800, 600, 400, 200]
    assert torch.equal(moments[0].x_t, SampleNoise([0])((3, 16, 16))[0])
    for one, following in zip(moments, moments[1:], strict=False):
        assert torch.equal(one.x_s, following.x_t)


def test_settings_that_differ_in_scale_start_from_one_noise(world, condition):
    first = [moments_of(world, condition, Settings(scale, seed=5, num_steps=2))[0].x_t for scale in (0.0, 1.5, 5.0)]
    assert torch.equal(first[0], first[1]) and torch.equal(first[0], first[2])


def test_guidance_goes_along_the_label_difference(world, condition):
    # eps_s = eps_0 + s (cond - null): Algorithm 2, line 4.
    model, difference = world.model, world.label_difference(condition)
    for moment in moments_of(world, condition, Settings(num_steps=4)):
        x_t, t = moment.x_t[None], torch.tensor([moment.t])
        null, guided = (denoiser(model.unet, model.diffusion, condition, s)(x_t, t).eps[0] for s in (0.0, 2.5))
        torch.testing.assert_close(guided, null + 2.5 * difference(moment), atol=2e-5, rtol=2e-5)


def test_a_column_has_the_difference_in_full_colour_and_its_size(world, condition):
    (moment,) = moments_of(world, condition, Settings(num_steps=1))
    assert column_of(moment).difference is None
    column = column_of(moment, torch.full((3, 4, 4), -0.02))
    assert column.size == pytest.approx(0.02) and not column.difference.any()
    assert signed_picture(torch.zeros(3, 2, 2)).abs().max() == 0


def test_a_step_may_end_a_drawing(world, condition):
    class Enough(Exception):
        pass

    calls = []

    def step():
        calls.append(1)
        if len(calls) == 3:
            raise Enough

    with pytest.raises(Enough):
        draw_sample(world, condition, Settings(num_steps=50), step)


@pytest.mark.parametrize("num_steps", [1, 5, 8, 9, 40])
def test_a_strip_has_at_most_its_columns_first_and_last_among_them(world, condition, num_steps):
    drawing = draw_sample(world, condition, Settings(num_steps=num_steps), lambda: None)
    times = [column.t for column in drawing.columns]
    assert len(times) == min(num_steps, NUM_COLUMNS) and times[0] == 1000 and times == sorted(set(times))[::-1]
    assert times[-1] == round(1000 / num_steps)


def test_evenly():
    assert evenly(list("abcdefg"), 3) == ["a", "d", "g"] and evenly(["a"], 3) == ["a"]


@pytest.mark.parametrize(
    "settings, message",
    [
        (Settings(guidance_scale="fast"), "guidance_scale must be a finite number >= 0, got 'fast'"),
        (Settings(guidance_scale=""), "guidance_scale"),
        (Settings(guidance_scale="nan"), "guidance_scale"),
        (Settings(guidance_scale=-1), "guidance_scale"),
        (Settings(seed=-1), "seeds must lie"),
        (Settings(num_steps=0), "num_steps"),
        (Settings(num_steps=1001), "num_steps"),
        (Settings(sampler="Euler"), "sampler must be one of DDPM"),
        (Settings(guidance_interval=(1, 1001)), "guidance_interval must be"),
    ],
)
def test_settings_that_cannot_be(world, settings, message):
    with pytest.raises(ValueError, match=message) as error:
        world.check(settings)
    assert "\n" not in str(error.value)


def test_a_scale_that_was_typed_becomes_a_number(world):
    assert world.check(Settings(guidance_scale=" 2.5 ")).guidance_scale == 2.5


def test_layouts_that_do_not_fit(world):
    with pytest.raises(ValueError, match="at least one layout"):
        world.layouts([])
    with pytest.raises(ValueError, match="reads 11 classes and instance edges, the data set has 3 classes"):

        class Other:
            num_classes = 3

        World(world.model, Other())
    odd = World(world.model, Scenes(24))
    assert odd.layouts([0])["layout 0"].label_map.shape == (24, 24)


def test_a_map_in_words():
    assert in_words(np.array([[0, 0, 0], [2, 2, 1]]), ["sky", "sun", "sea"]) == "sky 50%, sea 33%, sun 17%"
