"""Who shares a training step: this process alone, or several on one or more machines, and in which precision.

Apart from the loop because it is the one door of Hugging Face Accelerate, and because the loop should read the same on
a laptop and on eight GPUs. The batch of a step is one for all processes; each takes its share, in one or several parts,
and gradients and figures are means over all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sdm_lite.command import check_device, check_packages, default_device
from sdm_lite.train.config import RunConfig

if TYPE_CHECKING:
    from accelerate import Accelerator

# How long processes wait for each other. A launcher ends them all when one has died, so that this is for work that the
# main one does alone: building the cache of a large data set takes longer than the ten minutes that torch would wait.
PATIENCE = timedelta(hours=12)


class Processes:
    """This process alone in the network's own precision, or all those, and the precision, that Accelerate has found.

    Args:
        num_parts: how many parts each process cuts its share of a batch into, one after the other, to save memory
            (gradient accumulation).
        device: where this process computes; Accelerate's own choice counts where there is an `accelerator`.
        accelerator: what torchrun, accelerate launch or SLURM have set up, see `join_processes`; None = nothing.

    Attributes:
        rank: of this process, from 0.
        count: how many processes there are.
        scaler: of fp16 gradients, or None.
    """

    def __init__(self, num_parts: int = 1, device: str | torch.device = "cpu", accelerator: Accelerator | None = None):
        self.num_parts, self.accelerator = num_parts, accelerator
        self.rank, self.count, self.device, self.scaler = 0, 1, torch.device(device), None
        if accelerator is not None:
            self.rank, self.count = accelerator.process_index, accelerator.num_processes
            self.device, self.scaler = accelerator.device, accelerator.scaler

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def parts(self, size: int) -> Iterator[tuple[slice, slice]]:
        """Cut a share of `size` examples into parts: the place of each in the share, and in the whole batch."""
        length = size // self.num_parts
        for start in range(0, size, length):
            first = self.rank * size + start
            yield slice(start, start + length), slice(first, first + length)

    def wrap(self, unet: nn.Module) -> nn.Module:
        """The network to call in training: gradients of its weights become means over processes."""
        if self.count == 1:
            return unet
        on_gpu = self.device.type == "cuda"
        return nn.parallel.DistributedDataParallel(unet, device_ids=[self.device.index] if on_gpu else None)

    @contextmanager
    def gradients(self, network: nn.Module, *, last: bool) -> Iterator[None]:
        """The forward and backward pass of one part: precision, and an exchange of gradients after the last."""
        quiet = network.no_sync() if self.count > 1 and not last else nullcontext()
        with quiet, self.accelerator.autocast() if self.accelerator else nullcontext():
            yield

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss."""
        loss = loss.float() if self.scaler is None else self.scaler.scale(loss.float())
        with torch.autocast(self.device.type, enabled=False) if self.accelerator else nullcontext():
            loss.backward()

    def clip(self, unet: nn.Module, optimizer: torch.optim.Optimizer, max_norm: float) -> Tensor:
        """Scale all gradients down to a norm, and return the norm that they had: a scalar, float32."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)
        return torch.nn.utils.clip_grad_norm_(unet.parameters(), max_norm)

    def step(self, optimizer: torch.optim.Optimizer, *, finite: bool) -> None:
        """Change the weights, unless a loss or gradient was not finite; fp16 then lowers its scale."""
        if finite and self.scaler is None:
            optimizer.step()
        elif finite:
            self.scaler.step(optimizer)
        if self.scaler is not None:
            self.scaler.update()

    def mean(self, values: Tensor) -> Tensor:
        """The mean of each value over processes."""
        return values if self.count == 1 else self.accelerator.reduce(values, reduction="mean")

    def any(self, flags: list[bool]) -> list[bool]:
        """Whether each flag is up in any process: what all must do together, they must agree on."""
        if self.count == 1:
            return flags
        shares = self.mean(torch.tensor(flags, dtype=torch.float32, device=self.device))
        return [share > 0 for share in shares.tolist()]

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.count > 1:
            self.accelerator.wait_for_everyone()

    def state_dict(self) -> dict[str, object]:
        """What a resumed run needs to know of this: the scale of fp16 gradients."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take up what `state_dict` gave; nothing if the run was not in fp16 then."""
        if self.scaler is not None and state:
            self.scaler.load_state_dict(state)

    def close(self) -> None:
        """Leave the other processes."""
        if self.accelerator is not None:
            from accelerate.state import AcceleratorState

            AcceleratorState._reset_state(reset_partial_state=True)  # so that a notebook can go on in another precision
        if self.count > 1:
            torch.distributed.destroy_process_group()


def join_processes(config: RunConfig) -> Processes:
    """The processes that this run has, checked against what was asked for.

    Plain runs need no Accelerate: it is asked only where a launcher started several processes, or for mixed precision.

    Raises:
        ValueError: if fewer processes came up than were asked for, the batch cannot be shared out, the precision needs
            another device, or Accelerate is needed and missing.
    """
    check_device(config.device)
    for plugin in ("DEEPSPEED", "FSDP"):  # asked for by `accelerate launch`
        if os.environ.get(f"ACCELERATE_USE_{plugin}", "").lower() == "true":
            raise ValueError(f"{plugin} is not supported: launch without it, accumulation_steps saves memory")
    device, accelerator = config.device or default_device(), None
    if _num_launched() > 1 or config.mixed_precision != "no":
        check_packages("accelerate")
        from accelerate import Accelerator, InitProcessGroupKwargs

        # Without a GPU Accelerate has to be told of the CPU: left to itself, it makes each process a run of its own.
        accelerator = Accelerator(
            mixed_precision=config.mixed_precision,
            cpu=torch.device(device).type == "cpu",
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        )
    processes = Processes(config.accumulation_steps, device, accelerator)
    try:
        if config.mixed_precision == "fp16" and processes.device.type == "cpu":  # Accelerate would take float32 unsaid
            raise ValueError("mixed_precision fp16 needs a GPU, and this run is on the CPU: give bf16 or no")
        check_processes(processes.count, config)
    except ValueError:
        processes.close()
        raise
    return processes


def _num_launched() -> int:
    """How many processes a launcher says that there are; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def check_processes(count: int, config: RunConfig) -> None:
    """Raise ValueError unless as many processes came up as were asked for, and can share the batch evenly."""
    came = "1 process" if count == 1 else f"{count} processes"
    asked = config.expect_processes or (_num_launched() if _num_launched() > 1 else None)
    # accelerate launch names a meeting point only where it was asked for several processes; with --cpu it then starts
    # one all the same, and tells nobody.
    launched_one = "ACCELERATE_USE_CPU" in os.environ and "MASTER_ADDR" in os.environ and count == 1
    if (asked is None and launched_one) or (asked is not None and asked != count):
        number = "several" if asked is None else asked
        hint = " (accelerate launch --cpu starts one, however many it is asked for)" if launched_one else ""
        raise ValueError(
            f"{came} came up where {number} were asked for{hint}: use "
            f"torchrun --nproc-per-node N -m sdm_lite.train ..., or expect_processes = {count} if that is meant"
        )
    shares = count * config.accumulation_steps
    if config.train.batch_size % shares:
        raise ValueError(
            f"batch_size {config.train.batch_size} cannot be shared evenly by {came} in {config.accumulation_steps} "
            f"parts each (processes, accumulation_steps): give a multiple of {shares}"
        )
