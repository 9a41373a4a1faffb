"""What is trained for Table 4: two networks, two sizes, several lengths, three seeds, each by a command one can type.

The networks have as many weights, within 2 %. A step of SDM takes longer, so that "equal" means one of two things:

    parameters  equal weights, equal steps: both have seen the same examples, SDM has computed longer
    time        equal weights, equal time on one thread: the concatenation network takes more steps

Labels are dropped from the start (one phase, as notebook 04 and scenes-64), so that one network serves both scales of
guidance; the paper fine-tunes. All else is the lite recipe, made for SDM: docs/recipe.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sdm_lite.scenes.label_sets import LABEL_SETS

SDM, CONCAT = "sdm", "concat"
MATCHES = ("parameters", "time")
SEEDS = (0, 1, 2)
# Steps of SDM: those of Table 4, and the shorter and longer ones of the curve over training time.
FULL_STEPS = {32: 4000, 64: 1500}
SHORT_STEPS = {32: (500, 1000, 2000), 64: ()}
LONG_STEPS = {32: (), 64: (15000,)}  # ten times the training: for a GPU
# Where other label sets are compared: after one of the shorter trainings, so that the curve has the standard one, and
# all after as many steps. At 23 classes that is no equal time: a step of SDM takes 1.71 times that of concat there.
CLASS_STEPS = {32: (1000,), 64: ()}
PARTS = ("table", "curve", "classes", "longer")
# A step of SDM takes so many times that of concat, on one thread: `python benchmarks/conditioning_step.py`, 2026-11-26.
STEP_TIMES = {32: 1.28, 64: 1.48}


class Run(NamedTuple):
    """One training run.

    Attributes:
        size: of the pictures, 32 or 64.
        system: SDM or CONCAT.
        num_steps: of training.
        seed: of weights, order, timesteps and noise.
        label_set: what Scenes are labelled with.
    """

    size: int
    system: str
    num_steps: int
    seed: int
    label_set: str = "standard"

    @property
    def name(self) -> str:
        """Of its folder."""
        labels = "" if self.label_set == "standard" else f"-{self.label_set}"
        return f"{self.size}-{self.system}{labels}-{self.num_steps}-seed{self.seed}"

    def weights(self, output: Path) -> Path:
        """Where its averaged weights will be."""
        return output / self.name / "model.safetensors"

    def arguments(self, output: Path, device: str | None = None) -> list[str]:
        """What follows `python -m sdm_lite.train`; device None = the CPU or the GPU, as the command finds it."""
        preset = f"scenes-{self.size}" + ("-concat" if self.system == CONCAT else "")
        recipe = "--num-images 12000 --warmup-steps 100 --null-probability 0.2 --guidance-scale 1.5".split()
        own = ["--preset", preset, "--num-steps", str(self.num_steps), "--seed", str(self.seed)]
        labels = [] if self.label_set == "standard" else ["--label-set", self.label_set]
        where = [] if device is None else ["--device", device]
        return [*own, *recipe, *labels, *where, "--output", str(output / self.name)]

    @property
    def cost(self) -> float:
        """What it takes, in steps of SDM at 32 px: for the time left."""
        of_system = 1 / STEP_TIMES[self.size] if self.system == CONCAT else 1.0
        return self.num_steps * of_system * (self.size / 32) ** 2


def num_steps(size: int, system: str, match: str, of_sdm: int | None = None) -> int:
    """Steps of a system, where SDM takes `of_sdm`, or as many as in Table 4.

    Raises:
        ValueError: on an unknown match.
    """
    if match not in MATCHES:
        raise ValueError(f"match must be one of {', '.join(MATCHES)}; got {match!r}")
    steps = FULL_STEPS[size] if of_sdm is None else of_sdm
    return round(steps * STEP_TIMES[size]) if system == CONCAT and match == "time" else steps


def runs(size: int, system: str, match: str, of_sdm: int | None = None, label_set: str = "standard") -> list[Run]:
    """The runs that a cell of the table is the mean of, one a seed."""
    return [Run(size, system, num_steps(size, system, match, of_sdm), seed, label_set) for seed in SEEDS]


def all_runs(sizes: Sequence[int] = (32, 64), parts: Sequence[str] = PARTS, seeds: Sequence[int] = SEEDS) -> list[Run]:
    """Every run of some sizes, parts and seeds, those of Table 4 first and seed by seed: something can be said early.

    Raises:
        ValueError: on an unknown part.
    """
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise ValueError(f"parts must be some of {', '.join(PARTS)}; got {unknown[0]!r}")
    found: dict[Run, None] = {}
    for size in sizes:
        of_part = {
            "table": [(None, "standard")],
            "curve": [(length, "standard") for length in SHORT_STEPS[size]],
            "classes": [(length, label_set) for length in CLASS_STEPS[size] for label_set in LABEL_SETS],
            "longer": [(length, "standard") for length in LONG_STEPS[size]],
        }
        for kinds in (of_part[part] for part in PARTS if part in parts):
            for seed in seeds:
                for length, labels in kinds:
                    cells = [(SDM, "time"), (CONCAT, "time")] + [(CONCAT, "parameters")] * (length is None)
                    found |= {
                        Run(size, of, num_steps(size, of, match, length), seed, labels): None for of, match in cells
                    }
    return list(found)


def train(run: Run, output: Path, device: str | None = None) -> None:
    """Train a run, or what is left of it, on one thread; what it prints goes into a log beside its folder.

    "Equal time" is that of one thread on every device: on a GPU a step's time says more about launches than about work.

    Raises:
        OSError: if the training fails; names its log.
    """
    if run.weights(output).exists():
        return
    log = output / f"{run.name}.log"
    output.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with open(log, "a", encoding="utf-8") as file:
        command = [sys.executable, "-m", "sdm_lite.train", *run.arguments(output, device)]
        status = subprocess.run(command, stdout=file, stderr=file, env=environment, check=False).returncode
    if status:
        raise OSError(f"training {run.name} ended with status {status}: its last lines are in {log}")
