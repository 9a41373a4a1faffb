"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import torch

from sdm_lite.metrics import mean_iou


def fid_without_root(a, b):
    a, b = a.double(), b.double()
    cov_a, cov_b = a.T.cov(), b.T.cov()
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + torch.trace(cov_a + cov_b - 2 * cov_a @ cov_b)


def fid_of_independent_features(a, b):
    a, b = a.double(), b.double()
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + ((a.std(0) - b.std(0)) ** 2).sum()


def fid_without_square(a, b):
    a, b = a.double(), b.double()
    cov_a, cov_b = a.T.cov(), b.T.cov()
    roots = torch.linalg.eigvals(cov_a @ cov_b).real.clamp(min=0).sqrt().sum()
    return (a.mean(0) - b.mean(0)).norm() + torch.trace(cov_a + cov_b) - 2 * roots


WRONG = [
    (1, fid_without_root, "root is missing"),
    (1, fid_of_independent_features, "independent"),
    (1, fid_without_square, "squared"),
    (2, lambda m, s, n, r: (m - n) ** 2 + (s**2 - r**2) ** 2, "standard deviations"),
    (2, lambda m, s, n, r: (m - n) ** 2 + s**2 + r**2, "2 std_1 std_2"),
    (2, lambda m, s, n, r: (m - n) ** 2 + s**2 + r**2 - s * r, "twice"),
    (3, lambda confusions: mean_iou(confusions.sum(0)), "adds up the matrices"),
    (3, lambda confusions: float("nan"), "nan"),
    (4, lambda n, m: 2 * n - m, "exchanged"),
    (4, lambda n, m: (n + m) / 2, "biased"),
]
