"""How far to trust a number of two sets of pictures that allows no duplicates: random subsets without replacement.

Apart from the bootstrap because that draws pictures twice. A picture drawn twice is its own nearest neighbour, which
shrinks every ball of `neighbours`, and pairs of equal pictures shift the Frechet and the kernel distance. A subset has
no duplicates. It has fewer pictures, so where it lies is of no use (these numbers depend on how many), but how much it
spreads is: of S subsets of a share f of the pictures,

    standard error = sqrt(f / (1 - f)) * standard deviation over subsets

the delete-d jackknife, Shao & Wu (1989); f = 1/2 needs no factor. It is of the number at the size that was measured,
and knows nothing of its bias. Wilson (1927) for the interval of a share.

Shapes: N and M pictures, S subsets, Q numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from sdm_lite.metrics.intervals import Interval

Z = 1.959964  # of a normal distribution, 95 % lie within this many standard deviations


def subset_errors(
    statistic: Callable[[Tensor, Tensor], Sequence[float]],
    names_a: Sequence[str],
    names_b: Sequence[str],
    *,
    most: int = 500,
    num_subsets: int = 100,
    seed: int = 0,
) -> np.ndarray:
    """Standard errors of numbers of two sets of pictures, over the choice of the pictures of both.

    Pictures of one name go together, within a set and across: several samples of one label map, and the true picture
    of the same map, are in a subset or not, all of them.

    Args:
        statistic: indices into both sets, two (n,) int64 -> Q numbers; called for subsets without duplicates.
        names_a: what each of N pictures is of.
        names_b: the same of M pictures.
        most: names of a subset at most, of those that one set has; it is half of them where that is fewer.
        num_subsets: S.
        seed: of the drawing.

    Returns:
        (Q,) float64.

    Raises:
        ValueError: if a set has fewer than 2 names, or there are fewer than 2 subsets.
    """
    groups_a, groups_b = _groups(names_a), _groups(names_b)
    if min(len(groups_a), len(groups_b), num_subsets) < 2:
        raise ValueError(
            f"expected at least 2 names in each set and 2 subsets, got {len(groups_a)} and {len(groups_b)} names, "
            f"{num_subsets} subsets"
        )
    both = sorted(groups_a.keys() & groups_b.keys())
    strata = [both, sorted(groups_a.keys() - groups_b.keys()), sorted(groups_b.keys() - groups_a.keys())]
    share = min(0.5, most / max(len(groups_a), len(groups_b)))
    generator = torch.Generator("cpu").manual_seed(seed)
    found = []
    for _ in range(num_subsets):
        names: set[str] = set()
        for stratum in strata:
            order = torch.randperm(len(stratum), generator=generator, device="cpu")[: math.ceil(share * len(stratum))]
            names |= {stratum[i] for i in order.tolist()}
        found.append(list(statistic(_members(groups_a, names), _members(groups_b, names))))
    return np.sqrt(share / (1 - share)) * np.std(np.array(found, dtype=np.float64), axis=0, ddof=1)


def normal_interval(value: float, error: float, over: str) -> Interval:
    """The value, and 1.96 standard errors to either side.

    Args:
        value: the number.
        error: its standard error.
        over: what it is over, for the interval's kind.
    """
    return Interval(value - Z * error, value + Z * error, f"95 %, normal, {over}")


def share_interval(share: float, error: float, num_items: int, over: str) -> Interval:
    """Wilson's interval of a share whose standard error is known: it stays in [0, 1], and is no point at 0 or 1.

    The number of trials is the one whose binomial standard error is the one given, num_items at most: of a share of 1,
    whose subsets all have 1 and no spread, it is num_items.

    Args:
        share: in [0, 1].
        error: its standard error.
        num_items: that the share is of.
        over: what it is over, for the interval's kind.
    """
    variance = share * (1 - share)
    trials = num_items if error**2 * num_items <= variance else variance / error**2 if variance > 0 else num_items
    centre = (share + Z**2 / (2 * trials)) / (1 + Z**2 / trials)
    half = Z / (1 + Z**2 / trials) * math.sqrt(variance / trials + Z**2 / (4 * trials**2))
    return Interval(max(centre - half, 0.0), min(centre + half, 1.0), f"95 % Wilson, {over}")


def _groups(names: Sequence[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        found.setdefault(name, []).append(i)
    return found


def _members(groups: dict[str, list[int]], names: set[str]) -> Tensor:
    """The indices (n,) of all pictures of some names, in order."""
    return torch.tensor(
        [i for name, members in groups.items() if name in names for i in members], dtype=torch.int64, device="cpu"
    )
