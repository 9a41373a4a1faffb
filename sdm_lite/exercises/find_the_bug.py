"""Exercises of the lesson "Find the bug": what is wrong in the paper's formulas, and how each error shows."""

import math

import torch

from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, on

PLACES = "BCBB"
"""Of the lesson's table, what is right at each of the four places of Algorithm 2."""

SUSPECTS = {"W": "BCBA", "X": "ACBB", "Y": "BCAB", "Z": "BABB"}
"""Four readings of Algorithm 2, each with one place as printed and three mended."""

GUILTY = "".join(str(next(i for i in range(4) if choice[i] != PLACES[i]) + 1) for choice in SUSPECTS.values())


def _count_suspects(answer: object) -> str:
    text = str(answer)
    if sorted(text) != list("1234"):
        return "four digits are asked for, 1 to 4 once each: the place that is wrong in W, in X, in Y and in Z."
    return f"{sum(a == b for a, b in zip(text, GUILTY, strict=True))} of 4 are right."


ALGORITHM_2 = Exercise(
    title="four suspects",
    level="medium",
    hints=(
        "Place 1 as printed undoes all steps at every step: what does that do to the spread, and when?",
        "Place 2 as printed has nearly all the noise taken away in the first step, not one step's share: so too wide, "
        "or too narrow?",
        "Place 3 makes the noise 1 / sqrt(1 - beta_t) too large: most where beta_t is largest, at the start, and not "
        "at all in the last step, which has no noise. Place 4 is about nothing but the last step.",
    ),
    right=GUILTY,
    slips=(
        Slip("2431", "that is which suspect each place belongs to; asked is which place each suspect has wrong."),
        Slip("3142", "X and Z are right. W is as it should be until the end, Y ends sharp: who has noise at t = 1?"),
        Slip("4231", "W and Y are right. One of X and Z grows without bound: by which factor?"),
    ),
    accepts=lambda answer: str(answer) == GUILTY,
    tell=_count_suspects,
    remark="A factor that undoes all steps at once, a share of the noise that is too large, noise that is too loud at "
    "the start, and noise that stays on at the end.",
)

DIFFERENCE = normal(1, 2, 1, 9)
ALPHA_BAR = torch.full((1, 1, 1, 1), 0.3, dtype=torch.float32, device="cpu")
EQ_15 = Exercise(
    title="Eq. 15 for another network",
    level="medium",
    hints=(
        "v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x_0: where two eps of one x_t differ, the two x_0 differ too.",
        "x_0 = (x_t - sqrt(1 - alpha_bar) eps) / sqrt(alpha_bar). Put it in: two v differ by 1 / sqrt(alpha_bar) times "
        "what the two eps differ by.",
        "The difference of the two eps is -sqrt(1 - alpha_bar) times the gradient. Two factors, put together.",
    ),
    right=lambda difference, alpha_bar: -((alpha_bar / (1 - alpha_bar)) ** 0.5) * difference,
    slips=(
        Slip(
            lambda difference, alpha_bar: -difference / (1 - alpha_bar) ** 0.5,
            "that is the factor for two predictions of the noise; two v lie further apart than two eps.",
        ),
        Slip(
            lambda difference, alpha_bar: (alpha_bar / (1 - alpha_bar)) ** 0.5 * difference,
            "wrong sign: v points to the noise, the gradient away from it.",
        ),
        Slip(
            lambda difference, alpha_bar: -(((1 - alpha_bar) / alpha_bar) ** 0.5) * difference,
            "upside down: that is the difference of two v for a gradient, and asked is the gradient.",
        ),
        Slip(
            lambda difference, alpha_bar: -difference / (alpha_bar * (1 - alpha_bar)) ** 0.5,
            "two v lie further apart than two eps, by 1 / sqrt(alpha_bar): so times sqrt(alpha_bar), not by it.",
        ),
        Slip(
            lambda difference, alpha_bar: -(alpha_bar**0.5) * difference / (1 - alpha_bar),
            "the size of the noise is a standard deviation: the root of 1 - alpha_bar.",
        ),
        Slip(
            lambda difference, alpha_bar: -alpha_bar / (1 - alpha_bar) * difference,
            "signal and noise are weighted by roots of alpha_bar and 1 - alpha_bar: the root of that factor.",
        ),
        Slip(
            lambda difference, alpha_bar: -(alpha_bar**0.5) * difference,
            "that makes an eps of it; from eps to the gradient is one factor more.",
        ),
    ),
    ask=on((DIFFERENCE, ALPHA_BAR), (DIFFERENCE, ALPHA_BAR / 100)),
    tolerance=1e-3,
)

