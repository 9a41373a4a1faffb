"""Likelihood and the two small choices behind it, measured: writes docs/likelihood.md and the stored run likelihood.

Small networks of one preset are trained on Scenes for the same number of steps, three seeds each:

    lambda     the weight of the variational term: 0, 0.001 (the paper's), 0.01, 1 times the full bound
    labels     dropped from the start, dropped in a second phase alone (the paper's), or never shown at all

and read on held-out Scenes: bits a dimension with the learned variance and with either fixed one, the error of the
noise prediction with and without labels, of the averaged weights and of the last ones. A run takes about three minutes
of one thread; what is finished is kept in --output and not done again, so it can be stopped at any time.

    python docs/scripts/likelihood.py                   # train what is missing, two runs at a time; measure, write
    python docs/scripts/likelihood.py --write           # only measure and write, from the runs that are there
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from sdm_lite import markdown
from sdm_lite.batches import Batch, ImageBatches, encode
from sdm_lite.bound import evaluate_bound
from sdm_lite.checkpoints import Model, load_facts, load_model, save_model
from sdm_lite.files import expanded, to_json, write_whole
from sdm_lite.guidance import denoiser
from sdm_lite.ledger import find_rule
from sdm_lite.ledger.evidence import EVIDENCE_DIR, StoredClaim, write_evidence
from sdm_lite.metrics import Interval, layouts_and_seeds_interval
from sdm_lite.presets import PRESETS
from sdm_lite.scenes import TEST_SEED, Scenes
from sdm_lite.side_by_side import side_by_side
from sdm_lite.train import LITE_DIFFUSION, TrainConfig, train
from sdm_lite.train.loop import draw_timesteps
from sdm_lite.unet import SDMUNet

FOLDER = Path(__file__).parents[1]
COMMAND = "python docs/scripts/likelihood.py"
SEEDS = (0, 1, 2)
PRESET, NUM_IMAGES, NUM_STEPS = "scenes-32", 8000, 1000
NUM_HELD_OUT, NUM_STRATA, NUM_DRAWS = 128, 40, 8
NUM_RESAMPLES = 1000
KIND = "layouts and seeds"
SCALE = f"Scenes 32 px, {PRESET}, {NUM_STEPS} steps"
LAMBDAS = (0.0, 0.001, 0.01, 1.0)  # of the full bound, as TrainConfig.vlb_weight has it
DROPPED, FINE_TUNED, NO_LABELS = "dropped from the start", "dropped in a second phase", "never shown"


class Way(NamedTuple):
    """A way to train.

    Attributes:
        name: of its row and, with the seed, of its files.
        phases: what each phase changes in TrainConfig; all phases together take NUM_STEPS steps.
    """

    name: str
    phases: tuple[dict, ...]


def lambda_name(weight: float) -> str:
    """The row of a weight; the paper's is the one whose labels are dropped from the start."""
    return DROPPED if weight == 0.001 else f"lambda {weight:g}"


WAYS = (
    *(Way(lambda_name(weight), ({"vlb_weight": weight, "null_probability": 0.2},)) for weight in LAMBDAS),
    Way(FINE_TUNED, ({}, {"null_probability": 0.2, "learning_rate": 1e-3})),
    Way(NO_LABELS, ({"null_probability": 1.0},)),
)


def file_name(way: Way, seed: int, which: str) -> str:
    """Of a run's weights: which is "averaged", "last", or "before", the averaged ones of the first of two phases."""
    return f"{way.name.replace(' ', '-')}-seed{seed}-{which}"


def files(way: Way) -> tuple[str, ...]:
    """Which weights a run leaves."""
    return ("averaged", "last") + ("before",) * (len(way.phases) > 1)


