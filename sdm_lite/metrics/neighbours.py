"""Precision, recall, density, coverage: of nearest neighbours, whether samples lie where true pictures lie.

    B_k(x) = the ball around x whose radius is the distance from x to the k-th nearest other picture of x's own set
    precision  share of the samples that lie in some ball of a true picture          Kynkaanniemi et al. (2019), Eq. 1-3
    recall     share of the true pictures that lie in some ball of a sample
    density    balls of true pictures that a sample lies in, mean over samples, by k    Naeem et al. (2020), Eq. 4
    coverage   share of the true pictures whose ball has a sample in it                 Naeem et al. (2020), Eq. 5

Apart from the Frechet and the kernel distance because these tell quality (precision, density) from variety (recall,
coverage), which one distance cannot. All four depend on the number of pictures: compare at one number alone.

Shapes: N true pictures, M samples, D feature dimensions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.metrics.features import check_same_dimension, checked_features

PRECISION_NEIGHBOURS, DENSITY_NEIGHBOURS = 3, 5  # k as the two papers have it
ROWS = 1024  # of a matrix of distances at a time: memory grows with N + M, not with N M

# |x|^2 + |y|^2 - 2 x.y rounds: by this share of |x|^2 + |y|^2 at most. Equal pictures must be at distance 0.
ROUNDING = 1e-12


class Neighbourhoods(NamedTuple):
    """What nearest neighbours say of samples.

    Attributes:
        precision: in [0, 1].
        recall: in [0, 1].
        density: from 0; about 1 where samples lie as true pictures do, above it where they crowd in the balls.
        coverage: in [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhoods(
    real: Tensor,
    samples: Tensor,
    *,
    precision_neighbours: int = PRECISION_NEIGHBOURS,
    density_neighbours: int = DENSITY_NEIGHBOURS,
) -> Neighbourhoods:
    """Precision, recall, density and coverage of samples among true pictures; see the top of the file.

    A ball has its border. Features are compared by Euclidean distance as they are.

    Args:
        real: features of true pictures, (N, D), N > k, finite.
        samples: features of samples, (M, D), M > k, finite.
        precision_neighbours: k of precision and recall.
        density_neighbours: k of density and coverage.

    Returns:
        The four numbers.

    Raises:
        ValueError: if a set is not (N, D) of finite numbers or has not more than k pictures, or the two D differ, or
            a k is below 1.
    """
    check_same_dimension(real, samples)
    real, samples = checked_features(real), checked_features(samples)
    most = max(precision_neighbours, density_neighbours)
    if min(precision_neighbours, density_neighbours) < 1 or most >= min(len(real), len(samples)):
        raise ValueError(
            f"neighbours must be from 1 to one less than the pictures of either set, got {precision_neighbours} and "
            f"{density_neighbours} of {len(real)} true pictures and {len(samples)} samples"
        )
    centre = real.mean(0)  # moves no distance and makes the rounding smaller
    real, samples = real - centre, samples - centre
    real_radius = _squared_radii(real, (precision_neighbours, density_neighbours))  # 2 x (N,)
    (sample_radius,) = _squared_radii(samples, (precision_neighbours,))  # (M,)
    precise, dense = 0, 0
    recalled = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    nearest = torch.full((len(real),), torch.inf, dtype=real.dtype, device=real.device)
    for rows in torch.arange(len(samples), device=real.device).split(ROWS):
        distance = _squared_distances(samples[rows], real)  # (rows, N)
        precise += int((distance <= real_radius[0]).any(1).sum())
        dense += int((distance <= real_radius[1]).sum())
        recalled |= (distance <= sample_radius[rows, None]).any(0)
        nearest = torch.minimum(nearest, distance.amin(0))
    return Neighbourhoods(
        precision=precise / len(samples),
        recall=recalled.double().mean().item(),
        density=dense / density_neighbours / len(samples),
        coverage=(nearest <= real_radius[1]).double().mean().item(),
    )


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """(A, B) of (A, D) and (B, D), rounded: what is 0 may be a little below or above."""
    return a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T


def _squared_radii(features: Tensor, neighbours: tuple[int, ...]) -> list[Tensor]:
    """Squared distance of each of (N, D) to its k-th nearest other, for each k: (N,), a little up for the rounding."""
    found = []
    for rows in torch.arange(len(features), device=features.device).split(ROWS):
        distance = _squared_distances(features[rows], features)
        distance[torch.arange(len(rows), device=rows.device), rows] = (
            torch.inf
        )  # itself, which another at distance 0 is not
        found.append(distance.topk(max(neighbours), dim=1, largest=False).values)
    nearest = torch.cat(found)
    slack = ROUNDING * 2 * features.square().sum(1)  # a picture on the border is as far out, or nearly
    return [nearest[:, k - 1] + slack for k in neighbours]
