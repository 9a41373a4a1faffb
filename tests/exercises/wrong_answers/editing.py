"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import torch


def projection(outside):
    """A projection with something else outside."""
    return lambda x_s, picture, region, noise, a: torch.where(region, x_s, outside(picture, noise, a))


WRONG = [
    (1, lambda x, p, region, n, a: torch.where(region, a**0.5 * p + (1 - a) ** 0.5 * n, x), "exchanged"),
    (1, projection(lambda p, n, a: p), "clean picture"),
    (1, projection(lambda p, n, a: a * p + (1 - a) * n), "square roots"),
    (2, (8, 200), "no jump"),
    (2, (8, 25), "w - 1 jumps"),
    (2, 8, "a pair is asked for"),
    (2, (7, 150), "afforded"),
]
