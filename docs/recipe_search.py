"""What makes ten minutes of training count, measured: writes docs/recipe_search.md.

Every row trains a fresh network on Scenes for the same time with one number of the recipe changed, and scores its
averaged weights. Time is the processor time of one thread, so that a row hardly depends on what else the machine
does: more weights or a larger batch mean fewer steps. Labels are dropped from the start, as in notebook 03. Finished
rows are kept in --output and are not measured again, so it can be stopped at any time. Rows of FINALS then train for
twelve hundred seconds, the ten minutes of two cores.

    python docs/recipe_search.py                   # measure what is missing, two rows at a time, then write
    python docs/recipe_search.py --workers 1       # one at a time
    python docs/recipe_search.py --write           # only write, from the rows that are there
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import multiprocessing
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import torch

from sdm_lite.checkpoints import Model
from sdm_lite.evaluate import Truth, evaluate_model, measure_truth
from sdm_lite.judge import Judge, load_judge
from sdm_lite.presets import PRESETS
from sdm_lite.progress import Progress
from sdm_lite.scenes import Scenes
from sdm_lite.train import ImageBatches, TrainConfig, train
from sdm_lite.unet import SDMUNet

FOLDER = Path(__file__).parent
SIZES = {"num_layouts": 192, "num_renders": 16, "samples_per_layout": 2, "num_diversity_layouts": 96}
GUIDANCE = {"guidance_scale": 1.5, "guidance_interval": (1, 800), "num_steps": 25}
BASE = {"null_probability": 0.2}
# What is changed, by the row's name: numbers of TrainConfig, and of UNetConfig.
TRIALS: dict[str, tuple[dict, dict]] = {
    "the lite recipe": ({}, {}),
    "the lite recipe, another seed": ({"seed": 1}, {}),
    "learning rate 4e-3": ({"learning_rate": 4e-3}, {}),
    "batch 4": ({"batch_size": 4}, {}),
    "linear schedule": ({"schedule": "linear"}, {}),
    "24 base channels": ({}, {"base_channels": 24, "channels_per_head": 24}),
    "weight of the simple loss at most 20": ({"max_simple_weight": 20.0}, {}),
    "batch 16": ({"batch_size": 16}, {}),
    "learning rate 1e-3": ({"learning_rate": 1e-3}, {}),
    "48 base channels": ({}, {"base_channels": 48, "channels_per_head": 48}),
    "eps output": ({"prediction_type": "eps"}, {}),
    "the paper's loss, schedule, rate and averaging": (
        {
            "prediction_type": "eps",
            "schedule": "linear",
            "max_simple_weight": 1.0,
            "learning_rate": 1e-4,
            "adam_beta2": 0.999,
            "warmup_steps": 0,
            "final_learning_rate_fraction": 1.0,
            "max_gradient_norm": 1e9,
            "ema_rate": 0.9999,
        },
        {},
    ),
    "Adam's beta2 0.999": ({"adam_beta2": 0.999}, {}),
    "labels dropped for one in ten": ({"null_probability": 0.1}, {}),
    "SPADE with 3x3 to gamma and beta": ({}, {"spade_kernel_size": 3}),
}
# What then trains longer, and what of it is not worth a short run: it only puts together what the short ones showed.
FINALS = ()
ONLY_FINAL = ()


class Trained(NamedTuple):
    """A trial's outcome: averaged weights and how they came about."""

    model: Model
    num_steps: int
    num_images: int
    seconds: float


def configurations(name: str) -> tuple[TrainConfig, SDMUNet]:
    """A trial's recipe, its length still open, and its fresh network."""
    changed, network = TRIALS[name]
    config = TrainConfig(**(BASE | changed))
    torch.manual_seed(config.seed)
    return config, SDMUNet(dataclasses.replace(PRESETS["scenes-32"], **network))


def steps_within(seconds: float, name: str, pictures: tuple, num_classes: int, probe: int = 12) -> int:
    """How many steps of a trial a thread can do in a time: the first steps of a network that is thrown away."""
    config, unet = configurations(name)
    diffusion = config.diffusion().build()
    batches = ImageBatches(*pictures, num_classes, batch_size=config.batch_size, flip_probability=0.5, seed=0)
    steps = train(unet, deepcopy(unet), diffusion, batches, dataclasses.replace(config, num_steps=probe))
    next(steps)
    started = time.process_time()
    count = sum(1 for _ in steps)
    return round(seconds * count / (time.process_time() - started))


def run(name: str, seconds: float, pictures: tuple, num_classes: int) -> Trained:
    """Train one trial."""
    config, unet = configurations(name)
    config = dataclasses.replace(config, num_steps=steps_within(seconds, name, pictures, num_classes))
    diffusion, ema = config.diffusion().build(), deepcopy(unet)
    batches = ImageBatches(
        *pictures,
        num_classes,
        batch_size=config.batch_size,
        flip_probability=config.flip_probability,
        seed=config.seed,
    )
    started = time.process_time()
    for _ in train(unet, ema, diffusion, batches, config):
        pass
    taken = time.process_time() - started
    return Trained(Model(ema.eval(), diffusion), config.num_steps, config.num_steps * config.batch_size, taken)


