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


def kernel_distance_of_groups(features_a: Tensor, features_b: Tensor, groups_a: Tensor, groups_b: Tensor) -> float:
    """The kernel distance over pairs of pictures of different groups alone; without groups, `kernel_distance`.

    Pictures of one label map are alike. Where both sets have pictures of the same maps, or one has several of a map,
    their pairs are no independent draws, and with them the distance lies below the one of fresh pictures.

    Args:
        features_a: (N, D), N >= 2, finite.
        features_b: (M, D), M >= 2, finite.
        groups_a: (N,) int64, what each is of.
        groups_b: (M,) int64, in the same numbers.

    Returns:
        The distance; nan where a set has one group only, or there are no two different ones between them.

    Raises:
        ValueError: as `kernel_distance`, or if groups are not one a picture.
    """
    check_same_dimension(features_a, features_b)
    a, b = checked_features(features_a), checked_features(features_b)
    if groups_a.shape != a.shape[:1] or groups_b.shape != b.shape[:1]:
        raise ValueError(
            f"groups must be one a picture, got {tuple(groups_a.shape)} and {tuple(groups_b.shape)} for {len(a)} and "
            f"{len(b)} pictures"
        )

    def mean_of_different(x: Tensor, y: Tensor, of_x: Tensor, of_y: Tensor) -> float:
        total, number = 0.0, 0
        for rows, of_rows in zip(x.split(ROWS), of_x.split(ROWS), strict=True):
            different = of_rows[:, None] != of_y
            total += (((rows @ y.T / x.shape[1] + 1) ** 3) * different).sum().item()
            number += int(different.sum())
        return total / number if number else float("nan")

    within = mean_of_different(a, a, groups_a, groups_a) + mean_of_different(b, b, groups_b, groups_b)
    return within - 2 * mean_of_different(a, b, groups_a, groups_b)
