"""Exercises of the lesson "Forward diffusion": the jump, the way back, and what follows from the two."""

from collections.abc import Callable

from torch import Tensor

from sdm_lite.diffusion import GaussianDiffusion, linear_betas
from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, on, steps

PROCESS = GaussianDiffusion(linear_betas())
T, R = steps(7, 300, 900), steps(3, 40, 250)  # (3,) each
ABAR_T, ABAR_R = PROCESS.alpha_bar(T), PROCESS.alpha_bar(R)  # (3, 1, 1, 1) each
X_0, X_T, NOISE = (normal(3, 3, 4, 4, seed=seed) for seed in range(3))

Q_SAMPLE = Exercise(
    title="write `q_sample`",
    level="easy",
    hints=(
        "x_t is a weighted sum of x_0 and the noise; the formula above names both weights.",
        "alpha_bar is a share of *variance*. What multiplies a picture is its square root: alpha_bar.sqrt().",
        "alpha_bar.sqrt() * x_0 + (1 - ...).sqrt() * noise. What fills the gap, so that the variance stays 1?",
    ),
    right=lambda x_0, alpha_bar, noise: alpha_bar.sqrt() * x_0 + (1 - alpha_bar).sqrt() * noise,
    slips=(
        Slip(
            lambda x_0, alpha_bar, noise: alpha_bar * x_0 + (1 - alpha_bar) * noise,
            "the square roots are missing: variances add up to 1 here, and a weight is the root of a variance.",
        ),
        Slip(
            lambda x_0, alpha_bar, noise: alpha_bar.sqrt() * x_0 + (1 - alpha_bar) * noise,
            "the noise's weight lacks its square root.",
        ),
        Slip(
            lambda x_0, alpha_bar, noise: alpha_bar.sqrt() * x_0 + (1 - alpha_bar.sqrt()) * noise,
            "take the root of 1 - alpha_bar, not 1 less the root: the squares of the weights sum to 1.",
        ),
        Slip(
            lambda x_0, alpha_bar, noise: (1 - alpha_bar).sqrt() * x_0 + alpha_bar.sqrt() * noise,
            "picture and noise have each other's weight: at t = 0, alpha_bar = 1, there must be picture alone.",
        ),
        Slip(
            lambda x_0, alpha_bar, noise: alpha_bar.sqrt() * x_0 - (1 - alpha_bar).sqrt() * noise,
            "the noise has the wrong sign. As a sample that is as good, but it is not *this* noise that the network "
            "will be asked for.",
        ),
    ),
    ask=on((X_0, ABAR_T, NOISE)),
)


def posterior_mean(x_0: Tensor, x_t: Tensor, alpha_bar_t: Tensor, alpha_bar_r: Tensor) -> Tensor:
    """The mean of q(x_r | x_t, x_0) by its formula; the package's own, from tables, is what it is held against."""
    beta = 1 - alpha_bar_t / alpha_bar_r
    of_x0 = alpha_bar_r.sqrt() * beta / (1 - alpha_bar_t)
    return of_x0 * x_0 + (1 - beta).sqrt() * (1 - alpha_bar_r) / (1 - alpha_bar_t) * x_t


