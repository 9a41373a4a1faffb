"""Exercises of the lesson "From one number to a bound": a KL, a square completed, the bound put together, a weight."""

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from sdm_lite.diffusion import Gaussian, normal_kl
from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, on

SHIFT = Exercise(
    title="the price of a shift",
    level="easy",
    hints=(
        "With equal variances the first three terms of the formula are 1 - log 1 - 1: nothing. What is left?",
        "The KL is d^2 / (2 variance) nats; one bit is log 2 nats. Solve for d.",
    ),
    right=lambda variance: (1 / (2 * variance), math.sqrt(2 * variance * math.log(2))),
    slips=(
        Slip(
            lambda variance: (1 / variance, math.sqrt(variance * math.log(2))),
            "the half in front of the formula is missing.",
        ),
        Slip(
            lambda variance: (1 / (2 * variance), math.sqrt(2 * variance)),
            "that d costs one nat; a bit is log 2 = 0.693 nats.",
        ),
        Slip(
            lambda variance: (1 / (2 * variance), math.sqrt(2 * variance / math.log(2))),
            "a bit is less than a nat: one bit is log 2 = 0.693 nats, so d is smaller, not larger, than at one nat.",
        ),
        Slip(
            lambda variance: (1 / (2 * variance**2), variance * math.sqrt(2 * math.log(2))),
            "it is the variance already: the squared shift is divided by it, not by its square.",
        ),
    ),
    ask=on((0.25,), (1.0,), (3.0,)),
)


def product(mean_1: float, variance_1: float, mean_2: float, variance_2: float) -> tuple[float, float]:
    """The mean and the variance of a product of two normal densities, divided by its area."""
    variance = 1 / (1 / variance_1 + 1 / variance_2)
    return variance * (mean_1 / variance_1 + mean_2 / variance_2), variance


PRODUCT = Exercise(
    title="two witnesses",
    level="medium",
    hints=(
        "Add the two exponents and collect x^2: its coefficient, 1 / variance_1 + 1 / variance_2, is 1 divided by the "
        "new variance.",
        "The coefficient of -2 x is mean_1 / variance_1 + mean_2 / variance_2: the new mean divided by the new "
        "variance.",
    ),
    right=product,
    slips=(
        Slip(
            lambda a, A, b, B: ((a / A + b / B) / (1 / A + 1 / B), A + B),
            "that is the variance of a sum of two numbers; here densities are multiplied, and precisions add, each 1 "
            "divided by a variance.",
        ),
        Slip(
            lambda a, A, b, B: ((a + b) / 2, 1 / (1 / A + 1 / B)),
            "the mean is half-way only if both are equally sure: weigh each by its precision.",
        ),
        Slip(
            lambda a, A, b, B: ((a * A + b * B) / (A + B), 1 / (1 / A + 1 / B)),
            "weighed the wrong way round: the *narrower* one has more say.",
        ),
        Slip(
            lambda a, A, b, B: (product(a, A, b, B)[0], 1 / A + 1 / B),
            "that is the precision; the variance is 1 divided by it.",
        ),
        Slip(
            lambda a, A, b, B: (a / A + b / B, product(a, A, b, B)[1]),
            "that is the mean divided by the variance, the coefficient B of line 2: divide it by the precision, A.",
        ),
    ),
    ask=on((0.0, 1.0, 1.0, 1.0), (0.3, 0.5, -1.0, 2.0), (2.0, 0.1, -0.5, 0.4)),
)


def _gaussian(seed: int) -> Gaussian:
    return Gaussian(normal(4, 1, 1, 1, seed=seed), normal(4, 1, 1, 1, seed=seed + 100) / 2)


def log_likelihood(x: Tensor, p: Gaussian) -> Tensor:
    """The logarithm of a normal density at x."""
    return -0.5 * ((x - p.mean) ** 2 * (-p.log_variance).exp() + p.log_variance + math.log(2 * math.pi))


