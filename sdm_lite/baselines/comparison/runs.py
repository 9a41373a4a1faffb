"""What is trained for Tables 1 and 3: SDM and nine GANs, each by a command one can type, for an equal time.

"Equal time" is that of one thread of a CPU: SDM's steps are those of Table 4, and a GAN takes as many as fit into the
time that those take. A step of each was timed beside a step of SDM; the steps are counted from that and are the same on
every machine, so that a run is a function of its command.

    lesson  SDM's steps of Table 4: ten minutes on one thread. Three seeds
    hour    six lessons. One seed

Each GAN is trained as it was published, with a perceptual term where it had one, and once more without that term; its
published learning rates are multiplied by a factor of its own (`rates`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from sdm_lite.baselines.ablation import runs as ablation
from sdm_lite.baselines.gan import SYSTEMS

SDM = ablation.SDM
# Of the paper's Table 1, in its order.
GANS = ("pix2pixhd", "spade", "dagan", "scgan", "clade", "cc_fpse", "groupdnet", "inade", "oasis")
# At 64 px a step takes four times as long: the three of the paper's Table 2.
GANS_OF_SIZE = {32: GANS, 64: ("spade", "inade", "oasis")}
SEEDS = (0, 1, 2)
LESSON, HOUR = "lesson", "hour"
SDM_STEPS = {LESSON: ablation.FULL_STEPS, HOUR: {size: 6 * steps for size, steps in ablation.FULL_STEPS.items()}}
# A step of a GAN, 16 pictures, takes so many times that of SDM, 8 pictures, and a picture so many milliseconds, SDM's
# by 15 guided steps: on one thread, `python benchmarks/gan_step.py --rounds 12` (64 px: 8), 2026-11-26.
STEP_TIMES: dict[int, dict[str, float]] = {
    32: {
        "pix2pixhd": 1.80, "spade": 2.24, "dagan": 2.41, "scgan": 3.06, "clade": 3.23, "cc_fpse": 6.55,
        "groupdnet": 5.13, "inade": 5.50, "oasis": 4.75,
    },
    64: {"spade": 3.03, "inade": 8.60, "oasis": 5.60},
}  # fmt: skip
PICTURE_MILLISECONDS: dict[int, dict[str, float]] = {
    32: {
        "sdm": 114.2, "pix2pixhd": 3.9, "spade": 6.1, "dagan": 5.8, "scgan": 8.6, "clade": 7.3, "cc_fpse": 13.1,
        "groupdnet": 13.3, "inade": 9.1, "oasis": 6.0,
    },
    64: {"sdm": 369.0, "spade": 18.1, "inade": 28.1, "oasis": 19.4},
}  # fmt: skip
NUM_IMAGES = 12000  # Scenes to train on, as SDM has

TABLE, WITHOUT, LONGER = "table", "without", "longer"
PARTS = (TABLE, WITHOUT, LONGER)
"""The table itself; the same without the perceptual term; an hour's training."""


class Run(NamedTuple):
    """One training run.

    Attributes:
        size: of the pictures, 32 or 64.
        system: SDM, or a name of GANS.
        seed: of everything random.
        length: LESSON or HOUR.
        perceptual: whether the perceptual term is in the loss, where the system has one; True elsewhere.
    """

    size: int
    system: str
    seed: int
    length: str = LESSON
    perceptual: bool = True

    @property
    def num_steps(self) -> int:
        """Of training."""
        steps = SDM_STEPS[self.length][self.size]
        return steps if self.system == SDM else round(steps / STEP_TIMES[self.size][self.system])

    @property
    def name(self) -> str:
        """Of its folder; SDM's is that of Table 4."""
        name = f"{self.size}-{self.system}-{self.num_steps}-seed{self.seed}"
        return name if self.perceptual else f"{name}-without"

    @property
    def cost(self) -> float:
        """What it takes, in steps of SDM at 32 px: for the time left."""
        return SDM_STEPS[self.length][self.size] * (self.size / 32) ** 2

    def weights(self, output: Path, others: Sequence[Path] = ()) -> Path:
        """Where its averaged weights are, or will be: in the output folder, unless another folder has them."""
        places = [folder / self.name / "model.safetensors" for folder in (output, *others)]
        return next((path for path in places if path.exists()), places[0])

    def command(self, output: Path, device: str) -> list[str]:
        """What follows `python -m`."""
        if self.system == SDM:
            run = ablation.Run(self.size, SDM, self.num_steps, self.seed)
            return ["sdm_lite.train", *run.arguments(output, device)]
        words = ["sdm_lite.baselines", "train", self.system, "--data", "scenes", "--size", str(self.size)]
        words += ["--num-images", str(NUM_IMAGES), "--num-steps", str(self.num_steps), "--seed", str(self.seed)]
        words += ["--rate-factor", f"{SYSTEMS[self.system].rate_factor:g}"]
        words += [] if self.perceptual else ["--no-perceptual"]
        return [*words, "--device", device, "--output", str(output / self.name)]


def has_perceptual(system: str) -> bool:
    """Whether a system, as published, has a perceptual term: without it there is another run of it."""
    return system in SYSTEMS and bool(SYSTEMS[system].perceptual_weights)


def systems_of(size: int) -> tuple[str, ...]:
    """The GANs of a size that are here, in the paper's order."""
    return tuple(system for system in GANS_OF_SIZE[size] if system in SYSTEMS)


def all_runs(
    sizes: Iterable[int] = (32, 64),
    parts: Sequence[str] = PARTS,
    seeds: Iterable[int] = SEEDS,
    systems: Sequence[str] = (SDM, *GANS),
) -> list[Run]:
    """Every run, part by part and seed by seed, so that every system is there once before any is there twice."""
    sizes, seeds, found = list(sizes), list(seeds), {}
    for part in (part for part in PARTS if part in parts):
        length = HOUR if part == LONGER else LESSON
        for seed in seeds[:1] if part == LONGER else seeds:
            for size in sizes:
                for system in (SDM, *systems_of(size)):
                    if system in systems and (part != WITHOUT or has_perceptual(system)):
                        found[Run(size, system, seed, length, part != WITHOUT)] = None
    return list(found)


def train(run: Run, output: Path, others: Sequence[Path] = (), device: str = "cpu") -> None:
    """Train a run, or what is left of it, on one thread; what it prints goes into a log beside its folder.

    Raises:
        OSError: if the training fails; names its log.
    """
    if run.weights(output, others).exists():
        return
    log = output / f"{run.name}.log"
    output.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with open(log, "a", encoding="utf-8") as file:
        command = [sys.executable, "-m", *run.command(output, device)]
        status = subprocess.run(command, stdout=file, stderr=file, env=environment, check=False).returncode
    if status:
        raise OSError(f"training {run.name} ended with status {status}: its last lines are in {log}")
