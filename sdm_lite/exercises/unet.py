"""Exercises of the lesson "The SDM U-Net": SPADE written out, what it weighs, and what the structure saves."""

import torch
from torch import Tensor
from torch.nn import functional as F

from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, on
from sdm_lite.pyramid import Level
from sdm_lite.spade import SPADE


def _spade(channels: int = 8, *, kernel_size: int = 1) -> SPADE:
    """A small SPADE whose weights are the same whenever it is asked for; (1 + gamma) is far from 1 in it."""
    spade = SPADE(channels, condition_channels=3, hidden_channels=6, num_groups=2, kernel_size=kernel_size)
    for seed, weight in enumerate(spade.parameters()):
        weight.data = normal(*weight.shape, seed=seed)
    return spade.requires_grad_(False)


def _read(spade: SPADE, condition: Tensor) -> tuple[Tensor, Tensor]:
    return spade.gamma_beta(F.relu(spade.shared(condition))).chunk(2, dim=1)


def _normalised(spade: SPADE, h: Tensor) -> Tensor:
    return F.group_norm(h, spade.num_groups)


def _without_relu(spade: SPADE, h: Tensor, condition: Tensor) -> Tensor:
    gamma, beta = spade.gamma_beta(spade.shared(condition)).chunk(2, dim=1)
    return (1 + gamma) * _normalised(spade, h) + beta


def _gamma_alone(spade: SPADE, h: Tensor, condition: Tensor) -> Tensor:
    gamma, beta = _read(spade, condition)
    return gamma * _normalised(spade, h) + beta


def _swapped(spade: SPADE, h: Tensor, condition: Tensor) -> Tensor:
    beta, gamma = _read(spade, condition)
    return (1 + gamma) * _normalised(spade, h) + beta


def _not_normalised(spade: SPADE, h: Tensor, condition: Tensor) -> Tensor:
    gamma, beta = _read(spade, condition)
    return (1 + gamma) * h + beta


def _normalised_last(spade: SPADE, h: Tensor, condition: Tensor) -> Tensor:
    return _normalised(spade, _not_normalised(spade, h, condition))


WRITE_SPADE = Exercise(
    title="write SPADE",
    level="medium",
    hints=(
        "Three lines: what the label map says (gamma and beta), the features normalised, and the two put together.",
        "The small network is spade.shared, a ReLU, then spade.gamma_beta; .chunk(2, dim=1) parts gamma from beta.",
        "F.group_norm(h, spade.num_groups) normalises. Eq. 8's gamma is 1 + gamma here, so that zero changes nothing.",
    ),
    right=lambda spade, h, condition: spade(h, spade.read(Level(condition))),
    slips=(
        Slip(
            _gamma_alone,
            "the 1 + is missing: with gamma = 0, as at the start of training, all features would be wiped out.",
        ),
        Slip(_swapped, "gamma and beta are exchanged: gamma is the first half of the channels."),
        Slip(_without_relu, "the ReLU between the two convolutions is missing: without it they are one convolution."),
        Slip(_not_normalised, "h is not normalised: the group norm comes first."),
        Slip(
            _normalised_last,
            "the norm comes last and washes out again what the label map said; normalise first, then scale and shift.",
        ),
    ),
    ask=on((_spade(), 3 * normal(3, 8, 5, 5) + 1, normal(3, 3, 5, 5, seed=1))),  # 3: `a, b = ` does not part a batch
)


def _num_weights(C: int, K: int, H: int, k: int) -> int:
    spade = SPADE(C, condition_channels=K, hidden_channels=H, num_groups=1, kernel_size=k)
    return sum(weight.numel() for weight in spade.parameters())


WEIGHTS = Exercise(
    title="what a SPADE weighs",
    level="easy",
    hints=(
        "Two convolutions; the first is always 3 x 3. One with n inputs, m outputs has side^2 n m weights, m biases.",
        "The second puts out gamma and beta: 2 C channels.",
    ),
    right=_num_weights,
    slips=(
        Slip(lambda C, K, H, k: 9 * K * H + k * k * H * 2 * C, "the biases are missing: one for each output channel."),
        Slip(
            lambda C, K, H, k: 9 * K * H + H + k * k * H * C + C,
            "the second convolution gives gamma *and* beta, so 2 C channels.",
        ),
        Slip(
            lambda C, K, H, k: k * k * K * H + H + k * k * H * 2 * C + 2 * C,
            "the first convolution is 3 x 3 whatever k is.",
        ),
    ),
    ask=on((1024, 151, 128, 3), (32, 12, 32, 1), (96, 20, 7, 5)),
    remark="The first convolution alone grows with the number of classes: 9 K H.",
)


