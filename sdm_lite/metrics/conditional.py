"""What is left of features when known causes of their spread, such as the hour, are held fixed.

Shapes: N samples, M of the reference, D feature dimensions, G groups.
"""

import torch
from torch import Tensor

from sdm_lite.metrics.features import check_same_dimension, checked_features


def residuals(features: Tensor, groups: Tensor, reference: Tensor, reference_groups: Tensor) -> Tensor:
    """Features less the reference's mean of their own group: what their group does not explain.

    A Frechet or kernel distance of these residuals to the reference's compares within groups: a set whose groups have
    other shares, but which is right within each, is at distance 0. Compare Soloveitchik et al. (2021), conditional FID.

    Args:
        features: (N, D), finite.
        groups: (N,) int64, which group each belongs to.
        reference: (M, D), finite.
        reference_groups: (M,) int64. The mean of a group that the reference has not is that of all its features.

    Returns:
        (N, D) float64.

    Raises:
        ValueError: if a set is not (N, D) with N >= 2 and finite, the two D differ, or there is not a group for each.
    """
    check_same_dimension(features, reference)
    features, reference = checked_features(features), checked_features(reference)
    if groups.shape != features.shape[:1] or reference_groups.shape != reference.shape[:1]:
        raise ValueError(
            f"expected a group for each of {len(features)} and {len(reference)} features, "
            f"got {tuple(groups.shape)} and {tuple(reference_groups.shape)}"
        )
    num_groups = 1 + int(max(groups.max(), reference_groups.max()))
    counts = torch.bincount(reference_groups, minlength=num_groups)[:, None]
    sums = reference.new_zeros(num_groups, reference.shape[1]).index_add_(0, reference_groups, reference)
    means = torch.where(counts > 0, sums / counts.clamp(min=1), reference.mean(0))  # (G, D)
    return features - means[groups]
