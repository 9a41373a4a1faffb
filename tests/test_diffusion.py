"""The process against stored numbers of an independent implementation, and against the identities it must obey."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from processes import processes

from sdm_lite.diffusion import (
    DiffusionConfig,
    Gaussian,
    GaussianDiffusion,
    Prediction,
    cosine_betas,
    discretized_log_likelihood,
    linear_betas,
    normal_cdf,
    normal_kl,
)
from sdm_lite.guidance import guide

FIXTURE = Path(__file__).parent / "support" / "fixtures" / "diffusion_1000.npz"


@pytest.fixture(scope="module")
def stored():
    return {name: torch.from_numpy(value) for name, value in np.load(FIXTURE).items() if value.dtype.kind in "fi"}


@pytest.fixture(scope="module")
def diffusion():
    return GaussianDiffusion(linear_betas())


def relative_error(got, expected):
    """The largest difference, relative to the largest value of the same example."""
    got, expected = got.expand(expected.shape).flatten(1), expected.flatten(1)
    return ((got - expected).abs().amax(1) / expected.abs().amax(1)).max().item()


def test_forward_process_agrees_with_stored_numbers(diffusion, stored):
    t = stored["index"] + 1
    assert relative_error(diffusion.q_sample(stored["x0"], t, stored["noise"]), stored["x_t"]) < 1e-5
    mean, log_variance = diffusion.posterior(stored["x0"], stored["x_t"], t, t - 1)
    assert relative_error(mean, stored["posterior_mean"]) < 1e-5
    assert relative_error(log_variance, stored["posterior_log_variance_clipped"]) < 1e-5


@pytest.mark.parametrize("scale", [1.0, 1.5, 3.0])
def test_guided_reverse_step_agrees_with_stored_numbers(diffusion, stored, scale):
    t, x_t = stored["index"] + 1, stored["x_t"]
    output = guide(stored["output_conditional"], stored["output_null"], scale)
    prediction = diffusion.predict(output, x_t, t)
    mean, log_variance = diffusion.reverse(prediction, x_t, t, t - 1)
    name = f"s{scale}".replace(".", "_")
    assert relative_error(prediction.x0, stored[f"x0_{name}"]) < 1e-5
    assert relative_error(mean, stored[f"mean_{name}"]) < 1e-5
    assert relative_error(log_variance, stored[f"log_variance_{name}"]) < 1e-5


def test_losses_agree_with_stored_numbers(diffusion, stored):
    t = stored["index"] + 1
    losses = diffusion.losses(stored["output_conditional"], stored["x0"], stored["x_t"], t, stored["noise"])
    for got, name in ((losses.simple, "loss_mse"), (losses.vlb, "loss_vb"), (losses.total, "loss_loss")):
        torch.testing.assert_close(got, stored[name], rtol=1e-5, atol=0)


@pytest.mark.parametrize("betas", [linear_betas(), cosine_betas(), linear_betas(50)])
def test_float32_coefficients_keep_double_precision_differences(betas):
    diffusion = GaussianDiffusion(betas)
    log_alpha_bar = torch.cat([torch.zeros(1, dtype=torch.float64), torch.log1p(-betas).cumsum(0)])
    t = torch.arange(1, len(betas) + 1)
    exact = -torch.expm1(log_alpha_bar[t] - log_alpha_bar[t - 1])
    got = -torch.expm1(diffusion.log_alpha_bar(t, t - 1)).flatten().double()
    assert ((got - exact).abs() / exact).max() < 1e-6
    assert diffusion.alpha_bar(torch.tensor([0])).item() == 1


def test_posterior_is_bayes_rule(diffusion):
    """Product of the two normals q(x_r | x_0) and q(x_t | x_r), written out for one pixel, for a wide step."""
    t, r = torch.tensor([700]), torch.tensor([300])
    a_t, a_r = diffusion.alpha_bar(t).double(), diffusion.alpha_bar(r).double()
    x0, x_t = torch.full((1, 1, 1, 1), 0.3), torch.full((1, 1, 1, 1), -0.8)
    ratio = a_t / a_r
    precision = 1 / (1 - a_r) + ratio / (1 - ratio)
    mean = (a_r.sqrt() * x0 / (1 - a_r) + ratio.sqrt() * x_t / (1 - ratio)) / precision
    got = diffusion.posterior(x0, x_t, t, r)
    torch.testing.assert_close(got.mean.double(), mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(got.log_variance.double().exp(), 1 / precision, rtol=1e-5, atol=0)


@given(processes(), st.integers(0, 2**31), st.data())
def test_the_algebra_of_any_step_of_any_process(diffusion, seed, data):
    t = data.draw(st.integers(1, diffusion.num_timesteps))
    r = data.draw(st.integers(0, t - 1))
    t, r = torch.tensor([t]), torch.tensor([r])
    x0, eps = torch.randn(2, 1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    x_t = diffusion.q_sample(x0, t, eps)
    torch.testing.assert_close(diffusion.eps_from_x0(x0, x_t, t), eps, atol=1e-4, rtol=0)
    if diffusion.signal[t] > 0.01:  # at the end, where the image is next to gone, rounding decides
        torch.testing.assert_close(diffusion.x0_from_eps(eps, x_t, t), x0, atol=1e-4, rtol=0)
    # Of what q(x_t | x_0) can be, q(x_r | x_t, x_0) makes what q(x_r | x_0) can be: its mean, and its variance.
    (signal_t, sigma_t), (signal_r, sigma_r) = diffusion.signal_and_noise(t), diffusion.signal_and_noise(r)
    mean, log_variance = diffusion.posterior(x0, signal_t * x0, t, r)
    torch.testing.assert_close(mean, signal_r * x0, atol=1e-5, rtol=1e-4)
    of_x_t = diffusion.posterior(torch.zeros_like(x0), torch.ones_like(x0), t, r).mean[:, :1, :1, :1]
    variance = (of_x_t * sigma_t) ** 2 + (log_variance.exp() if r > 0 else 0)
    torch.testing.assert_close(variance, sigma_r**2, atol=1e-6, rtol=1e-4)
    lower, upper = diffusion.log_variance_bounds(t, r)
    assert lower <= upper and torch.isfinite(lower) and torch.isfinite(upper)


def test_two_steps_of_the_forward_process_are_one(diffusion):
    generator = torch.Generator().manual_seed(0)
    x0 = torch.full((200_000, 1, 1, 1), 0.5)
    t, r = torch.full((len(x0),), 400), torch.full((len(x0),), 150)
    x_r = diffusion.q_sample(x0, r, torch.randn(x0.shape, generator=generator))
    ratio = diffusion.alpha_bar(t) / diffusion.alpha_bar(r)
    x_t = ratio.sqrt() * x_r + (1 - ratio).sqrt() * torch.randn(x0.shape, generator=generator)
    alpha_bar = diffusion.alpha_bar(t)[0].item()
    assert abs(x_t.mean().item() - 0.5 * alpha_bar**0.5) < 4 * (1 - alpha_bar) ** 0.5 / len(x0) ** 0.5
    assert abs(x_t.var().item() / (1 - alpha_bar) - 1) < 4 * (2 / len(x0)) ** 0.5


def test_v_and_eps_say_the_same(diffusion):
    velocity = GaussianDiffusion(linear_betas(), prediction_type="v")
    generator = torch.Generator().manual_seed(0)
    x0 = torch.rand(5, 3, 4, 4, generator=generator) * 2 - 1
    noise, extra = (torch.randn(5, 3, 4, 4, generator=generator) for _ in range(2))
    t = torch.tensor([1, 10, 300, 800, 1000])
    x_t = diffusion.q_sample(x0, t, noise)
    signal, sigma = diffusion.signal_and_noise(t)
    as_eps = diffusion.predict(torch.cat([noise, extra], 1), x_t, t, clip=False)
    as_v = velocity.predict(torch.cat([signal * noise - sigma * x0, extra], 1), x_t, t, clip=False)
    torch.testing.assert_close(as_v.eps, noise, rtol=0, atol=1e-5)
    torch.testing.assert_close(as_v.x0, x0, rtol=0, atol=1e-5)
    torch.testing.assert_close(as_eps.x0, x0, rtol=0, atol=1e-3)  # at t = 1000 eps is divided by 0.006
    torch.testing.assert_close(as_v.variance_fraction, as_eps.variance_fraction)


def test_the_variance_is_not_held_between_its_bounds(diffusion):
    # Nothing clamps the network's channels: a fraction beyond 0..1 has a gradient back to it and is sampled as it is.
    raw = torch.tensor([-2.0, -1.0, 0.0, 1.0, 3.0]).expand(1, 3, 1, 5)
    x_t, t, r = torch.zeros(1, 3, 1, 5), torch.tensor([500]), torch.tensor([400])
    prediction = diffusion.predict(torch.cat([x_t, raw], 1), x_t, t)
    log_variance = diffusion.reverse(prediction, x_t, t, r).log_variance
    lower, upper = diffusion.log_variance_bounds(t, r)
    expected = torch.tensor([-0.5, 0.0, 0.5, 1.0, 2.0]).expand(1, 3, 1, 5)
    torch.testing.assert_close((log_variance - lower) / (upper - lower), expected)


def test_true_noise_and_lower_variance_cost_nothing_but_the_last_term(diffusion):
    x0 = (torch.randint(0, 256, (3, 3, 8, 8), generator=torch.Generator().manual_seed(0)) / 127.5) - 1
    t = torch.tensor([2, 500, 1000])
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(1))
    output = torch.cat([noise, -torch.ones_like(noise)], 1)  # fraction 0: the posterior's own variance
    losses = diffusion.losses(output, x0, diffusion.q_sample(x0, t, noise), t, noise)
    assert losses.simple.abs().max() < 1e-10
    assert losses.vlb.abs().max() < 1e-5


def test_bound_trains_the_variance_alone(diffusion):
    x0, noise = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    t = torch.tensor([200])
    output = torch.zeros(1, 6, 4, 4, requires_grad=True)
    diffusion.losses(output, x0, diffusion.q_sample(x0, t, noise), t, noise).vlb.sum().backward()
    assert output.grad[:, :3].abs().max() == 0
    assert output.grad[:, 3:].abs().min() > 0


def test_single_term_weighs_lambda_times_T(diffusion):
    output = torch.randn(2, 6, 4, 4, generator=torch.Generator().manual_seed(0))
    x0, noise, t = torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4), torch.tensor([5, 900])
    losses = diffusion.losses(output, x0, diffusion.q_sample(x0, t, noise), t, noise, vlb_weight=0.002)
    torch.testing.assert_close(losses.total, losses.simple + 2.0 * losses.vlb)


def test_unlimited_weight_is_the_error_in_v():
    diffusion = GaussianDiffusion(cosine_betas(), prediction_type="v")
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(3, 6, 4, 4, generator=generator)
    x0, noise = torch.rand(3, 3, 4, 4, generator=generator), torch.randn(3, 3, 4, 4, generator=generator)
    t = torch.tensor([10, 500, 900])
    signal, sigma = diffusion.signal_and_noise(t)
    error_in_v = ((output[:, :3] - (signal * noise - sigma * x0)) ** 2).mean((1, 2, 3))
    x_t = diffusion.q_sample(x0, t, noise)
    losses = diffusion.losses(output, x0, x_t, t, noise, max_simple_weight=float("inf"))
    torch.testing.assert_close(losses.simple, error_in_v, rtol=1e-4, atol=0)
    plain = diffusion.losses(output, x0, x_t, t, noise).simple
    torch.testing.assert_close(plain, error_in_v * diffusion.alpha_bar(t).flatten(), rtol=1e-4, atol=0)


def test_kl_is_zero_only_for_equal_and_asymmetric():
    p = Gaussian(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1))
    q = Gaussian(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1))
    assert normal_kl(p, p).item() == 0
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(1.0, torch.tensor(1.0).exp().sqrt()), torch.distributions.Normal(0.0, 1.0)
    )
    assert normal_kl(q, p).item() == pytest.approx(expected.item(), rel=1e-6)
    assert normal_kl(p, q).item() != pytest.approx(expected.item(), rel=0.1)


def test_approximate_normal_cdf_is_as_close_as_its_docstring_says():
    z = torch.linspace(-8, 8, 100_001, dtype=torch.float64)
    assert (normal_cdf(z) - torch.special.ndtr(z)).abs().max() < 2e-4


@pytest.mark.parametrize("mean", [-2.0, 0.3, 2.0])
def test_the_256_levels_of_a_pixel_share_out_all_of_the_probability(mean):
    levels = torch.arange(256.0).view(1, 1, 1, 256) / 127.5 - 1
    p = Gaussian(torch.full_like(levels, mean), torch.zeros_like(levels))  # wide: much lies beyond -1 and 1
    assert discretized_log_likelihood(levels, p).exp().sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("betas", [linear_betas(), cosine_betas()])
def test_reverse_is_finite_at_every_end(betas):
    assert betas.max() <= 0.999
    diffusion = GaussianDiffusion(betas)
    x = torch.zeros(1, 3, 2, 2)
    prediction = Prediction(x, x, x + 0.5)
    for t, r in [(1, 0), (2, 1), (2, 0), (1000, 0), (1000, 999), (1000, 1)]:
        mean, log_variance = diffusion.reverse(prediction, x, torch.tensor([t]), torch.tensor([r]))
        assert torch.isfinite(mean).all() and torch.isfinite(log_variance).all()
        lower, upper = diffusion.log_variance_bounds(torch.tensor([t]), torch.tensor([r]))
        assert (lower <= upper).all()


@pytest.mark.parametrize(("t", "r"), [(5, 5), (5, 7), (5, -1)])
def test_steps_that_do_not_go_down_are_rejected(diffusion, t, r):
    x = torch.zeros(1, 3, 2, 2)
    with pytest.raises(ValueError, match="t > r >= 0"):
        diffusion.posterior(x, x, torch.tensor([t]), torch.tensor([r]))


def test_a_process_has_no_weights_and_its_description_cannot_change():
    assert not DiffusionConfig().build().state_dict()
    with pytest.raises(FrozenInstanceError):
        DiffusionConfig().num_timesteps = 2


def test_bad_arguments_are_rejected(diffusion):
    with pytest.raises(ValueError, match="betas"):
        GaussianDiffusion(torch.tensor([0.5, 1.5]))
    with pytest.raises(ValueError, match="'eps' or 'v'"):
        GaussianDiffusion(linear_betas(), prediction_type="x0")
    with pytest.raises(ValueError, match="6 channels, got 3"):
        diffusion.predict(torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2), torch.tensor([1]))
    with pytest.raises(ValueError, match="schedule"):
        DiffusionConfig(schedule="quadratic")
    with pytest.raises(ValueError, match="num_timesteps must be at least 2, got 1"):
        DiffusionConfig(num_timesteps=1)
