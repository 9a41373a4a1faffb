"""Exercises of the lesson "Find the bug": what is wrong in the paper's formulas, and how each error shows."""

import math

import torch

from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, on

PLACES = "BCBB"


def _count_places(choice: object) -> str:
    text = str(choice).upper()
    if len(text) != 4 or not set(text) <= set("ABC"):
        return "four letters are asked for, one of A, B, C for each place."
    return f"{sum(a == b for a, b in zip(text, PLACES, strict=True))} of 4 places are right."


ALGORITHM_2 = Exercise(
    title="what is wrong?",
    level="medium",
    hints=(
        "Which factor undoes *one* step, and which all of them at once? The step goes from t to t - 1.",
        "In x_t the noise has weight sqrt(1 - alpha_bar_t); one step's share of it, beta_t, goes.",
        "Sigma is the variance of x_{t-1} itself, so nothing multiplies its root. And at which t does the loop end?",
    ),
    right=PLACES,
    slips=(
        Slip("AAAA", "that is the paper as printed: none of the four places is right."),
        Slip("BBAA", "that is the paper with its alpha_t read as one step's: 1 of 4 places is right."),
    ),
    accepts=lambda choice: str(choice).upper() == PLACES,
    tell=_count_places,
    remark="A step undoes one step, takes away one step's share of the noise, and the loop ends at t = 1.",
)

DIFFERENCE = normal(1, 2, 1, 9)
ALPHA_BAR = torch.full((1, 1, 1, 1), 0.3, dtype=torch.float32, device="cpu")
EQ_15 = Exercise(
    title="what is missing in Eq. 15?",
    level="medium",
    hints=(
        "eps points to the noise, the gradient away from it; and at t = 1000 the size of the factor is 1.",
        "The network names noise of standard deviation 1; in x_t it has standard deviation sqrt(1 - alpha_bar).",
        "The score of x_t is -eps / sqrt(1 - alpha_bar): so for each of the two predictions.",
    ),
    right=lambda difference, alpha_bar: -difference / (1 - alpha_bar) ** 0.5,
    slips=(
        Slip(
            lambda difference, alpha_bar: difference / (1 - alpha_bar) ** 0.5,
            "wrong sign: eps points to the noise, the gradient away from it.",
        ),
        Slip(
            lambda difference, alpha_bar: -difference * (1 - alpha_bar) ** 0.5,
            "divide: the difference is the gradient times -sqrt(1 - alpha_bar), and asked is the gradient.",
        ),
        Slip(
            lambda difference, alpha_bar: -difference / (1 - alpha_bar),
            "the size of the noise is a standard deviation: the root of 1 - alpha_bar.",
        ),
        Slip(lambda difference, alpha_bar: -difference, "the sign is right; the factor also changes with t."),
        Slip(
            lambda difference, alpha_bar: -difference / alpha_bar**0.5,
            "the size of the *noise* in x_t is asked for, not that of the signal.",
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
    ),
    tell=lambda pair: "a pair is asked for: a letter and a number." if not isinstance(pair, list | tuple) else "",
)

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
    tell=lambda letters: (
        "" if sorted(str(letters).upper()) == list("ABC") else "three letters are asked for, each of A, B, C once."
    ),
    remark="A median, which the many win; a variance that never learns of the mean's error; a pull a thousand times "
    "too weak.",
)

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
    tolerance=1e-3,
)

LESSON = Lesson((ALGORITHM_2, EQ_15, WHO, TRACES, TEMPERATURE))
check, hint = LESSON.check, LESSON.hint
