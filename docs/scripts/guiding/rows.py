"""Rows of pictures: a method at a scale on some layouts, drawn in one go and kept in a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from guiding.methods import PLAIN, PLAIN_ANCESTRAL, methods
from sdm_lite.checkpoints import load_model, load_tensors
from sdm_lite.evaluate import SampleSettings, Sizes, draw_groups
from sdm_lite.evaluate.kept import keep_samples
from sdm_lite.guiders import guided
from sdm_lite.guiders.guided import Excess
from sdm_lite.sampling import sample_ddim, sample_ddpm
from sdm_lite.side_by_side import side_by_side


class Row(NamedTuple):
    """What is drawn in one go: a method, one of its variants, a scale, on which layouts."""

    method: str
    variant: str
    scale: float
    layouts: str  # "validation" or "test"

    @property
    def file_name(self) -> str:
        """Where its pictures are kept."""
        words = f"{self.layouts} {self.method} {self.variant}".lower().replace("++", " plus plus").replace("*", " star")
        return "-".join("".join(c if c.isalnum() else " " for c in words).split()) + f"-s{self.scale:g}.safetensors"


class Job(NamedTuple):
    """A row, and what it takes to draw it."""

    row: Row
    sizes: Sizes
    num_steps: int
    folder: Path
    weak: Path | None

    @property
    def name(self) -> str:
        """In the line that tells of it."""
        return f"{self.row.method} {self.row.variant}".strip() + f", s = {self.row.scale:g}, {self.row.layouts} layouts"


def draw(job: Job) -> None:
    """Draw a row and keep it, with its mean excess."""
    row = job.row
    model, method = load_model("scenes-32"), methods(job.num_steps)[row.method]
    seen: list[Excess] = []
    keywords = method.variants[row.variant] | {"on_excess": seen.append}
    if method.weak:
        keywords["weak"] = load_model(job.weak).unet
    sampler = sample_ddpm if method.ancestral else sample_ddim
    settings = SampleSettings(row.scale, job.num_steps, sampler, make_denoiser=partial(guided, **keywords))
    groups = draw_groups(model, *job.sizes.layouts(32), job.sizes.samples_of, settings)
    excess = torch.tensor([one.mean for one in seen], dtype=torch.float64).mean()
    keep_samples(job.folder / row.file_name, groups, more={"excess": excess})


def draw_missing(jobs: Sequence[Job], *, workers: int, only_look: bool) -> None:
    """Draw the rows that are not there, each once, several side by side; an error in one line if one is not there then.

    Args:
        jobs: of the rows.
        workers: how many at a time.
        only_look: draw nothing.
    """
    missing = list(dict.fromkeys(job for job in jobs if not (job.folder / job.row.file_name).exists()))
    if only_look and missing:
        raise SystemExit(f"error: no {missing[0].row.file_name} in {missing[0].folder}: run it without --write first")
    failed = side_by_side(draw, missing, workers=workers, name=lambda job: job.name)
    if failed:
        raise SystemExit(f"error: {'; '.join(failed)}")


def excess_of(row: Row, folder: Path) -> float:
    """The mean excess of a row that was drawn."""
    return load_tensors(folder / row.file_name)[0]["excess"].item()


def control_of(row: Row, folder: Path, num_steps: int) -> Row:
    """Plain guidance of a row's mean excess, by the same sampler; to a twentieth, so that near ones share pictures."""
    name = PLAIN_ANCESTRAL if methods(num_steps)[row.method].ancestral else PLAIN
    return Row(name, "", max(1.0, round(20 * (1 + excess_of(row, folder))) / 20), row.layouts)
