"""The equations of editing: the changed region, what is kept outside it, resampling, and whether the border shows.

Apart because it is no sampler of its own: `keep_outside` is one function that any sampler applies after every step.
Wherever the label map did not change, the running sample is replaced by the known image with the noise of that
timestep. So the network always sees surroundings that fit, and at r = 0 they are the image itself. Lugmayr et al.
(2022), "RePaint", Eq. 8; `sample_repaint` adds their resampling, and `seam` measures whether the border shows.

Wang et al. (2022), section 4.4, erase the region and "inpaint" it; how is not said, and no code for it is published.

Shapes: B batch, H x W pixels, T training timesteps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sdm_lite.diffusion import Denoiser, GaussianDiffusion
from sdm_lite.sampling import (
    Projection,
    SampleNoise,
    Step,
    ancestral_step,
    fresh_noise,
    times,
    timestep_pairs,
    unchanged,
)


def changed_region(old: Tensor, new: Tensor, *, margin: int = 0) -> Tensor:
    """Where two maps differ, grown by a margin so that seams and shadows can be redrawn too.

    A pixel belongs to the region if some pixel at most `margin` rows and columns away has changed. Label maps will
    do; conditions, as `encode_labels` makes them, also show where objects change and labels do not (two cars for one).

    Args:
        old: label maps (B, H, W) of an integer dtype, or conditions (B, K, H, W), of the image that exists.
        new: the same of the image wanted.
        margin: in pixels, at least 0. What is redrawn is lost, and on Scenes of 32 x 32 pixels that costs more than the
            shadows and blurred edges beyond the change: rms error 0.048 at 0, 0.052 at 1, 0.059 at 2, 0.077 at 4 (48
            edits of known answer, notebook 11). Label maps that are drawn less exactly want one.

    Returns:
        (B, 1, H, W) bool, true where the image is to be redrawn.

    Raises:
        ValueError: if the maps differ in shape or are not (B, H, W) or (B, K, H, W), or the margin is negative.
    """
    if old.shape != new.shape or old.dim() not in (3, 4):
        raise ValueError(
            f"expected two label maps of one shape (B, H, W), got {tuple(old.shape)} and "
            f"{tuple(new.shape)}; add the batch dimension with label_map[None]"
        )
    if margin < 0:
        raise ValueError(f"expected margin >= 0 pixels, got {margin}")
    changed = (old != new).any(1, keepdim=True) if old.dim() == 4 else (old != new)[:, None]  # (B, 1, H, W)
    return F.max_pool2d(changed.float(), kernel_size=2 * margin + 1, stride=1, padding=margin) > 0


def keep_outside(
    diffusion: GaussianDiffusion, image: Tensor, region: Tensor, noise: Tensor | SampleNoise
) -> Projection:
    """The projection that holds everything outside a region to a known image.

        x_r <- x_r                                            inside the region
        x_r <- sqrt(alpha_bar_r) image + sqrt(1 - alpha_bar_r) noise     outside

    Lugmayr et al. (2022), Eq. 8. They draw new noise at each step, which fits ancestral sampling: hand over the
    SampleNoise that it draws from. Deterministic samplers (DDIM, DPM-Solver++) need one noise for all steps, so that
    what stays outside is one smooth trajectory: hand over the x_T that sampling starts from, and it starts there too.

    Args:
        diffusion: the process whose `q_sample` noises the image.
        image: (B, 3, H, W) in [-1, 1], what is to be kept.
        region: (B, 1, H, W) bool, true where the sampler is free, as `changed_region` gives it.
        noise: (B, 3, H, W), standard normal, for all steps; or a SampleNoise for new noise at every step.

    Returns:
        A callable (x_r, r) -> x_r for the samplers' `project`. At r = 0 its result outside the region is the image,
        exactly.

    Raises:
        ValueError: if the shapes do not fit together or `region` is not boolean.
    """
    shape = noise.shape if isinstance(noise, Tensor) else (len(noise.generators), *image.shape[1:])
    if image.dim() != 4 or shape != image.shape:
        raise ValueError(
            f"expected image and noise of one shape (B, 3, H, W), got {tuple(image.shape)} and {tuple(shape)}"
        )
    if region.shape != (image.shape[0], 1, *image.shape[2:]) or region.dtype != torch.bool:
        expected = (image.shape[0], 1, *image.shape[2:])
        raise ValueError(
            f"expected a bool region of shape {expected}, got {region.dtype} {tuple(region.shape)}; "
            "make it with changed_region(old_label_map, new_label_map)"
        )

    def project(x_r: Tensor, r: Tensor) -> Tensor:
        eps = noise if isinstance(noise, Tensor) else noise(image.shape[1:]).to(image)
        return torch.where(region, x_r, diffusion.q_sample(image, r, eps))

    return project


def repaint_pairs(
    num_timesteps: int,
    num_steps: int,
    *,
    jump_length: int,
    num_resamples: int,
    timesteps: Sequence[int] | None = None,
) -> list[tuple[int, int]]:
    """The (t, r) of every move of a resampled walk: r < t is a step of the sampler, r > t a jump back into the noise.

    The steps are cut into stretches of `jump_length`, and each stretch is walked `num_resamples` times. The network is
    evaluated num_steps * num_resamples times: jumps cost nothing. Lugmayr et al. (2022), Algorithm 1, where a stretch
    is a single step, and section 4.2, where it is longer.

    Args:
        num_timesteps: T.
        num_steps: in 1..T, of one walk from T to 0.
        jump_length: steps in a stretch, at least 1.
        num_resamples: how often each stretch is walked, at least 1; at 1 there are no jumps.
        timesteps: where each step starts, as for `timestep_pairs`.

    Raises:
        ValueError: if a number is out of its range.
    """
    if jump_length < 1 or num_resamples < 1:
        raise ValueError(
            f"jump_length and num_resamples must be at least 1, got {jump_length} and {num_resamples}: "
            "num_resamples=1 is sampling without jumps"
        )
    pairs = timestep_pairs(num_timesteps, num_steps, timesteps)
    moves = []
    for start in range(0, num_steps, jump_length):
        stretch = pairs[start : start + jump_length]
        jump = (stretch[-1][1], stretch[0][0])
        moves += stretch + (num_resamples - 1) * [jump, *stretch]
    return moves


def sample_repaint(
    denoiser: Denoiser,
    diffusion: GaussianDiffusion,
    x_T: Tensor,
    num_steps: int,
    *,
    noise: SampleNoise | None = None,
    project: Projection = unchanged,
    timesteps: Sequence[int] | None = None,
    jump_length: int = 5,
    num_resamples: int = 2,
) -> Iterator[Step]:
    """Sample by ancestral steps with resampling: walk down a stretch of steps, jump back up, and walk it again.

        x_t = sqrt(alpha_bar_t / alpha_bar_r) x_r + sqrt(1 - alpha_bar_t / alpha_bar_r) z,    z ~ N(0, I)

    A region sees its surroundings through the noise of each step, and what it decides early it cannot take back. After
    a jump it is decided again, from a start that quieter surroundings have shaped. Lugmayr et al. (2022), section 4.2
    and Algorithm 1. With num_resamples=1 this is `sample_ddpm`, bit for bit.

    Arguments, steps and errors are those of `sample_ddpm`, but that no step is told after a jump. A stretch has
    `jump_length` steps and is walked `num_resamples` times: the network is called num_steps * num_resamples times.
    """
    stretches = {"jump_length": jump_length, "num_resamples": num_resamples, "timesteps": timesteps}
    moves = repaint_pairs(diffusion.num_timesteps, num_steps, **stretches)
    noise = fresh_noise(noise, "sample_repaint")

    def steps(x: Tensor) -> Iterator[Step]:
        for now, then in moves:
            t, r = times(x, now, then)  # (B,) each
            z = noise(x.shape[1:]).to(x)  # (B, 3, H, W)
            if then > now:  # a jump back into the noise
                x = project(q_between(diffusion, x, t, r, z), r)
            else:
                x, x0 = ancestral_step(denoiser, diffusion, x, t, r, z)
                x = project(x, r)
                yield Step(then, x, x0)

    return steps(x_T)


def q_between(diffusion: GaussianDiffusion, x_t: Tensor, t: Tensor, r: Tensor, noise: Tensor) -> Tensor:
    """Noise an image further, from t up to r: a sample of q(x_r | x_t).

        x_r = sqrt(alpha_bar_r / alpha_bar_t) x_t + sqrt(1 - alpha_bar_r / alpha_bar_t) noise,    r >= t

    Ho et al. (2020), Eq. 2, over any number of steps.

    Args:
        diffusion: the process.
        x_t: (B, 3, H, W).
        t: (B,) int64 in 0..T.
        r: (B,) int64 in t..T.
        noise: (B, 3, H, W), standard normal.

    Returns:
        (B, 3, H, W).
    """
    log_ratio = diffusion.log_alpha_bar(r, t)
    return torch.exp(log_ratio / 2) * x_t + torch.sqrt(-torch.expm1(log_ratio)) * noise


def seam(image: Tensor, region: Tensor) -> Tensor:
    """Mean absolute step across the border of a region: the mean of |p - q| over neighbours p inside and q outside.

    Neighbours share a side; the mean is over such pairs and channels. A measure of this package's own. A border may run
    through a roof or along a road, so the number of one image says little: compare it with that of a true image of the
    same label map at the same border, which is the floor.

    Args:
        image: (B, 3, H, W) in [-1, 1].
        region: (B, 1, H, W) bool.

    Returns:
        (B,), in units of the image.

    Raises:
        ValueError: if the shapes do not fit together, or a region is empty or everything and so has no border.
    """
    if region.dtype != torch.bool or image.dim() != 4 or region.shape != (image.shape[0], 1, *image.shape[2:]):
        raise ValueError(
            f"expected an image (B, 3, H, W) and a bool region (B, 1, H, W), got {tuple(image.shape)} and "
            f"{region.dtype} {tuple(region.shape)}"
        )
    total = torch.zeros(len(image), dtype=torch.float32, device=image.device)
    count = torch.zeros_like(total)
    for dim in (2, 3):  # pairs one above the other, then side by side
        across = region.diff(dim=dim)  # of booleans: where one of the two is inside
        total += (image.diff(dim=dim).abs().mean(1, keepdim=True) * across).flatten(1).sum(1)
        count += across.flatten(1).sum(1)
    if not bool(count.all()):
        raise ValueError(
            f"the region of sample {int((count == 0).nonzero()[0])} is empty or everything and has no border: "
            "hand over edits that change a part of the label map"
        )
    return total / count
