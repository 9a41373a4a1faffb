"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import torch
from torch.nn import functional as F


def the_nearest_to_the_others(renders):
    apart = ((renders[:, None] - renders[None]) ** 2).mean((1, 2, 3, 4))
    return renders[apart.argmin()]


WRONG = [
    (1, lambda m, K: F.one_hot(m, K).float(), "permute"),
    (1, lambda m, K: F.one_hot(m, K), "permute"),
    (1, lambda m, K: F.one_hot(m, K).permute(0, 3, 1, 2), "whole numbers"),
    (1, lambda m, K: m[:, None] == torch.arange(K)[None, :, None, None], "True and False"),
    (1, lambda m, K: F.one_hot(m, K).float().movedim(3, 2), "expected shape"),
    (2, lambda renders: renders.median(0).values, "median"),
    (2, lambda renders: renders[3], "off by"),
    (2, the_nearest_to_the_others, "need not be among them"),
    (2, lambda renders: renders.sum(0), "divided"),
]
