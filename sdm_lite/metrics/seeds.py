"""Intervals that cover layouts and training seeds: what would come out of other layouts and another training.

Apart from `intervals`, whose bootstrap resamples layouts alone: three seeds are too few to be resampled.
"""

from collections.abc import Sequence

import numpy as np

from sdm_lite.metrics.intervals import Interval


def layouts_and_seeds_interval(
    value: float,
    replicates: np.ndarray,
    groups: Sequence[Sequence[float]],
    *,
    num_layouts: int,
    level: float = 0.95,
) -> Interval:
    """The variance of the layouts' bootstrap and that of the means over seeds, added as independent.

        value -+ t sqrt(V),    V = var(replicates) + sum over groups of var(group) / n

    t is Student's, with the degrees of freedom of Welch (1947) and Satterthwaite (1946), V^2 / sum of (var(group) /
    n)^2 / (n - 1): with three seeds that is 2 where seeds are all that scatters, and many where layouts are. What seeds
    are apart by also holds the noise of their samples, so that V errs on the wide side.

    Args:
        value: the mean over seeds of one group, or the difference of two such means.
        replicates: (R,), the same of resampled layouts, all seeds on the same ones.
        groups: for each mean in `value` that comes of other training runs, its value for each seed, at least 2.
        num_layouts: that were resampled, for the interval's kind.
        level: of the interval, in (0, 1).

    Returns:
        "95 % over N layouts and S seeds".

    Raises:
        ValueError: if level is not in (0, 1), or a group has fewer than 2 seeds.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    if not groups or min(map(len, groups)) < 2:
        raise ValueError(f"expected at least 2 seeds in each group, got {[len(group) for group in groups]}")
    of_seeds = [float(np.var(group, ddof=1)) / len(group) for group in groups]
    variance = float(np.nanvar(replicates, ddof=1)) + sum(of_seeds)
    uncertain = sum(part**2 / (len(group) - 1) for part, group in zip(of_seeds, groups, strict=True))
    freedom = variance**2 / uncertain if uncertain else np.inf
    half = student_quantile((1 + level) / 2, min(freedom, 1e4)) * variance**0.5
    seeds = min(map(len, groups))
    kind = f"{100 * level:g} % over {num_layouts} layouts and {seeds} seeds"
    return Interval(float(value - half), float(value + half), kind)


def student_quantile(share: float, freedom: float) -> float:
    """Of Student's t, by bisection of its distribution function, which is summed on a grid (midpoint rule).

    Args:
        share: in (0.5, 1).
        freedom: degrees of freedom, a number > 0 that need not be whole.
    """
    # With x = sqrt(freedom) tan(angle) the density of the angle is cos^(freedom - 1), and the range is finite.
    angles = (np.arange(200_000) + 0.5) * (np.pi / 2) / 200_000
    density = np.exp((freedom - 1) * np.log(np.cos(angles)))
    reached = np.cumsum(density) / density.sum()  # from 0 to the angle, of one half
    return float(np.sqrt(freedom) * np.tan(np.interp(2 * share - 1, reached, angles)))
