"""Frechet distance between two sets of features; on Inception features it is FID, Heusel et al. (2017).

Shapes: N samples, D feature dimensions.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.metrics.features import check_same_dimension, checked_features


class Moments(NamedTuple):
    """Mean (..., D) and unbiased covariance (..., D, D) of sets of features, float64."""

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


def moments_of_sums(sums: Tensor, squares: Tensor, number: int) -> Moments:
    """Mean and covariance of sets of features from their sums, which add and subtract.

    Digits are lost where the mean is far larger than the spread: centre the features first.

    Args:
        sums: (..., D) float64, of features.
        squares: (..., D, D) float64, of their products.
        number: of features in each set, at least 2.
    """
    mean = sums / number
    return Moments(mean, (squares - number * mean[..., :, None] * mean[..., None, :]) / (number - 1))


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
    if len(features_a) + len(features_b) < features_a.shape[-1]:
        return _frechet_distance_of_few(checked_features(features_a), checked_features(features_b))
    moments = (feature_moments(features) for features in (features_a, features_b))
    return frechet_distance_of_moments(*moments).item()


def _frechet_distance_of_few(a: Tensor, b: Tensor) -> float:
    """The same of features (N, D) and (M, D), N + M < D, by a matrix of N x M in place of two of D x D.

    With A and B the centred features by sqrt(N - 1) and sqrt(M - 1), S_a = A^T A and S_b = B^T B, and the trace of the
    root is the sum of the singular values of A B^T: its squares are the eigenvalues of A S_b A^T, thus of S_a S_b.
    """
    mean_a, mean_b = a.mean(0), b.mean(0)
    a, b = (a - mean_a) / (len(a) - 1) ** 0.5, (b - mean_b) / (len(b) - 1) ** 0.5
    trace_of_root = torch.linalg.svdvals(a @ b.T).sum()
    distance = (mean_a - mean_b).square().sum() + a.square().sum() + b.square().sum() - 2 * trace_of_root
    return max(distance.item(), 0.0)


def frechet_distance_of_moments(a: Moments, b: Moments) -> Tensor:
    """Squared Frechet distance of Gaussians given by mean and covariance, many pairs at once; see `frechet_distance`.

    S_a S_b is not symmetric, but F^T S_a F with S_b = F F^T is and has the same eigenvalues, so that a symmetric
    eigendecomposition does. F is b's Cholesky factor, which is quick; where b is singular (fewer samples than
    dimensions) its symmetric root stands in. S_a may always be singular.

    Args:
        a: mean (..., D) and covariance (..., D, D).
        b: the same; leading dimensions broadcast.

    Returns:
        (...) float64, >= 0.

    Raises:
        ValueError: if a number is not finite.
    """
    if not all(part.isfinite().all() for part in (*a, *b)):
        raise ValueError("moments must be finite, got nan or infinite numbers: look at the features that they are of")
    factor, failed = torch.linalg.cholesky_ex(b.covariance)
    if failed.any():
        values, vectors = torch.linalg.eigh(b.covariance)
        factor = vectors * values.clamp(min=0).sqrt()[..., None, :]
    inner = factor.mT @ a.covariance @ factor
    trace_of_root = torch.linalg.eigvalsh((inner + inner.mT) / 2).clamp(min=0).sqrt().sum(-1)
    traces = _trace(a.covariance) + _trace(b.covariance)
    return ((a.mean - b.mean).square().sum(-1) + traces - 2 * trace_of_root).clamp(min=0)


def _trace(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=-2, dim2=-1).sum(-1)
