"""Exercises of the lesson "The ablation": what labels at the input cost, and the rival's pass."""

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from sdm_lite.concat import ConcatUNet
from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, steps
from sdm_lite.exercises.training import TINY
from sdm_lite.presets import PRESETS

INPUT_COST = Exercise(
    title="what the input costs",
    level="easy",
    hints=(
        "One 3 x 3 kernel for each pair of an input and an output channel.",
        'The more inputs are one for each class: 150 and "unknown".',
    ),
    right=PRESETS["ade20k-256"].condition_channels * 256 * 9,
    slips=(
        Slip(150 * 256 * 9, '"unknown" is a class, too.'),
        Slip(154 * 256 * 9, "SDM's first convolution reads the 3 channels of the picture as well: only what is more."),
        Slip(151 * 256, "a kernel has 3 x 3 weights."),
        Slip(151 * 9, "there is a kernel for each pair of an input and an *output* channel."),
        Slip(152 * 256 * 9, '150 and "unknown" are 151; there are no instance edges.'),
        Slip(151 * 256 * 9 + 256, "both have the same biases, one for each output."),
    ),
)

CONFIG = dataclasses.replace(TINY, conditioning="concat")


def _rival() -> ConcatUNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = ConcatUNet(CONFIG)
    for seed, weight in enumerate(unet.parameters()):
        weight.data += 0.05 * normal(*weight.shape, seed=seed)
    return unet.requires_grad_(False)


RIVAL = _rival()


class Halves:
    """The rival's two halves without its own pass, which is what is to be written."""

    encode, decode = RIVAL.encode, RIVAL.decode

    def __call__(self, *_: Tensor) -> Tensor:
        """Refuses."""
        raise TypeError("its whole pass is what is to be written: encode, then decode")


def _drawn(answer: Callable[..., Tensor]) -> Tensor:
    x_t, condition = normal(2, 3, 8, 8), (normal(1, CONFIG.condition_channels, 8, 8, seed=1) > 0).float()
    return answer(Halves(), x_t, steps(300, 700), condition)


def _joined(unet: Halves, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
    return unet.decode(unet.encode(torch.cat([condition.expand(len(x_t), -1, -1, -1), x_t], dim=1), t), None)


def _unlabelled(unet: Halves, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
    return RIVAL(x_t, t, torch.zeros_like(condition))


WRITE_RIVAL = Exercise(
    title="write the rival",
    level="medium",
    hints=(
        "torch.cat([x_t, condition], dim=1) is what its encoder reads; decode then takes None.",
        "The condition may have batch 1: condition.expand(len(x_t), -1, -1, -1) repeats it for every picture.",
    ),
    right=lambda unet, x_t, t, condition: RIVAL(x_t, t, condition),
    slips=(
        Slip(_joined, "the condition stands before the picture; the network was built to read the picture first."),
        Slip(_unlabelled, "it reads zeros, the null label: hand over the condition."),
        Slip(
            lambda unet, x_t, t, condition: RIVAL(x_t, t - 1, condition),
            "t counts from 1 here; encode takes it as it is.",
        ),
    ),
    ask=_drawn,
)

LESSON = Lesson((INPUT_COST, WRITE_RIVAL))
check, hint = LESSON.check, LESSON.hint
