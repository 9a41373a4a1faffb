"""How long a run takes here, measured before it starts, and the number of steps that fit in so many minutes.

Apart from the loop because it decides nothing of what a step learns, only how many there are: with the learning rate
along a cosine, where that cosine ends. A run may be made longer or shorter when it resumes. Its schedule is then fitted
anew to the new end: from there on the rate is that of a run of the new length, which is not what a run of that length
from the start would have learned, so it is told, logged, and kept in the facts of the weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import NamedTuple

import torch

from sdm_lite.checkpoints import Model
from sdm_lite.diffusion import GaussianDiffusion
from sdm_lite.progress import counted, duration
from sdm_lite.train.config import RunConfig
from sdm_lite.train.data import Data
from sdm_lite.train.held_out import Evaluator
from sdm_lite.train.loop import learning_rate_at, train
from sdm_lite.train.processes import Processes
from sdm_lite.train.resume import Run
from sdm_lite.unet import SDMUNet

NUM_MEASURED = 20
NUM_WARM = 3  # steps before, in which memory is found and threads start
MOST_SECONDS = 120.0  # of measuring, where steps are slow: then fewer are measured, one at least
RESERVE = 0.03  # of the minutes: checkpoints and sample grids, which are not measured


class Pace(NamedTuple):
    """What a run takes on this machine.

    Attributes:
        step: seconds of a step.
        evaluation: seconds of an evaluation on held-out data; 0 where there are none.
        evaluate_steps: steps between two of them.
        num_measured: how many steps were timed.
    """

    step: float
    evaluation: float = 0.0
    evaluate_steps: int = 0
    num_measured: int = NUM_MEASURED

    @property
    def mean(self) -> float:
        """Seconds of a step with its share of evaluations, checkpoints and grids."""
        share = self.evaluation / self.evaluate_steps if self.evaluate_steps else 0.0
        return (self.step + share) / (1 - RESERVE)

    def told(self, batch_size: int) -> str:
        """In words."""
        line = (
            f"{counted(self.num_measured, 'step')} of {counted(batch_size, 'image')} took {_told(self.step)} each here"
        )
        line += f" ({counted(torch.get_num_threads(), 'thread')}, {batch_size / self.step:.3g} images/s)"
        return line + (f", an evaluation {_told(self.evaluation)}" if self.evaluation else "")


def _told(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def measure_pace(
    unet: SDMUNet,
    config: RunConfig,
    data: Data,
    diffusion: GaussianDiffusion,
    processes: Processes,
) -> Pace:
    """Train a copy of a network for twenty steps and evaluate it once, if the run does; nothing of the run changes.

    Where steps are so slow that twenty would take longer than MOST_SECONDS, fewer are measured.

    Args:
        unet: the network, on the device of the run.
        config: the run.
        data: its data.
        diffusion: the process, on the same device.
        processes: who shares the work; all come to the same answer.
    """
    precision = processes.state_dict()
    copied = deepcopy(unet)
    enough = replace(config.train, num_steps=NUM_WARM + NUM_MEASURED)
    steps = train(
        copied,
        deepcopy(unet).eval().requires_grad_(False),
        diffusion,
        data.batches,
        enough,
        processes=processes,
        max_skipped_steps=enough.num_steps + 1,  # a loss that is no number is told by the run itself
    )
    began, num_measured = time.monotonic(), 0
    for _ in range(NUM_WARM):
        next(steps)
        if _is_late(began, processes):
            break
    _wait(processes)
    started = time.monotonic()
    for _ in steps:
        num_measured += 1
        if _is_late(began, processes):
            break
    _wait(processes)
    step, evaluation = (time.monotonic() - started) / num_measured, 0.0
    if config.evaluate_steps and processes.is_main:
        evaluator = Evaluator(data, config, processes.device)
        started = time.monotonic()
        evaluator(Model(copied.eval(), diffusion), 0)
        evaluation = time.monotonic() - started
    processes.load_state_dict(precision)
    shared = [step, evaluation * processes.count]  # one process alone evaluates, all wait
    values = processes.mean(torch.tensor(shared, dtype=torch.float32, device=processes.device))
    return Pace(*values.tolist(), config.evaluate_steps, num_measured)


def _is_late(began: float, processes: Processes) -> bool:
    return processes.any([time.monotonic() - began > MOST_SECONDS])[0]


def _wait(processes: Processes) -> None:
    if processes.device.type == "cuda":
        torch.cuda.synchronize(processes.device)
    processes.wait()


def fit_length(
    config: RunConfig, run: Run, pace: Callable[[], Pace], *, tell: Callable[[str], None]
) -> tuple[RunConfig, Run]:
    """The run with the number of steps that it is to have, new or resumed, and what became of its length so far.

    Of a new run with `minutes`, as many as fit by its pace. Of a resumed one with other `minutes` than before, as many
    more as fit by the time that its own steps took; with the same, as many as before.

    Args:
        config: what was asked for.
        run: fresh, or as it was resumed.
        pace: measures; called for a new run with `minutes` alone.
        tell: gets a line for what is decided.

    Returns:
        The configuration with its `num_steps`, and the run with its `lengths`.

    Raises:
        ValueError: if the run has done more than is asked for already, or the time is too short for anything.
    """
    before = run.lengths[-1] if run.lengths else None
    number = config.train.num_steps
    if config.minutes is not None and before is not None and before["minutes"] == config.minutes:
        number = before["num_steps"]
    elif config.minutes is not None:
        if run.step:
            mean, line = run.seconds / run.step, f"{run.step} steps took {duration(run.seconds)}"
        else:
            measured = pace()
            mean, line = measured.mean, measured.told(config.train.batch_size)
        number = run.step + int(max(0.0, 60 * config.minutes - run.seconds) / mean)
        if number <= max(run.step, config.train.warmup_steps):
            done = f"{run.step} are done" if run.step else f"{config.train.warmup_steps} of them are warm-up"
            raise ValueError(f"minutes {config.minutes:g} are {number} steps here, and {done} ({line}): give more")
        tell(f"{line}: {config.minutes:g} min are {number:,} steps")
    if number < run.step:
        raise ValueError(
            f"num_steps must be at least the {run.step} that are done, got {number}: give more, or another --output"
        )
    fitted = replace(config, train=replace(config.train, num_steps=number))
    entry = {"step": run.step, "num_steps": number, "minutes": config.minutes}
    if before is not None and before["num_steps"] == number:
        return fitted, run._replace(lengths=(*run.lengths[:-1], {**before, "minutes": config.minutes}))
    if before is not None:
        old = replace(config.train, num_steps=before["num_steps"])
        was, now = (learning_rate_at(min(run.step, one.num_steps), one) for one in (old, fitted.train))
        tell(
            f"the schedule is fitted to {number:,} steps, {before['num_steps']:,} before: at step {run.step:,} the "
            f"learning rate {was:.3g} becomes {now:.3g}"
        )
    return fitted, run._replace(lengths=(*run.lengths, entry))
