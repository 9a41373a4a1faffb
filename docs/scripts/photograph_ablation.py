"""Table 4 on photographs: labels through SPADE against labels at the input. Writes docs/photograph_ablation.md.

It also writes the stored run photograph_ablation, which docs/scripts/where_spade_pays.py and notebook 12 read.

Both networks are trained on the training photographs, three seeds each, at equal weights and equal steps or equal time
(STEP_TIME); every held-out label map is drawn twice, unguided and guided; a judge of one's own, trained on the training
photographs, reads them. What is finished is kept in --output and not done again.

    python docs/scripts/photograph_ablation.py camvid FOLDER --size 96 128 --device cuda
    python docs/scripts/photograph_ablation.py camvid FOLDER --write       # only tell what is there

Shapes: L label maps, S seeds, R bootstrap resamples.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import default_collate

from sdm_lite import markdown, metrics
from sdm_lite.batches import Example
from sdm_lite.checkpoints import load_facts, load_model
from sdm_lite.datasets import open_dataset
from sdm_lite.evaluate import SampleSettings, draw_groups, evaluate_images, layout_diversity
from sdm_lite.files import expanded, to_json, write_whole
from sdm_lite.judge import load_judge
from sdm_lite.ledger.evidence import EVIDENCE_DIR, write_evidence
from sdm_lite.metrics import Interval, layouts_and_seeds_interval
from sdm_lite.pictures import colorize, image_grid, png_bytes
from sdm_lite.sampling import sample_dpmpp_2m
from sdm_lite.side_by_side import side_by_side

FOLDER = Path(__file__).parents[1]
SEEDS = (0, 1, 2)
SCALES = (1.0, 1.5, 2.0)
NUM_STEPS = 4000  # of SDM, as in the recipe camvid
NUM_SAMPLING_STEPS = 15  # of DPM-Solver++(2M)
SAMPLES_PER_MAP = 2
NUM_RESAMPLES = 400
JUDGE_STEPS = 1200
# A step of SDM takes so many times that of concat, scenes-64 presets, one thread: benchmarks/conditioning_step.py
STEP_TIME = 1.48
RECIPE = "--preset {preset} --crops 4 --batch-size 8 --learning-rate 1e-3 --warmup-steps 200 --null-probability 0.2"
SYSTEMS = {
    "SDM": ("scenes-64", 1.0),
    "concat": ("scenes-64-concat", 1.0),
    "concat, longer": ("scenes-64-concat", STEP_TIME),
}
NAMES = {"frechet": "FID less its floor", "miou": "mIoU ratio", "diversity": "diversity (own judge)"}


class Place(NamedTuple):
    """Which photographs, at which size, and where everything is kept.

    Attributes:
        dataset: a name of sdm_lite.datasets.
        root: its folder.
        size: height and width.
        output: folder of runs, samples and readings.
        num_steps: of SDM.
        device: where to compute.
    """

    dataset: str
    root: str
    size: tuple[int, int]
    output: Path
    num_steps: int
    device: str

    @property
    def source(self) -> list[str]:
        """The options of every command that name the photographs."""
        height, width = map(str, self.size)
        return ["--dataset", self.dataset, "--root", self.root, "--size", height, width, "--device", self.device]

    @property
    def judge(self) -> Path:
        """Of one's own, trained on the training photographs."""
        return self.output / "judge.safetensors"

    def steps(self, system: str) -> int:
        """Of a system."""
        return round(self.num_steps * SYSTEMS[system][1])

    def run(self, system: str, seed: int) -> Path:
        """Folder of a training run."""
        return self.output / f"{system.replace(', ', '-')}-seed{seed}"

    def held_out(self) -> Example:
        """All held-out photographs: (L, 3, H, W), (L, H, W), (L, H, W)."""
        return default_collate(list(open_dataset(self.dataset, self.root, "val", size=self.size).read_all()))


