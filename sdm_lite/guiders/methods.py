"""Guidance methods: what each makes of a prediction with labels and one without.

Each is a function from the process to a `Guide`, and a Guide from two predictions and the scale s to the guided clean
image. x_0 is the one space that all are handed back in, because DDIM, DPM-Solver++ and the ancestral step start from
it; what a method does inside is done in the space that its paper gives it, for only the plain rule is the same in
every one of them. At s = 1 all but `cfg_plus_plus` and the first step of `cfg_zero_star` give the plain prediction.

cond is the prediction with labels, null that without (or a weak network's), signal and sigma the weights of picture and
noise in x_t. v = signal eps - sigma x_0 is the velocity of Salimans & Ho (2022), u = eps - x_0 that of flow matching,
where x_0 = (x_t - sigma u) / (signal + sigma).

Shapes: B batch, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.diffusion import GaussianDiffusion, Prediction
from sdm_lite.guiders.memory import Memory
from sdm_lite.sampling import timestep_pairs


class Pair(NamedTuple):
    """The two predictions of a step, neither clipped, and what they were made from.

    Attributes:
        conditional: with labels.
        other: under the null label, or of a weak network.
        x_t: (B, 3, H, W).
        t: (B,) int64 in 1..T, one number for the whole batch.
    """

    conditional: Prediction
    other: Prediction
    x_t: Tensor
    t: Tensor


Guide = Callable[[Pair, float], Tensor]
"""(pair, s) to the guided clean image (B, 3, H, W), not clipped."""


def dot(one: Tensor, two: Tensor) -> Tensor:
    """Inner products over channels and pixels in double precision: (B, 3, H, W) twice to (B, 1, 1, 1)."""
    return (one.double() * two.double()).flatten(1).sum(1).view(-1, 1, 1, 1)


def cfg(diffusion: GaussianDiffusion) -> Guide:
    """Plain guidance, null + s (cond - null), in any space: Ho & Salimans (2021); Wang et al. (2022), Algorithm 2."""
    return lambda pair, scale: torch.lerp(pair.other.x0, pair.conditional.x0, scale)


def apg(
    diffusion: GaussianDiffusion, *, eta: float = 0.0, momentum: float = -0.5, norm_threshold: float = 15.0
) -> Guide:
    """Adaptive projected guidance, in x_0: Sadat et al. (2024).

        d <- cond - null + momentum d_before;    d' = d min(1, norm_threshold / |d|)
        cond + (s - 1) (d'_orthogonal + eta d'_parallel)

    with d' split along cond: what is parallel to cond saturates, what is orthogonal makes quality.

    Args:
        diffusion: the process.
        eta: share of the parallel part that is kept.
        momentum: weight of the step before, negative: pushes away from where it went. -0.5 is their code's value.
        norm_threshold: largest |d| over channels and pixels. 15 is their value for 128 x 128 x 4; it grows with the
            root of the number of pixels times channels, and |d| of scenes-32 is 4 to 14.
    """
    before: Memory[Tensor] = Memory()

    def guide(pair: Pair, scale: float) -> Tensor:
        cond = pair.conditional.x0
        d = cond - pair.other.x0
        last = before.recall(pair.t)
        d = d if last is None else d + momentum * last
        before.keep(pair.t, d)
        d = d * (norm_threshold / dot(d, d).sqrt()).clamp(max=1).to(d)
        parallel = (dot(d, cond) / dot(cond, cond)).to(d) * cond
        return cond + (scale - 1) * (d - parallel + eta * parallel)

    return guide


def cfg_plus_plus(diffusion: GaussianDiffusion, *, timesteps: Sequence[int]) -> Guide:
    """CFG++ for DDIM, Chung et al. (2024), as the plain guidance of varying scale that it exactly is.

        x_0 = that of null + lambda (cond - null);  x_r = signal_r x_0 + sigma_r eps_null is plain guidance at
        s(t, r) = lambda / (1 - exp(-h)),    h = log(signal_r / sigma_r) - log(signal_t / sigma_t)

    Below 1, towards null, in the first and last steps. lambda is chosen so that the largest s(t, r) is the scale asked
    for, to stand on the axis of the others; theirs is in [0, 1].

    Args:
        diffusion: the process.
        timesteps: where each step starts, as the sampler has them: `timesteps.trailing(diffusion, num_steps)`.

    Raises:
        ValueError: if they are no list of timesteps; when asked, if the scale needs a lambda above 1.
    """
    weights = scales_per_lambda(diffusion, timesteps)
    largest = max(weights.values())

    def guide(pair: Pair, scale: float) -> Tensor:
        if scale > largest:
            raise ValueError(f"CFG++ has scales up to {largest:.3g} with these timesteps (lambda = 1), got {scale:g}")
        return torch.lerp(pair.other.x0, pair.conditional.x0, scale / largest * weights[int(pair.t[0])])

    return guide


def scales_per_lambda(diffusion: GaussianDiffusion, timesteps: Sequence[int]) -> dict[int, float]:
    """By timestep, the scale of plain guidance that CFG++ is with lambda = 1: the largest scale that it can be."""
    weights = {}
    for t, r in timestep_pairs(diffusion.num_timesteps, len(timesteps), timesteps):
        (signal_t, sigma_t), (signal_r, sigma_r) = (
            diffusion.signal_and_noise(torch.tensor([i], device="cpu")) for i in (t, r)
        )
        weights[t] = 1 / (1 - (sigma_r / signal_r * signal_t / sigma_t).double().item())
    return weights


def cfg_zero_star(diffusion: GaussianDiffusion, *, zero_init_steps: int = 1) -> Guide:
    """CFG-Zero*, in the velocity u of flow matching: Fan et al. (2025).

        k null + s (cond - k null),    k = <cond, null> / |null|^2;    0 in the first steps

    A velocity of 0 leaves the picture where it is in flow coordinates, x_t / (signal + sigma), and that is the clean
    image and the noise that DDIM needs for it. It is no image: `finish=partial(clipped, below=T)` leaves it unclipped.

    Args:
        diffusion: the process.
        zero_init_steps: so many first steps do nothing; 1 of 25 is their 4 %.
    """
    count: Memory[int] = Memory()

    def guide(pair: Pair, scale: float) -> Tensor:
        signal, sigma = diffusion.signal_and_noise(pair.t)  # (B, 1, 1, 1) each
        done = count.recall(pair.t) or 0
        count.keep(pair.t, done + 1)
        if done < zero_init_steps:
            return pair.x_t / (signal + sigma)
        cond, null = (one.eps - one.x0 for one in (pair.conditional, pair.other))
        null = (dot(cond, null) / dot(null, null)).to(null) * null
        return (pair.x_t - sigma * torch.lerp(null, cond, scale)) / (signal + sigma)

    return guide


def rescale(diffusion: GaussianDiffusion, *, share: float = 0.7) -> Guide:
    """Guidance whose spread is brought back to that of cond, in v: Lin et al. (2023), section 3.4.

        y = null + s (cond - null);    share y std(cond) / std(y) + (1 - share) y

    Standard deviations over channels and pixels of a sample. In eps they would be nearly equal, and nothing happen.
    """

    def guide(pair: Pair, scale: float) -> Tensor:
        cond, null = (velocity(diffusion, one, pair.t) for one in (pair.conditional, pair.other))
        y = torch.lerp(null, cond, scale)
        ratio = (cond.flatten(1).std(1) / y.flatten(1).std(1)).view(-1, 1, 1, 1)
        return x0_of_velocity(diffusion, share * ratio * y + (1 - share) * y, pair)

    return guide


def tcfg(diffusion: GaussianDiffusion) -> Guide:
    """Tangential guidance: null is replaced by its part along what cond and null share; Kwon et al. (2025).

        null' = v_1 v_1^T null;    null' + s (cond - null'),    v_1 the first right singular vector of cond and null

    In the network's own output, as published: here v. Two vectors of one length have their bisector for v_1, so that
    null' is near (cond + null) / 2 and this near plain guidance of half the excess.
    """

    def guide(pair: Pair, scale: float) -> Tensor:
        cond, null = (velocity(diffusion, one, pair.t) for one in (pair.conditional, pair.other))
        cc, cn, nn = (dot(*two).flatten() for two in ((cond, cond), (cond, null), (null, null)))  # (B,) each
        gram = torch.stack([cc, cn, cn, nn], dim=1).view(-1, 2, 2)
        values, vectors = torch.linalg.eigh(gram)  # rising: v_1 = (p cond + q null) / sqrt(largest)
        p, q = (vectors[:, i, 1] for i in (0, 1))
        share = (p * cn + q * nn) / values[:, 1]  # <v_1, null> / sqrt(largest)
        along = (share * p).view(-1, 1, 1, 1).to(cond) * cond + (share * q).view(-1, 1, 1, 1).to(cond) * null
        return x0_of_velocity(diffusion, torch.lerp(along, cond, scale), pair)

    return guide


def annealed(diffusion: GaussianDiffusion) -> Guide:
    """Plain guidance whose excess rises as the noise falls, s(t) = 1 + 2 (s - 1) (1 - t / T): Wang et al. (2024).

    Their linear schedule. Its mean over equal strides of t is s, so that it compares with plain guidance at s.
    """

    def guide(pair: Pair, scale: float) -> Tensor:
        now = 1 + 2 * (scale - 1) * (1 - int(pair.t[0]) / diffusion.num_timesteps)
        return torch.lerp(pair.other.x0, pair.conditional.x0, now)

    return guide


def velocity(diffusion: GaussianDiffusion, prediction: Prediction, t: Tensor) -> Tensor:
    """The velocity signal eps - sigma x_0 of a prediction that is not clipped, (B, 3, H, W)."""
    signal, sigma = diffusion.signal_and_noise(t)
    return signal * prediction.eps - sigma * prediction.x0


def x0_of_velocity(diffusion: GaussianDiffusion, v: Tensor, pair: Pair) -> Tensor:
    """The clean image signal x_t - sigma v, (B, 3, H, W)."""
    signal, sigma = diffusion.signal_and_noise(pair.t)
    return signal * pair.x_t - sigma * v
