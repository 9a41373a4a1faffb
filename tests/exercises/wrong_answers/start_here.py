"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import torch
from torch.nn import functional as F

WRONG = [
    (1, lambda m, K: F.one_hot(m, K).float(), "permute"),
    (1, lambda m, K: m[:, None] == torch.arange(K)[None, :, None, None], "True and False"),
    (1, lambda m, K: F.one_hot(m, K).float().movedim(3, 2), "expected shape"),
    (2, lambda renders: renders.median(0).values, "median"),
    (2, lambda renders: renders[3], "off by"),
    (2, lambda renders: renders.sum(0), "divided"),
]
