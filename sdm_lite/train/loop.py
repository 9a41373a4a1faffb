"""The training loop, as a generator that the caller drives, and its two phases as two configurations of it.

Apart from the network and the process because all that is learned here is how to join them: draw t and noise, ask the
network, take the hybrid loss, step, average. Wang et al. (2022), section 4.1 and Algorithm 1. `python -m
sdm_lite.train` runs it.

Everything random in step i is drawn from (seed, i), so that a run that was stopped and resumed is the run that was not;
and drawn for the whole batch, so that a run on several processes is the run on one.

Shapes: B batch, b this process's share of it, K condition channels, H x W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from sdm_lite.batches import Batch, encode, step_generator
from sdm_lite.diffusion import GaussianDiffusion, Losses
from sdm_lite.labels import drop_condition
from sdm_lite.train.config import TrainConfig
from sdm_lite.train.processes import Processes
from sdm_lite.train.resume import make_optimizer
from sdm_lite.unet import SDMUNet


class TrainStep(NamedTuple):
    """What one step did.

    Attributes:
        step: how many are done, this one included.
        loss: the hybrid loss, mean of the batch.
        simple: its first part.
        vlb: its second part, bits per dimension, one term of the bound.
        gradient_norm: before clipping.
        learning_rate: of this step.
        simple_by_quartile: `simple` of the examples in each quarter of 1..T, first to last; nan where there was none.
        ema_decay: of this step, the warm-up considered.
        skipped: True if loss or gradient was not finite, so that nothing was changed.
    """

    step: int
    loss: float
    simple: float
    vlb: float
    gradient_norm: float
    learning_rate: float
    simple_by_quartile: tuple[float, ...] = ()
    ema_decay: float = math.nan
    skipped: bool = False


class Draws(NamedTuple):
    """Everything random of a step: keep (B, 1, 1, 1) of zeros and ones, t (B,) int64, noise (B, 3, H, W)."""

    keep: Tensor
    t: Tensor
    noise: Tensor


def draw_timesteps(batch_size: int, num_timesteps: int, generator: torch.Generator) -> Tensor:
    """Timesteps uniform in 1..T, one from each of B equal strata, in random order: (B,) int64.

    Each one alone is uniform, as in Wang et al. (2022), Algorithm 1, line 3; together they cover the range, for a
    steadier loss.
    """
    inside = torch.rand(batch_size, generator=generator, dtype=torch.float32, device="cpu")
    u = (torch.arange(batch_size, device="cpu") + inside) / batch_size
    t = (u * num_timesteps).long().clamp(max=num_timesteps - 1) + 1
    return t[torch.randperm(batch_size, generator=generator, device="cpu")]


def draw_step(step: int, shape: tuple[int, int, int, int], num_timesteps: int, config: TrainConfig) -> Draws:
    """The random numbers of a step counted from 0, for its whole batch of images of shape (B, 3, H, W), on the CPU."""
    ones = torch.ones(shape[0], 1, 1, 1, dtype=torch.float32, device="cpu")
    keep = drop_condition(ones, config.null_probability, generator=step_generator(config.seed, step, 3))
    generator = step_generator(config.seed, step, 4)
    t = draw_timesteps(shape[0], num_timesteps, generator)
    return Draws(keep, t, torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu"))


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """The learning rate of a step counted from 0: linear warm-up, then a cosine to the final fraction."""
    warmup = min(1.0, (step + 1) / max(1, config.warmup_steps))
    cosine = 0.5 + 0.5 * math.cos(math.pi * step / config.num_steps)
    final = config.final_learning_rate_fraction
    return config.learning_rate * warmup * (final + (1 - final) * cosine)


def ema_decay(step: int, rate: float) -> float:
    """How much of the average a step keeps: min(rate, (1 + i) / (10 + i)), i counted from 0.

    The warm-up keeps the random initial weights out of a short run's average.
    """
    return min(rate, (1 + step) / (10 + step))


@torch.no_grad()
def ema_update(ema: SDMUNet, unet: SDMUNet, step: int, rate: float) -> None:
    """Move the average to the trained weights: ema = rho ema + (1 - rho) unet, rho = `ema_decay`."""
    torch._foreach_lerp_(list(ema.parameters()), list(unet.parameters()), 1 - ema_decay(step, rate))


def hybrid_losses(
    unet: Callable[[Tensor, Tensor, Tensor], Tensor],
    diffusion: GaussianDiffusion,
    batch: Batch,
    draws: Draws,
    config: TrainConfig,
) -> Losses:
    """The losses of examples, Wang et al. (2022), Algorithm 1, lines 2 to 6; (b,) each.

    Line 6 must give both losses the same, dropped, labels.
    """
    x0, condition = encode(batch)
    x_t = diffusion.q_sample(x0, draws.t, draws.noise)
    output = unet(x_t, draws.t, condition * draws.keep).float()  # of 16 bits in mixed precision
    return diffusion.losses(
        output, x0, x_t, draws.t, draws.noise, vlb_weight=config.vlb_weight, max_simple_weight=config.max_simple_weight
    )


def train(
    unet: SDMUNet,
    ema: SDMUNet,
    diffusion: GaussianDiffusion,
    batches: Callable[[int], Batch],
    config: TrainConfig,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    start: int = 0,
    processes: Processes | None = None,
    max_skipped_steps: int = 25,
) -> Iterator[TrainStep]:
    """Train a network: Wang et al. (2022), Algorithm 1.

    A generator: each `next` is one step, so that a caller can draw, save or stop in between.

    Args:
        unet: trained in place; its device is where the work is done.
        ema: the averaged weights, updated in place; `deepcopy(unet)` at first.
        diffusion: the process, on the same device; timesteps are drawn from its 1..T.
        batches: from a step, counted from 0, to this process's share of its batch.
        config: the recipe.
        optimizer: to go on with, or None for a fresh one.
        start: steps already done.
        processes: who shares the work, and in which precision; None = this process alone, in float32.
        max_skipped_steps: how many steps in a row may be skipped.

    Yields:
        A TrainStep after each of the steps start + 1 .. num_steps.

    Raises:
        FloatingPointError: after `max_skipped_steps` steps in a row whose loss or gradient was not finite; averaged
            weights and optimizer are those of the last good step.
    """
    processes = processes or Processes()
    optimizer = optimizer or make_optimizer(unet, config)
    unet.train()
    network = processes.wrap(unet)
    skipped = 0
    for step in range(start, config.num_steps):
        batch = batches(step)
        shape = (len(batch.images) * processes.count, *batch.images.shape[1:])
        draws = draw_step(step, shape, diffusion.num_timesteps, config)
        optimizer.zero_grad(set_to_none=True)
        parts = []
        for part, place in processes.parts(len(batch.images)):
            own = Draws(*(values[place].to(unet.device) for values in draws))
            with processes.gradients(network, last=part.stop == len(batch.images)):
                losses = hybrid_losses(network, diffusion, batch.at(part).to(unet.device), own, config)
                processes.backward(losses.total.mean() / processes.num_parts)
            parts.append(_statistics(losses, own.t, diffusion.num_timesteps))
        gradient_norm = processes.clip(unet, optimizer, config.max_gradient_norm)

        means = processes.mean(torch.stack(parts).mean(0))
        norm, total, simple, vlb, *by_quarter = torch.cat([gradient_norm[None], means]).tolist()
        finite = math.isfinite(total) and math.isfinite(norm)
        rate = learning_rate_at(step, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        processes.step(optimizer, finite=finite)
        if finite:
            ema_update(ema, unet, step, config.ema_rate)
        skipped = 0 if finite else skipped + 1
        quartiles, decay = _quartiles(by_quarter[:4], by_quarter[4:]), ema_decay(step, config.ema_rate)
        yield TrainStep(step + 1, total, simple, vlb, norm, rate, quartiles, decay, skipped=not finite)
        if skipped == max_skipped_steps:
            raise FloatingPointError(
                f"loss or gradient was not finite {skipped} times in a row, up to step {step + 1}: "
                f"try a learning_rate below {config.learning_rate:g}, a longer warm-up, or no mixed precision"
            )


@torch.no_grad()
def _statistics(losses: Losses, t: Tensor, num_timesteps: int) -> Tensor:
    """Means over examples, (11,): total, simple, vlb; then, by quarter of 1..T, `simple` and the share of examples."""
    quarter = F.one_hot((t - 1) * 4 // num_timesteps, 4).bool()  # (b, 4)
    by_quarter = torch.where(quarter, losses.simple[:, None], 0.0)
    return torch.cat([torch.stack([part.mean() for part in losses]), by_quarter.mean(0), quarter.float().mean(0)])


def _quartiles(sums: list[float], shares: list[float]) -> tuple[float, ...]:
    return tuple(of / share if share else math.nan for of, share in zip(sums, shares, strict=True))
