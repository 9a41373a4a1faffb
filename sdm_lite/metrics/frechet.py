"""Frechet distance between two sets of features; on Inception features it is FID, Heusel et al. (2017).

Shapes: N samples, D feature dimensions.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.metrics.features import check_same_dimension, checked_features


class Moments(NamedTuple):
    """Mean (D,) and unbiased covariance (D, D) of a set of features, float64."""

    mean: Tensor
    covariance: Tensor


def feature_moments(features: Tensor) -> Moments:
    """Mean and covariance of a set of features, in float64.

    Args:
        features: (N, D), N >= 2, finite.

    Returns:
        Mean (D,) and covariance (D, D), divided by N - 1.

    Raises:
        ValueError: if features is not (N, D) with N >= 2 and every number finite.
    """
    features = checked_features(features)
    mean = features.mean(0)
    centred = features - mean
    return Moments(mean, centred.T @ centred / (len(features) - 1))


def frechet_distance(features_a: Tensor, features_b: Tensor) -> float:
    """Squared Frechet distance of the two Gaussians that have the features' means and covariances.

        |mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))

    Dowson & Landau (1982); on Inception features this is FID, Heusel et al. (2017). It is biased upwards, about as
    1 / N: compare only sets of equal size against one and the same reference.

    Args:
        features_a: (N, D), N >= 2, finite.
        features_b: (M, D), M >= 2, finite.

    Returns:
        The distance, >= 0.

    Raises:
        ValueError: if a set is not (N, D) with N >= 2 and finite, or the two D differ.
    """
    check_same_dimension(features_a, features_b)
    return frechet_distance_of_moments(feature_moments(features_a), feature_moments(features_b))


def frechet_distance_of_moments(a: Moments, b: Moments) -> float:
    """Squared Frechet distance of two Gaussians given by mean and covariance; see `frechet_distance`.

    S_a S_b is not symmetric, but S_a^(1/2) S_b S_a^(1/2) is and has the same eigenvalues, so that two symmetric
    eigendecompositions do and singular covariances (fewer samples than dimensions) need no special case.

    Args:
        a: mean (D,) and covariance (D, D).
        b: the same.

    Returns:
        The distance, >= 0.
    """
    values, vectors = torch.linalg.eigh(a.covariance)
    root_a = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    inner = root_a @ b.covariance @ root_a
    trace_of_root = torch.linalg.eigvalsh((inner + inner.T) / 2).clamp(min=0).sqrt().sum()
    distance = (a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * trace_of_root
    return max(distance.item(), 0.0)
