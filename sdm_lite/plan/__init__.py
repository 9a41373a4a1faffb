"""What a training run will take, before it is started: memory, operations, days, cost.

Apart from training because nothing is trained here: the network is built on torch's meta device, which has shapes and
no numbers, so that the paper's networks are counted in seconds on a laptop. `python -m sdm_lite.plan` prints it.

Weights, gradients, optimizer state, averages and saved activations are counted; speed is operations by the speed that
you say your GPU reaches. What is left out: the allocator's slack, cuDNN's workspace, the data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sdm_lite.concat import make_unet
from sdm_lite.presets import UNetConfig

BYTES = 4  # of a float32: weights, gradients, moments and averages are kept in it in mixed precision too


@dataclass(frozen=True)
class Counts:
    """What one network takes, counted.

    Attributes:
        parameters: numbers in the weights.
        forward: operations (a multiplication and an addition are two) of one image's forward pass.
        training: of its forward and backward pass.
        activations: bytes that one image's forward pass keeps for the backward pass, in float32.
        activations_16: the same under mixed precision: what convolutions, linear layers and attention keep, and what
            is no float32, has 16 bits; norms keep 32.
    """

    parameters: int
    forward: int
    training: int
    activations: int
    activations_16: int


def count(config: UNetConfig) -> Counts:
    """Count parameters, operations and saved activations of a network for one image of its own size."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        unet = make_unet(config).float()
        height, width = config.image_size
        on = {"dtype": torch.float32, "device": "meta"}
        x_t, t = torch.empty(1, 3, height, width, **on), torch.ones(1, dtype=torch.long, device="meta")
        condition = torch.empty(1, config.condition_channels, height, width, **on)
    weights = {id(parameter) for parameter in unet.parameters()}
    with FlopCounterMode(display=False) as counter:
        saved = Saved(weights)
        with torch.autograd.graph.saved_tensors_hooks(saved.keep, lambda tensor: tensor):
            output = unet(x_t, t, condition)
        forward = counter.get_total_flops()
        output.sum().backward()
        training = counter.get_total_flops()
    parameters = sum(parameter.numel() for parameter in unet.parameters())
    return Counts(parameters, forward, training, saved.bytes, saved.bytes_16)


class Saved:
    """Adds up the tensors that autograd keeps: each memory once, and weights not at all."""

    def __init__(self, weights: set[int]):
        self.weights = weights
        self.bytes = self.bytes_16 = 0
        self._seen: list[Tensor] = []  # kept alive, so that no memory is counted under the name of another
        self._storages: set[int] = set()

    def keep(self, tensor: Tensor) -> Tensor:
        """Count a tensor."""
        storage = tensor.untyped_storage()
        if id(tensor) not in self.weights and storage._cdata not in self._storages and tensor.ndim > 1:
            self._storages.add(storage._cdata)
            self._seen.append(tensor)
            size = storage.nbytes()
            self.bytes += size
            self.bytes_16 += size // 2 if tensor.dtype == torch.float32 else size
        return tensor


@dataclass(frozen=True)
class Plan:
    """What a run takes on some GPUs.

    Attributes:
        counts: of the network.
        fixed: bytes a GPU for weights, gradients, two moments and averages.
        activations: bytes a GPU for what is kept between forward and backward pass of one part of the batch.
        images_per_second: of all GPUs together.
        days: for the whole run.
        cost: in the unit of the price, None if no price was given.
    """

    counts: Counts
    fixed: float
    activations: float
    images_per_second: float
    days: float
    cost: float | None


def make_plan(
    counts: Counts,
    *,
    num_steps: int,
    batch_size: int = 32,
    gpus: int = 8,
    teraflops: float = 100.0,
    accumulation_steps: int = 1,
    mixed_precision: bool = True,
    price: float | None = None,
) -> Plan:
    """What a run takes.

    Args:
        counts: of the network, see `count`.
        num_steps: of the optimizer.
        batch_size: images a step, of all GPUs together.
        gpus: how many.
        teraflops: what one of them reaches on this network, 10^12 operations a second: a third to a half of what its
            maker says; benchmarks/train_step.py measures it.
        accumulation_steps: parts that a GPU cuts its share of a batch into.
        mixed_precision: whether activations have 16 bits.
        price: of one GPU for an hour.

    Raises:
        ValueError: if a number is out of range, or the batch cannot be shared out evenly.
    """
    for name, value in (("num_steps", num_steps), ("gpus", gpus), ("accumulation_steps", accumulation_steps)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if not 0 < teraflops < math.inf:
        raise ValueError(f"teraflops must be above 0 and finite, got {teraflops}")
    if price is not None and not 0 <= price < math.inf:
        raise ValueError(f"price must be at least 0 and finite, got {price}")
    if batch_size < 1 or batch_size % (gpus * accumulation_steps):
        raise ValueError(
            f"batch_size {batch_size} cannot be shared evenly by {gpus} GPUs in {accumulation_steps} parts each: "
            f"give a multiple of {gpus * accumulation_steps}"
        )
    part = batch_size // (gpus * accumulation_steps)
    fixed = 5 * BYTES * counts.parameters
    activations = part * (counts.activations_16 if mixed_precision else counts.activations)
    images_per_second = gpus * teraflops * 1e12 / counts.training
    hours = num_steps * batch_size / images_per_second / 3600
    cost = None if price is None else hours * gpus * price
    return Plan(counts, fixed, activations, images_per_second, hours / 24, cost)
