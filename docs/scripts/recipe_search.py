"""What makes ten minutes of training count, measured: writes docs/recipe_search.md.

Every row trains a fresh network on Scenes for the same time with one number of the recipe changed, and scores its
averaged weights. Time is the processor time of one thread, so that a row hardly depends on what else the machine
does: more weights or a larger batch mean fewer steps. Labels are dropped from the start, as in notebook 04. Finished
rows are kept in --output and are not measured again, so it can be stopped at any time; their weights and samples too,
so that another ruler can be laid on them. Those of FINALS come first, and train three times as long.

A search chooses, so it is scored on validation layouts.

    python docs/scripts/recipe_search.py                   # measure what is missing, two rows at a time, then write
    python docs/scripts/recipe_search.py --workers 1       # one at a time
    python docs/scripts/recipe_search.py --write           # only write, from the rows that are there
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import time
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import torch

from sdm_lite import markdown
from sdm_lite.checkpoints import Model, save_model
from sdm_lite.diffusion import DiffusionConfig, GaussianDiffusion
from sdm_lite.evaluate import SampleSettings, Sizes, Truth, evaluate_model, measure_truth
from sdm_lite.evaluate.kept import keep_samples
from sdm_lite.evaluate.measures import scores_json
from sdm_lite.files import write_whole
from sdm_lite.judge import Judge, load_judge
from sdm_lite.presets import PRESETS
from sdm_lite.scenes import VALIDATION_SEED, Scenes
from sdm_lite.side_by_side import side_by_side
from sdm_lite.train import Batch, ImageBatches, TrainConfig, train
from sdm_lite.train.config import make_config
from sdm_lite.unet import SDMUNet

FOLDER = Path(__file__).parents[1]
SIZES = Sizes(512, num_renders=16, samples_per_layout=2, num_diversity_layouts=128, scenes_seed=VALIDATION_SEED)
SETTINGS = SampleSettings(guidance_scale=1.5, num_steps=25, guidance_interval=(1, 800))
# Where the search began, whatever the recipe and the preset are by now.
BASE = {"null_probability": 0.2, "learning_rate": 2e-3}
NETWORK = dataclasses.replace(PRESETS["scenes-32"], base_channels=32, channels_per_head=32)
NARROW = {"base_channels": 24, "channels_per_head": 24}
# What is changed, by the row's name: fields of a recipe, and of UNetConfig.
TRIALS: dict[str, tuple[dict, dict]] = {
    "the lite recipe": ({}, {}),
    "the lite recipe, another seed": ({"seed": 1}, {}),
    "learning rate 4e-3": ({"learning_rate": 4e-3}, {}),
    "batch 4": ({"batch_size": 4}, {}),
    "linear schedule": ({"schedule": "linear"}, {}),
    "24 base channels": ({}, NARROW),
    "weight of the simple loss at most 20": ({"max_simple_weight": 20.0}, {}),
    "batch 16": ({"batch_size": 16}, {}),
    "learning rate 1e-3": ({"learning_rate": 1e-3}, {}),
    "learning rate 8e-3": ({"learning_rate": 8e-3}, {}),
    "24 base channels, learning rate 4e-3": ({"learning_rate": 4e-3}, NARROW),
    "24 base channels, eps output": ({"prediction_type": "eps"}, NARROW),
    "16 base channels": ({}, {"base_channels": 16, "channels_per_head": 16}),
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
    "SPADE with 3x3 to gamma and beta": ({}, {"spade_kernel_size": 3}),
    # After these: what wins, once more, and with the one change to the network that had been ahead.
    "24 base channels, another seed": ({"seed": 1}, NARROW),
    "24 base channels, SPADE with 3x3": ({}, NARROW | {"spade_kernel_size": 3}),
}
# What trains for longer: what had won in the short runs, alone and together, against where the search began; then the
# two rows that came after.
FINALS = (
    "24 base channels, learning rate 4e-3",
    "learning rate 4e-3",
    "24 base channels",
    "24 base channels, eps output",
    "the lite recipe",
    "24 base channels, SPADE with 3x3",
    "24 base channels, another seed",
)


class Trained(NamedTuple):
    """A trial's outcome: averaged weights and how they came about."""

    model: Model
    process: DiffusionConfig
    num_steps: int
    num_images: int
    seconds: float


