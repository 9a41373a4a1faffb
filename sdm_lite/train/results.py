"""What a run leaves in its folder: checkpoints, sample grids, the best and the finished weights.

Apart from the command because this is where several processes, time and disk meet: what is due, and who writes it.

    RUN/config.yaml  log.jsonl  checkpoints/  samples/step-N.png  best.safetensors  model.safetensors  samples.png
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import torch

from sdm_lite.checkpoints import Model, load_facts, save_model
from sdm_lite.train.config import RunConfig
from sdm_lite.train.data import Data
from sdm_lite.train.held_out import Evaluation, Evaluator, Verdict, judge_progress
from sdm_lite.train.log import Follower, Log
from sdm_lite.train.processes import OneProcess
from sdm_lite.train.resume import Run, save_run
from sdm_lite.train.samples import sample_grid


class Results:
    """The folder of a run, as it fills.

    All processes call its methods alike; the main one writes.

    Args:
        config: the run.
        data: its data.
        processes: who shares it.
        argv: the command line, for the facts in the finished weights.
    """

    def __init__(self, config: RunConfig, data: Data, processes: OneProcess, argv: list[str]):
        self.config, self.data, self.processes, self.argv = config, data, processes, argv
        self.folder = Path(config.output)
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
        """Whether the stop rule is on, and the run has had as many evaluations without a new best as it allows."""
        allowed = self.config.stop_after_no_improvement
        return bool(allowed and run.evaluations) and _verdict(run).num_without_improvement >= allowed

    # What is written.

    def save(self, run: Run) -> None:
        """Write a checkpoint."""
        if self.processes.is_main and run.step != self._saved_step:
            best = _verdict(run).best.step if run.evaluations else None
            save_run(run, self.config, data=self.data.fingerprint, best_step=best)
        self._saved, self._saved_step = time.monotonic(), run.step
        self.processes.wait()

    def averaged(self, run: Run) -> Model:
        """The averaged weights with their process."""
        return Model(run.ema, self.config.diffusion.build().to(self.processes.device))

    def draw_samples(self, run: Run, log: Log | None) -> None:
        """Write a sample grid of the averaged weights as they are."""
        from sdm_lite.viz import save_png

        model = self.averaged(run)
        self._drawn = time.monotonic()
        if self.processes.is_main:
            grid = self._grid(model)
            save_png(self.folder / "samples" / f"step-{run.step:09d}.png", grid)
            if log is not None:
                log.picture("samples", grid, run.step)

    def evaluate(self, run: Run, evaluator: Evaluator, follower: Follower) -> tuple[Run, bool]:
        """Measure the averaged weights, tell whether they still improve, keep the best.

        Returns:
            The run with the evaluation in it, and whether it has stopped improving for as long as was allowed.
        """
        model = self.averaged(run)
        enough = False
        if self.processes.is_main:
            evaluation = evaluator(model, run.step)
            run = run._replace(evaluations=(*run.evaluations, evaluation._asdict()))
            verdict = _verdict(run)
            follower.say(verdict.line)
            if follower.log is not None:
                follower.log.write(
                    {"step": run.step, "evaluation": evaluation.figures, "still_improving": verdict.is_best}
                )
            if verdict.is_best:
                save_model(self.folder / "best.safetensors", model.unet, self.config.diffusion, facts=self.facts(run))
            enough = self.has_stopped_improving(run)
            if enough:
                follower.say(f"stopping: stop_after_no_improvement is {self.config.stop_after_no_improvement}")
        return run, self.processes.any([enough])[0]

    def finish(self, run: Run) -> None:
        """Write a last checkpoint, the averaged weights with the facts of their making, and a grid of their samples."""
        from sdm_lite.viz import save_png

        self.save(run)
        model = self.averaged(run)
        if not self.processes.is_main:
            return
        facts = self.facts(run)
        save_model(self.folder / "model.safetensors", model.unet, self.config.diffusion, facts=facts)
        print(f"wrote {self.folder / 'model.safetensors'}: the averaged weights after {run.step} steps")
        if self.config.save:
            save_model(self.config.save, model.unet, self.config.diffusion, facts=facts, dtype=torch.float16)
            print(f"wrote {self.config.save}")
        save_png(self.folder / "samples.png", self._grid(model))
        scale = self.config.sample_guidance_scale
        print(f"wrote {self.folder / 'samples.png'}: label map, real image, two samples; guidance scale {scale}")
        if run.evaluations:
            best = _verdict(run).best
            print(f"best.safetensors is of step {best.step}: {best.decides} {best.value:.4g}")

    def facts(self, run: Run) -> dict[str, object]:
        """What the weights say of their making."""
        return {
            "command": "python -m sdm_lite.train " + " ".join(self.argv),
            "steps": run.step,
            "images": run.step * self.config.train.batch_size,
            "seconds": round(run.seconds, 1),
            "num_skipped": run.num_skipped,
            "device": self.processes.device.type,
            "processes": self.processes.count,
            "mixed_precision": self.config.mixed_precision,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "data_seed": self.config.data_seed,
            "data": self.data.fingerprint,
            "data_images": self.data.num_images,
            "train_config": dataclasses.asdict(self.config.train),
            "diffusion": dataclasses.asdict(self.config.diffusion),
            "before": _facts_before(self.config.start_from),
        }

    def _grid(self, model: Model) -> object:
        scale = self.config.sample_guidance_scale
        num_steps = min(25, model.diffusion.num_timesteps)
        return sample_grid(
            model, self.data, guidance_scale=scale, num_samples=self.config.num_samples, num_steps=num_steps
        )


def _verdict(run: Run) -> Verdict:
    return judge_progress([Evaluation(**one) for one in run.evaluations])


def _facts_before(start_from: str | None) -> list[dict[str, object]]:
    """The facts of the phases that came before this one, first to last."""
    if start_from is None:
        return []
    facts = load_facts(start_from)
    return [*facts.get("before", []), {name: facts[name] for name in ("command", "steps", "seconds") if name in facts}]
