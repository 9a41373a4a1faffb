"""Exercises of the lesson "The null label": how often it is seen, what it should answer, what a misprint would cost."""

import math

from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, on

WITHOUT_NULL = Exercise(
    title="a batch without null",
    level="easy",
    hints=(
        "All eight must be kept, each independently of the others.",
        "Each is kept with probability 0.8; independent probabilities multiply.",
    ),
    right=0.8**8,
    slips=(
        Slip(0.2**8, "that is the probability that all eight are dropped."),
        Slip(1 - 0.8**8, "that is the share of the steps in which at least one was dropped: the others are asked for."),
        Slip(1 - 8 * 0.2, "probabilities of separate events do not add up like that: this is below zero."),
        Slip(0.8, "for one example; there are eight."),
    ),
    tolerance=5e-4,
)

NULL_ANSWER = Exercise(
    title="what the null label should answer",
    level="open",
    hints=(
        "Bayes: weigh -1 and +1 by how likely each makes x_t, "
        "exp(-(x_t - sqrt(alpha_bar) x_0)^2 / (2 (1 - alpha_bar))).",
        "The squares of x_t and of x_0 = +-1 cancel; what is left of the exponent is "
        "+-sqrt(alpha_bar) x_t / (1 - alpha_bar).",
        "(e^a - e^-a) / (e^a + e^-a) = tanh a.",
    ),
    right=lambda x_t, alpha_bar: math.tanh(alpha_bar**0.5 * x_t / (1 - alpha_bar)),
    slips=(
        Slip(
            lambda x_t, alpha_bar: 1 / (1 + math.exp(-2 * alpha_bar**0.5 * x_t / (1 - alpha_bar))),
            "that is the probability of +1; the mean is (+1) times it and (-1) times the rest.",
        ),
        Slip(
            lambda x_t, alpha_bar: math.tanh(alpha_bar**0.5 * x_t / (1 - alpha_bar) ** 0.5),
            "the exponent divides by the variance 1 - alpha_bar, not by its root.",
        ),
        Slip(
            lambda x_t, alpha_bar: math.tanh(alpha_bar * x_t / (1 - alpha_bar)),
            "what stands before x_0 is the square root of alpha_bar.",
        ),
        Slip(
            lambda x_t, alpha_bar: alpha_bar**0.5 * x_t,
            "that is the best *linear* guess; with two values only, the mean bends: a hyperbolic function comes out.",
        ),
        Slip(lambda x_t, alpha_bar: 0.0, "that is the mean before x_t is seen; x_t says which label is likelier."),
        Slip(
            lambda x_t, alpha_bar: math.copysign(1, x_t),
            "that is the likelier label; asked is the mean, which lies between -1 and +1, nearer to the likelier one.",
        ),
        Slip(
            lambda x_t, alpha_bar: x_t / alpha_bar**0.5,
            "that takes all that is seen for signal; the noise in x_t is still to be reckoned with.",
        ),
    ),
    ask=on((0.3, 0.6), (-1.0, 0.2)),
)

PRICE = Exercise(
    title="the price of the slip",
    level="easy",
    hints=(
        "When do the two label maps of line 6 differ?",
        "Where nothing was dropped, one pass serves both; where the labels were dropped, it takes two.",
    ),
    right=1.2,
    slips=(
        Slip(2.0, "for the four of five examples whose labels are kept, the two maps are the same: one pass."),
        Slip(1.8, "the two cases are exchanged: it takes two passes where the labels *were* dropped."),
        Slip(1.0, "where the labels were dropped, noise and variance would be read off different maps."),
    ),
    tolerance=1e-3,
)

LESSON = Lesson((WITHOUT_NULL, NULL_ANSWER, PRICE))
check, hint = LESSON.check, LESSON.hint
