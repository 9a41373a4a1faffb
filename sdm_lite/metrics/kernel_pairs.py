"""Kernel distance over items, such as layouts, that have several pictures each: a mean over pairs, cheap to resample.

Shapes: L items, N pictures of each, M of the reference, D feature dimensions.
"""

import torch
from torch import Tensor

from sdm_lite.metrics.features import check_same_dimension, checked_features


def kernel_contrasts(features: Tensor, reference: Tensor) -> Tensor:
    """What every pair of items adds to the kernel distance: the terms of a U-statistic, Gretton et al. (2012), Eq. 4.

        h_ij = k(a_i, a_j) + k(b_i, b_j) - k(a_i, b_j) - k(b_i, a_j),   each k a mean over the pictures of i and of j

    The mean of h_ij over i != j is the squared maximum mean discrepancy under the cubic kernel of `kernel_distance`,
    without bias if items are independent: pictures of one item, two of one layout, are never compared. Any number of
    resamples of the items costs one such matrix; see `mean_over_pairs`.

    Args:
        features: (L, N, D), finite.
        reference: (L, M, D) of the same items, finite.

    Returns:
        (L, L) float64, symmetric.

    Raises:
        ValueError: if L differs or is below 2, D differs, or a number is not finite.
    """
    if features.ndim != 3 or reference.ndim != 3 or len(features) != len(reference) or len(features) < 2:
        raise ValueError(
            "features must be (L, N, D) and reference (L, M, D) of the same L >= 2 items, "
            f"got {tuple(features.shape)} and {tuple(reference.shape)}"
        )
    check_same_dimension(features, reference)
    for values in (features, reference):
        checked_features(values.flatten(0, 1))

    def of_pairs(x: Tensor, y: Tensor) -> Tensor:
        """Mean kernel of the pictures of x_i and those of y_j, (L, L); row by row, which bounds the memory."""
        others = y.flatten(0, 1)
        return torch.stack(
            [_cubic(one, others).unflatten(1, y.shape[:2]).mean((0, 2), dtype=torch.float64) for one in x]
        )

    across = of_pairs(features, reference)
    return of_pairs(features, features) + of_pairs(reference, reference) - across - across.T


def mean_over_pairs(contrasts: Tensor, indices: Tensor | None = None) -> float:
    """Mean of h_ij over pairs of different items, the items drawn with replacement.

    Two copies of one item are no pair, so that a resample has no bias that the items themselves have not.

    Args:
        contrasts: (L, L) from `kernel_contrasts`.
        indices: of the items drawn, int64, any number. None = each once.

    Returns:
        The mean, nan if all that was drawn is one item.
    """
    counts = torch.ones(len(contrasts)) if indices is None else torch.bincount(indices, minlength=len(contrasts))
    counts = counts.double()
    pairs = counts.sum() ** 2 - counts.square().sum()
    return ((counts @ contrasts @ counts - counts.square() @ contrasts.diagonal()) / pairs).item()


def _cubic(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3
