"""The bound is the entropy where the model is the truth, more where it is not, and its estimate has no bias."""

import math

import pytest
import torch

from sdm_lite.bound import (
    VARIANCES,
    evaluate_bound,
    fixed_large,
    fixed_small,
    learned,
    prior_term,
    timestep_strata,
)
from sdm_lite.bound.__main__ import main
from sdm_lite.diffusion import LOG_2, GaussianDiffusion, Prediction, cosine_betas, linear_betas

STD = 0.25  # of the toy data: normal, wide beside a pixel's level and narrow beside [-1, 1]


def toy_images(num, seed=0):
    """Independent normal pixels on the 256 levels: (N, 3, 16, 16)."""
    noise = torch.randn(num, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    return ((STD * noise).clamp(-1, 1) * 127.5 + 127.5).round() / 127.5 - 1


def exact_denoiser(diffusion):
    """The best prediction there is for such pixels, with the true variance of x_{t-1} given x_t."""

    def denoise(x_t, t):
        alpha_bar = diffusion.alpha_bar(t)
        total = alpha_bar * STD**2 + 1 - alpha_bar  # variance of x_t
        x0 = alpha_bar.sqrt() * STD**2 / total * x_t
        left = STD**2 * (1 - alpha_bar) / total  # variance of x_0 given x_t
        s = t - 1
        ratio = torch.exp(diffusion.log_alpha_bar(t, s))
        of_x0 = torch.exp(diffusion.log_alpha_bar(s) / 2) * (1 - ratio) / (1 - alpha_bar)
        lower, upper = diffusion.log_variance_bounds(t, s)
        posterior = (1 - ratio) * (1 - diffusion.alpha_bar(s)) / (1 - alpha_bar)
        fraction = (torch.log(posterior + of_x0**2 * left) - lower) / (upper - lower)
        return Prediction(diffusion.eps_from_x0(x0, x_t, t), x0, fraction.expand_as(x_t))

    return denoise


@pytest.fixture(scope="module")
def toy():
    diffusion = GaussianDiffusion(linear_betas(100))
    return diffusion, exact_denoiser(diffusion), toy_images(8)


def test_the_bound_of_the_true_model_is_the_entropy(toy):
    diffusion, denoiser, x0 = toy
    bound = evaluate_bound(denoiser, diffusion, x0)["learned"]
    # Differential entropy of the pixels, and how finely the levels (2 / 255 wide) cut them.
    entropy = (0.5 * math.log(2 * math.pi * math.e * STD**2) - math.log(2 / 255)) / LOG_2
    assert bound.total.mean().item() == pytest.approx(entropy, abs=0.06)
    # Nearer still is what these very pixels cost under the true density.
    nats = 0.5 * math.log(2 * math.pi * STD**2) + (x0.double() ** 2).mean() / (2 * STD**2) - math.log(2 / 255)
    assert bound.total.mean().item() == pytest.approx(nats.item() / LOG_2, abs=0.05)


def test_the_parts_make_the_whole_and_are_not_negative(toy):
    diffusion, denoiser, x0 = toy
    for bound in evaluate_bound(denoiser, diffusion, x0, num_strata=20).values():
        torch.testing.assert_close(bound.total, bound.prior + bound.steps + bound.decoder)
        assert all(bool((part >= 0).all()) for part in bound)


def test_fixed_variances_cost_more_than_the_true_one(toy):
    diffusion, denoiser, x0 = toy
    bounds = evaluate_bound(denoiser, diffusion, x0)
    assert list(bounds) == list(VARIANCES)
    true, small, large = (bounds[name].total for name in VARIANCES)
    # Pixels of such a small variance leave the truth between beta~ and beta.
    assert bool((true < small).all()) and bool((true < large).all())


def test_fixed_variances_are_the_two_bounds():
    fraction = torch.rand(2, 3, 4, 4)
    prediction = Prediction(fraction, fraction, fraction)
    assert learned(prediction) is prediction
    assert bool((fixed_small(prediction).variance_fraction == 0).all())
    assert bool((fixed_large(prediction).variance_fraction == 1).all())


def test_an_estimate_from_few_timesteps_has_no_bias(toy):
    diffusion, denoiser, x0 = toy

    def mean_and_error(num_strata, num_seeds):
        totals = [
            evaluate_bound(denoiser, diffusion, x0, variances={"large": fixed_large}, num_strata=num_strata, seed=seed)
            for seed in range(num_seeds)
        ]
        means = torch.stack([total["large"].total.mean() for total in totals])
        return means.mean(), means.std() / num_seeds**0.5

    (whole, whole_error), (estimate, error) = mean_and_error(None, 5), mean_and_error(12, 20)
    assert abs(estimate - whole) < 4 * (error**2 + whole_error**2) ** 0.5
    assert error < 0.05  # and is worth having


def test_every_stratum_has_times_and_noise_of_its_own(toy):
    diffusion, denoise, x0 = toy
    strata, times, noises, terms = timestep_strata(100, 6), [], [], []

    def listening(x_t, t):
        signal, sigma = diffusion.signal_and_noise(t)
        prediction = denoise(x_t, t)
        times.append(t)
        noises.append(((x_t - signal * x0) / sigma).flatten())
        terms.append(diffusion.vlb_term(prediction, x0, x_t, t).double())
        return prediction

    bound = evaluate_bound(listening, diffusion, x0, num_strata=6)["learned"]
    for (low, high), t in zip([(1, 1), *strata], times, strict=True):
        assert low <= t.min() and t.max() <= high
    # The first is the decoder's term; each of the others stands for its stratum.
    torch.testing.assert_close(bound.decoder, terms[0])
    lengths = [high - low + 1 for low, high in strata]
    torch.testing.assert_close(bound.steps, sum(map(torch.mul, lengths, terms[1:])))
    alike = torch.corrcoef(torch.stack(noises)) - torch.eye(7)
    assert alike.abs().max() < 4 / len(noises[0]) ** 0.5


def test_the_prior_term_is_the_closed_form():
    diffusion = GaussianDiffusion(cosine_betas(50)[:30])  # cut short, so that some of the image is left at its end
    x0 = toy_images(2)
    alpha_bar = diffusion.alpha_bar(torch.tensor([30])).double().item()
    assert 0.2 < alpha_bar < 0.8
    expected = 0.5 * (alpha_bar * x0.double() ** 2 + (1 - alpha_bar) - 1 - math.log(1 - alpha_bar)).mean((1, 2, 3))
    torch.testing.assert_close(prior_term(diffusion, x0).double(), expected / LOG_2, atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize(("T", "num"), [(1000, 1), (1000, 32), (1000, 999), (1000, None), (10, 7), (2, 1)])
def test_strata_cover_every_timestep_once(T, num):
    strata = timestep_strata(T, num)
    assert [t for low, high in strata for t in range(low, high + 1)] == list(range(2, T + 1))
    assert len(strata) == (T - 1 if num is None else num)


def test_a_wrong_number_of_strata_is_told():
    for num in (0, 1000):
        with pytest.raises(ValueError, match=f"num_strata must be from 1 to 999 .*got {num}"):
            timestep_strata(1000, num)


def test_a_network_that_has_diverged_has_no_bound(toy):
    diffusion, denoise, images = toy

    def diverged(x_t, t):
        return denoise(x_t, t)._replace(x0=torch.full_like(x_t, math.nan))

    with pytest.raises(ValueError, match="the bound is nan: .* its training has diverged"):
        evaluate_bound(diverged, diffusion, images, num_strata=2)


def test_the_command_prints_a_table_and_tells_what_is_wrong(capsys):
    assert main(["scenes-32", "--num-images", "2", "--num-strata", "2", "--device", "cpu"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in VARIANCES) and "learned saves" in told and "bits/dim" in told
    assert "95 % percentile bootstrap over 2 pictures" in told
    for line, message in (
        (["nothing"], "no weights called"),
        (["scenes-32", "--num-images", "1"], "num_images must be at least 2"),
        (["scenes-32", "--num-images", "2", "--num-strata", "5000"], "num_strata must be from 1 to 999"),
        (["scenes-32", "--device", "tpu9"], "device 'tpu9' cannot be used here"),
    ):
        assert main(["--device", "cpu", *line]) == 2
        assert message in capsys.readouterr().err
