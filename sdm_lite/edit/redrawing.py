"""An edit of a picture in files: read and checked, redrawn where its label map changed, written.

Apart from `repaint`, which has tensors that fit together, because files have sizes and ids that may not.

Shapes: N pictures of one edit, H x W pixels of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sdm_lite.checkpoints import Model
from sdm_lite.datasets.image_files import open_photograph, read_ids, resample
from sdm_lite.edit.repaint import changed_region, keep_outside, sample_repaint
from sdm_lite.evaluate.drawing import SAMPLER_WORDS, SampleSettings, paint_groups
from sdm_lite.files import write_whole
from sdm_lite.pictures import colorize, image_grid, png_bytes, scale_to_see, to_uint8
from sdm_lite.progress import ShowProgress, silently
from sdm_lite.sample import WHOLE, Maps, read_maps
from sdm_lite.sampling import SampleNoise, last, sample_ddpm

SAMPLERS = {**SAMPLER_WORDS, "repaint": sample_repaint}
"""What the command calls each sampler: those of all commands, and resampling by Lugmayr et al. (2022)."""

RATIO = 0.02  # by which the sides of picture and map may differ in ratio: rounding
OUTSIDE = 0.4  # how much of the picture is shown outside the region, in the grid


class Edit(NamedTuple):
    """A picture, its label map, and the label map wanted.

    Attributes:
        image: (1, 3, H, W) in [-1, 1].
        maps: two: the label map of the picture that exists, and that of the picture wanted.
        region: (1, 1, H, W) bool, what is redrawn.
        size: height and width of the picture in its file.
    """

    image: Tensor
    maps: Maps
    region: Tensor
    size: tuple[int, int]


def read_edit(
    image: Path,
    maps: Sequence[Path],
    model: Model,
    *,
    margin: int,
    instances: Sequence[Path] | None = None,
    unlabelled: int | None = None,
) -> Edit:
    """The picture at the model's size, its label map and the one wanted, and what is to be redrawn.

    Args:
        image: file of the picture that exists.
        maps: files of its label map and of the one wanted, of the picture's shape.
        model: says the size, the classes, and whether edges between objects count.
        margin: pixels of the model by which what changed is grown, see `changed_region`.
        instances: files of instance maps of the two, for models that read edges; None = edges between classes.
        unlabelled: an id of the files that means the model's last class; None = there is none.

    Raises:
        ValueError: if a file cannot be read, the maps do not have the picture's shape or a class that the model knows,
            or nothing changes.
    """
    read = read_maps(maps, model, instances=instances, unlabelled=unlabelled)
    old, new = (read_ids(path).shape for path in maps)
    if old != new:
        raise ValueError(f"expected label maps of one size (height x width), got {_told(old)} and {_told(new)}")
    photograph = open_photograph(image)
    size = photograph.height, photograph.width
    if abs(size[0] * old[1] / (size[1] * old[0]) - 1) > RATIO:
        raise ValueError(
            f"expected label maps of the shape of {image}, which has {_told(size)} pixels, got {_told(old)}: "
            "cut both alike"
        )
    pixels = resample(photograph, WHOLE, model.unet.config.image_size)  # (H, W, 3)
    tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    conditions = model.unet.condition(read.labels, read.instances)  # (2, K, H, W)
    region = changed_region(conditions[:1], conditions[1:], margin=margin).cpu()
    if not bool(region.any()):
        height, width = model.unet.config.image_size
        raise ValueError(
            f"expected two label maps that differ at the model's {height} x {width} pixels, got the same twice: "
            "change more of the second"
        )
    return Edit(tensor, read, region, size)


def _told(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def redraw(
    model: Model, edit: Edit, settings: SampleSettings, *, num_samples: int, progress: ShowProgress = silently
) -> Tensor:
    """Pictures of the label map wanted, each the picture that exists outside the region, exactly.

    Args:
        model: network and process.
        edit: what to redraw.
        settings: how to sample; each picture has noise of its own.
        num_samples: N.
        progress: shows how far it is.

    Returns:
        (N, 3, H, W) in [-1, 1], on the CPU.
    """

    def paint(label_maps: Tensor, instance_maps: Tensor, seeds: Sequence[int]) -> Tensor:
        condition = model.unet.condition(label_maps, instance_maps)  # (B, K, H, W)
        image, region = (part.to(condition.device).expand(len(seeds), -1, -1, -1) for part in (edit.image, edit.region))
        noise = SampleNoise(seeds)
        x_T = noise(image.shape[1:]).to(condition)
        is_ancestral = settings.sampler in (sample_ddpm, sample_repaint)  # new noise at every step: `keep_outside`
        project = keep_outside(model.diffusion, image, region, noise if is_ancestral else x_T)
        guided = settings.guided(model, condition)
        return last(settings.steps(guided, model, x_T, noise, project=project)).clamp(-1, 1)

    new = edit.maps.labels[1:], edit.maps.instances[1:]
    drawn = paint_groups(
        paint, *new, [num_samples], seed=settings.seed, batch_size=settings.batch_size, progress=progress
    )
    return drawn[0]


def write_edit(
    model: Model,
    edit: Edit,
    settings: SampleSettings,
    output: Path,
    *,
    name: str,
    num_samples: int,
    palette: np.ndarray,
    progress: ShowProgress = silently,
) -> list[Path]:
    """Draw and write: output/NAME-0.png, NAME-1.png ..., then output/grid.png.

    Its first row is label maps, its second pictures: what exists, what changes (the rest is paler), what is drawn.

    Args:
        model: network and process.
        edit: what to redraw.
        settings: how to sample.
        output: folder, made if it is not there.
        name: of the pictures.
        num_samples: N.
        palette: (K, 3) uint8.
        progress: shows how far it is.

    Returns:
        The files, the grid last.
    """
    pictures = to_uint8(redraw(model, edit, settings, num_samples=num_samples, progress=progress))  # (N, H, W, 3)
    files = [
        write_whole(output / f"{name}-{number}.png", png_bytes(picture)) for number, picture in enumerate(pictures)
    ]
    old, new = colorize(edit.maps.labels, palette)
    image, inside = to_uint8(edit.image)[0], edit.region[0, 0].numpy()[..., None]
    pale = np.where(inside, image, 255 - OUTSIDE * (255.0 - image)).astype(np.uint8)
    rows = [[old, None, *[new] * num_samples], [image, pale, *pictures]]
    grid = image_grid(rows, scale=scale_to_see(image.shape[1]))
    return [*files, write_whole(output / "grid.png", png_bytes(grid))]


def default_margin(size: tuple[int, int]) -> int:
    """A sixteenth of the shorter side: 2 pixels at 32 x 32, as far as shadows of Scenes reach (notebook on editing)."""
    return max(1, min(size) // 16)
