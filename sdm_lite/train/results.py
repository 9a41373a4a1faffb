"""What a run leaves in its folder: checkpoints, sample grids, the best and the finished weights.

Apart from the command because this is where several processes, time and disk meet: what is due, and who writes it.

    RUN/config.yaml  log.jsonl  checkpoints/  samples/step-N.png  best.safetensors  model.safetensors  samples.png
"""

from __future__ import annotations

import dataclasses
import shlex
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import default_collate

from sdm_lite.batches import Example
from sdm_lite.checkpoints import Model, load_facts, save_model
from sdm_lite.evaluate import SampleSettings, draw_samples
from sdm_lite.files import write_whole
from sdm_lite.pictures import Row, colorize, image_grid, png_bytes, scale_to_see
from sdm_lite.train.config import RunConfig
from sdm_lite.train.data import Data
from sdm_lite.train.held_out import Evaluation, Evaluator, Verdict, judge_progress
from sdm_lite.train.log import Follower, Log
from sdm_lite.train.processes import Processes
from sdm_lite.train.resume import Run, is_finite, save_run


class Results:
    """The folder of a run, as it fills.

    All processes call its methods alike; the main one writes.

    Args:
        config: the run.
        data: its data.
        processes: who shares it.
        argv: the command line, for the facts in the finished weights.
    """

    def __init__(self, config: RunConfig, data: Data, processes: Processes, argv: list[str]):
        self.config, self.data, self.processes, self.argv = config, data, processes, argv
        self.folder, self.diffusion = Path(config.output), config.diffusion.build().to(processes.device)
        self._saved = self._drawn = time.monotonic()
        self._saved_step = -1

    # What is due.

    def checkpoint_is_due(self, run: Run) -> bool:
        """Whether enough time or steps have passed since the last checkpoint."""
        every, minutes = self.config.checkpoint_steps, self.config.checkpoint_minutes
        return bool(every and run.step % every == 0) or time.monotonic() - self._saved > 60 * minutes

    def samples_are_due(self, run: Run) -> bool:
        """Whether enough time or steps have passed since the last sample grid."""
        every, minutes = self.config.sample_steps, self.config.sample_minutes
        by_time = minutes > 0 and time.monotonic() - self._drawn > 60 * minutes
        return bool(every and run.step % every == 0) or by_time

    def has_stopped_improving(self, run: Run) -> bool:
        """Whether the stop rule is on, and the run has had as many evaluations without a gain as it allows."""
        allowed = self.config.stop_after_no_improvement
        return bool(allowed and run.evaluations) and _verdict(run).num_without_improvement >= allowed

    # What is written.

    def save(self, run: Run) -> None:
        """Write a checkpoint."""
        if self.processes.is_main and run.step != self._saved_step:
            best = _verdict(run).best.step if run.evaluations else None
            facts = self.facts(run)
            save_run(run, self.config, data=self.data.fingerprint, best_step=best, facts=facts)
        self._saved, self._saved_step = time.monotonic(), run.step
        self.processes.wait()

    def draw_samples(self, run: Run, log: Log | None) -> None:
        """Write a sample grid of the averaged weights as they are."""
        self._drawn = time.monotonic()
        if self.processes.is_main:
            grid = self._grid(run)
            write_whole(self.folder / "samples" / f"step-{run.step:09d}.png", png_bytes(grid))
            if log is not None:
                log.picture("samples", grid, run.step)

    def evaluate(self, run: Run, evaluator: Evaluator, follower: Follower) -> tuple[Run, bool]:
        """Measure the averaged weights, tell whether they still improve, keep the best.

        Returns:
            The run with the evaluation in it, and whether it has stopped improving for as long as was allowed.
        """
        enough = False
        if self.processes.is_main:
            evaluation = evaluator(Model(run.ema, self.diffusion), run.step)
            run = run._replace(evaluations=(*run.evaluations, evaluation._asdict()))
            verdict = _verdict(run)
            follower.bar.say(verdict.line)
            if follower.log is not None:
                improving = verdict.num_without_improvement == 0
                follower.log.write({"step": run.step, "evaluation": evaluation.figures, "still_improving": improving})
            if verdict.is_best:
                save_model(self.folder / "best.safetensors", run.ema, self.config.diffusion, facts=self.facts(run))
            enough = self.has_stopped_improving(run)
            if enough:
                follower.bar.say(f"stopping: stop_after_no_improvement is {self.config.stop_after_no_improvement}")
        return run, self.processes.any([enough])[0]

    def finish(self, run: Run) -> None:
        """Write a last checkpoint, the averaged weights with the facts of their making, and a grid of their samples."""
        self.save(run)
        if not is_finite(run.ema):
            rate = self.config.train.learning_rate
            raise FloatingPointError(f"the weights are no numbers any more: try a learning_rate below {rate:g}")
        if not self.processes.is_main:
            return
        facts = self.facts(run)
        save_model(self.folder / "model.safetensors", run.ema, self.config.diffusion, facts=facts)
        print(f"wrote {self.folder / 'model.safetensors'}: the averaged weights after {run.step} steps")
        if self.config.save:
            save_model(self.config.save, run.ema, self.config.diffusion, facts=facts, dtype=torch.float16)
            print(f"wrote {self.config.save}")
        write_whole(self.folder / "samples.png", png_bytes(self._grid(run)))
        scale = self.config.sample_guidance_scale
        print(f"wrote {self.folder / 'samples.png'}: label map, real image, two samples; guidance scale {scale}")
        if run.evaluations:
            best = _verdict(run).best
            print(f"best.safetensors is of step {best.step}: {best.decides} {best.value:.4g}")

    def facts(self, run: Run) -> dict[str, object]:
        """What the weights say of their making."""
        return {
            "command": shlex.join(["python", "-m", "sdm_lite.train", *self.argv]),
            "steps": run.step,
            "images": run.step * self.config.train.batch_size,
            "seconds": round(run.seconds, 1),
            "num_skipped": run.num_skipped,
            "device": self.processes.device.type,
            "processes": self.processes.count,
            "mixed_precision": self.config.mixed_precision,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "dataset": self.config.dataset,
            "data_seed": self.config.data_seed,
            "data": self.data.fingerprint,
            "data_images": self.data.num_images,
            "guidance_scale": self.config.sample_guidance_scale,
            "train_config": dataclasses.asdict(self.config.train),
            "diffusion": dataclasses.asdict(self.config.diffusion),
            **({"lengths": list(run.lengths)} if len(run.lengths) > 1 else {}),
            "before": _facts_before(self.config.start_from),
        }

    def _grid(self, run: Run) -> np.ndarray:
        number = self.config.num_samples
        apart = max(1, len(self.data.held_out) // number)  # neighbours of a video are much the same picture
        examples = self.data.held_out[::apart][:number]
        settings = SampleSettings(self.config.sample_guidance_scale, min(25, self.diffusion.num_timesteps))
        return sample_grid(Model(run.ema, self.diffusion), examples, self.data.palette, settings)


def sample_grid(model: Model, examples: list[Example], palette: np.ndarray, settings: SampleSettings) -> np.ndarray:
    """A picture of `sample_rows`.

    Args:
        model: network, averaged weights as a rule, and process.
        examples: at least one, a column each.
        palette: (num_classes, 3) uint8.
        settings: how to sample.

    Returns:
        (H', W', 3) uint8.
    """
    return image_grid(sample_rows(model, examples, palette, settings), scale=scale_to_see(examples[0].image.shape[2]))


def sample_rows(model: Model, examples: list[Example], palette: np.ndarray, settings: SampleSettings) -> list[Row]:
    """Rows of a grid: label maps, real images, and twice samples of the network from noise that is always the same.

    Args:
        model: network, averaged weights as a rule, and process.
        examples: at least one, a column each.
        palette: (num_classes, 3) uint8.
        settings: how to sample.

    Returns:
        Four rows, as `image_grid` and `viz.show_grid` take them.
    """
    images, label_maps, instance_maps = default_collate(examples)  # (N, 3, H, W), twice (N, H, W)
    rows: list[Row] = [colorize(label_maps, palette), images]
    for first_seed in (0, 1000):
        seeds = range(first_seed, first_seed + len(images))
        rows.append(draw_samples(model, label_maps, instance_maps, seeds, settings))
    return rows


def _verdict(run: Run) -> Verdict:
    return judge_progress([Evaluation(**one) for one in run.evaluations])


def _facts_before(start_from: str | None) -> list[dict[str, object]]:
    """The facts of the phases that came before this one, first to last."""
    if start_from is None:
        return []
    facts = load_facts(start_from)
    return [*facts.get("before", []), {name: facts[name] for name in ("command", "steps", "seconds") if name in facts}]
