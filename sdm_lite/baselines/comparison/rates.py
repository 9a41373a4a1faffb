"""By how much the published learning rates are multiplied: the search behind `System.rate_factor`.

The published rates are for a hundred times our steps. Each system was trained three times for a lesson at 32 x 32,
seed 0, with the perceptual term where it has one, and scored on 256 validation layouts, which no table is of. The
factor with the lowest FID is the system's, for all seeds, with and without the perceptual term, and at 64 x 64, where
no search was run. Each of the 27 is made again by

    python -m sdm_lite.baselines train SYSTEM --num-images 12000 --num-steps STEPS --rate-factor FACTOR --output RUN
    python -m sdm_lite.baselines evaluate RUN --layouts validation --num-layouts 256

but for chance and rounding: these ran on a GPU, and FID here is of one picture a layout and its one true picture,
where `evaluate` takes more true pictures.
"""

from __future__ import annotations

from typing import NamedTuple

FACTORS = (1.0, 4.0, 10.0)
NUM_LAYOUTS = 256
TOLD = f"the best of 1, 4, 10 by FID on {NUM_LAYOUTS} validation layouts, seed 0"


class Tried(NamedTuple):
    """What a factor gave, by the Scenes judge.

    Attributes:
        frechet: FID, 256 layouts.
        diversity: 64 layouts, one pair each.
        miou: 256 layouts; true pictures have 0.908.
    """

    frechet: float
    diversity: float
    miou: float


# One for each of FACTORS; NVIDIA H200, float32 with TF32, 2026-11-26.
SEARCH: dict[str, tuple[Tried, Tried, Tried]] = {
    "pix2pixhd": (Tried(49.73, 0, 0.512), Tried(61.15, 0, 0.617), Tried(43.61, 0, 0.432)),
    "spade": (Tried(30.20, 0, 0.664), Tried(42.87, 0, 0.727), Tried(45.66, 0, 0.810)),
    "dagan": (Tried(43.02, 0, 0.691), Tried(37.01, 0, 0.779), Tried(55.05, 0, 0.685)),
    "scgan": (Tried(48.15, 0, 0.700), Tried(81.02, 0, 0.667), Tried(43.09, 0, 0.743)),
    "clade": (Tried(31.40, 0, 0.730), Tried(43.15, 0, 0.799), Tried(84.57, 0, 0.760)),
    "cc_fpse": (Tried(1.93, 2.719, 0.787), Tried(1.36, 3.044, 0.884), Tried(1.04, 2.687, 0.828)),
    "groupdnet": (Tried(4.82, 2.859, 0.365), Tried(2.71, 3.327, 0.670), Tried(3.76, 2.763, 0.789)),
    "inade": (Tried(50.43, 1.734, 0.571), Tried(18.50, 2.574, 0.681), Tried(5.37, 2.759, 0.761)),
    "oasis": (Tried(27.91, 0.896, 0.602), Tried(94.15, 0.093, 0.323), Tried(17.88, 1.074, 0.566)),
}


def best_factor(system: str) -> float:
    """The factor with the lowest FID."""
    return FACTORS[min(range(len(FACTORS)), key=lambda k: SEARCH[system][k].frechet)]