def command(arguments: Sequence[str], log: Path) -> None:
    """Run a command of the package on one thread, what it prints in a log; OSError if it fails."""
    with open(log, "a", encoding="utf-8") as file:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        status = subprocess.run(
            [sys.executable, "-m", *arguments], stdout=file, stderr=file, env=environment, check=False
        ).returncode
    if status:
        raise OSError(f"{arguments[0]} ended with status {status}: its last lines are in {log}")


def train_judge(place: Place) -> None:
    """Train the judge, unless it is there."""
    if not place.judge.exists():
        options = [*place.source, "--num-steps", str(JUDGE_STEPS), "--output", str(place.judge)]
        options += ["--backbone", "none"]  # FID is this judge's too
        command(["sdm_lite.judge", "train", *options], place.output / "judge.log")


def work(job: tuple[Place, str, int]) -> None:
    """Train, draw and read one run, unless it was done."""
    place, system, seed = job
    run = place.run(system, seed)
    if not (run / "model.safetensors").exists():
        recipe = RECIPE.format(preset=SYSTEMS[system][0]).split()
        own = ["--num-steps", str(place.steps(system)), "--seed", str(seed), "--output", str(run)]
        command(["sdm_lite.train", *recipe, *place.source, *own], Path(f"{run}.log"))
    for scale in SCALES:
        if not reading(place, system, seed, scale).exists():
            read(place, system, seed, scale)


def reading(place: Place, system: str, seed: int, scale: float) -> Path:
    """The file of a run's scores."""
    return place.output / "readings" / f"{place.run(system, seed).name}-s{scale:g}.json"


def read(place: Place, system: str, seed: int, scale: float) -> None:
    """Draw every held-out label map, let the judge read the samples, write scores with their bootstrap replicates.

    FID: of the first sample of each map to the training photographs, less that of the held-out photographs themselves
    (the floor, of equally many pictures of the same maps). mIoU: by that of the held-out photographs. Both of a pair
    are resampled together.
    """
    photographs = place.held_out()
    judge = load_judge(str(place.judge)).to(place.device)
    model = load_model(place.run(system, seed) / "model.safetensors", device=place.device)
    settings = SampleSettings(guidance_scale=scale, num_steps=NUM_SAMPLING_STEPS, sampler=sample_dpmpp_2m)
    num_maps = len(photographs.image)
    groups = draw_groups(model, photographs.label_map, photographs.instance_map, [SAMPLES_PER_MAP] * num_maps, settings)
    samples = torch.stack([group.cpu() for group in groups])  # (L, N, 3, H, W)
    training = open_dataset(place.dataset, place.root, "train", size=place.size)
    true = default_collate(list(training.read_all()))
    reference = evaluate_images(judge, true.image[:, None], true.label_map).features[:, 0]
    of_samples = evaluate_images(judge, samples[:, :1], photographs.label_map)
    of_true = evaluate_images(judge, photographs.image[:, None], photographs.label_map)
    diversity = layout_diversity(judge, samples).numpy()

    def frechet(i: np.ndarray) -> float:
        apart = (metrics.frechet_distance(one.features[i, 0], reference) for one in (of_samples, of_true))
        return float(next(apart) - next(apart))

    def miou(i: np.ndarray) -> float:
        both = [
            float(metrics.intersection_over_union(one.confusion[i].sum(0)).nanmean()) for one in (of_samples, of_true)
        ]
        return both[0] / both[1]

    scores = {"frechet": frechet, "miou": miou, "diversity": lambda i: float(diversity[i].mean())}
    everyone = np.arange(num_maps)
    draws = np.random.default_rng(0).integers(num_maps, size=(NUM_RESAMPLES, num_maps))
    told = {
        name: {"value": score(everyone), "replicates": [score(i) for i in draws], "num_maps": num_maps}
        for name, score in scores.items()
    }
    if seed == 0:
        chosen = np.linspace(0, num_maps - 1, 8).astype(int)
        rows = [colorize(photographs.label_map[chosen], training.palette), photographs.image[chosen]]
        grid = image_grid([*rows, samples[chosen, 0], samples[chosen, 1]], scale=1)
        name = f"{place.run(system, seed).name}-s{scale:g}.png"
        write_whole(place.output / "grids" / name, png_bytes(grid))
    facts = load_facts(place.run(system, seed) / "model.safetensors")
    kept = {name: facts.get(name) for name in ("device", "steps", "seconds", "torch")}
    if torch.device(place.device).type == "cuda":
        kept["device"] = torch.cuda.get_device_name(place.device)
    write_whole(reading(place, system, seed, scale), to_json({"scores": told, "facts": kept}) + "\n")


