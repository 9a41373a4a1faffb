"""How often the intervals of `metrics.subsets` miss: pictures drawn anew hundreds of times, where the truth is known.

Features are normal, true ones about 0, those of samples moved along one axis. What an interval should hold is the mean
score of sets of that size, which many other sets give. Prints the table of docs/evaluation.md; some minutes.
"""

import numpy as np
import torch

from sdm_lite.evaluate.folders.measuring import SET_SCORES, set_scores
from sdm_lite.metrics import normal_interval, share_interval, subset_errors

NUM_PICTURES, NUM_FEATURES = 100, 32
SHIFTS = 0.0, 0.5, 2.0
NUM_SETS, NUM_SUBSETS, NUM_REFERENCE = 150, 60, 1500
SHARES = "precision", "recall", "coverage"


def missed(shift: float) -> tuple[np.ndarray, np.ndarray]:
    """For each score the share of intervals that miss, and the mean standard error by the true standard deviation."""
    generator = torch.Generator().manual_seed(5)
    names_a, names_b = ([f"{kind} {i}" for i in range(NUM_PICTURES)] for kind in ("true", "sample"))
    maps = torch.arange(NUM_PICTURES), torch.arange(NUM_PICTURES, 2 * NUM_PICTURES)

    def drawn() -> torch.Tensor:
        pair = torch.randn(2, NUM_PICTURES, NUM_FEATURES, generator=generator)
        pair[1, :, 0] += shift
        return pair

    reference = np.array([set_scores(*drawn(), *maps) for _ in range(NUM_REFERENCE)])
    misses, errors = np.zeros(len(SET_SCORES)), []
    for _ in range(NUM_SETS):
        a, b = drawn()
        values = set_scores(a, b, *maps)
        errors.append(
            subset_errors(
                lambda i, j, a=a, b=b: set_scores(a[i], b[j], maps[0][i], maps[1][j]),
                names_a,
                names_b,
                num_subsets=NUM_SUBSETS,
            )
        )
        for q, (key, value) in enumerate(zip(SET_SCORES, values, strict=True)):
            if key in SHARES:
                low, high, _ = share_interval(value, errors[-1][q], NUM_PICTURES, "")
            else:
                low, high, _ = normal_interval(value, errors[-1][q], "")
            misses[q] += not low <= reference[:, q].mean() <= high
    return misses / NUM_SETS, np.mean(errors, axis=0) / reference.std(0)


def main() -> None:
    """Print a row for each shift."""
    print(f"| samples moved by | {' | '.join(SET_SCORES)} |\n|{'---|' * (1 + len(SET_SCORES))}")
    for shift in SHIFTS:
        shares, ratios = missed(shift)
        cells = [f"{100 * share:.0f} % ({ratio:.1f})" for share, ratio in zip(shares, ratios, strict=True)]
        print(f"| {shift:g} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
