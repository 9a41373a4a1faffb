"""What makes ten minutes of training count, measured: writes docs/recipe_search.md.

Every row trains a fresh network on Scenes for the same time with one number of the recipe changed, and scores its
averaged weights. Time is the processor time of one thread, so that a row does not depend on what else the machine
does: more weights or a larger batch mean fewer steps. Labels are dropped from the start, as in notebook 03. Finished
rows are kept in --output and are not measured again, so it can be stopped at any time.

    python docs/recipe_search.py                   # measure what is missing, then write
    python docs/recipe_search.py --write           # only write, from the rows that are there
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import torch

from sdm_lite.checkpoints import Model
from sdm_lite.evaluate import Truth, evaluate_model, measure_truth
from sdm_lite.judge import load_judge
from sdm_lite.presets import PRESETS
from sdm_lite.progress import Progress, progress
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
    with Progress(name, total=config.num_steps) as bar:
        for _ in train(unet, ema, diffusion, batches, config):
            bar.update()
    taken = time.process_time() - started
    return Trained(Model(ema.eval(), diffusion), config.num_steps, config.num_steps * config.batch_size, taken)


def measure(folder: Path, seconds: float) -> None:
    """Measure every trial that is not in the folder yet."""
    missing = [name for name in TRIALS if not path_of(folder, name).exists()]
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    judge = load_judge("judge-32")
    scenes = Scenes(32, length=8000, seed=0)
    with Progress("rendering Scenes", total=len(scenes)) as bar:
        pictures = scenes.materialize(range(len(scenes)), progress=lambda _: bar.update())
    truth: Truth = measure_truth(judge, **SIZES, progress=progress)
    for name in missing:
        trained = run(name, seconds, pictures, scenes.num_classes)
        scores = evaluate_model(trained.model, judge, **SIZES, **GUIDANCE, truth=truth, progress=progress)
        facts = dataclasses.asdict(scores) | trained._replace(model=None)._asdict()
        temporary = folder / "row.tmp"
        temporary.write_text(json.dumps(facts, indent=1))
        temporary.replace(path_of(folder, name))
        print(f"{name}: FID {scores.frechet_ratio:.2f} times the floor", flush=True)


def path_of(folder: Path, name: str) -> Path:
    """Where a trial's outcome is kept."""
    return folder / f"{name.replace(' ', '-').replace(chr(39), '').replace(',', '').lower()}.json"


def table(folder: Path) -> list[str]:
    """The finished trials as lines of Markdown."""
    lines = [
        "| changed | steps | images | FID (Scenes judge) / floor | mIoU ratio | diversity ratio | time of day, TV |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in TRIALS:
        path = path_of(folder, name)
        if not path.exists():
            continue
        row = json.loads(path.read_text())
        cells = [name, f"{row['num_steps']:,}", f"{row['num_images']:,}"]
        for score in ("frechet_ratio", "miou_ratio", "diversity_ratio", "time_of_day_tv"):
            low, high = row["intervals"][score]
            cells.append(f"{row[score]:.2f} [{low:.2f}, {high:.2f}]")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def write(folder: Path, seconds: float) -> None:
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
        *table(folder),
        "",
    ]
    (FOLDER / "recipe_search.md").write_text("\n".join(lines))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/recipe_search"), help="finished rows are kept here")
    parser.add_argument("--seconds", type=float, default=240.0, help="of training a row (default 240)")
    parser.add_argument("--write", action="store_true", help="measure nothing more")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if not args.write:
        measure(args.output, args.seconds)
    write(args.output, args.seconds)


if __name__ == "__main__":
    main()
