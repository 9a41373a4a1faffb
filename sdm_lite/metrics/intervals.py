"""How far to trust a number: the bootstrap, and intervals that say which kind they are. Efron & Tibshirani (1993).

Shapes: N items, R bootstrap resamples.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Interval(NamedTuple):
    """How far to trust a number: (low, high), and in words what interval that is and over what."""

    low: float
    high: float
    kind: str


def bootstrap(
    statistic: Callable[[Tensor], float], num_items: int, *, num_resamples: int = 1000, seed: int = 0
) -> np.ndarray:
    """The statistic of resampled data: N items drawn from the N there are, with replacement, again and again.

    Efron & Tibshirani (1993), chapter 6. Two statistics bootstrapped with one seed see the same resamples.

    Args:
        statistic: indices of items, (N,) int64 -> a number.
        num_items: N.
        num_resamples: R.
        seed: of the resampling.

    Returns:
        (R,) float64.

    Raises:
        ValueError: if there are no items or no resamples.
    """
    if num_items < 1 or num_resamples < 1:
        raise ValueError(f"num_items and num_resamples must be at least 1, got {num_items} and {num_resamples}")
    generator = torch.Generator().manual_seed(seed)
    draws = (torch.randint(num_items, (num_items,), generator=generator) for _ in range(num_resamples))
    return np.array([float(statistic(indices)) for indices in draws])


def bootstrap_interval(
    statistic: Callable[[Tensor], float],
    num_items: int,
    *,
    items: str = "items",
    num_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of a statistic; see `bootstrap`. Efron & Tibshirani (1993), chapter 13.

    Args:
        statistic: indices of items, (N,) int64 -> a number, for instance `lambda i: values[i].mean()`.
        num_items: N.
        items: what these are, for the interval's kind.
        num_resamples: R.
        level: share of the resampled statistics inside the interval, in (0, 1).
        seed: of the resampling.

    Returns:
        "95 % percentile bootstrap over N items".

    Raises:
        ValueError: if level is not in (0, 1), or there are no items or no resamples.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    values = bootstrap(statistic, num_items, num_resamples=num_resamples, seed=seed)
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), f"{100 * level:g} % percentile bootstrap over {num_items} {items}")
