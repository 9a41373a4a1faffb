"""The variational bound on held-out images: the bits a dimension that a model needs for them.

Apart from `diffusion`, which has one term of it, because the whole is a sum over all T of them, and a matter of many
network calls. `python -m sdm_lite.bound MODEL` prints it, with the learned variance and with fixed ones.

    bound = KL(q(x_T | x_0) || N(0, 1)) + sum_{t=2..T} KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) - log p(x_0 | x_1)

Ho et al. (2020), Eq. 5; Nichol & Dhariwal (2021), section 3.

Shapes: N images, M strata of timesteps, C channels, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sdm_lite.diffusion import LOG_2, Denoiser, Gaussian, GaussianDiffusion, Prediction, mean_flat, normal_kl
from sdm_lite.progress import ShowProgress, silently

Variance = Callable[[Prediction], Prediction]


class Bound(NamedTuple):
    """The bound of each image and its parts, bits per dimension.

    Attributes:
        total: (N,), their sum.
        prior: (N,), KL(q(x_T | x_0) || N(0, 1)).
        steps: (N,), the KLs of steps t = 2..T, their sum or an estimate of it.
        decoder: (N,), -log p(x_0 | x_1).
    """

    total: Tensor
    prior: Tensor
    steps: Tensor
    decoder: Tensor


def learned(prediction: Prediction) -> Prediction:
    """The log-variance as the network says, Wang et al. (2022), Eq. 11."""
    return prediction


def fixed_small(prediction: Prediction) -> Prediction:
    """The lower bound, beta~: right if an image were known exactly. Ho et al. (2020), section 3.2."""
    return prediction._replace(variance_fraction=torch.zeros_like(prediction.variance_fraction))


def fixed_large(prediction: Prediction) -> Prediction:
    """The upper bound, beta: right for x_0 of unit variance. Ho et al. (2020), section 3.2."""
    return prediction._replace(variance_fraction=torch.ones_like(prediction.variance_fraction))


VARIANCES: dict[str, Variance] = {"learned": learned, "fixed, beta~": fixed_small, "fixed, beta": fixed_large}


def timestep_strata(num_timesteps: int, num_strata: int | None) -> list[tuple[int, int]]:
    """Cut 2..T into intervals low..high, both included, whose lengths grow geometrically; None = one for each t.

    Most of the bound lies in the first few steps, so these get an interval of their own.

    Raises:
        ValueError: if the number of strata is not in 1..T - 1.
    """
    if num_strata is None:
        num_strata = num_timesteps - 1
    if not 1 <= num_strata <= num_timesteps - 1:
        raise ValueError(f"num_strata must be from 1 to {num_timesteps - 1} (T - 1), got {num_strata}")
    edges = np.geomspace(1, num_timesteps, num_strata + 1)
    # At least one step each, and as many left as there are intervals to come.
    ends = [1]
    for number, edge in enumerate(edges[1:], 1):
        left = num_strata - number
        ends.append(int(np.clip(round(edge), ends[-1] + 1, num_timesteps - left)))
    return [(low + 1, high) for low, high in zip(ends[:-1], ends[1:], strict=True)]


def prior_term(diffusion: GaussianDiffusion, x0: Tensor) -> Tensor:
    """KL(q(x_T | x_0) || N(0, 1)), bits per dimension: (N,) of x0 (N, C, H, W). No network has a part in it."""
    t = torch.full((len(x0),), diffusion.num_timesteps, dtype=torch.int64, device=x0.device)
    signal, sigma = diffusion.signal_and_noise(t)
    nothing = torch.zeros_like(x0)
    return mean_flat(normal_kl(Gaussian(signal * x0, 2 * sigma.log()), Gaussian(nothing, nothing))) / LOG_2


@torch.no_grad()
def evaluate_bound(
    denoiser: Denoiser,
    diffusion: GaussianDiffusion,
    x0: Tensor,
    *,
    variances: Mapping[str, Variance] | None = None,
    num_strata: int | None = None,
    seed: int = 0,
    progress: ShowProgress = silently,
) -> dict[str, Bound]:
    """The bound of images, bits per dimension, for one or several variances of the reverse steps.

    The network is called once a timestep, whatever the number of variances, and all of them see the same noise.

    Args:
        denoiser: (x_t, t) -> Prediction for these images, such as `guidance.denoiser` makes; with clip as it samples.
        diffusion: its process, on the device of x0.
        x0: (N, C, H, W) in [-1, 1], on the 256 levels of a pixel.
        variances: from a prediction to one with another variance, by name; None = VARIANCES.
        num_strata: None sums over all T; a number takes one random timestep of each of so many intervals, weighed by
            their lengths: an estimate without bias. t = 1 is never left out.
        seed: of timesteps and noise.
        progress: shows how far it is, for instance `sdm_lite.progress.progress`.

    Returns:
        A Bound by name.

    Raises:
        ValueError: if num_strata is out of range, or the network predicts nan.
    """
    variances = VARIANCES if variances is None else variances
    prior = prior_term(diffusion, x0)
    strata = [(1, 1), *timestep_strata(diffusion.num_timesteps, num_strata)]
    terms = {name: torch.zeros(2, len(x0), dtype=torch.float64, device="cpu") for name in variances}
    for low, high in progress(strata, description="terms of the bound"):
        generator = torch.Generator("cpu").manual_seed(int(np.random.SeedSequence([seed, low]).generate_state(1)[0]))
        t = torch.randint(low, high + 1, (len(x0),), generator=generator, device="cpu").to(x0.device)
        noise = torch.randn(x0.shape, generator=generator, dtype=torch.float32, device="cpu").to(x0)
        x_t = diffusion.q_sample(x0, t, noise)
        prediction = denoiser(x_t, t)
        for name, variance in variances.items():
            term = diffusion.vlb_term(variance(prediction), x0, x_t, t)
            terms[name][int(high > 1)] += (high + 1 - low) * term.cpu().double()
    if any(bool(term.isnan().any()) for term in terms.values()):
        raise ValueError("the bound is nan: the network predicts no numbers, so its training has diverged")
    return {
        name: Bound(prior.cpu().double() + decoder + steps, prior.cpu().double(), steps, decoder)
        for name, (decoder, steps) in terms.items()
    }
