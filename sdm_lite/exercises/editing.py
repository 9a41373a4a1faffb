"""Exercises of the lesson "Editing": the projection that keeps the outside, and the price of a jump."""

from collections.abc import Callable

import torch
from torch import Tensor

from sdm_lite.diffusion import GaussianDiffusion, linear_betas
from sdm_lite.edit import keep_outside, repaint_pairs
from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, steps

PROCESS = GaussianDiffusion(linear_betas())
X_R, PICTURE, NOISE = (normal(2, 3, 8, 8, seed=seed) for seed in range(3))
REGION = torch.zeros(2, 1, 8, 8, dtype=torch.bool, device="cpu")
REGION[..., 2:5, 3:7] = True
TIMES = (1000, 400, 1, 0)


def _projected(answer: Callable[..., Tensor]) -> list[Tensor]:
    """What becomes of a running sample at four steps, the last of which ends at the picture."""
    return [
        answer(X_R.clone(), PICTURE.clone(), REGION.clone(), NOISE.clone(), PROCESS.alpha_bar(steps(r)).item())
        for r in TIMES
    ]


def _package() -> list[Tensor]:
    project = keep_outside(PROCESS, PICTURE, REGION, NOISE)
    return [project(X_R, steps(r, r)) for r in TIMES]


def _noisy(picture: Tensor, noise: Tensor, alpha_bar: float) -> Tensor:
    return alpha_bar**0.5 * picture + (1 - alpha_bar) ** 0.5 * noise


PROJECTION = Exercise(
    title="write the projection",
    level="easy",
    hints=(
        "torch.where(region, a, b) is a where region is true, and b elsewhere. Which two pictures are a and b?",
        "Outside stands the picture with the noise of r: q_sample, from the first lesson on diffusion.",
    ),
    right=lambda x_r, picture, region, noise, alpha_bar: torch.where(region, x_r, _noisy(picture, noise, alpha_bar)),
    slips=(
        Slip(
            lambda x_r, picture, region, noise, alpha_bar: torch.where(region, _noisy(picture, noise, alpha_bar), x_r),
            "inside and outside are exchanged: region is true where the sampler is *free*.",
        ),
        Slip(
            lambda x_r, picture, region, noise, alpha_bar: torch.where(region, x_r, picture),
            "outside stands the clean picture at every step; beside a noisy inside the network has never seen such a "
            "thing: give it the noise of r.",
        ),
        Slip(
            lambda x_r, picture, region, noise, alpha_bar: torch.where(
                region, x_r, alpha_bar * picture + (1 - alpha_bar) * noise
            ),
            "the square roots are missing, as in q_sample: alpha_bar ** 0.5 and (1 - alpha_bar) ** 0.5.",
        ),
        Slip(
            lambda x_r, picture, region, noise, alpha_bar: torch.where(
                region, x_r, alpha_bar**0.5 * picture + (1 - alpha_bar) * noise
            ),
            "the noise's weight lacks its square root.",
        ),
        Slip(
            lambda x_r, picture, region, noise, alpha_bar: torch.where(region, x_r, noise),
            "outside is noise alone; the picture is to be kept there.",
        ),
        Slip(
            lambda x_r, picture, region, noise, alpha_bar: _noisy(torch.where(region, x_r, picture), noise, alpha_bar),
            "the inside is noised once more; x_r has the noise of r already.",
        ),
    ),
    ask=_projected,
    accepts=lambda seen: (
        all(torch.allclose(one, wanted, atol=1e-5) for one, wanted in zip(seen, _package(), strict=True))
        and torch.equal(seen[-1], _package()[-1])
    ),
    remark="At r = 0 what is outside is the picture, bit for bit.",
)


def _counts(num_resamples: int) -> tuple[int, int]:
    """Evaluations of the network and jumps, counted on the package's own walk."""
    moves = repaint_pairs(1000, 250, jump_length=10, num_resamples=num_resamples)
    steps = sum(r < t for t, r in moves)
    return steps, len(moves) - steps


def _affordable() -> tuple[int, int]:
    num_resamples = next(r for r in range(1, 20) if _counts(r + 1)[0] > 2000)
    return num_resamples, _counts(num_resamples)[1]


JUMPS = Exercise(
    title="the price of a jump",
    level="medium",
    hints=(
        "A jump costs nothing: the network is evaluated 250 w times.",
        "There are 25 stretches, and each has one jump fewer than walks.",
    ),
    right=_affordable(),
    slips=(
        Slip((8, 200), "the first is right. Before the first walk of a stretch there is no jump: w - 1 each."),
        Slip((8, 25), "the first is right; 25 are the stretches, and each has w - 1 jumps."),
        Slip((8, 7), "the first is right; 7 jumps are those of one stretch, and there are 25."),
        Slip((8, 168), "the first is right. All 25 stretches are walked w times, the last one too."),
        Slip((80, 1975), "a walk of 250 steps costs 250 evaluations however it is cut."),
        Slip((7, 150), "more can be afforded: 2000 / 250."),
    ),
    tell=lambda pair: (
        "" if isinstance(pair, list | tuple) and len(pair) == 2 else "a pair is asked for: w and the jumps."
    ),
)

LESSON = Lesson((PROJECTION, JUMPS))
check, hint = LESSON.check, LESSON.hint
