"""What the judge reads off pictures of Scenes, and the same with hour and season held fixed.

FID on the judge's last layer is mostly a matter of hour and season, as that layer is what they are read from: flat
colours and blurs are lost in it. With the two held fixed they are not.

Shapes: L layouts, N pictures of each, C features, D pooled features of all levels, K classes.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from sdm_lite import metrics
from sdm_lite.scenes.look import SEASONS


class Measurements(NamedTuple):
    """What the judge reads off N pictures of each of L layouts, and how rough and how sharp the pictures are.

    Attributes:
        features: (L, N, C).
        confusion: (L, K, K) int64, summed over the N pictures: row = label map, column = judge.
        time_of_day: (L, N) int64, the most probable.
        season: (L, N) int64, the most probable.
        roughness: (L, N), mean |Laplacian|.
        levels: (L, N, D), mean and standard deviation of every channel of all levels, as `judge.network.pool_levels`.
        edge_confusion: (L, K, K) int64, the part of `confusion` at pixels with a 4-neighbour of another class.
        edge_sharpness: (L, N), share of the change of colour across label edges that falls on one step.
    """

    features: Tensor
    confusion: Tensor
    time_of_day: Tensor
    season: Tensor
    roughness: Tensor
    levels: Tensor
    edge_confusion: Tensor
    edge_sharpness: Tensor


def held_fixed(of: Measurements, reference: Measurements) -> Measurements:
    """The measurements with features and levels as they are within an hour and a season.

    From each is taken the mean of the reference's pictures in which the judge reads the same two; what is left of the
    levels is then divided by its standard deviation over the reference, so that no channel outweighs another. Hour and
    season are the judge's reading of generated and of true pictures alike.

    Args:
        of: to take them of.
        reference: true pictures; give them as `of` too to hold them fixed themselves.

    Returns:
        `of`, its features (L, N, C) and levels (L, N, D) replaced, float64.
    """

    def groups(measured: Measurements) -> Tensor:
        """A number for each hour and season, (L N,)."""
        return (measured.time_of_day * len(SEASONS) + measured.season).flatten()

    def left(part: str, measured: Measurements) -> Tensor:
        values, target = getattr(measured, part).flatten(0, 1), getattr(reference, part).flatten(0, 1)
        return metrics.residuals(values, groups(measured), target, groups(reference))

    spread = left("levels", reference).std(0).clamp(min=1e-12)
    features, levels = left("features", of), left("levels", of) / spread
    shape = of.time_of_day.shape
    return of._replace(features=features.unflatten(0, shape), levels=levels.unflatten(0, shape))