def configurations(name: str) -> tuple[TrainConfig, DiffusionConfig, SDMUNet]:
    """A trial's recipe, its length still open, its process, and its fresh network."""
    changed, network = TRIALS[name]
    config = make_config(BASE | changed)
    torch.manual_seed(config.train.seed)
    return config.train, config.diffusion, SDMUNet(dataclasses.replace(NETWORK, **network))


def steps_within(seconds: float, name: str, pictures: Batch, probe: int = 12) -> int:
    """How many steps of a trial a thread can do in a time: the first steps of a network that is thrown away."""
    config, process, unet = configurations(name)
    batches = ImageBatches(pictures, batch_size=config.batch_size, flip_probability=0.5, seed=0)
    steps = train(unet, deepcopy(unet), process.build(), batches, dataclasses.replace(config, num_steps=probe))
    next(steps)
    started = time.process_time()
    count = sum(1 for _ in steps)
    return round(seconds * count / (time.process_time() - started))


def run(name: str, seconds: float, pictures: Batch) -> Trained:
    """Train one trial."""
    config, process, unet = configurations(name)
    diffusion: GaussianDiffusion = process.build()
    config = dataclasses.replace(config, num_steps=steps_within(seconds, name, pictures))
    ema = deepcopy(unet)
    batches = ImageBatches(
        pictures,
        batch_size=config.batch_size,
        flip_probability=config.flip_probability,
        seed=config.seed,
    )
    started = time.process_time()
    for _ in train(unet, ema, diffusion, batches, config):
        pass
    taken = time.process_time() - started
    num_images = config.num_steps * config.batch_size
    return Trained(Model(ema.eval(), diffusion), process, config.num_steps, num_images, taken)


@functools.cache
def given() -> tuple[Judge, Truth, Batch]:
    """What all trials of a process share: the judge, the measures of true pictures, and pictures to train on."""
    judge, scenes = load_judge("judge-32"), Scenes(32, length=8000, seed=0)
    return judge, measure_truth(judge, SIZES), scenes.materialize(range(len(scenes)))


class Job(NamedTuple):
    """A trial of TRIALS by its name, for how many seconds it trains, and where its outcome is kept."""

    folder: Path
    name: str
    seconds: float


def measure_one(job: Job) -> str:
    """Measure one trial, keep its row, and return what came of it."""
    judge, truth, pictures = given()
    folder, name, seconds = job
    trained = run(name, seconds, pictures)
    path = path_of(folder, name, seconds)
    save_model(path.with_suffix(".safetensors"), trained.model.unet, trained.process)

    def keep(groups: list[torch.Tensor]) -> None:
        keep_samples(path.with_suffix(".samples.safetensors"), [group[:1] for group in groups])

    scores = evaluate_model(trained.model, judge, SETTINGS, SIZES, truth=truth, keep=keep)
    trial = {"num_steps": trained.num_steps, "num_training": trained.num_images, "seconds": trained.seconds}
    write_whole(path, scores_json(scores, trial))
    return f"FID less its floor {scores.measures['frechet'].difference.value:.2f}"


def measure(folder: Path, seconds: float, final_seconds: float, num_workers: int) -> None:
    """Measure every trial that is not in the folder yet, each in a process of one thread."""
    wanted = [(name, final_seconds) for name in FINALS] + [(name, seconds) for name in TRIALS]
    missing = [(name, length) for name, length in wanted if not path_of(folder, name, length).exists()]
    folder.mkdir(parents=True, exist_ok=True)
    failed = side_by_side(
        measure_one,
        [Job(folder, *one) for one in missing],
        workers=num_workers,
        name=lambda job: f"{job.name}, {job.seconds:g} s",
        cost=lambda job: job.seconds,
    )
    if failed:
        raise SystemExit(f"error: {'; '.join(failed)}")


