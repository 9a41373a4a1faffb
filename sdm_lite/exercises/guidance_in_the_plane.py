"""Exercises of the lesson "Guidance in the plane": guided noise from scores, a normal tilted, what a sampler does."""

from collections.abc import Callable, Sequence

from torch import Tensor

from sdm_lite.diffusion import GaussianDiffusion, linear_betas
from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, on


def guided_eps(score_c: Tensor, score_null: Tensor, alpha_bar: float, s: float) -> Tensor:
    """The guided noise out of two scores."""
    return -((1 - alpha_bar) ** 0.5) * (score_null + s * (score_c - score_null))


SCORES = normal(6, 2), normal(6, 2, seed=1)

GUIDED_EPS = Exercise(
    title="from scores to guided noise",
    level="easy",
    hints=(
        "Turn each score into noise first: eps = -sqrt(1 - alpha_bar) times the score, with the label and without.",
        "The factor is the same for both: guide the scores, score_null + s (score_c - score_null), and multiply once.",
    ),
    right=guided_eps,
    slips=(
        Slip(
            lambda c, null, alpha_bar, s: null + s * (c - null),
            "that is the guided score; noise is -sqrt(1 - alpha_bar) times it.",
        ),
        Slip(
            lambda c, null, alpha_bar, s: -guided_eps(c, null, alpha_bar, s),
            "the sign: noise leads away from data, the score leads back.",
        ),
        Slip(
            lambda c, null, alpha_bar, s: guided_eps(c, null, alpha_bar, s) * (1 - alpha_bar) ** 0.5,
            "the factor is a standard deviation, the root of 1 - alpha_bar.",
        ),
        Slip(
            lambda c, null, alpha_bar, s: guided_eps(c, null, alpha_bar, s + 1),
            "that starts from the prediction with the label, as Eq. 16 does: s = 1 must give that prediction itself.",
        ),
    ),
    ask=on(*((*SCORES, alpha_bar, s) for alpha_bar in (0.9, 0.2) for s in (0.0, 1.0, 2.5))),
)


def _tilted(of_label: Callable[[float], float], of_all: Callable[[float], float]) -> Callable[..., tuple[float, float]]:
    """N(m, variance) to the power of_label(s), divided by N(0, 1) to the power of_all(s)."""

    def answer(m: float, variance: float, s: float) -> tuple[float, float]:
        precision = of_label(s) / variance - of_all(s)
        return of_label(s) * m / variance / precision, 1 / precision

    return answer


TILTED_NORMAL = Exercise(
    title="tilt a normal distribution",
    level="medium",
    hints=(
        "A normal density is the exponential of -(x - m)^2 / (2 variance): a power multiplies the exponent, a "
        "quotient subtracts exponents.",
        "The coefficient of -x^2 / 2 is s / variance - (s - 1): 1 divided by the new variance.",
        "The coefficient of x is s m / variance: the new mean divided by the new variance.",
    ),
    right=_tilted(lambda s: s, lambda s: s - 1),
    slips=(
        Slip(
            _tilted(lambda s: s + 1, lambda s: s),
            "that is p(x | c) p(c | x)^s, one too much: at s = 1 nothing is tilted: mean and variance stay.",
        ),
        Slip(
            _tilted(lambda s: s, lambda s: 0.0),
            "that is p(x | c)^s alone; it is divided by p(x)^(s - 1), whose exponent is subtracted.",
        ),
        Slip(
            _tilted(lambda s: s, lambda s: 1 - s),
            "p(x)^(s - 1) is in the denominator: its exponent is subtracted, not added.",
        ),
        Slip(
            lambda m, v, s: (s * m / v / (s / v - s + 1), (1 / (s / v - s + 1)) ** 0.5),
            "the second number is to be the variance, that is a standard deviation.",
        ),
        Slip(
            lambda m, v, s: (s * m, 1 / (s / v - s + 1)),
            "the variance is right; the mean is s m / variance, the coefficient of x, times the new variance.",
        ),
        Slip(
            lambda m, v, s: (m, 1 / (s / v - s + 1)),
            "the variance is right; the mean moves too, away from that of p(x), which is 0.",
        ),
    ),
    ask=on((1.0, 0.5, 1.0), (1.0, 0.5, 2.0), (-0.5, 0.2, 3.0)),
)

PROCESS = GaussianDiffusion(linear_betas(1000))  # so many that s = 1 ends at 0.4985 where 0.5 is right
LEVELS = [one.item() for one in PROCESS.log_alpha_bar_high.double().exp().flip(0)]  # from noise to data, the last is 1


def _final_std(
    slope: Callable[[float, float], float] = lambda noisy, s: s / noisy - (s - 1),
    kept: Callable[[float], float] = lambda then: (1 - then) ** 0.5,
) -> Callable[[float, float, Sequence[float]], float]:
    """DDIM's standard deviation through all levels, or with other arguments what one may take for it."""

    def answer(variance: float, s: float, alpha_bars: Sequence[float]) -> float:
        std = 1.0
        for now, then in zip(alpha_bars[:-1], alpha_bars[1:], strict=True):
            eps = (1 - now) ** 0.5 * slope(now * variance + 1 - now, s)  # divided by x_t, as all factors here
            x0 = (1 - (1 - now) ** 0.5 * eps) / now**0.5
            std *= then**0.5 * x0 + kept(then) * eps
        return std

    return answer


FINAL_STD = Exercise(
    title="what the sampler makes of it",
    level="open",
    hints=(
        "The score of a normal with mean 0 is -x divided by its variance. With the label that is "
        "noisy = alpha_bar * variance + 1 - alpha_bar, without it 1.",
        "So eps = sqrt(1 - alpha_bar) (s / noisy - (s - 1)) x_t: write eps = e x_t with a number e.",
        "x_0 = (1 - sqrt(1 - alpha_bar) e) / sqrt(alpha_bar) x_t; the step multiplies std by "
        "sqrt(then) times that factor, plus sqrt(1 - then) e.",
    ),
    right=_final_std(),
    slips=(
        Slip(
            _final_std(slope=lambda noisy, s: 1 / noisy),
            "s does nothing: that is the sampler without guidance, which ends near sqrt(variance).",
        ),
        Slip(
            _final_std(slope=lambda noisy, s: s / noisy),
            "the null label's share is missing: eps_null + s (eps_c - eps_null), and eps_null is not 0.",
        ),
        Slip(
            _final_std(slope=lambda noisy, s: (s + 1) / noisy - s),
            "that is the scale of Eq. 16, one too much: at s = 1 it must end near sqrt(variance).",
        ),
        Slip(
            lambda v, s, alpha_bars: (1 / (s / v - s + 1)) ** 0.5,
            "that is the tilted density's, exercise 2; the sampler ends somewhere else: follow its steps.",
        ),
        Slip(
            _final_std(kept=lambda then: 0.0),
            "the step puts the predicted noise back, sqrt(1 - alpha_bar) of it at the new level.",
        ),
    ),
    ask=on(*((v, s, LEVELS) for v, s in ((0.25, 1.0), (0.25, 2.0), (0.6, 3.0)))),
    tolerance=1e-3,
    remark="Beside exercise 2's root: the samples are narrower than the tilted density, already for two normals.",
)

LESSON = Lesson((GUIDED_EPS, TILTED_NORMAL, FINAL_STD))
check, hint = LESSON.check, LESSON.hint