class Found(NamedTuple):
    """A number over label maps and seeds, or a difference of two."""

    value: float
    interval: Interval

    def __str__(self) -> str:
        return markdown.number(self.value, self.interval, "+.3f")


def found(place: Place, score: str, scale: float, system: str, other: str | None = None) -> Found:
    """A system's score, mean over seeds; less another's."""
    values, replicates = [], []
    for name in filter(None, (system, other)):
        told = [json.loads(reading(place, name, seed, scale).read_text(encoding="utf-8"))["scores"] for seed in SEEDS]
        values.append([of[score]["value"] for of in told])
        replicates.append(np.mean([of[score]["replicates"] for of in told], axis=0))
    value = float(np.mean(values[0]) - (np.mean(values[1]) if other else 0))
    spread = replicates[0] - (replicates[1] if other else 0)
    interval = layouts_and_seeds_interval(value, spread, values, num_layouts=told[0][score]["num_maps"])
    return Found(value, interval)


def table(place: Place) -> str:
    """All scores, then SDM less each of the two others."""
    rows = []
    for system in SYSTEMS:
        for scale in SCALES:
            cells = [str(found(place, score, scale, system)) for score in NAMES]
            rows.append([f"{system}, {place.steps(system)} steps", f"{scale:g}", *cells])
    for other, words in MATCHES:
        for scale in SCALES:
            cells = [str(found(place, score, scale, "SDM", other)) for score in NAMES]
            rows.append([f"**SDM less concat, {words}**", f"{scale:g}", *cells])
    return "\n".join(markdown.table(["", "s", *NAMES.values()], rows))


MATCHES = (("concat", "equal steps"), ("concat, longer", "equal time"))
# What decided the numbers most directly: networks, process and loop, how they are drawn and read.
MODULES = ("concat", "diffusion", "guidance", "judge.photographs", "sampling", "spade", "train.loop", "unet")


def command_line(place: Place) -> str:
    """What measures it again."""
    height, width = place.size
    size = f"--size {height} {width} --num-steps {place.num_steps}"
    return f"python docs/scripts/photograph_ablation.py {place.dataset} FOLDER {size}"


def store(place: Place, folder: Path) -> Path:
    """Write the stored run: every score of every system, and SDM less each of the other two."""

    def told(score: str, scale: float, system: str, other: str | None = None) -> dict[str, object]:
        one = found(place, score, scale, system, other)
        return {"value": one.value, "interval": list(one.interval[:2])}

    first = json.loads(reading(place, "SDM", 0, SCALES[0]).read_text(encoding="utf-8"))
    num_maps = first["scores"]["miou"]["num_maps"]
    results = {
        "name": f"{place.dataset} {place.size[0]} x {place.size[1]}",
        "device": f"{first['facts']['device']}, torch {first['facts']['torch']}",
        "seeds": list(SEEDS),
        "scores": NAMES,
        "systems": [
            {"system": system, "steps": place.steps(system), "scale": scale}
            | {score: told(score, scale, system) for score in NAMES}
            for system in SYSTEMS
            for scale in SCALES
        ],
        "differences": [
            {"match": match, "scale": scale} | {score: told(score, scale, "SDM", other) for score in NAMES}
            for other, match in MATCHES
            for scale in SCALES
        ],
    }
    return write_evidence(
        "photograph_ablation",
        command=command_line(place),
        modules=[f"sdm_lite.{name}" for name in MODULES],
        num_layouts=num_maps,
        results=results,
        folder=folder,
    )


