"""What a row scores, alone and beside its control, with intervals over layouts."""

from __future__ import annotations

from sdm_lite.evaluate.scene_scores import Statistic, compare
from sdm_lite.metrics import centred_bootstrap, verdict

# Scores, what they are called, and how far two may lie apart and be called as good, all fixed before the first picture.
SCORES = {
    "frechet": ("FID less its floor", 0.2),
    "miou": ("mIoU ratio", 0.01),
    "diversity": ("diversity ratio", 0.05),
    "time_of_day_tv": ("hour less its floor", 0.02),
    "season_tv": ("season less its floor", 0.02),
    "edge_sharpness": ("sharpness ratio", 0.02),
    "high_frequency_ratio": ("Laplacian ratio", 0.05),
}


def scored(found: dict[str, Statistic], num_resamples: int) -> dict[str, dict[str, object]]:
    """Each score beside the truth's, a ratio to it or less its floor, with its interval."""
    told = {}
    for name in SCORES:
        of, number = found[name].beside_truth, found[name].num_layouts
        value, interval = centred_bootstrap(of, number, of=f"{number} layouts", num_resamples=num_resamples)
        told[name] = {"value": value, "interval": list(interval[:2])}
    return told


def compared(
    one: dict[str, Statistic], other: dict[str, Statistic], num_resamples: int
) -> dict[str, dict[str, object]]:
    """How much farther from the truth one row is than another, score by score, and what that allows to be said."""
    told = {}
    for name, (_, margin) in SCORES.items():
        measure = compare(one[name], other[name], num_resamples=num_resamples)
        said = verdict(measure.interval, margin)
        told[name] = {"value": measure.value, "interval": list(measure.interval[:2]), "verdict": said}
    return told
