"""Samples of a run and what the judge read off them: kept, so that what took long is done once.

A reading holds each score with its bootstrap replicates. All readings resample the same layouts in the same order, so
that a difference of two, or a mean of several, is resampled once for all by arithmetic on replicates.

Shapes: L layouts, R bootstrap resamples.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sdm_lite import metrics
from sdm_lite.baselines.ablation.measured import device_name, load_measured, save_measured, truth
from sdm_lite.baselines.ablation.runs import Run
from sdm_lite.checkpoints import load_model, load_tensors, save_tensors
from sdm_lite.evaluate import SampleSettings, Sizes, draw_groups, evaluate_images, layout_diversity
from sdm_lite.evaluate.measurements import Measurements
from sdm_lite.evaluate.scene_scores import Statistic, statistics
from sdm_lite.files import to_json, write_whole
from sdm_lite.judge import load_judge
from sdm_lite.sampling import sample_dpmpp_2m
from sdm_lite.scenes.label_sets import GROUP_OF_CLASS

SCALES = (1.0, 1.5)  # unguided, and the paper's for ADE20K
NUM_SAMPLING_STEPS = 15  # of DPM-Solver++(2M): docs/few_steps.md
SIZES = Sizes(512, samples_per_layout=2, num_diversity_layouts=128)
NUM_RESAMPLES = 400
SCORES = ("frechet", "frechet_within", "miou", "miou_edges", "diversity", "time_of_day_tv", "season_tv")
IN_GROUPS = "miou_groups"  # mIoU of the 5 coarse classes, which every label set asks for
BY_THINGS = ("frechet", "miou")  # also of quarters of the layouts, by how many things there are in them
NUM_QUARTERS = 4


class Reading(NamedTuple):
    """One score of one run's pictures.

    Attributes:
        value: on all layouts; of Table 4 as it stands beside the truth's, a ratio to it or what is above the floor.
        replicates: (R,), on resampled ones.
        num_layouts: that it was measured on.
    """

    value: float
    replicates: np.ndarray
    num_layouts: int


def settings(scale: float) -> SampleSettings:
    """How samples are drawn: guided everywhere, as in the paper."""
    return SampleSettings(guidance_scale=scale, num_steps=NUM_SAMPLING_STEPS, sampler=sample_dpmpp_2m)


def file_name(run: Run, scale: float) -> str:
    """Of the samples and of the reading, without what follows the point."""
    return f"{run.name}-s{scale:g}"


@lru_cache(maxsize=4)
def layouts(size: int, label_set: str = "standard") -> tuple[Tensor, Tensor]:
    """Label maps and instance maps of the test layouts, (L, H, W) int64 each."""
    return SIZES.layouts(size, label_set)


def num_things(instance_maps: Tensor) -> Tensor:
    """How many instances each map has, (L,) int64."""
    return torch.tensor([len(one.unique()) for one in instance_maps], device="cpu")


def quarters(size: int) -> Tensor:
    """Indices of layouts by how many things they have, few to many: (4, L / 4) int64."""
    order = num_things(layouts(size)[1]).argsort(stable=True)
    return order.reshape(NUM_QUARTERS, -1)


def draw(run: Run, scale: float, output: Path, device: str = "cpu") -> Path:
    """Draw a run's samples on a device, unless they are there.

    Returns:
        The file: "first", (L, 3, H, W), and "several", (diversity layouts, 2, 3, H, W), as 8 bits.
    """
    path = output / "samples" / f"{file_name(run, scale)}.safetensors"
    if not path.exists():
        several = SIZES.num_diversity_layouts
        model = load_model(run.weights(output), device=device)
        groups = draw_groups(model, *layouts(run.size, run.label_set), SIZES.samples_of, settings(scale))
        first, more = torch.stack([group[0] for group in groups]), torch.stack(groups[:several])
        tensors = {"first": to_8_bits(first), "several": to_8_bits(more)}
        save_tensors(path, tensors, {"format": "sdm_lite samples 2"})
    return path


def to_8_bits(images: Tensor) -> Tensor:
    """From [-1, 1] to uint8."""
    return ((images + 1) * 127.5).round().to(torch.uint8)


def from_8_bits(images: Tensor) -> Tensor:
    """From uint8 to [-1, 1]."""
    return images.float() / 127.5 - 1


def measure(run: Run, scale: float, output: Path, device: str = "cpu") -> Path:
    """Let the judge read a run's samples on a device, unless that was done: a file of `measured`."""
    path = output / "measurements" / f"{file_name(run, scale)}.safetensors"
    if not path.exists():
        samples = load_tensors(draw(run, scale, output, device))[0]
        judge = load_judge(f"judge-{run.size}", device=device)
        found = evaluate_images(judge, from_8_bits(samples["first"])[:, None], layouts(run.size)[0])
        diversity = layout_diversity(judge, from_8_bits(samples["several"]))
        save_measured(path, found, diversity, {"device": device_name(device)})
    return path


