"""How often a user study without any preference reports one, by two rules: the tables of docs/user_study.md.

A vote goes to the first side where pair + voter + chance > 0, all three normal with mean 0 and the chance of standard
deviation 1: the overall share is one half exactly, by symmetry. What a "skewed" pair adds is
exponential, less what makes the overall share one half: most favour the second side a little, some the first much.

    python docs/scripts/study_coverage.py [--studies 4000]     # about two minutes on one core
"""

import argparse
import sys

import numpy as np

from sdm_lite.progress import progress
from sdm_lite.widgets.clustered import Spread, share_interval, student_quantile, study_size, voters_needed, wilson_ends

SIZES = ((7, 7, 1.0), (20, 7, 1.0), (7, 20, 1.0), (20, 20, 1.0), (40, 10, 0.25), (60, 40, 1.0))
EFFECTS = {  # standard deviation of what a pair adds, and of what a voter adds
    "none": (0.0, 0.0),
    "pairs differ": (0.5, 0.0),
    "pairs differ much": (1.5, 0.0),
    "pairs differ, skewed": ("skewed", 0.0),
    "voters differ": (0.0, 0.7),
    "both": (0.7, 0.7),
    "both, much": (1.5, 1.5),
    "each pair has one answer": (50.0, 0.0),
    "each voter has one answer": (0.0, 50.0),
}


def skew_shift():
    """What to take off an exponential pair effect for an overall share of one half."""
    stream = np.random.default_rng(12345)
    return float(np.median(stream.exponential(size=2_000_000) + stream.normal(size=2_000_000)))


def draw(stream, size, effect, shift):
    """Votes of one study: won, pairs, voters, each (n,)."""
    num_pairs, num_voters, seen = size
    of_pairs, of_voters = effect
    if of_pairs == "skewed":
        pairs = stream.exponential(size=(num_pairs, 1)) - shift
    else:
        pairs = of_pairs * stream.normal(size=(num_pairs, 1))
    latent = pairs + of_voters * stream.normal(size=(1, num_voters)) + stream.normal(size=(num_pairs, num_voters))
    pair, voter = np.nonzero(stream.random(latent.shape) < seen)
    return latent[pair, voter] > 0, pair, voter


def reported(low, high):
    """Whether an interval reports a preference."""
    return low > 0.5 or high < 0.5


def main():
    """Simulates, and prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=4000, help="simulated for each cell")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    stream, shift, normal = np.random.default_rng(options.seed), skew_shift(), student_quantile(0.975, 10**6)
    heads = [f"{a} x {b}" + (f", {seen:.0%} of them" if seen < 1 else "") for a, b, seen in SIZES]
    print("| pairs x voters | " + " | ".join(heads) + " |\n|---" + "|---" * len(SIZES) + "|")
    for name, effect in progress(EFFECTS.items(), description="effects"):
        cells = []
        for size in SIZES:
            votes = [draw(stream, size, effect, shift) for _ in range(options.studies)]
            clustered = np.mean([reported(*share_interval(*one)[:2]) for one in votes])
            alone = np.mean([reported(*wilson_ends(one[0].mean(), len(one[0]), normal)) for one in votes])
            cells.append(f"**{100 * clustered:.1f}** ({100 * alone:.1f})")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)

    print("\n| share | 20 pairs | 40 pairs | 100 pairs | fewest votes |\n|---|---|---|---|---|")
    for share in (0.55, 0.6, 0.65, 0.7, 0.8, 0.9):
        spread = Spread(0.04, 0.01, share * (1 - share) - 0.05)
        voters = [voters_needed(share, spread, num_pairs) or "none suffices" for num_pairs in (20, 40, 100)]
        pairs, best = study_size(share, spread)
        print(f"| {share:.0%} | " + " | ".join(map(str, voters)) + f" | {pairs} pairs, {best} voters |")


if __name__ == "__main__":
    sys.exit(main())
