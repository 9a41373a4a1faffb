"""Samplers: generators that walk from noise to an image with any denoiser, step by step.

Apart from guidance and network, which they see only as a function (x_t, t) -> Prediction. Ancestral sampling (Ho et
al., 2020; Wang et al., 2022, Algorithm 2 made right), DDIM (Song et al., 2020) and DPM-Solver++(2M) (Lu et al., 2022).
All have one signature, `Sampler`, so that whoever samples hands over noise and never asks which sampler it is.

Shapes: B batch, H x W pixels, T training timesteps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.diffusion import Denoiser, GaussianDiffusion

Projection = Callable[[Tensor, Tensor], Tensor]  # (x_r, r (B,)) -> x_r, applied after every step: see edit/


def unchanged(x_r: Tensor, r: Tensor) -> Tensor:
    """The projection that projects nothing: a sample as the sampler made it."""
    return x_r


class Step(NamedTuple):
    """Where a sampler stands after a step.

    Attributes:
        t: the timestep that x_t now has; 0 after the last step.
        x_t: (B, 3, H, W); the finished image after the last step.
        x0: (B, 3, H, W), the clean image that the denoiser predicted on the way here.
    """

    t: int
    x_t: Tensor
    x0: Tensor


# (denoiser, diffusion, x_T, num_steps, *, noise, project, timesteps) -> steps: those here, `edit.sample_repaint`, a
# partial. Without timesteps they are those of `timestep_pairs`.
Sampler = Callable[..., Iterator[Step]]


class SampleNoise:
    """Standard normal noise with a random stream of its own for every sample.

    A sample depends on its seed alone, not on the batch it is drawn in. Drawn on the CPU, so that it does not depend on
    the device.

    Args:
        seeds: one integer a sample, in 0 .. 2^32 - 1: torch's CPU generator ignores higher bits.

    Raises:
        ValueError: if there are none, or one lies outside that range.
    """

    def __init__(self, seeds: Sequence[int]):
        if len(seeds) == 0:
            raise ValueError("SampleNoise needs at least one seed: one integer for each sample")
        outside = [seed for seed in seeds if not 0 <= int(seed) < 2**32]
        if outside:
            raise ValueError(f"seeds must lie in 0..{2**32 - 1}, got {outside[0]}")
        self.generators = [torch.Generator("cpu").manual_seed(int(seed)) for seed in seeds]

    def __call__(self, shape: Sequence[int]) -> Tensor:
        """Draw (B, *shape) float32 on the CPU, for a shape such as (3, H, W)."""
        settings = {"dtype": torch.float32, "device": "cpu"}  # whatever torch's defaults are
        return torch.stack([torch.randn(tuple(shape), generator=one, **settings) for one in self.generators])


def timestep_pairs(num_timesteps: int, num_steps: int, timesteps: Sequence[int] | None = None) -> list[tuple[int, int]]:
    """The (t, r) of every step, from T down to 0 in equal strides, rounded ("trailing" spacing: it starts at T).

    Args:
        num_timesteps: T.
        num_steps: in 1..T.
        timesteps: num_steps whole numbers in 1..T, each below the one before, to start the steps at instead; the last
            step goes to 0. `timesteps.py` makes such lists.

    Raises:
        ValueError: if num_steps lies outside 1..T, or the timesteps are not such a list.
    """
    if isinstance(num_steps, bool) or not isinstance(num_steps, int) or not 1 <= num_steps <= num_timesteps:
        raise ValueError(f"num_steps must be a whole number in 1..{num_timesteps}, got {num_steps!r}")
    if timesteps is None:
        times = [round(num_timesteps * (num_steps - i) / num_steps) for i in range(num_steps + 1)]
        return list(zip(times[:-1], times[1:], strict=True))
    bounds = [num_timesteps + 1, *timesteps, 0]
    whole = all(isinstance(t, int) and not isinstance(t, bool) for t in bounds)
    if len(timesteps) != num_steps or not whole or any(r >= t for t, r in zip(bounds[:-1], bounds[1:], strict=True)):
        raise ValueError(
            f"timesteps must be {num_steps} (num_steps) falling whole numbers in 1..{num_timesteps}, "
            f"got {list(timesteps)!r}"
        )
    return list(zip(bounds[1:-1], bounds[2:], strict=True))


def times(x: Tensor, *timesteps: int) -> list[Tensor]:
    """Each timestep as (B,) int64, for the whole batch of x (B, ...) and on its device."""
    return [torch.full((x.shape[0],), t, dtype=torch.int64, device=x.device) for t in timesteps]


def fresh_noise(noise: SampleNoise | None, sampler: str) -> SampleNoise:
    """The noise; ValueError if there is none, for a sampler that adds some at every step."""
    if noise is None:
        raise ValueError(f"{sampler} adds noise at every step and needs some to draw from: noise=SampleNoise(seeds)")
    return noise


def ancestral_step(
    denoiser: Denoiser, diffusion: GaussianDiffusion, x_t: Tensor, t: Tensor, r: Tensor, z: Tensor
) -> tuple[Tensor, Tensor]:
    """One step of ancestral sampling, x_r = mean + exp(log_variance / 2) z, without z where r = 0. See `sample_ddpm`.

    Args:
        denoiser: guided or not.
        diffusion: the process.
        x_t: (B, 3, H, W).
        t: (B,) int64 in 1..T.
        r: (B,) int64 in 0..t - 1.
        z: (B, 3, H, W), standard normal.

    Returns:
        x_r and the predicted x0, (B, 3, H, W) each.
    """
    prediction = denoiser(x_t, t)
    mean, log_variance = diffusion.reverse(prediction, x_t, t, r)  # (B, 3, H, W) each
    return mean + torch.exp(log_variance / 2) * (z * (r > 0)[:, None, None, None]), prediction.x0


def sample_ddpm(
    denoiser: Denoiser,
    diffusion: GaussianDiffusion,
    x_T: Tensor,
    num_steps: int,
    *,
    noise: SampleNoise | None = None,
    project: Projection = unchanged,
    timesteps: Sequence[int] | None = None,
) -> Iterator[Step]:
    """Sample by ancestral steps with the learned variance.

        x_r = mean + exp(log_variance / 2) z,    z ~ N(0, I) for r > 0 and 0 for r = 0

    Ho et al. (2020), Algorithm 2; Wang et al. (2022), Algorithm 2, whose line 5 is wrong in three places and whose line
    3 never stops the noise (docs/errata.md). With fewer than T steps each step uses alpha_bar at its own two ends.

    Args:
        denoiser: guided or not.
        diffusion: the process.
        x_T: (B, 3, H, W), standard normal.
        num_steps: in 1..T; the paper takes all T = 1000.
        noise: called with (3, H, W) for fresh noise (B, 3, H, W) at every step.
        project: applied to x_r after every step.
        timesteps: where each step starts, num_steps falling numbers in 1..T; None = equal strides from T.

    Yields:
        A Step after each of num_steps steps.

    Raises:
        ValueError: before the first step, if num_steps lies outside 1..T, the timesteps are no such list or there is
            no noise to draw from.
    """
    pairs = timestep_pairs(diffusion.num_timesteps, num_steps, timesteps)
    noise = fresh_noise(noise, "sample_ddpm")

    def steps(x: Tensor) -> Iterator[Step]:
        for now, then in pairs:
            t, r = times(x, now, then)  # (B,) each
            z = noise(x.shape[1:]).to(x)  # (B, 3, H, W)
            x, x0 = ancestral_step(denoiser, diffusion, x, t, r, z)
            x = project(x, r)
            yield Step(then, x, x0)

    return steps(x_T)


def sample_ddim(
    denoiser: Denoiser,
    diffusion: GaussianDiffusion,
    x_T: Tensor,
    num_steps: int,
    *,
    noise: SampleNoise | None = None,
    project: Projection = unchanged,
    timesteps: Sequence[int] | None = None,
) -> Iterator[Step]:
    """Sample by deterministic DDIM steps.

        x_r = sqrt(alpha_bar_r) x_0 + sqrt(1 - alpha_bar_r) eps

    Song et al. (2020), Eq. 12 with sigma = 0. `eps` is taken from the clipped x_0, so that the two agree with x_t.

    Arguments, steps and errors are those of `sample_ddpm`; as no noise is added on the way, none is needed.
    """
    pairs = timestep_pairs(diffusion.num_timesteps, num_steps, timesteps)

    def steps(x: Tensor) -> Iterator[Step]:
        for now, then in pairs:
            t, r = times(x, now, then)  # (B,) each
            x0 = denoiser(x, t).x0  # (B, 3, H, W)
            eps = diffusion.eps_from_x0(x0, x, t)  # (B, 3, H, W)
            x = project(diffusion.q_sample(x0, r, eps), r)
            yield Step(then, x, x0)

    return steps(x_T)


def sample_dpmpp_2m(
    denoiser: Denoiser,
    diffusion: GaussianDiffusion,
    x_T: Tensor,
    num_steps: int,
    *,
    noise: SampleNoise | None = None,
    project: Projection = unchanged,
    timesteps: Sequence[int] | None = None,
) -> Iterator[Step]:
    """Sample by DPM-Solver++(2M): second order, one network evaluation a step.

        x_r = sigma_r / sigma_t x_t + signal_r (1 - exp(-h)) D
        D   = x_0 + h / (2 h_before) (x_0 - x_0_before)
        h   = lambda_r - lambda_t,    lambda = log(signal / sigma)

    Lu et al. (2022, DPM-Solver++), Algorithm 2. The first step has no past and the last no finite lambda: both are of
    first order.

    Arguments, steps and errors are those of `sample_ddpm`; as no noise is added on the way, none is needed.
    """
    pairs = timestep_pairs(diffusion.num_timesteps, num_steps, timesteps)

    def steps(x: Tensor) -> Iterator[Step]:
        x0_before = lambda_before = None
        for now, then in pairs:
            t, r = times(x, now, then)  # (B,) each
            x0 = denoiser(x, t).x0  # (B, 3, H, W)
            (signal_t, sigma_t), (signal_r, sigma_r) = diffusion.signal_and_noise(t), diffusion.signal_and_noise(r)
            lambda_t, lambda_r = torch.log(signal_t / sigma_t), torch.log(signal_r / sigma_r)  # (B, 1, 1, 1); inf at 0
            direction = x0
            if x0_before is not None and then > 0:
                direction = x0 + (lambda_r - lambda_t) / (2 * (lambda_t - lambda_before)) * (x0 - x0_before)
            x0_before, lambda_before = x0, lambda_t
            decay = torch.exp(lambda_t - lambda_r)  # exp(-h), 0 at r = 0
            x = project(sigma_r / sigma_t * x + signal_r * (1 - decay) * direction, r)
            yield Step(then, x, x0)

    return steps(x_T)


# By the names that their papers gave them; a command takes what is after "sample_" in the name of the function.
SAMPLERS: dict[str, Sampler] = {"DDPM": sample_ddpm, "DDIM": sample_ddim, "DPM-Solver++(2M)": sample_dpmpp_2m}


def last(steps: Iterable[Step]) -> Tensor:
    """Run a sampler to its end and return the image, (B, 3, H, W).

    Raises:
        ValueError: if there was no step.
    """
    step = None
    for step in steps:  # noqa: B007  (the loop runs the sampler; only its last value matters)
        pass
    if step is None:
        raise ValueError("the sampler took no step: was it already used up?")
    return step.x_t