def _weights(
    of_x0: Callable[[Tensor, Tensor, Tensor], Tensor], of_xt: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> Callable[..., Tensor]:
    """A posterior mean with weights of one's own, each a function of (alpha_bar_t, alpha_bar_r, beta)."""

    def mean(x_0: Tensor, x_t: Tensor, alpha_bar_t: Tensor, alpha_bar_r: Tensor) -> Tensor:
        known = alpha_bar_t, alpha_bar_r, 1 - alpha_bar_t / alpha_bar_r
        return of_x0(*known) * x_0 + of_xt(*known) * x_t

    return mean


def _of_x0(t: Tensor, r: Tensor, beta: Tensor) -> Tensor:
    return r.sqrt() * beta / (1 - t)


def _of_xt(t: Tensor, r: Tensor, beta: Tensor) -> Tensor:
    return (1 - beta).sqrt() * (1 - r) / (1 - t)


POSTERIOR_MEAN = Exercise(
    title="the posterior mean",
    level="easy",
    hints=(
        "First beta, the noise added on the way from r to t: how much of the signal at r is left at t?",
        "beta = 1 - alpha_bar_t / alpha_bar_r. The rest is the formula above, a weight for x_0 and one for x_t, both "
        "over 1 - alpha_bar_t.",
        "Try the ends: with r = 0 (alpha_bar_r = 1) the mean must be x_0 itself, whatever x_t is.",
    ),
    right=posterior_mean,
    slips=(
        Slip(
            _weights(_of_xt, _of_x0),
            "x_0 and x_t have each other's weight: where r = 0 the mean must be x_0.",
        ),
        Slip(
            _weights(lambda t, r, beta: t.sqrt() * beta / (1 - t), _of_xt),
            "x_0's weight has the root of alpha_bar_t; it asks where the picture was at r.",
        ),
        Slip(
            _weights(lambda t, r, beta: r * beta / (1 - t), _of_xt),
            "x_0's weight lacks the square root of alpha_bar_r.",
        ),
        Slip(
            _weights(_of_x0, lambda t, r, beta: (1 - beta) * (1 - r) / (1 - t)),
            "x_t's weight lacks the square root of 1 - beta.",
        ),
        Slip(
            _weights(_of_x0, lambda t, r, beta: (1 - beta).sqrt()),
            "x_t's weight lacks (1 - alpha_bar_r) / (1 - alpha_bar_t): 1 - alpha_bar_r in the numerator.",
        ),
        Slip(
            _weights(lambda t, r, beta: _of_x0(t, r, 1 - t), lambda t, r, beta: t.sqrt() * (1 - r) / (1 - t)),
            "beta = 1 - alpha_bar_t is the noise of the whole way from 0; here it is that from r to t alone.",
        ),
        Slip(_weights(_of_x0, lambda t, r, beta: -_of_xt(t, r, beta)), "x_t's weight has the wrong sign: both pull."),
    ),
    ask=on((X_0, X_T, ABAR_T, ABAR_R), (X_0[:1], X_T[:1], ABAR_T[1:2], ABAR_T[1:2] ** 0)),
)


class OnlyAlphaBar:
    """A process of which only `alpha_bar` may be used; whoever asks for more reads this name."""

    alpha_bar = staticmethod(PROCESS.alpha_bar)


def jump(diffusion: GaussianDiffusion, x_r: Tensor, r: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """From x_r to x_t."""
    ratio = diffusion.alpha_bar(t) / diffusion.alpha_bar(r)
    return ratio.sqrt() * x_r + (1 - ratio).sqrt() * noise


JUMP = Exercise(
    title="jump from the middle",
    level="medium",
    hints=(
        "The factors 1 - beta of the steps between r and t multiply to a number. Which quotient of alpha_bar is it?",
        "With that ratio it is `q_sample` once more: ratio in the place of alpha_bar, x_r in that of x_0.",
    ),
    right=jump,
    slips=(
        Slip(
            lambda diffusion, x_r, r, t, noise: (
                diffusion.alpha_bar(t).sqrt() * x_r + (1 - diffusion.alpha_bar(t)).sqrt() * noise
            ),
            "that is the jump from x_0. x_r has lost a part of its signal already.",
        ),
        Slip(
            lambda diffusion, x_r, r, t, noise: (
                (diffusion.alpha_bar(t) / diffusion.alpha_bar(r)).sqrt() * x_r
                + (1 - diffusion.alpha_bar(t)).sqrt() * noise
            ),
            "x_r has noise in it already, so less than 1 - alpha_bar_t is added.",
        ),
        Slip(
            lambda diffusion, x_r, r, t, noise: (
                (diffusion.alpha_bar(t) / diffusion.alpha_bar(r)).sqrt() * x_r
                + (diffusion.alpha_bar(r) - diffusion.alpha_bar(t)).sqrt() * noise
            ),
            "the noise that x_r has is shrunk on the way too; so what is added is more than the difference.",
        ),
    ),
    ask=on((OnlyAlphaBar, X_0, R, T, NOISE)),
)

LARGE_PICTURES = Exercise(
    title="why large pictures need more noise",
    level="open",
    hints=(
        "The mean of k * k independent numbers has 1 / k^2 of their variance: so much less noise is seen.",
        "The large picture's signal-to-noise ratio must be that of the small one, divided by k^2.",
        "SNR = alpha_bar / (1 - alpha_bar); turned round, alpha_bar = SNR / (1 + SNR).",
    ),
    right=lambda alpha_bar, k: alpha_bar / (alpha_bar + k**2 * (1 - alpha_bar)),
    slips=(
        Slip(
            lambda alpha_bar, k: alpha_bar / (alpha_bar + k * (1 - alpha_bar)),
            "k * k pixels are averaged, not k.",
        ),
        Slip(
            lambda alpha_bar, k: alpha_bar * k**2 / (alpha_bar * k**2 + 1 - alpha_bar),
            "the other way round: the large picture is given *more* noise, a smaller alpha_bar.",
        ),
        Slip(
            lambda alpha_bar, k: alpha_bar / k**2,
            "it is the ratio of signal to noise that is divided by k^2, not the signal's share.",
        ),
    ),
    ask=on((0.3, 4), (0.9, 2)),
    tolerance=1e-6,
)


def variance_between(variance_0: float, alpha_bar_r: float, alpha_bar_t: float) -> float:
    """Var(x_r | x_t) for normal data of variance variance_0."""
    variance_r, variance_t = (variance_0 * a + 1 - a for a in (alpha_bar_r, alpha_bar_t))
    covariance = (alpha_bar_t / alpha_bar_r) ** 0.5 * variance_r
    return variance_r - covariance**2 / variance_t


def _bounds(alpha_bar_r: float, alpha_bar_t: float) -> tuple[float, float]:
    """Lower and upper bound of Var(x_r | x_t)."""
    beta = 1 - alpha_bar_t / alpha_bar_r
    return (1 - alpha_bar_r) / (1 - alpha_bar_t) * beta, beta


BETWEEN_THE_BOUNDS = Exercise(
    title="where between the bounds?",
    level="open",
    hints=(
        "x_r and x_t are jointly normal: Var(x_r | x_t) = Var(x_r) - Cov(x_r, x_t)^2 / Var(x_t).",
        "Var(x_r) = variance_0 * alpha_bar_r + 1 - alpha_bar_r; likewise at t.",
        "x_t is sqrt(alpha_bar_t / alpha_bar_r) x_r plus fresh noise: that gives the covariance.",
    ),
    right=variance_between,
    slips=(
        Slip(
            lambda variance_0, alpha_bar_r, alpha_bar_t: variance_0 * alpha_bar_r + 1 - alpha_bar_r,
            "that is the variance of x_r; what x_t tells of it is still to be taken away.",
        ),
        Slip(
            lambda variance_0, alpha_bar_r, alpha_bar_t: _bounds(alpha_bar_r, alpha_bar_t)[0],
            "that is the lower bound, the answer for variance_0 = 0; where is variance_0?",
        ),
        Slip(
            lambda variance_0, alpha_bar_r, alpha_bar_t: _bounds(alpha_bar_r, alpha_bar_t)[1],
            "that is the upper bound, the answer for variance_0 = 1; where is variance_0?",
        ),
        Slip(
            lambda variance_0, *levels: (1 - variance_0) * _bounds(*levels)[0] + variance_0 * _bounds(*levels)[1],
            "it meets both bounds, but between them the variance is not the straight line: begin with that of x_r.",
        ),
        Slip(
            lambda variance_0, *levels: _bounds(*levels)[0] ** (1 - variance_0) * _bounds(*levels)[1] ** variance_0,
            "it meets both bounds, but between them the logarithm does not go straight: begin with that of x_r.",
        ),
    ),
    ask=on((0.0, 0.5, 0.2), (1.0, 0.5, 0.2), (0.3, 0.9, 0.01)),
    tolerance=1e-6,
)

LESSON = Lesson((Q_SAMPLE, POSTERIOR_MEAN, JUMP, LARGE_PICTURES, BETWEEN_THE_BOUNDS))
check, hint = LESSON.check, LESSON.hint
