"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

from torch.nn import functional as F


def noise_written_over(noise, other, j):
    noise[0][:, j] = other[0][:, j]
    noise[1][:, j] = other[1][:, j]
    return noise


WRONG = [
    (1, 58880 / 31136, "Not yet"),
    (1, (2 * 11 * 96 + 2) / 58880, "Not yet"),
    (1, ((9 * 12 * 32 + 32) + (9 * 32 * 96 + 96)) / (2 * 11 * 96 + 2), "192"),
    (1, (9 * 12 * 32 + 9 * 32 * 192) / (2 * 11 * 96 + 2), "biases"),
    (1, (12 * 32 + 32 + 32 * 192 + 192) / (2 * 11 * 96 + 2), "nine weights"),
    (2, lambda t, d: (d.mean() - t.mean(), -d.mean()), "hinge is missing"),
    (2, lambda t, d: (F.relu(1 + t).mean() + F.relu(1 - d).mean(), -d.mean()), "exchanged"),
    (2, lambda t, d: (F.relu(1 - t).mean() + F.relu(1 + d).mean(), d.mean()), "sign"),
    (3, noise_written_over, "writes over"),
    (3, lambda noise, other, j: other, "only object j"),
]
