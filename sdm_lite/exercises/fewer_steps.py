"""Exercises of the lesson "Fewer steps": a grid of noise levels, the target of a jump, from velocity to flow."""

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor

from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, on


def _levels(to: Callable[[float, float], float], back: Callable[[float, float], float], *, last: int = 1) -> Callable:
    """Equal strides of some function of the noise level; `last` more than the strides is how many levels there are."""

    def answer(num_steps: int, sigma_max: float, sigma_min: float, rho: float) -> list[float]:
        first, end = to(sigma_max, rho), to(sigma_min, rho)
        return [back(first + i / (num_steps - last) * (end - first), rho) for i in range(num_steps)]

    return answer


noise_levels = _levels(lambda sigma, rho: sigma ** (1 / rho), lambda root, rho: root**rho)


def _ask(answer: Callable) -> list:
    """The levels of two grids; an array or a tensor of them does as well as a list."""
    listed = [
        levels.tolist() if isinstance(levels, Tensor | np.ndarray) else levels
        for levels in on((4, 80.0, 0.1, 7.0), (5, 80.0, 0.002, 3.0))(answer)
    ]
    return [tuple(levels) if isinstance(levels, list) else levels for levels in listed]


LEVELS = Exercise(
    title="the grid of Karras et al.",
    level="easy",
    hints=(
        "Go from sigma_max^(1/rho) to sigma_min^(1/rho) in equal strides, then raise each to the power rho.",
        "N levels have N - 1 strides between them: i / (N - 1) for i = 0 .. N - 1.",
    ),
    right=noise_levels,
    slips=(
        Slip(
            _levels(lambda sigma, rho: sigma ** (1 / rho), lambda root, rho: root**rho, last=0),
            "the last one is to be sigma_min itself: N levels have N - 1 strides between them.",
        ),
        Slip(
            _levels(lambda sigma, rho: sigma, lambda root, rho: root),
            "those are equal strides of sigma, which is rho = 1.",
        ),
        Slip(
            _levels(lambda sigma, rho: sigma**rho, lambda root, rho: root ** (1 / rho)),
            "the powers are exchanged: strides are equal in sigma^(1 / rho).",
        ),
        Slip(
            lambda *given: noise_levels(*given)[::-1],
            "in the other order: a sampler starts at sigma_max.",
        ),
        Slip(
            _levels(lambda sigma, rho: math.log(sigma), lambda logarithm, rho: math.exp(logarithm)),
            "those are equal strides of log sigma, which is the grid of uniform lambda.",
        ),
        Slip(
            _levels(lambda sigma, rho: sigma ** (1 / rho), lambda root, rho: root),
            "those are sigma^(1 / rho) still: raise each to the power rho.",
        ),
        Slip(
            lambda *given: [*noise_levels(*given), 0.0],
            "without the 0: the last of the num_steps levels is sigma_min.",
        ),
        Slip(
            lambda num_steps, *given: noise_levels(num_steps + 1, *given),
            "one too many: num_steps levels in all, both ends among them.",
        ),
    ),
    ask=_ask,
    remark="`timesteps.karras` takes the timestep nearest to each of them.",
)


