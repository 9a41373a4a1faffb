"""Which timesteps a sampler visits: lists for the `timesteps` of every sampler, by noise level.

Apart from the samplers, which take any list, because a list is a choice: with 25 steps it hardly matters, with 4 it
decides. Equal strides of t spend most steps where little noise is left; these spend them where pictures are decided.
Karras et al. (2022, EDM), section 3; Lu et al. (2022, DPM-Solver), section 3.4.

sigma is EDM's noise level, sqrt(1 - alpha_bar) / sqrt(alpha_bar): noise over signal. lambda = -log sigma, half the
logarithm of the signal-to-noise ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from sdm_lite.diffusion import GaussianDiffusion
from sdm_lite.sampling import timestep_pairs

TimeGrid = Callable[[GaussianDiffusion, int], list[int]]
"""(diffusion, num_steps) to the timesteps at which the denoiser is asked: num_steps falling numbers in 1..T."""

SIGMA_MAX = 80.0
"""Where to start: that of Karras et al. (2022). Pure noise stands for x_t there, off by a signal of 1/80."""
SIGMA_MIN = 0.1
"""Where to ask last. Theirs is 0.002, for 18 evaluations and more; of four, one there would find no noise to remove."""


def trailing(diffusion: GaussianDiffusion, num_steps: int) -> list[int]:
    """Equal strides of t from T: what every sampler does by itself, Lin et al. (2023), Table 2 ("trailing")."""
    return [t for t, _ in timestep_pairs(diffusion.num_timesteps, num_steps)]


def karras(
    diffusion: GaussianDiffusion,
    num_steps: int,
    *,
    rho: float = 7.0,
    sigma_max: float = SIGMA_MAX,
    sigma_min: float = SIGMA_MIN,
) -> list[int]:
    """Equal strides of sigma^(1 / rho): Karras et al. (2022), Eq. 5, at the nearest timesteps.

        sigma_i = (sigma_max^(1/rho) + i / (N - 1) (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho,    i = 0 .. N - 1

    Args:
        diffusion: the process.
        num_steps: N in 1..T; with 1 it is sigma_max alone.
        rho: above 0; 1 is equal strides of sigma, and the larger it is the nearer these are to equal strides of lambda.
        sigma_max: first noise level; that of T where the process has none so high.
        sigma_min: last noise level before 0, in (0, sigma_max).

    Returns:
        num_steps falling timesteps in 1..T. Levels that fall on one timestep are moved apart.

    Raises:
        ValueError: if num_steps lies outside 1..T, or a level or rho cannot be.
    """
    if not rho > 0:
        raise ValueError(f"rho must be above 0, got {rho!r}: Karras et al. (2022) take 7")
    return _between(
        diffusion, num_steps, sigma_max, sigma_min, lambda sigma: sigma ** (1 / rho), lambda root: root**rho
    )


def uniform_lambda(
    diffusion: GaussianDiffusion, num_steps: int, *, sigma_max: float = SIGMA_MAX, sigma_min: float = SIGMA_MIN
) -> list[int]:
    """Equal strides of lambda, so that all steps but the last multiply the noise by one factor: Lu et al. (2022).

    They go from the lambda of T to that of their least time. With a cosine schedule that of T is far from all others
    (sigma = 2e4), so that here, as in `karras`, whose arguments and errors these are, sigma_max says where to start.
    """
    return _between(diffusion, num_steps, sigma_max, sigma_min, torch.log, torch.exp)


TIME_GRIDS: dict[str, TimeGrid] = {"trailing": trailing, "karras": karras, "uniform-lambda": uniform_lambda}
"""What a command calls each."""


def nearest_timesteps(diffusion: GaussianDiffusion, sigmas: Sequence[float]) -> list[int]:
    """The timestep whose noise level is nearest to each of falling levels, by their ratio: falling numbers in 1..T.

    Where two levels have one timestep the later takes the next below, and near 1 the earlier the next above.

    Args:
        diffusion: the process.
        sigmas: N falling noise levels, N at most T.
    """
    log_alpha_bar = (diffusion.log_alpha_bar_high.double() + diffusion.log_alpha_bar_low.double())[1:]
    log_sigma = 0.5 * torch.log(torch.expm1(-log_alpha_bar))  # (T,): of t = 1..T, rising
    wanted = torch.tensor(sigmas, dtype=torch.float64, device=log_sigma.device).log()
    found = ((wanted[:, None] - log_sigma).abs().argmin(1) + 1).tolist()
    for i in range(1, len(found)):
        found[i] = min(found[i], found[i - 1] - 1)
    for i in reversed(range(len(found))):
        found[i] = max(found[i], len(found) - i)
    return found


def _between(
    diffusion: GaussianDiffusion,
    num_steps: int,
    sigma_max: float,
    sigma_min: float,
    scale: Callable[[torch.Tensor], torch.Tensor],
    back: Callable[[torch.Tensor], torch.Tensor],
) -> list[int]:
    """Timesteps in equal strides of some function of the noise level, both ends included."""
    timestep_pairs(diffusion.num_timesteps, num_steps)  # raises where num_steps cannot be
    if not 0 < sigma_min < sigma_max:
        raise ValueError(f"sigma_min and sigma_max must be 0 < sigma_min < sigma_max, got {sigma_min} and {sigma_max}")
    first, last = scale(torch.tensor([sigma_max, sigma_min], dtype=torch.float64, device="cpu"))
    share = torch.linspace(0, 1, num_steps, dtype=torch.float64, device="cpu")
    return nearest_timesteps(diffusion, back(first + share * (last - first)).tolist())
