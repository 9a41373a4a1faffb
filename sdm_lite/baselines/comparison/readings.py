"""Pictures of a run, what the judge read off them, and scores: each kept, so that what took long is done once.

A score is kept with its bootstrap replicates. All readings resample the same layouts in the same order, and the truth
with them, so that a difference of two systems, or a mean of several runs, is resampled once for all by arithmetic on
replicates.

    OUTPUT/truth-32.safetensors  samples/  measurements/  readings/NAME.json and truth-32.json

Shapes: L layouts, D of them for diversity, N pictures of each, R bootstrap resamples.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sdm_lite import metrics
from sdm_lite.baselines.ablation.measured import device_name, truth
from sdm_lite.baselines.ablation.readings import NUM_SAMPLING_STEPS, Reading, from_8_bits, to_8_bits
from sdm_lite.baselines.ablation.readings import settings as sdm_settings
from sdm_lite.baselines.comparison.runs import SDM, Run
from sdm_lite.baselines.comparison.things import SmallThings, fullest_third, recalled, small_things
from sdm_lite.baselines.gan.painting import load_painter
from sdm_lite.checkpoints import load_facts, load_model, load_tensors, save_tensors
from sdm_lite.evaluate import Measurements, Painter, Sizes, evaluate_images, layout_diversity, paint_groups
from sdm_lite.evaluate.drawing import painter
from sdm_lite.evaluate.scene_scores import statistics
from sdm_lite.files import to_json, write_whole
from sdm_lite.judge import load_judge
from sdm_lite.scenes import Scenes

UNGUIDED, GUIDED = 1.0, 1.5
SAMPLER = f"DPM-Solver++(2M), {NUM_SAMPLING_STEPS} steps"
SIZES = Sizes(512, samples_per_layout=10, num_diversity_layouts=128)  # 45 pairs a layout, as the paper has
NUM_RESAMPLES = 400
NUM_TRUE_FOR_THINGS = 4  # true pictures a layout behind the recall of small things
BATCH_SIZE = 64
FORMAT = "sdm_lite comparison 1"

# What each score is called; those of `evaluate`, and two of `things`.
NAMES = {
    "frechet": "FID",
    "frechet_within": "FID, hour and season held fixed",
    "diversity": "diversity",
    "miou": "mIoU",
    "time_of_day_tv": "TV of the hour",
    "season_tv": "TV of the season",
    "small_things": "recall of the smallest third of things",
    "miou_fullest": "mIoU on the fullest third of layouts",
}
SCORES = tuple(NAMES)
OF_EVALUATE = SCORES[:6]


def scales_of(system: str) -> tuple[float | None, ...]:
    """The scales of guidance that a system is drawn at; a GAN knows none."""
    return (GUIDED, UNGUIDED) if system == SDM else (None,)


def file_name(run: Run, scale: float | None) -> str:
    """Of the pictures and of the reading, without what follows the point."""
    return run.name if scale is None else f"{run.name}-s{scale:g}"


class Layouts(NamedTuple):
    """The test layouts at a size: label maps and instance maps, (L, H, W) int64 each, and what is hard in them."""

    label_maps: Tensor
    instance_maps: Tensor
    things: SmallThings
    fullest: Tensor


@lru_cache(maxsize=2)
def layouts(size: int, sizes: Sizes) -> Layouts:
    """The test layouts of a size."""
    maps = sizes.layouts(size)
    return Layouts(*maps, small_things(*maps), fullest_third(maps[1]))


def painter_of(run: Run, scale: float | None, weights: Path, device: str) -> Painter:
    """What draws the pictures of a run."""
    if scale is None:
        return load_painter(weights, device=device)
    return painter(load_model(weights, device=device), sdm_settings(scale))


def draw(run: Run, scale: float | None, output: Path, others: Sequence[Path] = (), device: str = "cpu") -> Path:
    """Draw a run's pictures on a device, unless they are there.

    Returns:
        The file: "first", (L, 3, H, W), and "several", (D, N, 3, H, W), as 8 bits.
    """
    path = output / "samples" / f"{file_name(run, scale)}.safetensors"
    if not path.exists():
        paint = painter_of(run, scale, run.weights(output, others), device)
        maps = layouts(run.size, SIZES)[:2]
        groups = paint_groups(paint, *maps, SIZES.samples_of, batch_size=BATCH_SIZE)
        first = torch.stack([group[0] for group in groups])
        several = torch.stack(groups[: SIZES.num_diversity_layouts])
        save_tensors(path, {"first": to_8_bits(first), "several": to_8_bits(several)}, {"format": "sdm_lite samples 2"})
    return path


def measure(run: Run, scale: float | None, output: Path, others: Sequence[Path] = (), device: str = "cpu") -> Path:
    """Let the judge read a run's pictures on a device, unless that was done."""
    path = output / "measurements" / f"{file_name(run, scale)}.safetensors"
    if not path.exists():
        samples = load_tensors(draw(run, scale, output, others, device))[0]
        judge, test = load_judge(f"judge-{run.size}", device=device), layouts(run.size, SIZES)
        images = from_8_bits(samples["first"])[:, None]  # (L, 1, 3, H, W)
        tensors = evaluate_images(judge, images, test.label_maps)._asdict()
        tensors["diversity"] = layout_diversity(judge, from_8_bits(samples["several"]))
        tensors["recalled"] = recalled(judge, images, test.label_maps, test.things)
        facts = load_facts(run.weights(output, others))
        trained = {name: facts.get(name) for name in ("steps", "seconds", "device", "num_skipped", "torch")}
        metadata = {"format": FORMAT, "device": device_name(device), "trained": to_json(trained)}
        save_tensors(path, tensors, metadata)
    return path