def path_of(folder: Path, name: str, seconds: float) -> Path:
    """Where a trial's outcome is kept."""
    return folder / f"{name.replace(' ', '-').replace(chr(39), '').replace(',', '').lower()}-{seconds:g}s.json"


COLUMNS = {
    "frechet": "FID (Scenes judge) less its floor",
    "miou": "mIoU ratio",
    "diversity": "diversity ratio",
    "time_of_day_tv": "time of day, TV less chance",
    "season_tv": "season, TV less chance",
}


def table(folder: Path, names: Iterable[str], seconds: float) -> list[str]:
    """The finished trials of a length as lines of Markdown, the best first."""
    paths = {name: path_of(folder, name, seconds) for name in names}
    rows = {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}
    lines = []
    for name, row in sorted(rows.items(), key=lambda item: item[1]["measures"]["frechet"]["difference"]["value"]):
        cells = [name, f"{row['seconds']:.0f} s", f"{row['num_steps']:,}", f"{row['num_training']:,}"]
        for score in COLUMNS:
            measure = row["measures"][score]
            measure = measure["ratio"] or measure["difference"]
            spec = ".1f" if score == "frechet" else ".2f"
            cells.append(markdown.number(measure["value"], measure["interval"], spec))
        lines.append(cells)
    return markdown.table(["what differs", "processor time", "steps", "images", *COLUMNS.values()], lines)


def write(folder: Path, seconds: float, final_seconds: float) -> None:
    """Write docs/recipe_search.md from the finished trials."""
    guided = f"guidance scale {SETTINGS.guidance_scale} for t <= {SETTINGS.guidance_interval[1]}"
    rows, finals = ("\n".join(table(folder, *of)) for of in ((TRIALS, seconds), (FINALS, final_seconds)))
    text = f"""# What was tried for the lite recipe

Written by `python docs/scripts/recipe_search.py`. Each row trains a fresh network with one or two numbers changed. "The
lite recipe" is the one that the search began with: {NETWORK.base_channels} base channels, learning rate \
{BASE["learning_rate"]:g}, batch 8, cosine schedule, v output,
weight of the simple loss at most 10,000, labels dropped for one example in five. 8,000 pictures of Scenes(seed=0);
about {seconds:g} s of processor time on one thread, in which a larger network or batch gets fewer steps. (The number of
steps is set by the time of the first twelve, so that the time varies.) Scored
on {SIZES.num_layouts} validation layouts, Scenes(seed={SIZES.scenes_seed}), diversity on the first
{SIZES.num_diversity_layouts} of them, {guided}, {SETTINGS.num_steps} DDIM steps.

Intervals are 95 %, by centred bootstrap over layouts; they know nothing of the luck of a training run, of which each
row has one: the order of two rows is the order of two runs. TV is the distance in total variation between the shares
of hours, or of seasons, in samples and in true pictures.

{rows}

The best of them, alone and together, and where they began, for about {final_seconds:g} s:

{finals}

What follows from it stands in [recipe.md](recipe.md).
"""
    write_whole(FOLDER / "recipe_search.md", text)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/recipe_search"), help="finished rows are kept here")
    parser.add_argument("--seconds", type=float, default=200.0, help="of training a row (default 200)")
    parser.add_argument("--final-seconds", type=float, default=600.0, help="the same of the finals (default 600)")
    parser.add_argument("--workers", type=int, default=2, help="rows at a time, each on one thread (default 2)")
    parser.add_argument("--write", action="store_true", help="measure nothing more")
    args = parser.parse_args()
    if not args.write:
        measure(args.output, args.seconds, args.final_seconds, args.workers)
    write(args.output, args.seconds, args.final_seconds)


if __name__ == "__main__":
    main()
