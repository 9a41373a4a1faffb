"""Distances to all but one of the true pictures of each layout: of samples, and of the one left out, the floor.

What a perfect model would score depends on how many layouts there are and on which; so it is measured on the very
layouts, with the very reference, that samples are measured with. One set of renders after the other is left out, and
the floor is the mean over them: that of a single set scatters.

Shapes: L layouts, N true pictures of each, C features.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from sdm_lite import metrics
from sdm_lite.metrics import Moments

ToTheOthers = Callable[[Tensor], tuple[float, float]]  # indices of layouts -> (distance of samples, floor)


def frechet_to_the_others(features: Tensor, reference: Tensor) -> ToTheOthers:
    """Mean Frechet distance to all but one of the true pictures of each layout: of samples, and of the one left out.

    As sums over layouts, so that a resample costs no more than weighing them.

    Args:
        features: (L, C), of one sample a layout.
        reference: (L, N, C), of true pictures.
    """
    centre = reference.double().mean((0, 1))  # or the sums of squares would lose digits
    sets = torch.cat([features[None].double(), reference.transpose(0, 1).double()]) - centre  # (1 + N, L, C)

    def statistic(i: Tensor) -> tuple[float, float]:
        weights = torch.bincount(i, minlength=sets.shape[1]).double()
        weighted = sets * weights[:, None]
        sums, squares = weighted.sum(1), weighted.mT @ sets  # (1 + N, C) and (1 + N, C, C)
        ones = metrics.moments_of_sums(sums, squares, len(i))
        rest = metrics.moments_of_sums(
            sums[1:].sum(0) - sums[1:], squares[1:].sum(0) - squares[1:], len(i) * (len(sets) - 2)
        )
        samples = Moments(ones.mean[0], ones.covariance[0])
        left_out = Moments(ones.mean[1:], ones.covariance[1:])
        of_samples, floor = (metrics.frechet_distance_of_moments(of, rest).mean().item() for of in (samples, left_out))
        return of_samples, floor

    return statistic


def variation_to_the_others(read: Tensor, reference: Tensor) -> ToTheOthers:
    """Mean total variation distance to all but one of the true pictures: of samples, and of the one left out.

    Args:
        read: (L,) int64, what a head read off one sample a layout.
        reference: (L, N) int64, off true pictures.
    """
    outcomes = F.one_hot(torch.cat([read[:, None], reference], 1)).double()  # (L, 1 + N, outcomes)

    def statistic(i: Tensor) -> tuple[float, float]:
        shares = outcomes[i].mean(0)  # (1 + N, outcomes)
        others = (shares[1:].sum(0) - shares[1:]) / (len(shares) - 2)
        samples, left_out = (((of - others).abs().sum(-1) / 2).mean().item() for of in (shares[0], shares[1:]))
        return samples, left_out

    return statistic
