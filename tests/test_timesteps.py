"""Grids of timesteps against formulas written out anew, and what every sampler does with a list of them."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from processes import processes

from sdm_lite.diffusion import DiffusionConfig, Prediction
from sdm_lite.edit import sample_repaint
from sdm_lite.sampling import SAMPLERS, SampleNoise, last, timestep_pairs
from sdm_lite.timesteps import TIME_GRIDS, karras, nearest_timesteps, trailing, uniform_lambda

EVERY_SAMPLER = [*SAMPLERS.values(), partial(sample_repaint, jump_length=2)]


@pytest.fixture(scope="module")
def diffusion():
    return DiffusionConfig("cosine").build()


def toy(diffusion):
    """A denoiser that is any smooth function of x_t and t."""

    def denoise(x_t, t):
        x0 = torch.tanh(x_t) * torch.cos(t / 300).view(-1, 1, 1, 1)
        return Prediction(diffusion.eps_from_x0(x0, x_t, t), x0, torch.sigmoid(x_t))

    return denoise


def drawn(sampler, diffusion, num_steps, **timesteps):
    noise = SampleNoise([3, 4])
    return last(sampler(toy(diffusion), diffusion, noise((3, 4, 4)), num_steps, noise=noise, **timesteps))


@pytest.mark.parametrize("sampler", EVERY_SAMPLER)
def test_the_default_is_the_trailing_list_bit_for_bit_and_another_list_is_another_sample(diffusion, sampler):
    default = drawn(sampler, diffusion, 5)
    assert torch.equal(default, drawn(sampler, diffusion, 5, timesteps=[1000, 800, 600, 400, 200]))
    assert torch.equal(default, drawn(sampler, diffusion, 5, timesteps=trailing(diffusion, 5)))
    assert not torch.allclose(default, drawn(sampler, diffusion, 5, timesteps=karras(diffusion, 5)), atol=0.01)


@pytest.mark.parametrize("sampler", EVERY_SAMPLER)
def test_the_denoiser_is_asked_at_the_timesteps_given(diffusion, sampler):
    seen = []

    def watched(x_t, t):
        seen.append(int(t[0]))
        return toy(diffusion)(x_t, t)

    noise = SampleNoise([0])
    steps = list(sampler(watched, diffusion, noise((3, 4, 4)), 3, noise=noise, timesteps=[991, 700, 56]))
    assert list(dict.fromkeys(seen)) == [991, 700, 56] and steps[-1].t == 0


@pytest.mark.parametrize(
    "timesteps", [[900, 500], [900, 500, 500], [500, 900, 100], [1001, 500, 100], [900, 500, 0], [900, 500, 1.5], []]
)
def test_what_is_no_list_of_timesteps_is_told_at_the_call(diffusion, timesteps):
    for sampler in EVERY_SAMPLER:
        with pytest.raises(ValueError, match=r"timesteps must be 3 \(num_steps\) falling whole numbers in 1\.\.1000"):
            sampler(toy(diffusion), diffusion, torch.zeros(1, 3, 4, 4), 3, noise=SampleNoise([0]), timesteps=timesteps)


def sigma(t, num_timesteps=1000):
    """Of the cosine schedule, from its closed form."""
    angle = [(u / num_timesteps + 0.008) / 1.008 * math.pi / 2 for u in (t, 0)]
    return math.sqrt((math.cos(angle[1]) / math.cos(angle[0])) ** 2 - 1)


@pytest.mark.parametrize("num_steps", [4, 8])
def test_levels_are_those_of_the_formulas_to_the_nearest_timestep(diffusion, num_steps):
    """The rule of Karras et al., Eq. 5, and equal factors, written out in plain floats."""
    top, low = 80.0, 0.1
    roots = [top ** (1 / 7) + i / (num_steps - 1) * (low ** (1 / 7) - top ** (1 / 7)) for i in range(num_steps)]
    wanted = {karras: [r**7 for r in roots]}
    wanted[uniform_lambda] = [top * (low / top) ** (i / (num_steps - 1)) for i in range(num_steps)]
    for grid, levels in wanted.items():
        for t, level in zip(grid(diffusion, num_steps), levels, strict=True):
            here = abs(math.log(sigma(t) / level))
            assert all(here <= abs(math.log(sigma(t + d) / level)) for d in (-1, 1)), (grid.__name__, t, level)


def test_peers_have_the_same_levels(diffusion):
    """diffusers' Karras sigmas, between the same two ends."""
    diffusers = pytest.importorskip("diffusers")
    peer = diffusers.DPMSolverMultistepScheduler(beta_schedule="squaredcos_cap_v2", use_karras_sigmas=True)
    ends = torch.tensor([0.1, 80.0]).numpy()
    levels = peer._convert_to_karras(in_sigmas=ends, num_inference_steps=6)
    assert nearest_timesteps(diffusion, sorted((float(one) for one in levels), reverse=True)) == karras(diffusion, 6)


def test_rho_makes_the_grid(diffusion):
    assert karras(diffusion, 4) == [992, 960, 701, 56], "as printed where the grid is measured"
    even = karras(diffusion, 3, rho=1.0)
    assert sigma(even[1]) == pytest.approx((80 + 0.1) / 2, rel=0.1), "rho = 1 is equal strides of sigma"
    steep = karras(diffusion, 5, rho=1e4)
    assert max(abs(a - b) for a, b in zip(steep, uniform_lambda(diffusion, 5), strict=True)) <= 1


@given(processes(), st.sampled_from(sorted(TIME_GRIDS)), st.data())
def test_every_grid_falls_within_1_and_T(diffusion, name, data):
    num_steps = data.draw(st.integers(1, diffusion.num_timesteps))
    timesteps = TIME_GRIDS[name](diffusion, num_steps)
    pairs = timestep_pairs(diffusion.num_timesteps, num_steps, timesteps)
    assert [t for t, _ in pairs] == timesteps and pairs[-1][1] == 0


def test_levels_that_cannot_be_are_told(diffusion):
    for wrong in ({"sigma_min": 90.0}, {"sigma_min": 0.0}, {"sigma_max": 0.05}):
        for grid in (karras, uniform_lambda):
            with pytest.raises(ValueError, match="0 < sigma_min < sigma_max"):
                grid(diffusion, 4, **wrong)
    with pytest.raises(ValueError, match="rho must be above 0"):
        karras(diffusion, 4, rho=0.0)
    for grid in TIME_GRIDS.values():
        with pytest.raises(ValueError, match=r"num_steps must be a whole number in 1\.\.1000"):
            grid(diffusion, 0)