def write(place: Place) -> None:
    """Write the page."""
    told = json.loads(reading(place, "SDM", 0, 1.0).read_text(encoding="utf-8"))
    height, width = place.size
    judged = load_facts(place.judge)["scores"] if place.judge.exists() else {}
    page = f"""# Table 4 on photographs: {place.dataset} at {height} x {width}

Written by `python docs/scripts/photograph_ablation.py {place.dataset} FOLDER --size {height} {width} --num-steps
{place.num_steps}`: both networks of `scenes-64`, as many weights within 2 %, the recipe of `camvid` with a fixed number
of steps, {len(SEEDS)} seeds each, trained on {told["facts"]["device"]} (torch {told["facts"]["torch"]}); every one of
{told["scores"]["miou"]["num_maps"]} held-out label maps drawn {SAMPLES_PER_MAP} times with {NUM_SAMPLING_STEPS} steps
of DPM-Solver++(2M). "Equal time": a step of SDM counts as {STEP_TIME} of concatenation, as measured on one thread. The
judge is one's own, trained on the training photographs{f" (mIoU {judged['miou']:.3f} held out)" if judged else ""}; FID
is that to the training photographs, less what the held-out photographs themselves have: below 0 where the samples lie
nearer to the training photographs than the held-out photographs do.

Fixed before measuring: SDM is better in a score if the whole interval of the difference lies on its side of 0 (below
for FID, above for mIoU and diversity); undecided otherwise. Intervals: 95 % over label maps and seeds. Label maps count
as independent; where they are frames of one film, as CamVid's held-out ones are
([walkthroughs](walkthroughs.md#camvid)), intervals are narrower than they should be and cover no other place. Each is
at 95 % by itself.

{table(place)}
"""
    write_whole(FOLDER / "photograph_ablation.md", page)
    print(page)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help="a name of sdm_lite.datasets, such as camvid or folder")
    parser.add_argument("root", help="its folder")
    parser.add_argument("--size", type=int, nargs=2, default=(96, 128), metavar=("H", "W"))
    parser.add_argument("--num-steps", type=int, default=NUM_STEPS, help="of SDM (default %(default)s)")
    parser.add_argument("--device", default="cpu", help="where to compute (default cpu)")
    parser.add_argument("--workers", type=int, default=2, help="runs side by side, one thread each (default 2)")
    parser.add_argument("--output", default="runs/photograph_ablation", help="runs and readings are kept here")
    parser.add_argument("--evidence", default=EVIDENCE_DIR, help="folder of the stored run")
    parser.add_argument("--write", action="store_true", help="train nothing, write what is there")
    args = parser.parse_args(arguments)
    root, output = str(expanded(args.root)), expanded(args.output)
    place = Place(args.dataset, root, tuple(args.size), output, args.num_steps, args.device)
    if not args.write:
        output.mkdir(parents=True, exist_ok=True)
        train_judge(place)
        jobs = [(place, system, seed) for seed in SEEDS for system in SYSTEMS]
        failed = side_by_side(work, jobs, workers=args.workers, name=lambda job: f"{job[1]}, seed {job[2]}")
        if failed:
            raise SystemExit(f"error: {'; '.join(failed)}")
    missing = [
        reading(place, system, seed, scale).name
        for system in SYSTEMS
        for seed in SEEDS
        for scale in SCALES
        if not reading(place, system, seed, scale).exists()
    ]
    if missing:
        raise SystemExit(f"error: no {missing[0]} ({len(missing)} are missing) in {output}: run it without --write")
    write(place)
    print(f"wrote {store(place, expanded(args.evidence))}")


if __name__ == "__main__":
    main()
