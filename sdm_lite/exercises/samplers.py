"""Exercises of the lesson "Samplers": the loop of a sampler, line 5 of Algorithm 2 made right, and noise in doses.

r is the earlier of the two times of a step, as in the notebook, where s is the guidance scale.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sdm_lite.diffusion import GaussianDiffusion, Prediction, linear_betas
from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, on, steps
from sdm_lite.sampling import SampleNoise, last, sample_ddpm, times, timestep_pairs

PROCESS = GaussianDiffusion(linear_betas())
SHAPE, NUM_STEPS = (3, 4, 4), 5


def _denoise(x_t: Tensor, t: Tensor) -> Prediction:
    """What any network could say: it depends on x_t and on t, and the variance fraction lies between its bounds."""
    x0 = torch.tanh(0.7 * x_t + t[:, None, None, None] / 2000)
    return Prediction(PROCESS.eps_from_x0(x0, x_t, t), x0, torch.sigmoid(x_t))


def _start() -> tuple[SampleNoise, Tensor]:
    noise = SampleNoise([0, 1])
    return noise, noise(SHAPE)


def _sampled(answer: Callable[..., Tensor]) -> Tensor:
    """A picture by somebody's loop: the starting noise and the fresh noise are always the same."""
    noise, x_T = _start()
    pairs = timestep_pairs(PROCESS.num_timesteps, NUM_STEPS)
    return answer(_denoise, PROCESS, x_T, pairs, lambda: noise(SHAPE))


def _package_loop(denoise: Any, diffusion: GaussianDiffusion, x_T: Tensor, pairs: Any, fresh: Any) -> Tensor:
    noise, x_T = _start()
    return last(sample_ddpm(denoise, diffusion, x_T, len(pairs), noise=noise))


def _loop(
    *,
    width: Callable[[Tensor], Tensor] = lambda log_variance: torch.exp(log_variance / 2),
    asked: str = "t",
    stops: bool = True,
    back: Callable[..., Any] = GaussianDiffusion.reverse,
    earlier: str = "r",
) -> Callable[..., Tensor]:
    """Ancestral sampling, or with other arguments what one may take for it."""

    def answer(denoise: Any, diffusion: GaussianDiffusion, x_T: Tensor, pairs: Any, fresh: Any) -> Tensor:
        x = x_T
        for now, then in pairs:
            t, r = times(x, now, then if earlier == "r" else now - 1)
            prediction = denoise(x, t if asked == "t" else r.clamp(min=1))
            mean, log_variance = back(diffusion, prediction, x, t, r)
            z = fresh()
            x = mean + width(log_variance) * (z if then > 0 or not stops else 0 * z)
        return x

    return answer


def _posterior(diffusion: GaussianDiffusion, prediction: Prediction, x: Tensor, t: Tensor, r: Tensor) -> Any:
    return diffusion.posterior(prediction.x0, x, t, r)


LOOP = Exercise(
    title="the loop of a sampler",
    level="medium",
    hints=(
        "Each turn: ask denoise(x, t), hand what it says to diffusion.reverse(prediction, x, t, r), "
        "draw from that normal distribution.",
        "reverse gives a mean and a *log*-variance. Of a normal with these, mean + torch.exp(log_variance / 2) * z is "
        "a draw, for standard normal z.",
        "z = fresh() at every step but the last: where the number then is 0, the picture is finished, at the mean.",
    ),
    right=_package_loop,
    slips=(
        Slip(
            _loop(width=torch.exp),
            "noise is multiplied by a standard deviation: the root of the variance, torch.exp(log_variance / 2).",
        ),
        Slip(_loop(width=lambda v: v), "log_variance is a logarithm: torch.exp(log_variance / 2) is what noise takes."),
        Slip(_loop(width=torch.zeros_like), "no fresh noise is added: every draw would be the mean."),
        Slip(_loop(stops=False), "the last step still adds noise: at r = 0 the picture is finished, take the mean."),
        Slip(_loop(asked="r"), "the network is asked about r; x is noisy as at t."),
        Slip(
            _loop(earlier="t-1"),
            "the step goes to r, not to t - 1: with 5 steps of 1000 each is 200 wide, and x would be left at t - 1.",
        ),
        Slip(
            _loop(back=_posterior),
            "the mean is right, the variance is the lower bound: diffusion.reverse has the learned one.",
        ),
    ),
    ask=_sampled,
)

BETAS = linear_betas()
VARIANCES = torch.linspace(0.001, 0.02, 1000, dtype=torch.float64, device="cpu")


def _line_5_cases() -> list[tuple]:
    y, eps, z = (normal(1, 3, 4, 4, seed=seed) for seed in range(3))
    abar = torch.cumprod(1 - BETAS, 0)
    return [(y, eps, BETAS[t - 1].item(), abar[t - 1].item(), VARIANCES[t - 1].item(), z) for t in (10, 400, 900)]


def line_5(x_t: Tensor, eps: Tensor, beta_t: float, alpha_bar: float, variance: float, z: Tensor) -> Tensor:
    """Line 5 of Algorithm 2, made right, with the paper's ingredients."""
    return (x_t - beta_t / (1 - alpha_bar) ** 0.5 * eps) / (1 - beta_t) ** 0.5 + variance**0.5 * z