def _num_null_vectors() -> int:
    """How many different pairs of vectors (gamma, beta) a SPADE with 3 x 3 convolutions reads off the null label."""
    pairs = torch.cat(_spade(kernel_size=3).read(Level(0 * normal(1, 3, 16, 16))), dim=1)  # (1, 16, 16, 16)
    return len(torch.unique(pairs[0].flatten(1).T.mul(1e4).round(), dim=0))


NULL_LABEL = Exercise(
    title="how constant is the null label?",
    level="medium",
    hints=(
        "The first convolution sees zeros everywhere and gives its bias everywhere. The second sees that, and zeros "
        "outside the border.",
        "All that matters of a pixel is on which sides it touches the border: how many possibilities are there?",
    ),
    right=_num_null_vectors(),
    slips=(
        Slip(1, "inside the map, yes. But the second convolution is padded with zeros: think of the border."),
        Slip(2, "one inside and one at the border? The zeros stand on another side at each edge."),
        Slip(3, "inside, edge and corner? Left and right edge see the zeros on different sides, and so differ."),
        Slip(5, "inside and the four edges; corners are different again."),
        Slip(256, "most pixels see no border at all, and all of those read the same."),
    ),
    remark="3 x 3: inside, four edges, four corners.",
)


def bill(encode: float, modulate: float, decode: float, num_steps: int, num_samples: int) -> float:
    """Operations of a guided trajectory with everything shared; the notebook counts the same on the network."""
    return 2 * modulate + num_steps * num_samples * (encode + 2 * decode)


BILL = Exercise(
    title="the bill for a whole trajectory",
    level="easy",
    hints=(
        "What depends on neither step nor sample is paid once; what depends on both, num_steps * num_samples times.",
        "encode is shared by the two branches, decode is not; modulate is done once for the map and once for null.",
    ),
    right=bill,
    slips=(
        Slip(
            lambda e, m, d, steps, samples: steps * samples * (e + 2 * m + 2 * d),
            "modulate reads the label map alone, which is the same at every step and for every sample.",
        ),
        Slip(
            lambda e, m, d, steps, samples: 2 * m + steps * samples * (e + d),
            "guidance decodes twice: with the map and without.",
        ),
        Slip(
            lambda e, m, d, steps, samples: 2 * m + steps * samples * 2 * (e + d),
            "the encoder has no label in it: both branches share one pass of it.",
        ),
        Slip(
            lambda e, m, d, steps, samples: m + steps * samples * (e + 2 * d),
            "the null label goes through modulate once, too.",
        ),
        Slip(
            lambda e, m, d, steps, samples: 2 * m * samples + steps * samples * (e + 2 * d),
            "all samples are of one layout: it is read once for all of them.",
        ),
    ),
    ask=on((5.0, 7.0, 11.0, 2, 3), (1.0, 0.5, 2.0, 25, 4)),
)


def loudest_contrast(share: float) -> float:
    """What the contrast of a share of the pixels and the rest tends to after a norm, as what they differ by grows."""
    return (share * (1 - share)) ** -0.5


LOUDEST = Exercise(
    title="how loud a label can get",
    level="medium",
    hints=(
        "When k is very large the features do not matter: take a map that is k on a share of the pixels and 0 "
        "elsewhere. What does normalising do to the contrast, which is k?",
        "It divides by the standard deviation. Mean of the map: share * k; mean of its squares: share * k^2.",
        "So the variance is share * (1 - share) * k^2, and k cancels.",
    ),
    right=loudest_contrast,
    slips=(
        Slip(lambda share: 2.0, "that is the limit for one half; the smaller the part, the higher it is."),
        Slip(
            lambda share: 1 / (share * (1 - share)),
            "normalising divides by a standard deviation, the root of the variance.",
        ),
        Slip(
            lambda share: share**-0.5,
            "that is 1 divided by the root of the mean square; the norm takes the mean away first.",
        ),
        Slip(
            lambda share: ((1 - share) / share) ** 0.5,
            "that is how far the part rises above the mean of all; the rest lies below it: asked is the difference.",
        ),
    ),
    ask=on((0.5,), (0.125,), (0.9,)),
    remark="2 for a half, 3.02 for an eighth: the dotted lines of the figure.",
)

LESSON = Lesson((WRITE_SPADE, WEIGHTS, NULL_LABEL, BILL, LOUDEST))
check, hint = LESSON.check, LESSON.hint