def read(run: Run, scale: float, output: Path, device: str = "cpu") -> Path:
    """Score what the judge read of a run, unless that was done: a JSON file of scores with replicates."""
    path = output / "readings" / f"{file_name(run, scale)}.json"
    if not path.exists():
        generated, diversity, _ = load_measured(measure(run, scale, output, device))
        true = truth(run.size, SIZES, output, device)
        found = statistics(generated, diversity, true)
        grouped = statistics(in_groups(generated), diversity, true._replace(reference=in_groups(true.reference)))
        if run.label_set == "coarse":  # the judge's other classes were not asked for
            found = grouped
        found[IN_GROUPS] = grouped["miou"]
        told = {
            name: _told(found[name], torch.arange(found[name].num_layouts, device="cpu"))
            for name in (*SCORES, IN_GROUPS)
        }
        for number, quarter in enumerate(quarters(run.size)):
            told |= {f"{name}, quarter {number}": _told(found[name], quarter) for name in BY_THINGS}
        write_whole(path, to_json(told) + "\n")
    return path


def in_groups(measured: Measurements) -> Measurements:
    """Measurements with the judge's 11 classes counted as the 5 coarse ones: (L, 5, 5) confusions."""
    groups = torch.from_numpy(GROUP_OF_CLASS)  # (11,)
    one_hot = F.one_hot(groups)  # (11, 5) int64
    confusion, edge_confusion = (one_hot.T @ of @ one_hot for of in (measured.confusion, measured.edge_confusion))
    return measured._replace(confusion=confusion, edge_confusion=edge_confusion)


def is_measured(run: Run, output: Path) -> bool:
    """Whether a run needs no training any more: at every scale its samples were read, or scored."""
    places = (("measurements", "safetensors"), ("readings", "json"))
    return all(
        any((output / folder / f"{file_name(run, scale)}.{end}").exists() for folder, end in places) for scale in SCALES
    )


def devices(output: Path) -> dict[str, str]:
    """Where each run was measured, by the name of its reading; those of before this was kept are left out."""
    return {path.stem: load_tensors(path)[1]["device"] for path in sorted((output / "measurements").glob("*"))}


def _told(statistic: Statistic, chosen: Tensor) -> dict[str, object]:
    """A statistic of chosen layouts and of resamples of them, beside the truth's."""
    compared: Callable[[float, float], float]
    compared = (lambda a, b: a / b) if statistic.apart == "ratio" else (lambda a, b: a - b)
    replicates = metrics.bootstrap(lambda i: statistic.of(chosen[i]), len(chosen), num_resamples=NUM_RESAMPLES)
    return {
        "value": compared(*statistic.of(chosen)),
        "replicates": [compared(*pair) for pair in replicates],
        "num_layouts": len(chosen),
    }


def readings(run: Run, scale: float, output: Path) -> dict[str, Reading] | None:
    """A run's scores by name, those of quarters as "miou, quarter 0"; None if it was not read yet."""
    path = output / "readings" / f"{file_name(run, scale)}.json"
    if not path.exists():
        return None
    told = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Reading(one["value"], np.array(one["replicates"], dtype=float), one["num_layouts"])
        for name, one in told.items()
    }
