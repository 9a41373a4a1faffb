"""Exercises of the lesson "Guided sampling": guidance written out, and its scale in other people's conventions."""

import torch
from torch import Tensor

from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, on
from sdm_lite.guidance import guide

CONDITIONAL, NULL = normal(2, 6, 4, 4), normal(2, 6, 4, 4, seed=1)


def _cat(eps: Tensor, variance: Tensor) -> Tensor:
    return torch.cat([eps, variance], dim=1)


GUIDE = Exercise(
    title="write `guide`",
    level="easy",
    hints=(
        "Part the outputs: [:, :3] says the noise, [:, 3:] the variance. Only the first is guided.",
        "s = 0 must give the null branch's first three channels and s = 1 the conditional ones; the line between them "
        "is null + s (conditional - null).",
        "torch.cat([guided, conditional[:, 3:]], dim=1): the variance never depends on s.",
    ),
    right=guide,
    slips=(
        Slip(
            lambda c, n, s: _cat(c[:, :3] + s * (c[:, :3] - n[:, :3]), c[:, 3:]),
            "that is Eq. 16, which starts at the conditional prediction; Algorithm 2 starts at null.",
        ),
        Slip(
            lambda c, n, s: _cat(n[:, :3] - s * (c[:, :3] - n[:, :3]), c[:, 3:]),
            "wrong sign: from null *towards* the conditional prediction, and on beyond it.",
        ),
        Slip(
            lambda c, n, s: _cat(c[:, :3] + s * (n[:, :3] - c[:, :3]), c[:, 3:]),
            "the two branches are exchanged: s = 1 must give the conditional prediction.",
        ),
        Slip(lambda c, n, s: n + s * (c - n), "the variance is guided too; it is the conditional branch's, as it is."),
        Slip(
            lambda c, n, s: _cat(n[:, :3] + s * (c[:, :3] - n[:, :3]), n[:, 3:]),
            "the variance is the null branch's; it should be the conditional one's.",
        ),
        Slip(
            lambda c, n, s: n[:, :3] + s * (c[:, :3] - n[:, :3]),
            "the noise is right; the variance, channels 3 to 5 of the conditional branch, is still to be joined on.",
        ),
    ),
    ask=on(*((CONDITIONAL, NULL, s) for s in (0.0, 0.5, 1.0, 2.0))),
)

OTHER_SCALES = Exercise(
    title="the same picture from Eq. 16",
    level="medium",
    hints=(
        "Set the two formulas equal and compare what stands before the conditional prediction.",
        "For clean pictures: x_0 is linear in eps, and x_t enters both branches alike, with weights (1 - s) + s = 1.",
    ),
    right=(1.0, 2.0),
    slips=(
        Slip((2.0, 2.0), "the second is right. Eq. 16 starts at the conditional prediction, which is s = 1 already."),
        Slip((3.0, 2.0), "the second is right. Eq. 16 counts from the conditional prediction: one less, not one more."),
        Slip((1.0, 1.0), "the first is right. Guiding clean pictures starts at null, just as Algorithm 2 does."),
        Slip((2.0, 1.0), "the two are exchanged."),
    ),
    remark="x_0 = (x_t - sigma eps) / signal, and x_t's weights (1 - s) + s are 1: there the scale stays.",
)

LESSON = Lesson((GUIDE, OTHER_SCALES))
check, hint = LESSON.check, LESSON.hint
