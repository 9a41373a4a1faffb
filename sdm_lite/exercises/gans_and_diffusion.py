"""Exercises of the lesson "GANs and diffusion": what a table saves, the game, and one object's noise alone."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sdm_lite.baselines.gan.blocks import SPADENorm
from sdm_lite.baselines.gan.clade import ClassNorm
from sdm_lite.baselines.gan.losses import Hinge
from sdm_lite.baselines.gan.system import DiscriminatorStep, GeneratorStep, Scores
from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, copied, normal, on


def _num_weights(norm: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in norm.parameters())


SPADE_WEIGHTS, CLADE_WEIGHTS = _num_weights(SPADENorm(96, 12)), _num_weights(ClassNorm(96, 11, has_instances=True))
TABLE = Exercise(
    title="what a table saves",
    level="easy",
    hints=(
        "A 3 x 3 convolution has 9 x inputs x outputs weights and one bias for each output.",
        "SPADE's second convolution puts out scale and shift, 2 x 96 channels; CLADE has 2 x 11 x 96 numbers, and 2.",
    ),
    right=SPADE_WEIGHTS / CLADE_WEIGHTS,
    slips=(
        Slip(CLADE_WEIGHTS / SPADE_WEIGHTS, "the other way round: how many times as many has SPADE?"),
        Slip(
            ((9 * 12 * 32 + 32) + (9 * 32 * 96 + 96)) / CLADE_WEIGHTS,
            "SPADE's second convolution gives scale *and* shift: 192 channels.",
        ),
        Slip(SPADE_WEIGHTS / (11 * 96 + 2), "CLADE's tables are two: one of scales, one of shifts."),
        Slip(
            (9 * 12 * 32 + 9 * 32 * 192) / CLADE_WEIGHTS,
            "near: the biases are missing, one for each output of both convolutions.",
        ),
        Slip(
            (12 * 32 + 32 + 32 * 192 + 192) / CLADE_WEIGHTS,
            "a 3 x 3 convolution has nine weights for each pair of an input and an output channel.",
        ),
        Slip(SPADE_WEIGHTS, "that is how many SPADE has; how many times as many as CLADE?"),
    ),
    tolerance=0.002,
)

OF_TRUE, OF_DRAWN = 2 * normal(64), 2 * normal(64, seed=1)


def _package_game(of_true: Tensor, of_drawn: Tensor) -> tuple[Tensor, Tensor]:
    real, fake = ([Scores(logits)] for logits in (of_true, of_drawn))
    theirs = DiscriminatorStep(None, None, None, real, fake, None, None)
    return Hinge().discriminator_loss(theirs), Hinge().generator_loss(GeneratorStep(None, None, None, real, fake))


def _game(true: Callable[[Tensor], Tensor], drawn: Callable[[Tensor], Tensor], own: Callable[[Tensor], Tensor]) -> Any:
    return lambda of_true, of_drawn: (true(of_true).mean() + drawn(of_drawn).mean(), own(of_drawn).mean())


def _below(x: Tensor) -> Tensor:
    return F.relu(1 - x)


def _above(x: Tensor) -> Tensor:
    return F.relu(1 + x)


GAME = Exercise(
    title="write the game",
    level="medium",
    hints=(
        "F.relu(1 - x) is max(0, 1 - x): what a true picture costs the discriminator that does not say 1 or more.",
        "Drawn ones cost max(0, 1 + x). Both as means, added. The generator has no margin: it wants high numbers.",
    ),
    right=_package_game,
    slips=(
        Slip(
            _game(_above, _below, torch.neg),
            "the discriminator's two terms are exchanged: it wants high numbers for true pictures.",
        ),
        Slip(_game(_below, _above, lambda x: x), "the generator's sign: a loss falls, and it wants high numbers."),
        Slip(
            _game(torch.neg, lambda x: x, torch.neg),
            "the hinge is missing: what the discriminator has right by 1 or more costs nothing, max(0, 1 - x).",
        ),
        Slip(_game(_below, _above, _below), "the generator has no margin: minus the mean of what its pictures got."),
        Slip(
            _game(lambda x: F.relu(-x), F.relu, torch.neg),
            "the margins are missing: hinge asks for 1 and more, -1 and less, not only for the right sign.",
        ),
        Slip(
            lambda of_true, of_drawn: ((_below(of_true).mean() + _above(of_drawn).mean()) / 2, -of_drawn.mean()),
            "the discriminator's two means are added, not averaged.",
        ),
    ),
    ask=on((OF_TRUE, OF_DRAWN)),
)

NOISE, OTHER = (tuple(normal(2, *shape, seed=seed) for shape in ((5, 16), (5, 16), (64,))) for seed in (0, 1))


def mixed(noise: tuple[Tensor, ...], other: tuple[Tensor, ...], j: int) -> tuple[Tensor, ...]:
    """The first noise with the second's numbers for object j."""
    scales, shifts, picture = (part.clone() for part in noise)
    scales[:, j], shifts[:, j] = other[0][:, j], other[1][:, j]
    return scales, shifts, picture


def _asked(answer: Callable[..., Any]) -> list:
    """What is returned, and what has become of the first noise, which is to be left as it was."""
    noise = tuple(copied(part) for part in NOISE)
    given = answer(noise, tuple(copied(part) for part in OTHER), 2)
    return given if given is None else [list(given), list(noise)]


def _scales_alone(noise, other, j):
    parts = mixed(noise, other, j)
    return parts[0], noise[1], noise[2]


def _everything(noise, other, j):
    parts = mixed(noise, other, j)
    return parts[0], parts[1], other[2]


def _over_the_first(noise, other, j):
    noise[0][:, j], noise[1][:, j] = other[0][:, j], other[1][:, j]
    return noise


def _of_pictures(noise, other, j):
    scales, shifts, picture = (part.clone() for part in noise)
    if j < len(scales):
        scales[j], shifts[j] = other[0][j], other[1][j]
    return scales, shifts, picture


ONE_OBJECT = Exercise(
    title="one object alone",
    level="medium",
    hints=(
        "The row of object j is [:, j], in the first two tensors alike.",
        "Clone the first two tensors, then write row j of both; the third is the whole picture's and stays.",
    ),
    right=mixed,
    slips=(
        Slip(_over_the_first, "it writes over the first noise; clone its tensors before you write."),
        Slip(_scales_alone, "the object's shifts are still the first's: both tensors have a row for it."),
        Slip(_everything, "the third tensor is the whole picture's: it stays the first's."),
        Slip(_of_pictures, "[j] is picture j; object j is the second dimension, [:, j]."),
        Slip(lambda noise, other, j: other, "that is the second noise: only object j is to be its."),
    ),
    ask=_asked,
)

LESSON = Lesson((TABLE, GAME, ONE_OBJECT))
check, hint = LESSON.check, LESSON.hint
