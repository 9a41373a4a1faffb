"""Settings say what they ask for and refuse what cannot be; whatever function samples, samples can be drawn with it."""

import dataclasses
from functools import partial

import pytest
import torch
from networks import LEAST, randomised

from sdm_lite import DiffusionConfig, Model, SampleNoise, Scenes, denoiser, last, sample_ddim, sample_dpmpp_2m
from sdm_lite.edit import sample_repaint
from sdm_lite.evaluate import SampleSettings, draw_groups, draw_samples
from sdm_lite.evaluate.drawing import guidance_scale_of, sample_seed, usual_steps
from sdm_lite.student import INTERVAL, Student, landings, student_denoiser
from sdm_lite.timesteps import karras, trailing


@pytest.fixture(scope="module")
def model():
    return Model(
        randomised(LEAST), DiffusionConfig(prediction_type="v").build()
    )  # x0 from eps would be clipped to -1 and 1


@pytest.fixture(scope="module")
def maps():
    scenes = Scenes(16, length=2, seed=1)
    return [torch.stack(column) for column in zip(*(scenes.layout(i) for i in range(2)), strict=True)]


def drawn(model, maps, **settings):
    return draw_samples(model, *maps, [1, 2], SampleSettings(num_steps=2, **settings))


class Stochastic:
    """A sampler that is an object and no function."""

    def __call__(self, *arguments, **keywords):
        return sample_repaint(*arguments, **keywords, num_resamples=1)


@pytest.mark.parametrize(
    ("sampler", "name"),
    [
        (sample_dpmpp_2m, "sample_dpmpp_2m"),
        (partial(sample_ddim), "sample_ddim()"),
        (sample_repaint, "sample_repaint"),
        (partial(sample_repaint, jump_length=1, num_resamples=3), "sample_repaint(jump_length=1, num_resamples=3)"),
        (Stochastic(), "Stochastic"),
    ],
)
def test_any_sampler_draws_and_has_a_name(model, maps, sampler, name):
    samples = drawn(model, maps, sampler=sampler)
    assert samples.shape == (2, 3, 16, 16) and samples.abs().max() <= 1
    assert torch.equal(samples, drawn(model, maps, sampler=sampler)), "its noise is not that of the seeds"
    alone = draw_samples(model, *(m[1:] for m in maps), [2], SampleSettings(num_steps=2, sampler=sampler))
    torch.testing.assert_close(samples[1:], alone, atol=1e-4, rtol=0)
    assert SampleSettings(sampler=sampler).told()["sampler"] == name


def test_a_partial_reaches_the_sampler(model, maps):
    blank = partial(sample_ddim, project=lambda x, s: torch.zeros_like(x))
    assert not drawn(model, maps, sampler=blank).any()
    wild = partial(sample_ddim, project=lambda x, s: torch.full_like(x, 3.0))
    assert (drawn(model, maps, sampler=wild) == 1).all(), "samples lie in [-1, 1] whatever draws them"
    assert torch.equal(drawn(model, maps, sampler=partial(sample_ddim)), drawn(model, maps))


def test_settings_reach_the_denoiser(model, maps):
    plain, guided, null = (drawn(model, maps, guidance_scale=scale) for scale in (1.0, 3.0, 0.0))
    assert not torch.allclose(plain, guided, atol=1e-3)
    assert torch.equal(null, drawn(model, [m.flip(0) for m in maps], guidance_scale=0.0)), "the map had a say"
    late = drawn(model, maps, guidance_scale=3.0, guidance_interval=(1, 500))
    assert not torch.allclose(late, guided, atol=1e-3) and not torch.allclose(late, plain, atol=1e-3)
    by_hand = partial(denoiser, guidance_interval=(1, 500))
    assert torch.equal(late, drawn(model, maps, guidance_scale=3.0, make_denoiser=by_hand))


def test_groups_are_samples_of_their_seeds_whatever_the_batch(model, maps):
    settings = SampleSettings(num_steps=2, seed=7, batch_size=3)
    groups = draw_groups(model, *maps, [3, 1], settings)
    assert [len(group) for group in groups] == [3, 1]
    for other in (dataclasses.replace(settings, batch_size=1), dataclasses.replace(settings, batch_size=4)):
        for group, again in zip(groups, draw_groups(model, *maps, [3, 1], other), strict=True):
            torch.testing.assert_close(group, again, atol=1e-4, rtol=0)
    alone = draw_samples(model, *(m[:1] for m in maps), [sample_seed(7, 0, 2)], settings)
    torch.testing.assert_close(groups[0][2:], alone, atol=1e-4, rtol=0)
    assert not torch.allclose(groups[0][0], groups[0][1], atol=0.05)


def test_every_sample_has_a_seed_of_its_own_that_torch_can_tell_apart():
    jobs = [(seed, layout, n) for seed in range(3) for layout in range(200) for n in range(4)]
    first_numbers = {
        torch.randn(2, generator=torch.Generator().manual_seed(sample_seed(*job))).sum().item() for job in jobs
    }
    assert len(first_numbers) > 0.999 * len(jobs)