@functools.cache
def given() -> tuple[Judge, Truth, tuple, int]:
    """What all trials of a process share: the judge, the measures of true pictures, and pictures to train on."""
    torch.set_num_threads(1)
    judge, scenes = load_judge("judge-32"), Scenes(32, length=8000, seed=0)
    return judge, measure_truth(judge, **SIZES), scenes.materialize(range(len(scenes))), scenes.num_classes


def measure_one(folder: Path, name: str, seconds: float) -> str:
    """Measure one trial, keep its row, and return a line about it."""
    judge, truth, pictures, num_classes = given()
    trained = run(name, seconds, pictures, num_classes)
    scores = evaluate_model(trained.model, judge, **SIZES, **GUIDANCE, truth=truth)
    facts = dataclasses.asdict(scores) | trained._replace(model=None)._asdict()
    path = path_of(folder, name, seconds)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(facts, indent=1))
    temporary.replace(path)
    return f"{name}, {seconds:g} s: FID {scores.frechet_ratio:.2f} times the floor"


def measure(folder: Path, seconds: float, final_seconds: float, num_workers: int) -> None:
    """Measure every trial that is not in the folder yet, each in a process of one thread."""
    wanted = [(name, seconds) for name in TRIALS if name not in ONLY_FINAL]
    wanted += [(name, final_seconds) for name in FINALS]
    missing = [(name, length) for name, length in wanted if not path_of(folder, name, length).exists()]
    folder.mkdir(parents=True, exist_ok=True)
    fresh = multiprocessing.get_context("spawn")  # a forked process inherits locks that torch's threads may hold
    with (
        Progress("trials", total=len(missing)) as bar,
        ProcessPoolExecutor(num_workers, mp_context=fresh) as workers,
    ):
        for row in as_completed([workers.submit(measure_one, folder, *trial) for trial in missing]):
            print(row.result(), flush=True)
            bar.update()


def path_of(folder: Path, name: str, seconds: float) -> Path:
    """Where a trial's outcome is kept."""
    return folder / f"{name.replace(' ', '-').replace(chr(39), '').replace(',', '').lower()}-{seconds:g}s.json"


def table(folder: Path, names: Iterable[str], seconds: float) -> list[str]:
    """The finished trials of a length as lines of Markdown."""
    lines = [
        "| changed | steps | images | FID (Scenes judge) / floor | mIoU ratio | diversity ratio | time of day, TV |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in names:
        path = path_of(folder, name, seconds)
        if not path.exists():
            continue
        row = json.loads(path.read_text())
        cells = [name, f"{row['num_steps']:,}", f"{row['num_images']:,}"]
        for score in ("frechet_ratio", "miou_ratio", "diversity_ratio", "time_of_day_tv"):
            low, high = row["intervals"][score]
            cells.append(f"{row[score]:.2f} [{low:.2f}, {high:.2f}]")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def write(folder: Path, seconds: float, final_seconds: float) -> None:
    """Write docs/recipe_search.md from the finished trials."""
    lines = [
        "# What was tried for the lite recipe",
        "",
        "Written by `python docs/recipe_search.py`. Each row trains a fresh `scenes-32` network with one number of the",
        f"recipe changed, for {seconds:g} s of processor time on one thread (a larger network or batch: fewer steps),",
        "labels dropped for one example in five, on 8,000 pictures of Scenes(seed=0). Scored on",
        f"{SIZES['num_layouts']} layouts of Scenes(seed=1), guidance scale {GUIDANCE['guidance_scale']} for t <= 800,",
        f"{GUIDANCE['num_steps']} DDIM steps, with 95 % bootstrap intervals over layouts. One training run a row: the",
        "second row, another seed, says how much luck is in each.",
        "",
        *table(folder, TRIALS, seconds),
        "",
        f"And for {final_seconds:g} s, the ten minutes of two cores:",
        "",
        *table(folder, FINALS, final_seconds),
        "",
    ]
    (FOLDER / "recipe_search.md").write_text("\n".join(lines))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/recipe_search"), help="finished rows are kept here")
    parser.add_argument("--seconds", type=float, default=200.0, help="of training a row (default 200)")
    parser.add_argument("--final-seconds", type=float, default=1200.0, help="the same of the finals (default 1200)")
    parser.add_argument("--workers", type=int, default=2, help="rows at a time, each on one thread (default 2)")
    parser.add_argument("--write", action="store_true", help="measure nothing more")
    args = parser.parse_args()
    if not args.write:
        measure(args.output, args.seconds, args.final_seconds, args.workers)
    write(args.output, args.seconds, args.final_seconds)


if __name__ == "__main__":
    main()
