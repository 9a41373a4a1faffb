"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

from torch.nn import functional as F


def spade_without_one(spade, h, condition):
    gamma, beta = spade.gamma_beta(F.relu(spade.shared(condition))).chunk(2, dim=1)
    return gamma * F.group_norm(h, spade.num_groups) + beta


def spade_that_parts_the_batch(spade, h, condition):
    gamma, beta = spade.gamma_beta(F.relu(spade.shared(condition)))
    return (1 + gamma) * F.group_norm(h, spade.num_groups) + beta


def spade_without_norm(spade, h, condition):
    gamma, beta = spade.gamma_beta(F.relu(spade.shared(condition))).chunk(2, dim=1)
    return (1 + gamma) * h + beta


def spade_without_relu(spade, h, condition):
    gamma, beta = spade.gamma_beta(spade.shared(condition)).chunk(2, dim=1)
    return (1 + gamma) * F.group_norm(h, spade.num_groups) + beta


WRONG = [
    (1, spade_without_one, "1 + is missing"),
    (1, spade_without_norm, "not normalised"),
    (1, spade_without_relu, "ReLU"),
    (1, spade_that_parts_the_batch, "too many values to unpack"),
    (2, lambda C, K, H, k: 9 * K * H + 2 * k**2 * H * C, "biases"),
    (2, lambda C, K, H, k: 9 * K * H + H + k * k * H * C + C, "*and* beta"),
    (3, 1, "border"),
    (3, 5, "corners"),
    (3, 3, "Left and right edge"),
    (4, lambda e, m, d, steps, samples: steps * samples * 2 * (e + m + d), "off by"),
    (4, lambda e, m, d, steps, samples: steps * samples * (e + 2 * m + 2 * d), "label map alone"),
    (4, lambda e, m, d, steps, samples: m + steps * samples * (e + 2 * d), "null label goes"),
    (5, lambda share: 2.0, "limit for one half"),
    (5, lambda share: 1 / (share * (1 - share)), "standard deviation"),
    (5, lambda share: 1 / share**0.5, "takes the mean away"),
    (5, lambda share: 1 / share, "off by"),
]
