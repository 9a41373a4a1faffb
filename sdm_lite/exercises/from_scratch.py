"""Exercises of the lesson "From scratch": the channel of instance edges, and the line that makes a sampler DDIM."""

from collections.abc import Callable

import torch
from torch import Tensor

from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, on
from sdm_lite.labels import instance_edges

INSTANCES = (torch.arange(7, device="cpu")[:, None] // 3 + 10 * (torch.arange(9, device="cpu") // 4)).repeat(3, 1, 1)
INSTANCES[1] = INSTANCES[0].flip(1) * (torch.arange(9, device="cpu") != 2)
INSTANCES[2] = 0
INSTANCES[2, 2:5, 3:7] = 5  # a thing on its own: what is diagonal to its corners touches nothing


def _touching(*shifts: tuple[int, int]) -> Callable[[Tensor], Tensor]:
    """Where the neighbour by one of some shifts (down, right) is another instance."""

    def answer(instance_map: Tensor) -> Tensor:
        edges = torch.zeros_like(instance_map, dtype=torch.bool)
        height, width = instance_map.shape[1:]
        for down, right in shifts:
            here = (slice(max(0, -down), height - max(0, down)), slice(max(0, -right), width - max(0, right)))
            there = (slice(max(0, down), height + min(0, down)), slice(max(0, right), width + min(0, right)))
            edges[(slice(None), *here)] |= instance_map[(slice(None), *here)] != instance_map[(slice(None), *there)]
        return edges[:, None].float()

    return answer


def _rolled(instance_map: Tensor) -> Tensor:
    differs = [instance_map != instance_map.roll(by, axis) for by in (1, -1) for axis in (1, 2)]
    return torch.stack(differs).any(0)[:, None].float()


def _padded(instance_map: Tensor) -> Tensor:
    around = torch.nn.functional.pad(instance_map, (1, 1, 1, 1))
    shifted = (around[:, :-2, 1:-1], around[:, 2:, 1:-1], around[:, 1:-1, :-2], around[:, 1:-1, 2:])
    return torch.stack([instance_map != one for one in shifted]).any(0)[:, None].float()


EDGES = Exercise(
    title="the missing channel",
    level="easy",
    hints=(
        "Compare the map with itself a row further, instance_map[:, 1:] != instance_map[:, :-1]; the same for columns.",
        "A difference belongs to both pixels: mark the upper and the lower, the left and the right.",
        "Start from torch.zeros_like(instance_map, dtype=torch.bool), |= on four slices, end with [:, None].float().",
    ),
    right=instance_edges,
    slips=(
        Slip(
            _touching((1, 0), (0, 1)),
            "only one side of each border is marked: a difference belongs to both of its pixels.",
        ),
        Slip(
            _touching((-1, 0), (0, -1)),
            "only one side of each border is marked: a difference belongs to both of its pixels.",
        ),
        Slip(_touching((1, 0), (-1, 0)), "borders between columns are missing."),
        Slip(_touching((0, 1), (0, -1)), "borders between rows are missing."),
        Slip(
            _rolled,
            "the picture is no ring: roll compares the first row with the last one, and the border of the picture is "
            "no border of an instance.",
        ),
        Slip(
            _padded,
            "the zeros of the padding count as an instance: the border of the picture is no border of an instance.",
        ),
        Slip(
            _touching((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)),
            "four neighbours count, above, below, left and right; not the diagonal ones.",
        ),
        Slip(lambda instance_map: instance_edges(instance_map)[:, 0], "right, but for its shape: (B, 1, H, W)."),
    ),
    ask=on((INSTANCES,)),
)

X_0, X_T = normal(2, 3, 4, 4), normal(2, 3, 4, 4, seed=1)


def _level(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device="cpu")[:, None, None, None]


def ddim_line(x_0: Tensor, x_t: Tensor, alpha_bar_t: Tensor, alpha_bar_r: Tensor) -> Tensor:
    """The step of DDIM."""
    eps = (x_t - alpha_bar_t.sqrt() * x_0) / (1 - alpha_bar_t).sqrt()
    return alpha_bar_r.sqrt() * x_0 + (1 - alpha_bar_r).sqrt() * eps


DDIM_LINE = Exercise(
    title="one line, another sampler",
    level="medium",
    hints=(
        "It replaces the line that makes x: q_sample at step r, with the predicted noise in the place of fresh noise.",
        "The noise that x_0 leaves in x_t: (x_t - sqrt(alpha_bar_t) x_0) / sqrt(1 - alpha_bar_t).",
    ),
    right=ddim_line,
    slips=(
        Slip(
            lambda x_0, x_t, now, then: then.sqrt() * x_0 + (1 - then).sqrt() * (x_t - now.sqrt() * x_0),
            "x_t - sqrt(alpha_bar_t) x_0 is sqrt(1 - alpha_bar_t) times the noise: divide by that.",
        ),
        Slip(
            lambda x_0, x_t, now, then: (
                then.sqrt() * x_0 + (1 - then).sqrt() * (x_t - then.sqrt() * x_0) / (1 - then).sqrt()
            ),
            "the noise is in x_t: take it out with the level of t, put it back with that of r.",
        ),
        Slip(
            lambda x_0, x_t, now, then: then.sqrt() * x_0 + (1 - then).sqrt() * (x_t - x_0) / (1 - now).sqrt(),
            "in x_t the picture has the weight sqrt(alpha_bar_t): that much of x_0 is taken out.",
        ),
        Slip(
            lambda x_0, x_t, now, then: ddim_line(x_0, x_t, then, now),
            "t and r are exchanged: that step goes back into the noise.",
        ),
        Slip(
            lambda x_0, x_t, now, then: then.sqrt() * x_0 + (1 - then).sqrt() * x_t,
            "x_t is not the noise: it has signal in it too. Take sqrt(alpha_bar_t) x_0 out first, then rescale.",
        ),
        Slip(
            lambda x_0, x_t, now, then: (
                (then.sqrt() * (1 - now / then) * x_0 + (now / then).sqrt() * (1 - then) * x_t) / (1 - now)
            ),
            "that is the posterior's mean, the ancestral sampler's without its noise: it ends too smooth.",
        ),
    ),
    ask=on((X_0, X_T, _level(0.3, 0.05), _level(0.6, 0.2))),
)

LESSON = Lesson((EDGES, DDIM_LINE))
check, hint = LESSON.check, LESSON.hint
