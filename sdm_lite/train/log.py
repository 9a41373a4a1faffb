"""What a run tells while it trains: a bar with the time left, lines of JSON, TensorBoard where it is installed.

Apart from the loop because a run is followed in three places, none of which it needs: a terminal, a file, a browser.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import torch

from sdm_lite.files import to_json, write_whole
from sdm_lite.train.bar import TrainingBar
from sdm_lite.train.config import RunConfig
from sdm_lite.train.loop import TrainStep
from sdm_lite.train.resume import Run

MEANS = ("loss", "simple", "vlb", "gradient_norm")


def memory_gib(device: torch.device) -> float:
    """The most memory used so far, GiB: the GPU's, or where there is none this process's; nan where unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    try:
        import resource
    except ImportError:  # not on Windows
        return math.nan
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (2**30 if sys.platform == "darwin" else 2**20)


class Log:
    """log.jsonl in the run's folder, and the same figures for TensorBoard where that is installed.

    Lines of steps after `start` are removed first: they are of steps that are done again.

    Args:
        folder: the run's.
        start: steps already done.
    """

    def __init__(self, folder: Path, start: int):
        self.path = folder / "log.jsonl"
        if self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines()
            write_whole(self.path, "".join(f"{line}\n" for line in lines if _step_of(line) <= start))
        self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 - closed by close()
        self._board = _tensorboard(folder, start)

    def write(self, figures: dict[str, object]) -> None:
        """Add a line; numbers that JSON has no word for become null."""
        self._file.write(to_json(figures) + "\n")
        self._file.flush()
        if self._board is not None:
            for name in figures.keys() - {"step"}:
                for key, number in _numbers(name, figures[name]):
                    self._board.add_scalar(key, number, figures["step"])

    def picture(self, name: str, picture: object, step: int) -> None:
        """Show a picture, uint8 (H, W, 3), in TensorBoard."""
        if self._board is not None:
            self._board.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        """Close file and board."""
        self._file.close()
        if self._board is not None:
            self._board.close()


class Follower:
    """Gathers steps into log lines, and shows them at the bar.

    Args:
        log: where lines go, or None in all processes but the main one.
        config: the run.
        run: its state before the first step.
        device: whose memory is told.
    """

    def __init__(self, log: Log | None, config: RunConfig, run: Run, device: torch.device):
        self.log, self.every, self.device = log, config.log_steps, device
        self.num_steps, self.batch_size = config.train.num_steps, config.train.batch_size
        self.num_skipped = run.num_skipped
        self._window: list[TrainStep] = []
        self.bar = TrainingBar(self.num_steps, run.step, is_silent=log is None)

    def add(self, step: TrainStep, seconds: float) -> None:
        """Take notice of a step; `seconds` is how long the run has trained in all."""
        self._window.append(step)
        self.num_skipped += step.skipped
        self.bar.update()
        if step.step % self.every and step.step != self.num_steps:
            return
        rate = self.bar.rate(len(self._window) * self.batch_size)
        figures = window_means(self._window) | {
            "num_skipped": self.num_skipped,
            "images_per_second": rate,
            "memory_gib": memory_gib(self.device),
            "seconds": seconds,
        }
        self._window = []
        if self.log is not None:
            self.log.write(figures)
            self._tell(figures)

    def close(self) -> None:
        """End the bar and the log."""
        self.bar.close()
        if self.log is not None:
            self.log.close()

    def _tell(self, figures: dict[str, object]) -> None:
        skipped = f", {self.num_skipped} skipped" if self.num_skipped else ""
        text = (
            f"simple {figures['simple']:.4f}, vlb {figures['vlb']:.4f} bits/dim, "
            f"{figures['images_per_second']:.0f} images/s, {figures['memory_gib']:.1f} GiB{skipped}"
        )
        left = (self.num_steps - figures["step"]) * self.batch_size / figures["images_per_second"]
        line = f"step {figures['step']} of {self.num_steps}: {text}, {left / 60:.0f} min left"
        self.bar.tell(text, line, at_end=figures["step"] == self.num_steps)


def window_means(steps: list[TrainStep]) -> dict[str, object]:
    """The figures of some steps as one line: means over those that were not skipped, else what the last one had."""
    last = steps[-1]
    good = [step for step in steps if not step.skipped]
    figures: dict[str, object] = {"step": last.step, "steps_averaged": len(good)}
    for name in MEANS:
        figures[name] = _mean([getattr(step, name) for step in good])
    columns = zip(*(step.simple_by_quartile for step in good), strict=True)
    figures["simple_by_quartile"] = [_mean([value for value in column if value == value]) for column in columns]
    return figures | {"ema_decay": last.ema_decay, "learning_rate": last.learning_rate}


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _step_of(line: str) -> float:
    """The step of a log line; infinity for one that a killed process left half written."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return math.inf


def _numbers(name: str, value: object) -> list[tuple[str, float]]:
    """A figure as TensorBoard's scalars: a list is numbered from 1."""
    if isinstance(value, list):
        return [(f"{name}/{n}", one) for n, one in enumerate(value, 1)]
    if isinstance(value, dict):
        return [(f"{name}/{key}", one) for key, one in value.items()]
    return [(name, value)] if isinstance(value, int | float) else []


def _tensorboard(folder: Path, start: int):
    """TensorBoard's writer, or None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=start + 1)
