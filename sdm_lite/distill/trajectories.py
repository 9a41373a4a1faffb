"""Trajectories of the guided teacher on disk: noise, label map, scale, and where it stood at the landings.

Apart from training because they are drawn once, and as many again for another student. Luhman & Luhman (2021) store the
ends; Zhou et al. (2024, SFD) train only at the nodes that are used. Every jump between two landings is an exact target:
no image is needed, no bootstrap, and the states are the teacher's own.

A file holds N trajectories of one scale. Shapes: J = 5 landings with t = 0, H x W pixels.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.checkpoints import Model, load_tensors, save_tensors
from sdm_lite.guidance import denoiser
from sdm_lite.sampling import SampleNoise, sample_ddim
from sdm_lite.scenes.dataset import TRAIN_SEED, Scenes
from sdm_lite.student import INTERVAL, LANDINGS, SCALES, TEACHER_STEPS, landings

FIRST_LAYOUT = 1_000_000
"""Of Scenes(TRAIN_SEED): beyond all that a teacher was trained on, of a seed that nothing is scored on."""
PER_FILE = 16
GOLDEN = 0.6180339887498949


class Trajectories(NamedTuple):
    """N trajectories.

    Attributes:
        label_map: (N, H, W) uint8.
        instance_map: (N, H, W) int32.
        scale: (N,) float32, of guidance.
        x: (N, J, 3, H, W) float16, at the landings of 4 steps and at 0.
    """

    label_map: Tensor
    instance_map: Tensor
    scale: Tensor
    x: Tensor


def collect(teacher: Model, folder: Path, num_files: int, *, seed: int = 0) -> Iterator[Path]:
    """Draw the files that are not there yet, and hand on the path of each of all; a stop costs the last one."""
    for number in range(num_files):
        path = folder / f"{number:05d}.safetensors"
        if not path.exists():
            start = time.perf_counter()
            drawn = draw(teacher, number, seed)._asdict()
            save_tensors(path, drawn, {"seconds": f"{time.perf_counter() - start:.3f}"})
        yield path


def scale_of(number: int, seed: int) -> float:
    """The guidance scale of a file: even in log s over SCALES, however many files there are."""
    low, high = SCALES
    return low * (high / low) ** ((GOLDEN * (number + 1) + seed * GOLDEN**2) % 1)


def draw(teacher: Model, number: int, seed: int) -> Trajectories:
    """The trajectories of a file: fresh label maps, each its own noise, one scale that with others covers SCALES."""
    unet, diffusion = teacher
    scenes = Scenes(unet.config.image_size[0], length=FIRST_LAYOUT * 2, seed=TRAIN_SEED)
    indices = range(FIRST_LAYOUT + number * PER_FILE, FIRST_LAYOUT + (number + 1) * PER_FILE)
    label_map, instance_map = (torch.stack(part) for part in zip(*map(scenes.layout, indices), strict=True))
    scale = scale_of(number, seed)
    noise = SampleNoise([(seed * 2_654_435_761 + index) % 2**32 for index in indices])
    x_T = noise((3, *label_map.shape[1:])).to(unet.device)
    guided = denoiser(unet, diffusion, unet.condition(label_map, instance_map), scale, guidance_interval=INTERVAL)
    wanted, found = [*landings(diffusion, max(LANDINGS)), 0], [x_T]
    for step in sample_ddim(guided, diffusion, x_T, TEACHER_STEPS):
        if step.t in wanted:
            found.append(step.x_t)
    scales = torch.full((PER_FILE,), scale, dtype=torch.float32, device="cpu")
    return Trajectories(label_map.byte(), instance_map.int(), scales, torch.stack(found, dim=1).half().cpu())


def load(paths: list[Path]) -> Trajectories:
    """All trajectories of some files, in one."""
    parts = [load_tensors(path)[0] for path in paths]
    return Trajectories(*(torch.cat([part[name] for part in parts]) for name in Trajectories._fields))