WHO = Exercise(
    title="who is it?",
    level="easy",
    hints=(
        "Compare the shares of S: whose are those of the suspect?",
        "Subtract one formula from the other: Eq. 16 starts at the conditional prediction, which is s = 1 already.",
    ),
    right=("B", 1.0),
    slips=(
        Slip(("D", 2.0), "those have the same s, and another formula. Compare the shares of S."),
        Slip(("D", 1.0), "the scale is right; by the same reasoning, which of A to E is s = 1.5?"),
        Slip(("B", 2.0), "the letter is right; now the scale: which s of Eq. 16 was B's, for 1.5?"),
        Slip(("B", 3.0), "the letter is right; Eq. 16's scale is one less, not one more."),
        Slip(("A", 1.0), "the scale is right. A is s = 0, plain: is that the suspect, whose S has grown?"),
        Slip(("C", 1.0), "the scale is right; by the same reasoning, which of A to E is s = 1.5?"),
        Slip(("E", 1.0), "the scale is right; by the same reasoning, which of A to E is s = 1.5?"),
    ),
    tell=lambda pair: "a pair is asked for: a letter and a number." if not isinstance(pair, list | tuple) else "",
)


def _tell_traces(letters: object) -> str:
    text = str(letters).upper()
    if sorted(text) != list("ABC"):
        return "three letters are asked for, each of A, B, C once."
    return "traces A and C are about the variance; Eq. 10 has none in it." if text[0] != "B" else ""


TRACES = Exercise(
    title="which loss left which trace?",
    level="medium",
    hints=(
        "Only one of the three says anything about the noise: Eq. 10. Which trace is about what is drawn?",
        "A weight changes how fast one gets there, not where to; a wrong KL changes where to.",
    ),
    right="BAC",
    slips=(
        Slip("BCA", "Eq. 10 is right. The weight of Eq. 13 changes how fast the variance moves: who has hardly moved?"),
        Slip("ABC", "traces A and C are about the variance; Eq. 10 has none in it."),
    ),
    accepts=lambda letters: str(letters).upper() == "BAC",
    tell=_tell_traces,
    remark="A median, which the many win; a variance that never learns of the mean's error; a pull a thousand times "
    "too weak.",
)


def _tell_weight(alpha: object) -> str:
    if not isinstance(alpha, int | float):
        return ""
    weight = 1 / (1 + 255 * math.exp(min(700.0, -2 * alpha)))
    return f"with that alpha one pixel of 256 can weigh {weight:.4f}; 0.99 is asked for."


TEMPERATURE = Exercise(
    title="how large must the missing number be?",
    level="medium",
    hints=(
        "The softmax of one cosine of 1 among 255 of -1: e^alpha / (e^alpha + 255 e^-alpha) = 0.99.",
        "Divide by e^alpha: 1 + 255 e^(-2 alpha) = 1 / 0.99.",
    ),
    right=math.log(99 * 255) / 2,
    slips=(
        Slip(math.log(99 * 255), "half of it: the cosines are 1 and -1, so they lie 2 alpha apart."),
        Slip(math.log(99) / 2, "there are 255 others, not one."),
    ),
    tell=_tell_weight,
    tolerance=1e-3,
)

LESSON = Lesson((ALGORITHM_2, EQ_15, WHO, TRACES, TEMPERATURE))
check, hint = LESSON.check, LESSON.hint
