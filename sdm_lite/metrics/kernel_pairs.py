"""Kernel distance over label maps that have samples and true pictures each: a mean over pairs, cheap to resample.

Shapes: L label maps, N samples of each, M true pictures of each, D feature dimensions.
"""

import torch
from torch import Tensor

from sdm_lite.metrics.features import check_same_dimension, checked_features


def pair_kernel(features: Tensor, reference: Tensor) -> Tensor:
    """The kernel of pairs (a_i, b_i) whose mean over i != j is the kernel distance of a and b, without bias.

        h_ij = k(a_i, a_j) + k(b_i, b_j) - k(a_i, b_j) - k(b_i, a_j),   k as in `kernel_distance`, a mean over pictures

    Gretton et al. (2012), Lemma 6. No a_i meets its own b_i: a sample and the true pictures of one label map may be
    alike without bringing the sets any nearer. See `kernel_distance_of_pairs`.

    Args:
        features: (L, N, D), L >= 2, finite; computed with in their own precision.
        reference: (L, M, D), finite.

    Returns:
        (L, L) float64, symmetric; 0 where a is b and N = 1.

    Raises:
        ValueError: if L differs or is below 2, D differs, or a number is not finite.
    """
    if features.ndim != 3 or reference.ndim != 3 or len(features) != len(reference) or len(features) < 2:
        raise ValueError(
            "pairs of features must be (L, N, D) and (L, M, D) with one L >= 2, "
            f"got {tuple(features.shape)} and {tuple(reference.shape)}"
        )
    check_same_dimension(features, reference)
    for values in (features, reference):
        checked_features(values.flatten(0, 1))

    def of_pairs(x: Tensor, y: Tensor) -> Tensor:
        """Mean kernel of the pictures of x_i and those of y_j, (L, L); row by row, which bounds the memory."""
        others = y.flatten(0, 1)
        grams = (((one @ others.T / x.shape[2] + 1) ** 3).unflatten(1, y.shape[:2]) for one in x)
        return torch.stack([gram.mean((0, 2), dtype=torch.float64) for gram in grams])

    across = of_pairs(features, reference)
    return of_pairs(features, features) + of_pairs(reference, reference) - across - across.T


def kernel_distance_of_pairs(pairs: Tensor, indices: Tensor) -> float:
    """The kernel distance of some pairs, for a bootstrap over pairs: a pair drawn twice is not compared with itself.

    Args:
        pairs: (L, L), from `pair_kernel`.
        indices: (any number,) int64 of pairs, with repetitions, two of them different.

    Returns:
        The mean of h_ij over all drawn (i, j), i != j; nan if only one pair was drawn.
    """
    counts = torch.bincount(indices, minlength=len(pairs)).double()
    number = counts.sum() ** 2 - counts.square().sum()
    return ((counts @ pairs @ counts - counts.square() @ pairs.diagonal()) / number).item()