def _as_printed(x_t: Tensor, eps: Tensor, beta_t: float, alpha_bar: float, variance: float, z: Tensor) -> Tensor:
    return (x_t - (1 - alpha_bar) / (1 - beta_t) ** 0.5 * eps + variance**0.5 * z) / alpha_bar**0.5


REPAIR_LINE_5 = Exercise(
    title="repair line 5",
    level="easy",
    hints=(
        "Three places: the prefactor, the factor of eps, and where z is added.",
        "A step undoes one step: the prefactor is 1 / sqrt(1 - beta_t).",
        "The factor of eps is beta_t / sqrt(1 - alpha_bar); and nothing multiplies sqrt(variance) * z.",
    ),
    right=line_5,
    slips=(
        Slip(_as_printed, "that is the line as printed, with all three bugs."),
        Slip(
            lambda x, eps, beta, abar, var, z: (x - beta / (1 - abar) ** 0.5 * eps + var**0.5 * z) / (1 - beta) ** 0.5,
            "z still stands inside the bracket, where the prefactor enlarges it.",
        ),
        Slip(
            lambda x, eps, beta, abar, var, z: (x - beta / (1 - abar) ** 0.5 * eps) / abar**0.5 + var**0.5 * z,
            "the prefactor undoes all steps at once: one step's is 1 / sqrt(1 - beta_t).",
        ),
        Slip(
            lambda x, eps, beta, abar, var, z: (x - beta / (1 - beta) ** 0.5 * eps) / (1 - beta) ** 0.5 + var**0.5 * z,
            "the factor of eps divides by the size of *all* the noise in x_t, sqrt(1 - alpha_bar).",
        ),
        Slip(
            lambda x, eps, beta, abar, var, z: (x - beta / (1 - abar) ** 0.5 * eps) / (1 - beta) ** 0.5 + var * z,
            "noise is multiplied by a standard deviation, the root of the variance.",
        ),
        Slip(
            lambda x, eps, beta, abar, var, z: (x - (1 - abar) ** 0.5 * eps) / (1 - beta) ** 0.5 + var**0.5 * z,
            "the numerator takes away the noise of all steps; one step's share of it is beta_t.",
        ),
    ),
    ask=on(*_line_5_cases()),
)

X_0, EPS, Z = (normal(1, 3, 4, 4, seed=seed) for seed in range(3))
LEVELS = [PROCESS.alpha_bar(steps(t)).item() for t in (600, 500)]


def _dose(
    posterior_variance: Callable[[float, float], float] = lambda t, r: (1 - r) / (1 - t) * (1 - t / r),
    left: Callable[[float, float], float] = lambda r, sigma: (1 - r - sigma**2) ** 0.5,
    eta_of: Callable[[float, float], float] = lambda eta, variance: eta * variance**0.5,
) -> Callable[..., Tensor]:
    """DDIM's step with some noise, or with other arguments what one may take for it."""

    def answer(x0: Tensor, eps: Tensor, z: Tensor, alpha_bar_t: float, alpha_bar_r: float, eta: float) -> Tensor:
        sigma = eta_of(eta, posterior_variance(alpha_bar_t, alpha_bar_r))
        return alpha_bar_r**0.5 * x0 + left(alpha_bar_r, sigma) * eps + sigma * z

    return answer


SPOONFUL = Exercise(
    title="noise by the spoonful",
    level="medium",
    hints=(
        "x_0 keeps the weight that it has in DDIM's step, the root of alpha_bar_r. Then sigma: eta times the *root* of "
        "the posterior's variance.",
        "The variances add up to 1 - alpha_bar_r: eps gets the root of what sigma^2 leaves of it.",
        "The posterior's variance is (1 - alpha_bar_r) / (1 - alpha_bar_t) * (1 - alpha_bar_t / alpha_bar_r); three "
        "terms are added, of x_0, of eps and of z.",
    ),
    right=_dose(),
    slips=(
        Slip(
            _dose(left=lambda r, sigma: (1 - r) ** 0.5),
            "eps still has all of its weight; fresh noise on top makes too much: take sigma^2 from 1 - alpha_bar_r.",
        ),
        Slip(
            _dose(left=lambda r, sigma: (1 - r) ** 0.5 - sigma),
            "variances add up, not standard deviations: the root of 1 - alpha_bar_r - sigma^2.",
        ),
        Slip(
            _dose(eta_of=lambda eta, variance: eta * variance),
            "sigma is a standard deviation: eta times the root of the variance.",
        ),
        Slip(
            _dose(posterior_variance=lambda t, r: 1 - t / r),
            "that is beta, of the forward step; the posterior's is less: (1 - alpha_bar_r) / (1 - alpha_bar_t).",
        ),
        Slip(
            _dose(posterior_variance=lambda t, r: (1 - t) / (1 - r) * (1 - t / r)),
            "the posterior's variance is upside down: 1 - alpha_bar_r, the smaller, is in the numerator.",
        ),
    ),
    ask=on(*((X_0, EPS, Z, *LEVELS, eta) for eta in (0.0, 0.5, 1.0))),
)

LESSON = Lesson((LOOP, REPAIR_LINE_5, SPOONFUL))
check, hint = LESSON.check, LESSON.hint
