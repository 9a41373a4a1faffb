"""Exercises of the lesson "Guidance, measured": which tricks keep a mode, how far one goes, the scale that CFG++ is."""

from torch import Tensor

from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, on

KEEPERS = {"interval", "autoguidance"}
LOSERS = {"APG", "CFG++", "CFG-Zero*", "rescale", "TCFG", "annealed"}


def _tell_keepers(seen: object) -> str:
    """How many of a set of names are right; which, the table says."""
    if not isinstance(seen, set | frozenset) or not set(seen) <= KEEPERS | LOSERS:
        return f"a set of names out of {', '.join(sorted(KEEPERS | LOSERS, key=str.lower))} is asked for."
    return f"{len(KEEPERS & seen)} of the {len(KEEPERS)} that keep it are in it, and {len(LOSERS & seen)} that do not."


WHICH_KEEP = Exercise(
    title="which of them keep the mode?",
    level="easy",
    hints=(
        "A point chooses its mode at high noise. Which methods push it away from orange at that time?",
        "It is enough for a method not to push then, or to have no second prediction that knows of orange.",
        "One is switched off while points choose; the other compares two networks that both know the label.",
    ),
    right=KEEPERS,
    slips=(
        Slip({"interval"}, "right as far as it goes; one more has no second prediction that knows of orange."),
        Slip({"autoguidance"}, "right as far as it goes; one more does not push while points choose."),
        Slip(
            KEEPERS | {"annealed"},
            "annealing pushes less at high noise, yet it pushes: in the table that follows the mode is nearly empty.",
        ),
    ),
    tell=_tell_keepers,
    remark="Now the table: do the numbers say so too?",
)


def excess(x0: Tensor, x0_c: Tensor, x0_null: Tensor) -> Tensor:
    """How far beyond the plain prediction each picture went, (B,)."""
    push, gone = (x0_c - x0_null).flatten(1), (x0 - x0_c).flatten(1)
    return (gone * push).sum(1) / (push * push).sum(1)


PICTURES = [normal(5, 3, 4, 4, seed=seed) for seed in range(3)]
PLAIN = PICTURES[1] + 1.5 * (PICTURES[0] - PICTURES[1]), PICTURES[0], PICTURES[1]  # s = 1.5

EXCESS = Exercise(
    title="the excess",
    level="medium",
    hints=(
        "Flatten everything but the batch: an inner product is the sum of a product over axis 1.",
        "push = x0_c - x0_null and gone = x0 - x0_c; the answer is gone . push by push . push, a number a picture.",
    ),
    right=excess,
    slips=(
        Slip(
            lambda x0, c, null: excess(x0, c, null) + 1,
            "that is s; the excess counts from the prediction with the label, s - 1 for plain guidance.",
        ),
        Slip(
            lambda x0, c, null: (x0 - c).flatten(1).norm(dim=1) / (c - null).flatten(1).norm(dim=1),
            "a ratio of lengths counts what goes sideways too; only what goes along the difference is asked for.",
        ),
        Slip(
            lambda x0, c, null: ((x0 - c) * (c - null)).sum() / ((c - null) ** 2).sum(),
            "one number for the whole batch: keep the first axis, each picture has its own.",
        ),
        Slip(
            lambda x0, c, null: ((x0 - c) * (c - null)).flatten(1).sum(1) / (c - null).square().sum(),
            "below the line too each picture has its own: sum over all axes but the first.",
        ),
        Slip(
            lambda x0, c, null: ((x0 - c) * (c - null)).flatten(1).sum(1),
            "that is the upper half of the fraction; it is still to be divided by the squared length.",
        ),
        Slip(
            lambda x0, c, null: ((x0 - c) * (c - null)).flatten(1).sum(1) / (c - null).flatten(1).norm(dim=1),
            "divided by a length, where its square stands: plain guidance would not give s - 1.",
        ),
        Slip(
            lambda x0, c, null: -excess(x0, c, null),
            "the sign: a difference is turned round; plain guidance with s > 1 has a positive excess.",
        ),
        Slip(
            lambda x0, c, null: ((x0 - c) / (c - null)).flatten(1).mean(1),
            "a mean of the quotients of pixels: first add up, above and below the line, then divide.",
        ),
    ),
    ask=on(PLAIN, tuple(PICTURES)),
    remark="The package's `excess_of` is its mean over the batch.",
)


def scale_of_cfg_plus_plus(lam: float, sigma_t: float, sigma_r: float) -> float:
    """The scale of plain guidance that a step of CFG++ is."""
    return lam / (1 - sigma_r / sigma_t)


CFG_PLUS_PLUS = Exercise(
    title="the scale that CFG++ is",
    level="open",
    hints=(
        "CFG++: x_r = a_r (null + lam D) + g_r eps_null, D the difference of the two images. Beyond the null label's "
        "step that is a_r lam D.",
        "DDIM at s: the image moves by s D, its noise by -s D a_t / g_t. Beyond the null label's step that is "
        "s D (a_r - g_r a_t / g_t).",
        "Equal: a_r lam = s (a_r - g_r a_t / g_t). Divide by a_r, and g / a is sigma.",
    ),
    right=scale_of_cfg_plus_plus,
    slips=(
        Slip(
            lambda lam, sigma_t, sigma_r: lam * (1 - sigma_r / sigma_t),
            "multiplied where it should be divided: a step of CFG++ leaves the noise alone, so it goes further than "
            "DDIM at the same scale, not less far.",
        ),
        Slip(
            lambda lam, sigma_t, sigma_r: lam / (1 - (sigma_r / sigma_t) ** 2),
            "the noise moves by a_t / g_t, not by its square: no variances here.",
        ),
        Slip(
            lambda lam, sigma_t, sigma_r: lam / (1 - sigma_t / sigma_r),
            "the two ends are exchanged: with sigma_r = 0, the last step, it must be lam itself.",
        ),
        Slip(
            lambda lam, sigma_t, sigma_r: lam,
            "that is the scale of the clean image alone; DDIM moves the noise too, CFG++ does not.",
        ),
        Slip(
            lambda lam, sigma_t, sigma_r: scale_of_cfg_plus_plus(lam, sigma_t, sigma_r) - 1,
            "that is its excess, s - 1: both steps are counted from the null label's, not from the label's.",
        ),
        Slip(
            lambda lam, sigma_t, sigma_r: lam / (1 + sigma_r / sigma_t),
            "the sign: an image moved by D has its noise moved by MINUS D a_t / g_t.",
        ),
    ),
    ask=on((0.6, 10.0, 2.0), (0.4, 1.5, 1.2), (0.7, 0.05, 1e-7)),  # no 0, which an answer may divide by
    remark="In the last step it is lam, below 1: there CFG++ stays short of the prediction with the label.",
)

LESSON = Lesson((WHICH_KEEP, EXCESS, CFG_PLUS_PLUS))
check, hint = LESSON.check, LESSON.hint