def target(x_t: Tensor, x_r: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """The velocity whose one turn leads from x_t to x_r."""
    return (cos * x_t - x_r) / sin


ENDS = normal(2, 3, 4, 4), normal(2, 3, 4, 4, seed=1)

TARGET = Exercise(
    title="its target",
    level="medium",
    hints=(
        "The turn is x_r = cos d x_t - sin d v. Everything in it is known but v.",
        "Solve for v: sin d v = cos d x_t - x_r.",
    ),
    right=target,
    slips=(
        Slip(lambda x_t, x_r, cos, sin: -target(x_t, x_r, cos, sin), "the sign: x_r = cos d x_t MINUS sin d v."),
        Slip(
            lambda x_t, x_r, cos, sin: target(x_t, x_r, cos, sin) * sin,
            "that is sin d v: divide by sin d.",
        ),
        Slip(
            lambda x_t, x_r, cos, sin: (x_t - x_r) / sin,
            "x_t is turned too, not only moved: it enters times cos d.",
        ),
        Slip(
            lambda x_t, x_r, cos, sin: (x_r - x_t) / sin,
            "x_t is turned too, not only moved: it enters times cos d. And the sign: MINUS sin d v.",
        ),
        Slip(
            lambda x_t, x_r, cos, sin: (x_t - cos * x_r) / sin,
            "the two ends are exchanged: it is x_t that is turned, and enters times cos d.",
        ),
        Slip(lambda x_t, x_r, cos, sin: target(x_t, x_r, cos, sin) * sin / cos, "divided by cos d: v has sin d."),
        Slip(
            lambda x_t, x_r, cos, sin: target(x_t, x_r, sin, cos),
            "cos and sin are exchanged: x_t has cos d, v has sin d.",
        ),
    ),
    ask=on((*ENDS, 0.8, 0.6), (*ENDS, 0.28, 0.96)),
    remark="It is the target of Salimans & Ho (2022), here from stored trajectories.",
)


def flow(x_t: Tensor, v: Tensor, a: float, g: float) -> tuple[Tensor, float, Tensor]:
    """Flow coordinates, their time and the direction."""
    return x_t / (a + g), g / (a + g), (g - a) * x_t + (a + g) * v


def _flow(z: Callable = lambda x, a, g: x / (a + g), q: Callable = lambda a, g: g / (a + g), sign: int = 1) -> Callable:
    """`flow` with something exchanged."""
    return lambda x_t, v, a, g: (z(x_t, a, g), q(a, g), sign * flow(x_t, v, a, g)[2])


FLOW = Exercise(
    title="from velocity to flow",
    level="medium",
    hints=(
        "x_t = a x_0 + g eps and v = a eps - g x_0: times a and g, added and subtracted, with a^2 + g^2 = 1.",
        "x_0 = a x_t - g v and eps = g x_t + a v; u is the second less the first.",
        "x_t = a x_0 + g eps; divided by a + g its weights sum to 1, and that of the noise is q.",
    ),
    right=flow,
    slips=(
        Slip(_flow(sign=-1), "u is eps - x_0, from picture to noise; you have the other direction."),
        Slip(_flow(q=lambda a, g: a / (a + g)), "q is the weight of the noise, 0 at the picture: g by a + g."),
        Slip(_flow(q=lambda a, g: g), "z's weights must sum to 1, so q is g divided by a + g."),
        Slip(_flow(z=lambda x, a, g: x), "z is x_t divided by a + g: the weights of a mixture sum to 1."),
        Slip(
            lambda x_t, v, a, g: (x_t / (a + g), g / (a + g), v),
            "v is a eps - g x_0, not eps - x_0: get both back from x_t and v first.",
        ),
        Slip(_flow(z=lambda x, a, g: x * (a + g)), "z is x_t divided by a + g, not times it."),
        Slip(_flow(z=lambda x, a, g: x, q=lambda a, g: g), "z and q are both to be divided by a + g."),
        Slip(
            _flow(q=lambda a, g: g * g),
            "z's weights are a and g divided by their sum, not a^2 and g^2: q is the second of them.",
        ),
        Slip(
            _flow(q=lambda a, g: g / a),
            "that is sigma, g by a; q is the weight of the noise when both weights sum to 1.",
        ),
        Slip(
            lambda x_t, v, a, g: (x_t / (a + g), g / (a + g), g * x_t + a * v), "that is eps: x_0 is still to go off."
        ),
        Slip(
            lambda x_t, v, a, g: (x_t / (a + g), g / (a + g), (g - a) * x_t + (a - g) * v),
            "a sign in x_0, it is a x_t MINUS g v: put x_t and v in and see.",
        ),
        Slip(
            lambda x_t, v, a, g: (x_t / (a + g), g / (a + g), (a + g) * v),
            "v's share is right; u has one of x_t as well: get x_0 and eps back, both have one.",
        ),
    ),
    ask=on((*ENDS, 0.8, 0.6), (*ENDS, 0.28, 0.96)),
    remark="u = (g - a) x_t + (a + g) v: any network that says v says u.",
)

LESSON = Lesson((LEVELS, TARGET, FLOW))
check, hint = LESSON.check, LESSON.hint
