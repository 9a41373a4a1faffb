"""The training loop, as a generator that the caller drives, and its two phases as two configurations of it.

Apart from the network and the process because all that is learned here is how to join them: draw t and noise, ask the
network, take the hybrid loss, step, average. Wang et al. (2022), section 4.1 and Algorithm 1. `python -m
sdm_lite.train` runs it.

Everything random in step i is drawn from (seed, i), so that a run that was stopped and resumed is the run that was not.

Shapes: B batch, K condition channels, H x W pixels, N images of the data set.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sdm_lite.checkpoints import load_exactly
from sdm_lite.diffusion import DiffusionConfig, GaussianDiffusion
from sdm_lite.labels import drop_condition, encode_labels
from sdm_lite.unet import SDMUNet


def _option(default: object, text: str) -> object:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a training run learns.

    The defaults are the lite recipe (docs/recipe.md); each help text names the paper's value where it has one.
    """

    num_steps: int = _option(10_000, "optimizer steps; the paper does not say how many")
    batch_size: int = _option(8, "images a step; the published code uses 32")
    learning_rate: float = _option(
        2e-3, "peak of AdamW's learning rate; published code: 1e-4 (ADE20K) or 2e-5 (CelebAMask-HQ)"
    )
    warmup_steps: int = _option(100, "steps of linear warm-up; published code: none")
    final_learning_rate_fraction: float = _option(
        0.0, "of the peak, reached along a cosine; 1 = constant, as published"
    )
    adam_beta1: float = _option(0.9, "AdamW's first moment decay")
    adam_beta2: float = _option(0.99, "AdamW's second moment decay; published code: 0.999")
    weight_decay: float = _option(0.0, "AdamW's; published code: 0")
    max_gradient_norm: float = _option(1.0, "gradients are scaled down to this norm; published code: never")
    ema_rate: float = _option(0.999, "of the averaged weights, after a warm-up of (1 + i) / (10 + i); paper: 0.9999")
    null_probability: float = _option(0.0, "of dropping an example's labels; paper: 0, then 0.2 in fine-tuning")
    flip_probability: float = _option(0.5, "of mirroring an example; published code: 0.5")
    vlb_weight: float = _option(0.001, "lambda of Eq. 13, on the full bound; paper: 0.001")
    max_simple_weight: float = _option(1e4, "limit of the weight 1 / alpha_bar on the simple loss; paper: 1, no weight")
    schedule: str = _option("cosine", "noise schedule, cosine or linear; published code: linear")
    num_timesteps: int = _option(1000, "T; published code: 1000")
    prediction_type: str = _option("v", "what the network's first channels are, v or eps; paper: eps")
    seed: int = _option(0, "of everything random")

    def __post_init__(self) -> None:
        for name in ("num_steps", "batch_size", "num_timesteps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("null_probability", "flip_probability", "ema_rate", "final_learning_rate_fraction"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        for name in ("learning_rate", "max_gradient_norm", "max_simple_weight"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        self.diffusion()

    def diffusion(self) -> DiffusionConfig:
        """The process that the run trains for."""
        return DiffusionConfig(self.schedule, self.num_timesteps, self.prediction_type)


# The second phase is a configuration: Wang et al. (2022), section 3.4. The paper's rate is 2e-5 after a first phase at
# 1e-4; in the lite recipe the first phase peaks at 2e-3 and this keeps about that proportion.
FINE_TUNE = {"null_probability": 0.2, "learning_rate": 5e-4}


class Batch(NamedTuple):
    """What one step learns from: x0 (B, 3, H, W) in [-1, 1] and condition (B, K, H, W), on the CPU."""

    x0: Tensor
    condition: Tensor


class TrainStep(NamedTuple):
    """What one step did.

    Attributes:
        step: how many are done, this one included.
        loss: the hybrid loss, mean of the batch.
        simple: its first part.
        vlb: its second part, bits per dimension, one term of the bound.
        gradient_norm: before clipping.
        learning_rate: of this step.
    """

    step: int
    loss: float
    simple: float
    vlb: float
    gradient_norm: float
    learning_rate: float


def step_generator(seed: int, step: int, stream: int) -> torch.Generator:
    """A CPU random stream for one purpose of one step: the same whether or not the run was resumed before it."""
    # torch's CPU generator reads 32 bits of its seed, so the three numbers are mixed, not multiplied together.
    return torch.Generator().manual_seed(int(np.random.SeedSequence([seed, step, stream]).generate_state(1)[0]))


class ImageBatches:
    """Batches of a data set that is held in memory, 8 bits a value: a function of the step.

    Each epoch visits every image once in an order of its own.

    Args:
        images: (N, 3, H, W) uint8.
        label_maps: (N, H, W) uint8.
        instance_maps: (N, H, W) uint8, or None for a condition without edges.
        num_classes: of the label maps.
        config: for batch size, flips and seed.

    Raises:
        ValueError: if there are fewer images than a batch takes, or an id lies outside the classes.
    """

    def __init__(
        self, images: Tensor, label_maps: Tensor, instance_maps: Tensor | None, num_classes: int, config: TrainConfig
    ):
        if len(images) < config.batch_size:
            raise ValueError(f"the data set has {len(images)} images, fewer than a batch of {config.batch_size}")
        if images.shape[0] != label_maps.shape[0] or images.shape[2:] != label_maps.shape[1:]:
            raise ValueError(
                f"images {tuple(images.shape)} and label maps {tuple(label_maps.shape)} do not go together"
            )
        if int(label_maps.max()) >= num_classes:
            raise ValueError(f"label ids must lie in 0..{num_classes - 1}, got {int(label_maps.max())}")
        self.images, self.label_maps, self.instance_maps = images, label_maps, instance_maps
        self.num_classes, self.config = num_classes, config
        self._epoch, self._order = -1, torch.empty(0)

    @property
    def condition_channels(self) -> int:
        """K: classes, and one for edges if instances are known."""
        return self.num_classes + (self.instance_maps is not None)

    def __call__(self, step: int) -> Batch:
        """The batch of a step, counted from 0."""
        size, config = self.config.batch_size, self.config
        epoch, position = divmod(step, len(self.images) // size)
        if epoch != self._epoch:
            self._order = torch.randperm(len(self.images), generator=step_generator(config.seed, epoch, 1))
            self._epoch = epoch
        chosen = self._order[position * size : (position + 1) * size]
        flip = torch.rand(size, generator=step_generator(config.seed, step, 2)) < config.flip_probability
        x0 = mirror(self.images[chosen], flip).float() / 127.5 - 1
        label_map = mirror(self.label_maps[chosen], flip).long()
        instances = None if self.instance_maps is None else mirror(self.instance_maps[chosen], flip).long()
        return Batch(x0, encode_labels(label_map, self.num_classes, instances))


def mirror(values: Tensor, flip: Tensor) -> Tensor:
    """Mirror left and right where `flip` (B,) is true: (B, ..., W) to the same."""
    return torch.where(flip.view(-1, *[1] * (values.ndim - 1)), values.flip(-1), values)


def draw_timesteps(batch_size: int, num_timesteps: int, generator: torch.Generator) -> Tensor:
    """Timesteps uniform in 1..T, one from each of B equal strata, in random order: (B,) int64.

    Each one alone is uniform, as in Wang et al. (2022), Algorithm 1, line 3; together they cover the range, for a
    steadier loss.
    """
    u = (torch.arange(batch_size) + torch.rand(batch_size, generator=generator)) / batch_size
    t = (u * num_timesteps).long().clamp(max=num_timesteps - 1) + 1
    return t[torch.randperm(batch_size, generator=generator)]


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """The learning rate of a step counted from 0: linear warm-up, then a cosine to the final fraction."""
    warmup = min(1.0, (step + 1) / max(1, config.warmup_steps))
    cosine = 0.5 + 0.5 * math.cos(math.pi * step / config.num_steps)
    final = config.final_learning_rate_fraction
    return config.learning_rate * warmup * (final + (1 - final) * cosine)


@torch.no_grad()
def ema_update(ema: SDMUNet, unet: SDMUNet, step: int, rate: float) -> None:
    """Move the average to the trained weights: ema = d ema + (1 - d) unet, d = min(rate, (1 + i) / (10 + i)).

    The warm-up keeps the random initial weights out of a short run's average.
    """
    decay = min(rate, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(ema.parameters()), list(unet.parameters()), 1 - decay)


def make_optimizer(unet: SDMUNet, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW over all weights, Wang et al. (2022), section 4.1."""
    betas = (config.adam_beta1, config.adam_beta2)
    return torch.optim.AdamW(unet.parameters(), lr=config.learning_rate, betas=betas, weight_decay=config.weight_decay)


def train(
    unet: SDMUNet,
    ema: SDMUNet,
    diffusion: GaussianDiffusion,
    batches: Callable[[int], Batch],
    config: TrainConfig,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    start: int = 0,
) -> Iterator[TrainStep]:
    """Train a network: Wang et al. (2022), Algorithm 1, whose line 6 must give both losses the same, dropped, labels.

    A generator: each `next` is one step, so that a caller can draw, save or stop in between.

    Args:
        unet: trained in place; its device is where the work is done.
        ema: the averaged weights, updated in place; `deepcopy(unet)` at first.
        diffusion: the process, on the same device.
        batches: from a step, counted from 0, to its batch.
        config: the recipe.
        optimizer: to go on with, or None for a fresh one.
        start: steps already done.

    Yields:
        A TrainStep after each of the steps start + 1 .. num_steps.

    Raises:
        FloatingPointError: if the loss is not finite; the averaged weights are still those of the step before.
    """
    optimizer = optimizer or make_optimizer(unet, config)
    device = next(unet.parameters()).device
    unet.train()
    for step in range(start, config.num_steps):
        x0, condition = (tensor.to(device) for tensor in batches(step))
        condition = drop_condition(condition, config.null_probability, generator=step_generator(config.seed, step, 3))
        generator = step_generator(config.seed, step, 4)
        t = draw_timesteps(len(x0), diffusion.num_timesteps, generator).to(device)
        noise = torch.randn(x0.shape, generator=generator).to(device)
        x_t = diffusion.q_sample(x0, t, noise)

        output = unet(x_t, t, condition)
        losses = diffusion.losses(
            output, x0, x_t, t, noise, vlb_weight=config.vlb_weight, max_simple_weight=config.max_simple_weight
        )
        total, simple, vlb = (part.mean() for part in losses)
        if not math.isfinite(total.item()):
            raise FloatingPointError(
                f"the loss is {total.item()} at step {step + 1}: try a learning rate below {config.learning_rate}"
            )

        optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(unet.parameters(), config.max_gradient_norm)
        rate = learning_rate_at(step, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        ema_update(ema, unet, step, config.ema_rate)
        yield TrainStep(step + 1, total.item(), simple.item(), vlb.item(), norm.item(), rate)


class Run(NamedTuple):
    """The state of a training run: what must be saved for it to go on as if it had not stopped."""

    unet: SDMUNet
    ema: SDMUNet
    optimizer: torch.optim.Optimizer
    step: int
    seconds: float


def new_run(unet: SDMUNet, config: TrainConfig) -> Run:
    """A run at its first step, the averaged weights a copy of the network's."""
    return Run(unet, deepcopy(unet).eval().requires_grad_(False), make_optimizer(unet, config), 0, 0.0)


def save_run(path: Path, run: Run, config: TrainConfig) -> None:
    """Write a run to a file, whole or not at all."""
    state = {
        "unet_config": dataclasses.asdict(run.unet.config),
        "train_config": dataclasses.asdict(config),
        "step": run.step,
        "seconds": run.seconds,
        "unet": run.unet.state_dict(),
        "ema": run.ema.state_dict(),
        "optimizer": run.optimizer.state_dict(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_run(path: Path, run: Run, config: TrainConfig) -> Run:
    """Read a run back into a fresh one of the same configuration.

    Raises:
        ValueError: if the file is damaged, or of another configuration, naming what differs.
    """
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        saved, unet_config = state["train_config"], state["unet_config"]
    except Exception as error:  # a truncated file fails in many ways
        raise ValueError(
            f"{path} is not a whole training checkpoint ({type(error).__name__}): delete it to start afresh"
        ) from None
    wanted = dataclasses.asdict(config) | {f"unet {k}": v for k, v in dataclasses.asdict(run.unet.config).items()}
    got = saved | {f"unet {k}": v for k, v in unet_config.items()}
    different = [
        f"{k} was {got.get(k)!r}, now {wanted.get(k)!r}"
        for k in sorted(wanted.keys() | got.keys())
        if wanted.get(k) != got.get(k)
    ]
    if different:
        raise ValueError(f"{path} is of another run: {'; '.join(different)}. Use the same options, or another --output")
    load_exactly(run.unet, state["unet"], path)
    load_exactly(run.ema, state["ema"], path)
    run.optimizer.load_state_dict(state["optimizer"])
    return run._replace(step=state["step"], seconds=state["seconds"])


if __name__ == "__main__":
    from sdm_lite.train_command import main

    raise SystemExit(main())