def _bound(
    kl: Callable[[Gaussian, Gaussian], Tensor] = normal_kl,
    step_kl: Callable[[Gaussian, Gaussian], Tensor] | None = None,
    sign: float = 1.0,
    last: float = 1.0,
    prior: float = 1.0,
    unit: float = math.log(2),
    likelihood: Callable[[Tensor, Gaussian], Tensor] = log_likelihood,
) -> Callable[..., Tensor]:
    """Line (e), or with other arguments what one may take for it."""

    def answer(
        x_0: Tensor,
        q_T: Gaussian,
        p_T: Gaussian,
        q_steps: Sequence[Gaussian],
        p_steps: Sequence[Gaussian],
        p_0: Gaussian,
    ) -> Tensor:
        total = prior * kl(q_T, p_T) - last * likelihood(x_0, p_0)
        for q, p in zip(q_steps, p_steps, strict=True):
            total = total + (step_kl or kl)(q, p)
        return sign * total / unit

    return answer


BOUND = Exercise(
    title="put the bound together",
    level="medium",
    hints=(
        "Three kinds of terms: normal_kl(q_T, p_T), normal_kl(q, p) for each step, and -log p(x_0 | x_1).",
        "The last one is no KL: -log of a normal density is (x_0 - mean)^2 / (2 variance) + log(2 pi variance) / 2.",
        "All are in nats; bits are nats divided by log 2.",
    ),
    right=_bound(),
    slips=(
        Slip(
            _bound(kl=lambda q, p: normal_kl(p, q)),
            "the KLs are the wrong way round: the true distribution, q, stands first. (Eq. 12 has this slip.)",
        ),
        Slip(
            _bound(step_kl=lambda q, p: normal_kl(p, q)),
            "the KLs of the steps are the wrong way round: the true distribution, q, stands first.",
        ),
        Slip(_bound(unit=1.0), "that is in nats; bits are nats divided by log 2."),
        Slip(_bound(unit=1 / math.log(2)), "nats become bits by division by log 2: there are more bits than nats."),
        Slip(_bound(last=0.0), "the last step is missing: -log p(x_0 | x_1)."),
        Slip(_bound(last=-1.0), "the last step has the wrong sign: a likely x_0 makes the surprise small."),
        Slip(_bound(prior=0.0), "the end of the noise is missing: KL(q(x_T | x_0) || p(x_T))."),
        Slip(_bound(sign=-1.0), "that is the ELBO itself: asked for is -ELBO, a surprise."),
        Slip(
            _bound(likelihood=lambda x, p: log_likelihood(x, p) + 0.5 * math.log(2 * math.pi)),
            "the density's log(2 pi) / 2 is missing: a density must integrate to 1.",
        ),
    ),
    ask=on(
        (
            normal(4, 1, 1, 1),
            _gaussian(1),
            _gaussian(2),
            [_gaussian(3), _gaussian(4)],
            [_gaussian(5), _gaussian(6)],
            _gaussian(7),
        )
    ),
)

WEIGHT = Exercise(
    title="the weight in the picture",
    level="open",
    hints=(
        "The posterior's mean has x_0 with the weight sqrt(alpha_bar_before) beta / (1 - alpha_bar_t); the KL is the "
        "squared difference of means divided by 2 beta~.",
        "beta = 1 - alpha_bar_t / alpha_bar_before and beta~ = beta (1 - alpha_bar_before) / (1 - alpha_bar_t). Put "
        "them in and simplify.",
        "It is half of what the signal-to-noise ratio loses in the step: that at t - 1 less that at t.",
    ),
    right=lambda now, before: 0.5 * (before / (1 - before) - now / (1 - now)),
    slips=(
        Slip(
            lambda now, before: before / (1 - before) - now / (1 - now),
            "the half is missing: the KL of two normals with one variance is half the squared distance divided by it.",
        ),
        Slip(
            lambda now, before: 0.5 * (now / (1 - now) - before / (1 - before)),
            "the sign: there is more signal at t - 1 than at t, and a weight is positive.",
        ),
        Slip(
            lambda now, before: (1 - now / before) ** 2 / (2 * (1 - now / before) * (1 - before) * now / before),
            "that is the weight of the error in the noise; x_0's is that times alpha_bar_t / (1 - alpha_bar_t).",
        ),
        Slip(
            lambda now, before: before * (1 - now / before) / (2 * (1 - now) ** 2),
            "that has the upper bound of the variance, beta, where the lower, beta~, was asked for.",
        ),
    ),
    ask=on((0.5, 0.6), (0.02, 0.03), (0.98, 0.99)),
)

LESSON = Lesson((SHIFT, PRODUCT, BOUND, WEIGHT))
check, hint = LESSON.check, LESSON.hint
