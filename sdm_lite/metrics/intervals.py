"""How far to trust a number: the bootstrap, intervals that say which kind they are, and what may be said of two.

Efron & Tibshirani (1993) for the bootstrap, Schuirmann (1987) for equivalence within a margin.

Shapes: N items, M statistics, R bootstrap resamples.
"""

from collections.abc import Callable, Sequence
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
    statistic: Callable[[Tensor], float | Sequence[float]], num_items: int, *, num_resamples: int = 1000, seed: int = 0
) -> np.ndarray:
    """The statistic of resampled data: N items drawn from the N there are, with replacement, again and again.

    Efron & Tibshirani (1993), chapter 6. Two statistics bootstrapped with one seed see the same resamples.

    Args:
        statistic: indices of items, (N,) int64 -> a number, or M numbers that are to see the same resamples.
        num_items: N.
        num_resamples: R.
        seed: of the resampling.

    Returns:
        (R,) float64, or (R, M).

    Raises:
        ValueError: if there are no items or no resamples.
    """
    if num_items < 1 or num_resamples < 1:
        raise ValueError(f"num_items and num_resamples must be at least 1, got {num_items} and {num_resamples}")
    generator = torch.Generator("cpu").manual_seed(seed)
    draws = (torch.randint(num_items, (num_items,), generator=generator, device="cpu") for _ in range(num_resamples))
    return np.array([statistic(indices) for indices in draws], dtype=np.float64)


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


def centred_interval(value: float, replicates: np.ndarray, *, of: str, level: float = 0.95) -> Interval:
    """The replicates' spread about their mean, about the value: an interval without the bias of resampling.

    Resampling repeats items, which alone raises distances such as the Frechet distance; a percentile interval lies too
    high by that. Efron & Tibshirani (1993), section 10.3, for the bias; taking the spread alone leaves it out.

    Args:
        value: of all items.
        replicates: (R,) from `bootstrap`; nan is left out.
        of: what was resampled and so what the interval covers, for its kind.
        level: share of the replicates inside the interval, in (0, 1).

    Returns:
        "95 % centred bootstrap over OF".

    Raises:
        ValueError: if level is not in (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    low, high = np.nanquantile(replicates - np.nanmean(replicates), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value + low), float(value + high), f"{100 * level:g} % centred bootstrap over {of}")


def centred_bootstrap(
    statistic: Callable[[Tensor], float], num_items: int, *, of: str, num_resamples: int = 1000, seed: int = 0
) -> tuple[float, Interval]:
    """A statistic of all items and its 95 % interval: `bootstrap`, then `centred_interval`.

    Args:
        statistic: indices of items, (N,) int64 -> a number.
        num_items: N.
        of: what is resampled and so what the interval covers, for its kind.
        num_resamples: R.
        seed: of the resampling.

    Returns:
        The value, and "95 % centred bootstrap over OF".

    Raises:
        ValueError: if there are no items or no resamples.
    """
    replicates = bootstrap(statistic, num_items, num_resamples=num_resamples, seed=seed)
    value = statistic(torch.arange(num_items, device="cpu"))
    return value, centred_interval(value, replicates, of=of)


def verdict(difference: Interval, margin: float) -> str:
    """What an interval of "this less that" allows to be said, where less is better. Schuirmann (1987) for "as good".

    Args:
        difference: of the two, from paired resamples.
        margin: the largest difference that does not matter, > 0, stated before anything is measured.

    Returns:
        "better" or "worse" if the interval excludes 0 and the other is out of the question; "as good" if it lies within
        the margin about 0; "undecided" otherwise. A difference that is real and within the margin is "as good".

    Raises:
        ValueError: if the margin is not positive.

    >>> verdict(Interval(-0.3, 0.1, "95 %"), margin=0.2)
    'undecided'
    """
    if not margin > 0:
        raise ValueError(f"margin must be positive, got {margin}")
    if -margin < difference.low and difference.high < margin:
        return "as good"
    if difference.high < 0:
        return "better"
    return "worse" if difference.low > 0 else "undecided"
