"""Kernel distance between two sets of features; on Inception features it is KID, Binkowski et al. (2018).

Shapes: N samples, D feature dimensions.
"""

from torch import Tensor

from sdm_lite.metrics.features import check_same_dimension, checked_features

ROWS = 1024  # of a matrix of inner products at a time: memory grows with N + M, not with N M


def kernel_distance(features_a: Tensor, features_b: Tensor) -> float:
    """Squared maximum mean discrepancy of two sets of features under a cubic kernel, without bias (KID).

        mean_{i != j} k(a_i, a_j) + mean_{i != j} k(b_i, b_j) - 2 mean_{i, j} k(a_i, b_j),   k(x, y) = (x.y / D + 1)^3

    Binkowski et al. (2018), section 4.

    Args:
        features_a: (N, D), N >= 2, finite.
        features_b: (M, D), M >= 2, finite.

    Returns:
        The distance; unbiased, so a little below 0 now and then for equal distributions.

    Raises:
        ValueError: if a set is not (N, D) with N >= 2 and finite, or the two D differ.
    """
    check_same_dimension(features_a, features_b)
    a, b = checked_features(features_a), checked_features(features_b)

    def sum_of_kernel(x: Tensor, y: Tensor) -> Tensor:
        return sum(((rows @ y.T / x.shape[1] + 1) ** 3).sum() for rows in x.split(ROWS))

    def mean_off_diagonal(x: Tensor) -> Tensor:
        diagonal = ((x.square().sum(1) / x.shape[1] + 1) ** 3).sum()
        return (sum_of_kernel(x, x) - diagonal) / (len(x) * (len(x) - 1))

    return (mean_off_diagonal(a) + mean_off_diagonal(b) - 2 * sum_of_kernel(a, b) / (len(a) * len(b))).item()


def pair_kernel(features_a: Tensor, features_b: Tensor) -> Tensor:
    """The kernel of pairs (a_i, b_i) whose mean over i != j is the kernel distance of a and b, without bias.

        h_ij = k(a_i, a_j) + k(b_i, b_j) - k(a_i, b_j) - k(b_i, a_j),   k as in `kernel_distance`

    Gretton et al. (2012), Lemma 6. No a_i meets its own b_i: a sample and the photograph of the same label map may be
    alike without bringing the sets any nearer. See `kernel_distance_of_pairs`.

    Args:
        features_a: (N, D), N >= 2, finite.
        features_b: (N, D), finite.

    Returns:
        (N, N) float64, symmetric; 0 where a is b.

    Raises:
        ValueError: if a set is not (N, D) with N >= 2 and finite, or the shapes differ.
    """
    a, b = checked_features(features_a), checked_features(features_b)
    if a.shape != b.shape:
        raise ValueError(f"pairs of features must have one shape (N, D), got {tuple(a.shape)} and {tuple(b.shape)}")
    across = _kernel(a, b)
    return _kernel(a, a) + _kernel(b, b) - across - across.T


def kernel_distance_of_pairs(pairs: Tensor, indices: Tensor) -> float:
    """The kernel distance of some pairs, for a bootstrap over pairs: a pair drawn twice is not compared with itself.

    Args:
        pairs: (N, N), from `pair_kernel`.
        indices: (M,) int64 of pairs, with repetitions, two of them different.

    Returns:
        The mean of h_ij over all drawn (i, j), i != j; nan if only one pair was drawn.
    """
    different = indices[:, None] != indices[None, :]  # (M, M)
    return pairs[indices][:, indices][different].mean().item()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3