def test_what_is_told_is_what_was_asked_for_and_no_default_is_told_twice():
    assert SampleSettings(2.0, 10, seed=3).told() == {
        "sampler": "sample_ddim",
        "num_steps": 10,
        "guidance_scale": 2.0,
        "seed": 3,
    }
    told = SampleSettings(guidance_interval=(1, 800), make_denoiser=partial(denoiser, clip=False)).told()
    assert told["guidance_interval"] == (1, 800) and told["make_denoiser"] == "denoiser(clip=False)"
    nested = partial(sample_ddim, project=partial(torch.clamp, min=-1))
    assert SampleSettings(sampler=nested).told()["sampler"] == "sample_ddim(project=clamp(min=-1))"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"guidance_scale": -1.0}, "guidance_scale must be"),
        ({"guidance_scale": "fast"}, "guidance_scale must be"),
        ({"num_steps": 0}, "num_steps must be"),
        ({"num_steps": 101}, r"num_steps must be a whole number in 1..100, got 101"),
        ({"guidance_interval": (1, 101)}, "guidance_interval must be .* last <= 100"),
        ({"seed": 2**32}, r"seed must be a whole number in 0..4294967295, got 4294967296"),
        ({"seed": 1.5}, r"seed must be a whole number in 0..4294967295, got 1.5"),
        ({"batch_size": 0}, "batch_size must be a whole number, at least 1, got 0"),
        ({"batch_size": "8"}, "batch_size must be a whole number, at least 1, got '8'"),
        ({"sampler": "ddim"}, "sampler must be a function such as sample_ddim, got 'ddim'"),
    ],
)
def test_settings_are_checked_against_a_process(wrong, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SampleSettings(), **wrong).check(
            Model(randomised(LEAST), DiffusionConfig(num_timesteps=100).build())
        )


def test_a_scale_that_was_typed_is_a_number(model):
    assert SampleSettings(" 2.5 ").check(model) == SampleSettings(2.5)


def test_settings_reach_the_timesteps(model, maps):
    default, moved = drawn(model, maps), drawn(model, maps, grid=karras)
    assert torch.equal(default, drawn(model, maps, grid=trailing)) and not torch.allclose(default, moved, atol=1e-3)
    by_hand = partial(sample_ddim, timesteps=karras(model.diffusion, 2))
    assert torch.equal(moved, drawn(model, maps, sampler=by_hand))
    assert "grid" not in SampleSettings().told() and SampleSettings(grid=karras).told()["grid"] == "karras"
    with pytest.raises(ValueError, match="timesteps must be 25"):
        SampleSettings(grid=lambda diffusion, num_steps: [5, 4]).check(model)


def test_the_scale_where_none_is_asked_for_is_the_runs():
    of_run = {"guidance_scale": 3.0, "dataset": "camvid", "train_config": {"null_probability": 0.2}}
    assert guidance_scale_of(of_run) == 3.0
    del of_run["guidance_scale"]
    assert guidance_scale_of(of_run) == guidance_scale_of({}, "camvid") == 2.0, "of older files: the data set's"
    of_run["train_config"]["null_probability"] = 0.0
    assert guidance_scale_of(of_run) == 1.0 and guidance_scale_of({}) == 1.5


@pytest.fixture(scope="module")
def student(model):
    torch.manual_seed(1)
    made = Student(LEAST)
    for parameter in made.parameters():
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.1)
    return Model(made.eval(), DiffusionConfig("cosine", prediction_type="v").build())


@pytest.mark.parametrize("num_steps", [4, 2, 1])
def test_a_student_draws_as_any_model_on_its_own_landings(student, maps, num_steps):
    settings = SampleSettings(2.0, num_steps, guidance_interval=INTERVAL).check(student)
    condition, noise = student.unet.condition(*maps), SampleNoise([1, 2])
    draw = student_denoiser(student.unet, student.diffusion, condition, 2.0, num_steps=num_steps)
    starts, x_T = landings(student.diffusion, num_steps), noise((3, 16, 16))
    expected = last(sample_ddim(draw, student.diffusion, x_T, num_steps, timesteps=starts)).clamp(-1, 1)
    assert torch.equal(draw_samples(student, *maps, [1, 2], settings), expected)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_steps": 25}, r"num_steps of a student must be one of \[1, 2, 4\], got 25"),
        ({"guidance_scale": 0.5}, r"guidance_scale of a student must lie in 1..3, got 0.5"),
        ({"guidance_interval": (1, 500)}, r"guidance_interval of a student is what it has learned, got \(1, 500\)"),
        ({"sampler": sample_dpmpp_2m}, "sampler of a student is what it has learned, got sample_dpmpp_2m: leave it"),
        ({"grid": karras}, "grid of a student is what it has learned, got karras"),
    ],
)
def test_a_student_is_not_asked_for_what_it_has_learned_otherwise(student, wrong, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SampleSettings(num_steps=usual_steps(student)), **wrong).check(student)


def test_a_student_predicts_nothing_under_a_label(student, maps):
    with pytest.raises(ValueError, match="got a student, which only draws"):
        student.unet(torch.zeros(2, 3, 16, 16), torch.tensor([5, 5]), student.unet.condition(*maps))