def train_way(job: tuple[Way, int, Path]) -> None:
    """Train one run and write its weights, the averaged ones last."""
    way, seed, folder = job
    scenes = Scenes(PRESETS[PRESET].image_size[0], length=NUM_IMAGES)
    pictures: Batch = scenes.materialize(range(NUM_IMAGES))
    torch.manual_seed(seed)
    unet = SDMUNet(PRESETS[PRESET])
    ema = deepcopy(unet)
    norms: list[float] = []
    for number, changed in enumerate(way.phases):
        config = TrainConfig(num_steps=NUM_STEPS // len(way.phases), seed=seed + 100 * number, **changed)
        if number:
            save_model(folder / f"{file_name(way, seed, 'before')}.safetensors", ema, LITE_DIFFUSION)
            unet.load_state_dict(ema.state_dict())  # as fine-tuning does: it starts from the averaged weights
        batches = ImageBatches(pictures, batch_size=config.batch_size, flip_probability=0.5, seed=config.seed)
        norms += [step.gradient_norm for step in train(unet, ema, LITE_DIFFUSION.build(), batches, config)]
    told = {"gradient_norms": norms[len(norms) // 2 :]}  # of the second half
    save_model(folder / f"{file_name(way, seed, 'last')}.safetensors", unet, LITE_DIFFUSION)
    save_model(folder / f"{file_name(way, seed, 'averaged')}.safetensors", ema, LITE_DIFFUSION, facts=told)


def train_all(folder: Path, workers: int) -> None:
    """Train every run whose averaged weights are not there, several at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [
        (way, seed, folder)
        for seed in SEEDS
        for way in WAYS
        if not (folder / f"{file_name(way, seed, 'averaged')}.safetensors").exists()
    ]
    failed = side_by_side(train_way, jobs, workers=workers, name=lambda job: f"{job[0].name}, seed {job[1]}")
    if failed:
        raise SystemExit(f"error: {'; '.join(failed)}")


@torch.no_grad()
def noise_error(model: Model, x0: torch.Tensor, condition: torch.Tensor, scale: float) -> torch.Tensor:
    """The mean squared error of the predicted noise of each picture, under labels (1) or the null label (0): (N,)."""
    generator = torch.Generator().manual_seed(0)
    draw = denoiser(model.unet, model.diffusion, condition, scale, clip=False)
    errors = []
    for _ in range(NUM_DRAWS):
        t = draw_timesteps(len(x0), model.diffusion.num_timesteps, generator)
        noise = torch.randn(x0.shape, generator=generator)
        errors.append((draw(model.diffusion.q_sample(x0, t, noise), t).eps - noise).square().mean((1, 2, 3)))
    return torch.stack(errors).mean(0).double()


def read(folder: Path) -> None:
    """Measure every weights file that was not measured yet, on the same pictures, timesteps and noise."""
    scenes = Scenes(PRESETS[PRESET].image_size[0], length=NUM_HELD_OUT, seed=TEST_SEED)
    x0, condition = encode(scenes.materialize(range(NUM_HELD_OUT)))
    for path in sorted(folder.glob("*.safetensors")):
        target = path.with_suffix(".json")
        if target.exists():
            continue
        model = load_model(path)
        labels = 0.0 if path.name.startswith(NO_LABELS.replace(" ", "-")) else 1.0
        draw = denoiser(model.unet, model.diffusion, condition, labels)
        bounds = evaluate_bound(draw, model.diffusion, x0, num_strata=NUM_STRATA)
        found = {f"bits, {name}": bound.total.tolist() for name, bound in bounds.items()}
        found["error with labels"] = noise_error(model, x0, condition, labels).tolist()
        found["error without labels"] = noise_error(model, x0, condition, 0.0).tolist()
        write_whole(target, to_json(found) + "\n")
        print(f"read {path.stem}", flush=True)


class Found(NamedTuple):
    """A number with its interval and its value for each seed."""

    value: float
    interval: Interval
    seeds: list[float]


def readings(folder: Path, way: str, which: str = "averaged") -> dict[str, np.ndarray]:
    """(S, N) by name: of each seed and picture."""
    one = next(of for of in WAYS if of.name == way)
    told = [json.loads((folder / f"{file_name(one, seed, which)}.json").read_text(encoding="utf-8")) for seed in SEEDS]
    return {name: np.array([of[name] for of in told]) for name in told[0]}


def over(statistic: Callable[..., float], *of: np.ndarray, same_runs: bool = True) -> Found:
    """A statistic of one or two means over pictures, over layouts and seeds.

    Args:
        statistic: of as many means as there are arrays.
        of: (S, N) each, on the same pictures.
        same_runs: whether seed s of all arrays comes of one training run.
    """
    means = [one.mean(1) for one in of]  # (S,) each
    value = statistic(*(mean.mean() for mean in means))
    draws = np.random.default_rng(0).integers(of[0].shape[1], size=(NUM_RESAMPLES, of[0].shape[1]))
    replicates = np.array([statistic(*(one.mean(0)[i].mean() for one in of)) for i in draws])
    if same_runs:
        groups = [[statistic(*seed) for seed in zip(*means, strict=True)]]
    else:  # each run's share of the scatter, the other at its mean
        whole = [mean.mean() for mean in means]
        groups = [
            [statistic(*(value if j == i else whole[j] for j in range(len(of)))) for value in mean]
            for i, mean in enumerate(means)
        ]
    interval = layouts_and_seeds_interval(value, replicates, groups, num_layouts=of[0].shape[1])
    return Found(float(value), interval, [float(one) for one in groups[0]])


def quotient(a: float, b: float) -> float:
    """One by the other."""
    return a / b


def less(a: float, b: float) -> float:
    """One less the other."""
    return a - b


def quantities(folder: Path) -> dict[str, Found]:
    """From an id of the ledger to what was found."""
    paper, none, whole = (readings(folder, lambda_name(weight)) for weight in (0.001, 0.0, 1.0))
    last, tuned = readings(folder, DROPPED, "last"), readings(folder, FINE_TUNED)
    before, unlabelled = readings(folder, FINE_TUNED, "before"), readings(folder, NO_LABELS)
    error, null = "error with labels", "error without labels"
    return {
        "learned-variance/lower": over(less, paper["bits, fixed, beta~"], paper["bits, learned"]),
        "learned-variance/upper": over(less, paper["bits, fixed, beta"], paper["bits, learned"]),
        "lambda/harmless": over(quotient, paper[error], none[error], same_runs=False),
        "lambda/more-is-worse": over(quotient, whole[error], paper[error], same_runs=False),
        "null-by-fine-tuning/null-error": over(quotient, tuned[null], before[null]),
        "null-by-fine-tuning/label-error": over(quotient, tuned[error], before[error]),
        "zero-null": over(quotient, paper[null], unlabelled[null], same_runs=False),
        "ema": over(quotient, paper[error], last[error]),
    }


def start_or_second_phase(folder: Path) -> str:
    """Dropping labels in a second phase alone beside dropping them from the start, equal steps in all."""
    later, start = (readings(folder, way, "averaged") for way in (FINE_TUNED, DROPPED))
    words = [
        f"{words} {told(over(quotient, later[error], start[error], same_runs=False))}"
        for error, words in (("error with labels", "with labels"), ("error without labels", "without"))
    ]
    return f"Dropped in a second phase by dropped from the start, equal steps in all: error {', '.join(words)}."


def table(folder: Path) -> tuple[list[str], list[dict[str, object]]]:
    """All rows, as lines of Markdown and as they are stored."""
    names = {
        "bits, learned": "bits/dim, learned",
        "bits, fixed, beta~": "with beta~",
        "bits, fixed, beta": "with beta",
        "error with labels": "error with labels",
        "error without labels": "error without",
    }
    rows = []
    stored = []
    for way in WAYS:
        for which in files(way):
            read_off = readings(folder, way.name, which)
            found = {name: over(float, read_off[name]) for name in names}
            facts = [load_facts(folder / f"{file_name(way, seed, 'averaged')}.safetensors") for seed in SEEDS]
            scatter = float(np.mean([np.std(one["gradient_norms"]) for one in facts]))
            title = f"{way.name}, lambda 0.001" if way.name == DROPPED else way.name
            rows.append([title, which, *map(told, found.values()), f"{scatter:.3f}"])
            stored.append(
                {"training": title, "weights": which, "gradient_norm_sd": scatter}
                | {name: {"value": one.value, "interval": one.interval[:2]} for name, one in found.items()}
            )
    return markdown.table(["training", "weights", *names.values(), "gradient norm, sd"], rows), stored


def told(found: Found) -> str:
    """A number with its interval."""
    return markdown.number(found.value, found.interval, ".4f")


def write(folder: Path, evidence: Path) -> None:
    """Write the page and the stored run."""
    found = quantities(folder)
    lines, stored = table(folder)
    rules = {id: find_rule(id)[2] for id in found}
    rows = [[id, f"{rules[id].quantity}; {rules[id].words}", told(one)] for id, one in found.items()]
    text = f"""# Likelihood, the weight of the bound, averaged weights and the null label

Written by `{COMMAND}`: `{PRESET}`, {NUM_STEPS} steps of 8 pictures, {len(SEEDS)} seeds
a row, read on {NUM_HELD_OUT} test pictures, Scenes(seed={TEST_SEED}), the same timesteps and noise for all. Bits
a dimension are an estimate of the variational bound ({NUM_STRATA} random timesteps a picture); the
error is that of the predicted
noise, mean over timesteps. Intervals: 95 % over layouts and seeds. Small runs: what they say, they say of networks
trained for three minutes.

{chr(10).join(lines)}

"{FINE_TUNED}": half of the steps without dropping, then half with one label in five dropped,
from the averaged weights; "before" are the averaged weights between the two. "{NO_LABELS}": every label
dropped; both its errors are without labels. The gradient norm is that before clipping, over the
second half of the steps.

{start_or_second_phase(folder)}
Each of the two phases has a learning rate that rises and falls; no claim of the paper is about that.

What decides claims of the paper, with the rule that was fixed before:

{chr(10).join(markdown.table(["id", "quantity", "value"], rows))}
"""
    write_whole(FOLDER / "likelihood.md", text)
    claims = [
        StoredClaim(id, one.value, one.interval[:2], KIND, NUM_HELD_OUT, len(SEEDS), SCALE) for id, one in found.items()
    ]
    path = write_evidence(
        "likelihood",
        command=COMMAND,
        modules=[f"sdm_lite.{name}" for name in ("bound", "diffusion", "spade", "train.loop", "unet")],
        num_layouts=NUM_HELD_OUT,
        results={"rows": stored, "seeds": list(SEEDS), "steps": NUM_STEPS},
        claims=claims,
        folder=evidence,
    )
    print(f"wrote {path} and {FOLDER / 'likelihood.md'}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="runs/likelihood", help="weights and readings are kept here")
    parser.add_argument("--workers", type=int, default=2, help="runs side by side, one thread each (default 2)")
    parser.add_argument("--evidence", default=EVIDENCE_DIR, help="folder of the stored run")
    parser.add_argument("--write", action="store_true", help="train nothing, write what is there")
    args = parser.parse_args(arguments)
    folder = expanded(args.output)
    if not args.write:
        train_all(folder, args.workers)
    missing = [
        file_name(way, seed, which)
        for way in WAYS
        for seed in SEEDS
        for which in files(way)
        if not (folder / f"{file_name(way, seed, which)}.safetensors").exists()
    ]
    if missing:
        raise SystemExit(f"error: no weights of {', '.join(missing)} in {folder}: run it without --write first")
    read(folder)
    write(folder, expanded(args.evidence))


if __name__ == "__main__":
    main()