def true_recalled(size: int, output: Path, device: str = "cpu") -> Tensor:
    """`things.recalled` of true pictures, (L,) float64: measured once, then read from the output folder."""
    path = output / f"truth-{size}-things.safetensors"
    if not path.exists():
        scenes = Scenes(size, length=SIZES.num_layouts, seed=SIZES.scenes_seed)
        renders = [[scenes.render(i, n) for n in range(NUM_TRUE_FOR_THINGS)] for i in range(len(scenes))]
        images = torch.stack([torch.stack(one) for one in renders])  # (L, N, 3, H, W)
        judge, test = load_judge(f"judge-{size}", device=device), layouts(size, SIZES)
        found = recalled(judge, images, test.label_maps, test.things)
        save_tensors(path, {"recalled": found}, {"format": FORMAT})
    return load_tensors(path)[0]["recalled"]


def measure_true_pictures(size: int, output: Path, device: str = "cpu") -> None:
    """All of the truth at a size, unless it is there: it takes the longest before the first score."""
    truth(size, SIZES, output, device)
    true_recalled(size, output, device)


def read(run: Run, scale: float | None, output: Path, others: Sequence[Path] = (), device: str = "cpu") -> Path:
    """Score what the judge read of a run, unless that was done: a JSON file of scores with replicates."""
    path = output / "readings" / f"{file_name(run, scale)}.json"
    if path.exists():
        return path
    tensors, metadata = load_tensors(measure(run, scale, output, others, device))
    diversity, found = tensors.pop("diversity"), tensors.pop("recalled")
    test, of_truth = layouts(run.size, SIZES), truth(run.size, SIZES, output, device)
    scored = statistics(Measurements(**tensors), diversity, of_truth)
    every = torch.arange(SIZES.num_layouts, device="cpu")
    pairs = {name: (scored[name].of, every[: scored[name].num_layouts]) for name in OF_EVALUATE}
    pairs["small_things"] = _recall(found, true_recalled(run.size, output, device), test.things.counts), every
    pairs["miou_fullest"] = scored["miou"].of, test.fullest
    told = {name: _told(of, chosen) for name, (of, chosen) in pairs.items()}
    where = {"device": metadata["device"], "trained": json.loads(metadata["trained"])}
    of_run, of_true = ({name: one[side] for name, one in told.items()} for side in (0, 1))
    if not truth_path(run.size, output).exists():
        write_whole(truth_path(run.size, output), to_json({"scores": of_true}) + "\n")
    write_whole(path, to_json({**where, "scores": of_run}) + "\n")
    return path


def truth_path(size: int, output: Path) -> Path:
    """Of what the truth scores."""
    return output / "readings" / f"truth-{size}.json"


def _recall(found: Tensor, of_truth: Tensor, counts: Tensor) -> Callable[[Tensor], tuple[float, float]]:
    """Recall of small things on some layouts, of pictures and of the truth."""

    def of(i: Tensor) -> tuple[float, float]:
        number = counts[i].sum().item()
        return (found[i].sum().item() / number, of_truth[i].sum().item() / number) if number else (np.nan, np.nan)

    return of


def _told(of: Callable[[Tensor], tuple[float, float]], chosen: Tensor) -> tuple[dict[str, object], dict[str, object]]:
    """A statistic of chosen layouts and of resamples of them: of the pictures, and of the truth."""
    values = of(chosen)
    replicates = metrics.bootstrap(lambda i: of(chosen[i]), len(chosen), num_resamples=NUM_RESAMPLES)  # (R, 2)
    return tuple(
        {
            "value": value,
            "replicates": [float(f"{one:.6g}") for one in column],
            "num_layouts": len(chosen),
        }
        for value, column in zip(values, replicates.T, strict=True)
    )


def is_read(run: Run, output: Path) -> bool:
    """Whether nothing of a run is left to do."""
    return all(load(run, scale, output) is not None for scale in scales_of(run.system))


def load(run: Run, scale: float | None, output: Path) -> dict[str, Reading] | None:
    """A run's scores by name; None if it was not read yet."""
    return load_reading(output / "readings" / f"{file_name(run, scale)}.json")


def load_reading(path: Path) -> dict[str, Reading] | None:
    """What `read` wrote; None if there is no such file."""
    if not path.exists():
        return None
    told = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Reading(
            np.nan if one["value"] is None else one["value"],
            np.array(one["replicates"], dtype=float),
            one["num_layouts"],
        )
        for name, one in told["scores"].items()
    }


def where_made(run: Run, scale: float | None, output: Path) -> dict[str, object]:
    """Where a run was drawn and judged, and what its weights say of their training; of a run that was read."""
    told = json.loads((output / "readings" / f"{file_name(run, scale)}.json").read_text(encoding="utf-8"))
    return {name: told.get(name) for name in ("device", "trained")}
