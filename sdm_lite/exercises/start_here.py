"""Exercises of the lesson "Start here": what the network reads, and why no single picture is the answer."""

import torch

from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, on
from sdm_lite.labels import encode_labels


def _label_maps() -> torch.Tensor:
    return torch.randint(0, 5, (2, 6, 6), generator=torch.Generator("cpu").manual_seed(0), device="cpu")


ONE_HOT = Exercise(
    title="what the network reads",
    level="easy",
    hints=(
        "Class k's map is 1 where label_map == k. One comparison can make all K of them at once.",
        "Give label_map an axis for the classes, label_map[:, None], (B, 1, H, W), and compare it with "
        "torch.arange(num_classes) of shape (1, num_classes, 1, 1).",
        "A comparison gives True and False; .float() makes 1 and 0 of them.",
    ),
    right=encode_labels,
    slips=(
        Slip(
            lambda label_map, num_classes: torch.nn.functional.one_hot(label_map, num_classes).float(),
            "the classes are the last axis; a network wants them as channels, (B, num_classes, H, W): permute.",
        ),
        Slip(
            lambda label_map, num_classes: label_map[:, None].float().expand(-1, num_classes, -1, -1),
            "each channel holds the class numbers; channel k is to be 1 where the class is k, and 0 elsewhere.",
        ),
        Slip(
            lambda label_map, num_classes: encode_labels(label_map, num_classes) == 1,
            "right, but True and False, or whole numbers; a network multiplies with float32: give .float().",
        ),
        Slip(
            lambda label_map, num_classes: torch.nn.functional.one_hot(label_map, num_classes),
            "the classes are the last axis; a network wants them as channels, (B, num_classes, H, W): permute. "
            "And it multiplies with float32: .float().",
        ),
        Slip(
            lambda label_map, num_classes: 1 - encode_labels(label_map, num_classes),
            "it is the wrong way round: 1 is where the class is.",
        ),
    ),
    ask=on((_label_maps(), 5), (_label_maps()[:1], 7)),
)

LEAST_SQUARES = Exercise(
    title="why not simply predict the picture?",
    level="medium",
    hints=(
        "Every pixel can be chosen by itself: which number has the least squared distance to N given numbers?",
        "Set the derivative to zero: the sum of (number - given) over the N given ones.",
    ),
    right=lambda renders: renders.mean(0),
    slips=(
        Slip(
            lambda renders: renders.median(0).values,
            "that is the median, which has the least *absolute* error; the error here is squared.",
        ),
        Slip(lambda renders: renders.mean(), "that is one number, of all pixels: average over the pictures alone."),
        Slip(lambda renders: renders.sum(0), "a sum; by how many is it to be divided?"),
        Slip(lambda renders: renders[0], "a true picture fits itself and none of the others."),
        Slip(
            lambda renders: renders[torch.cdist(renders.flatten(1), renders.flatten(1)).square().sum(0).argmin()],
            "that is the best of the true pictures; the one asked for need not be among them.",
        ),
    ),
    ask=on((normal(9, 3, 4, 4).tanh(),)),
    remark="Every hour and every season at once, and none of them: it fits the map and looks like no picture of it.",
)

LESSON = Lesson((ONE_HOT, LEAST_SQUARES))
check, hint = LESSON.check, LESSON.hint
