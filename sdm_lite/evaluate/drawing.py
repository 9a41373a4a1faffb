"""Samples for many label maps, some of them several times: what every evaluation draws before it measures.

Apart from `evaluate` because Scenes and photographs are drawn alike.

Shapes: B batch, L label maps, N samples of each, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from sdm_lite.checkpoints import Model
from sdm_lite.diffusion import Denoiser
from sdm_lite.guidance import denoiser
from sdm_lite.sampling import SampleNoise, Sampler, last, sample_ddim

MakeDenoiser = Callable[..., Denoiser]  # (unet, diffusion, condition, guidance_scale) -> Denoiser
ShowProgress = Callable[..., Iterable]  # called as progress(items, description="...")


def silently(items: Iterable, *, description: str) -> Iterable:
    """The items, and no progress shown."""
    return items


def draw_samples(
    model: Model,
    label_maps: Tensor,
    instance_maps: Tensor,
    seeds: Sequence[int],
    *,
    guidance_scale: float,
    num_steps: int,
    sampler: Sampler = sample_ddim,
    make_denoiser: MakeDenoiser = denoiser,
) -> Tensor:
    """One sample for each label map.

    Args:
        model: network and process.
        label_maps: (B, H, W) int64.
        instance_maps: (B, H, W) int64, read only by models with an edge channel.
        seeds: B integers; a sample depends on its own alone.
        guidance_scale: s >= 0.
        num_steps: of the sampler.
        sampler: sample_ddim, or any other of its form.
        make_denoiser: `guidance.denoiser`, or any other of its form.

    Returns:
        (B, 3, H, W) in [-1, 1].
    """
    condition = model.unet.condition(label_maps, instance_maps)
    noise = SampleNoise(seeds)
    x_T = noise((3, *label_maps.shape[1:])).to(condition)
    draw = make_denoiser(model.unet, model.diffusion, condition, guidance_scale)
    return last(sampler(draw, model.diffusion, x_T, num_steps, noise=noise)).clamp(-1, 1)


def draw_groups(
    draw: Callable[[Tensor, Tensor, list[int]], Tensor],
    label_maps: Tensor,
    instance_maps: Tensor,
    samples_of: Sequence[int],
    *,
    seed: int,
    batch_size: int,
    progress: ShowProgress | None = None,
) -> list[Tensor]:
    """Several samples for each label map, in batches that mix label maps.

    Args:
        draw: `draw_samples` with everything but label maps, instance maps and seeds given.
        label_maps: (L, H, W) int64.
        instance_maps: (L, H, W) int64.
        samples_of: how many samples of each label map, L numbers of at least 1.
        seed: of the samples; each has a stream of its own, so that batch_size changes nothing.
        batch_size: samples at a time.
        progress: shows how far it is, for instance `sdm_lite.progress.progress`.

    Returns:
        One (N, 3, H, W) in [-1, 1] for each label map, on the CPU.
    """
    jobs = [(i, 0) for i in range(len(samples_of))]
    jobs += [(i, n) for i, number in enumerate(samples_of) for n in range(1, number)]
    batches = [jobs[start : start + batch_size] for start in range(0, len(jobs), batch_size)]
    groups: list[list[Tensor]] = [[] for _ in samples_of]
    for batch in (progress or silently)(batches, description=f"samples, {batch_size} at a time"):
        layouts = [i for i, _ in batch]
        seeds = [sample_seed(seed, i, n) for i, n in batch]
        for i, image in zip(layouts, draw(label_maps[layouts], instance_maps[layouts], seeds).cpu(), strict=True):
            groups[i].append(image)
    return [torch.stack(group) for group in groups]


def sample_seed(seed: int, layout: int, n: int) -> int:
    """A seed for sample n of a layout: 32 bits of a hash, because torch's CPU generator ignores all higher bits."""
    return int(np.random.SeedSequence([seed, layout, n]).generate_state(1)[0])
