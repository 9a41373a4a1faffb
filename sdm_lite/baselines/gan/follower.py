"""What a run of a GAN tells while it trains: a bar, lines of JSON, and a word in time where it collapses.

Apart from the loop because telling waits for the device, which is done once in `log_steps` steps and never in a step.
"""

from __future__ import annotations

import math

import torch

from sdm_lite.baselines.gan.training import GanStep
from sdm_lite.train.bar import TrainingBar
from sdm_lite.train.log import Log, memory_gib

VANISHED = 0.02
"""The discriminator's loss as a share of that of one who guesses: below it every picture is told apart."""

FLAT = 0.05
"""How much drawn pictures differ from one another, as a share of true ones: below it they are all one."""

NO_END = 10**9
"""Steps of a run that ends by the clock."""

PATIENCE = 500
"""Steps before a collapse is looked for: at its start every generator draws grey."""


class Follower:
    """Gathers steps into lines of log.jsonl, one in `log_steps`, and tells what goes wrong.

    Args:
        log: of the run.
        log_steps: steps between two lines.
        num_steps: when it ends; NO_END = by the clock.
        start: steps already done.
        batch_size: pictures a step.
        chance: `Adversarial.chance`.
        device: whose memory is told.
        num_skipped: in the steps already done.
        max_skipped_steps: how many steps in a row may change nothing.
    """

    def __init__(
        self,
        log: Log,
        *,
        log_steps: int,
        num_steps: int,
        start: int,
        batch_size: int,
        chance: float,
        device: torch.device,
        num_skipped: int = 0,
        max_skipped_steps: int = 25,
    ):
        self.log, self.log_steps, self.num_steps, self.device = log, log_steps, num_steps, device
        self.batch_size, self.chance, self.num_skipped = batch_size, chance, num_skipped
        self.max_skipped_steps = max_skipped_steps
        self._window: list[GanStep] = []
        self._told: set[str] = set()
        self.bar = TrainingBar(None if num_steps == NO_END else num_steps, start)

    def add(self, step: GanStep, seconds: float) -> None:
        """Take notice of a step; `seconds` is how long the run has trained in all.

        Raises:
            FloatingPointError: after more steps in a row that changed nothing than are allowed.
        """
        self._window.append(step)
        self.bar.update()
        if step.step % self.log_steps == 0 or step.step == self.num_steps:
            self.flush(seconds)

    def flush(self, seconds: float) -> None:
        """Read the steps since the last line, and write one; waits for the device."""
        if not self._window:
            return
        rows, steps = torch.stack([step.figures for step in self._window]).tolist(), self._window
        self._window = []
        figures = window_means(steps[0].names, rows)
        self.num_skipped += round(sum(row[steps[0].names.index("skipped")] for row in rows))
        rate = self.bar.rate(len(rows) * self.batch_size)
        line = {"step": steps[-1].step, **figures, "num_skipped": self.num_skipped, "images_per_second": rate}
        self.log.write(line | {"memory_gib": memory_gib(self.device), "seconds": seconds})
        self._tell(line)
        in_a_row = max(row[steps[0].names.index("skipped_in_a_row")] for row in rows)
        if in_a_row > self.max_skipped_steps:
            raise FloatingPointError(
                f"loss or gradient was no number {in_a_row:.0f} times in a row, up to step {steps[-1].step}: "
                "try a lower --rate-factor or a longer --warmup-steps"
            )
        self._tell_collapse(line)

    def close(self) -> None:
        """End the bar and the log."""
        self.bar.close()
        self.log.close()

    def _tell(self, line: dict[str, float]) -> None:
        skipped = f", {self.num_skipped} skipped" if self.num_skipped else ""
        text = (
            f"discriminator {line['discriminator']:.3f}, generator {line['generator']:.3f}, "
            f"contrast {line['contrast']:.2f}, {line['images_per_second']:.0f} images/s{skipped}"
        )
        self.bar.tell(text, f"step {line['step']}: {text}", at_end=line["step"] == self.num_steps)

    def _tell_collapse(self, line: dict[str, float]) -> None:
        for kind, sentence in collapses(line, self.chance).items():
            if kind not in self._told:
                self._told.add(kind)
                self.bar.say(sentence)
                self.log.write({"step": line["step"], "collapse": kind})


def collapses(line: dict[str, float], chance: float) -> dict[str, str]:
    """What has gone wrong in the steps of a log line: what to call it, and a sentence with what to try.

    Args:
        line: of `Follower`.
        chance: the loss of a discriminator that guesses.
    """
    step, found = line["step"], {}
    if step < PATIENCE:
        return found
    if line["discriminator"] < VANISHED * chance:
        found["discriminator wins"] = (
            f"step {step}: the discriminator tells every picture apart (its loss is {line['discriminator']:.4f}, that "
            f"of guessing {chance:g}), so that the generator hardly learns from it: try a lower --rate-factor, a "
            "larger --batch-size or another --seed; the run goes on"
        )
    if line["contrast"] < FLAT:
        found["pictures are all one"] = (
            f"step {step}: the generator draws one picture for all layouts (contrast {line['contrast']:.3f} of 1, its "
            f"loss is {line['generator']:.3f}): try a lower --rate-factor, or another --seed; the run goes on"
        )
    return found


def window_means(names: tuple[str, ...], rows: list[list[float]]) -> dict[str, float]:
    """Means of figures over the steps of a window that were not skipped; nan where all were."""
    at = names.index("skipped")
    good = [row for row in rows if not row[at]]
    columns = zip(*good, strict=True) if good else [[math.nan]] * len(names)
    means = {name: math.fsum(column) / len(column) for name, column in zip(names, columns, strict=True)}
    return {name: mean for name, mean in means.items() if not name.startswith("skipped")}
