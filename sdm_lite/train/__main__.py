"""`python -m sdm_lite.train`: train on Scenes or on a folder of photographs, resume, save, and tell how it goes.

Apart from the loop so that the loop stays a page that a course can show.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import torch

from sdm_lite.command import check_packages, forgiving_streams
from sdm_lite.concat import make_unet
from sdm_lite.files import check_writable, check_writable_folder, hold, remove_unused, write_whole
from sdm_lite.presets import preset
from sdm_lite.train.config import RunConfig
from sdm_lite.train.data import Data, image_size, open_data, open_splits
from sdm_lite.train.held_out import Evaluator
from sdm_lite.train.length import fit_length, measure_pace
from sdm_lite.train.log import Follower, Log
from sdm_lite.train.loop import train
from sdm_lite.train.options import parse
from sdm_lite.train.processes import Processes, join_processes
from sdm_lite.train.recipe import to_yaml
from sdm_lite.train.results import Results
from sdm_lite.train.resume import Run, check_same_recipe, new_run, resume_run
from sdm_lite.train.signals import StopSignals
from sdm_lite.train.start import find_start


def prepare(config: RunConfig, processes: Processes, held: ExitStack) -> tuple[Run, Data, RunConfig]:
    """Network, optimizer and data, resumed if the output folder has a checkpoint; `held` then holds that folder.

    The configuration that comes back has the number of steps that the run is to have, see `length.fit_length`.

    Raises:
        OSError: if a file cannot be read or written.
        ValueError: if anything of it does not go together, before the first step; where it can, before any work and
            before the folder is made.
    """
    folder = Path(config.output)
    training, held_out = open_splits(config)
    unet_config = preset(config.preset, training.num_classes, training.has_instances, image_size(config))
    start = find_start(config, unet_config)
    if processes.is_main:
        check_writable_folder(folder)
        if config.save:
            check_writable(config.save, option="--save")
        busy = f"another run is writing to {folder}: wait until it ends, stop it, or give another --output"
        made = [place for place in (folder, *folder.parents) if not place.exists()]  # innermost first
        held.callback(remove_unused, made)
        held.enter_context(hold(folder / ".lock", busy=busy))
    check_same_recipe(config)
    data = open_data(config, training, held_out, processes)
    torch.manual_seed(config.train.seed)
    unet = make_unet(unet_config)
    if start is not None:
        unet.load_state_dict(start.tensors, strict=not start.left)
    tell = None if processes.is_main else (lambda line: None)
    run = resume_run(new_run(unet.to(processes.device), config.train), config, data=data.fingerprint, tell=tell)
    processes.load_state_dict(run.precision)
    pace = partial(measure_pace, run.unet, config, data, config.diffusion.build().to(processes.device), processes)
    config, run = fit_length(config, run, pace, tell=print if processes.is_main else tell)
    if processes.is_main:
        if start is not None and start.left and not run.step:
            print(start.told(config.start_from))
        if run.step:
            print(f"resuming at step {run.step} of {config.train.num_steps} from {folder}")
        write_whole(folder / "config.yaml", to_yaml(config))
    processes.wait()
    return run, data, config


def train_and_tell(run: Run, results: Results, signals: StopSignals) -> Run:
    """Run the loop: log, checkpoints, sample grids, evaluations, until it is done, stopped, or not improving."""
    if results.has_stopped_improving(run):
        return run
    config, data, processes = results.config, results.data, results.processes
    log = Log(results.folder, run.step) if processes.is_main else None
    if log is not None and len(run.lengths) > 1 and run.lengths[-1]["step"] == run.step:
        log.write({"step": run.step, "schedule_fitted_to": run.lengths[-1]["num_steps"]})
    follower = Follower(log, config, run, processes.device)
    evaluator = Evaluator(data, config, processes.device) if config.evaluate_steps else None
    steps = train(
        run.unet,
        run.ema,
        results.diffusion,
        data.batches,
        config.train,
        optimizer=run.optimizer,
        start=run.step,
        processes=processes,
        max_skipped_steps=config.max_skipped_steps,
    )
    before, started = run.seconds, time.monotonic()
    with closing(follower):
        for step in steps:
            run = run._replace(
                step=step.step,
                seconds=before + time.monotonic() - started,
                num_skipped=run.num_skipped + step.skipped,
                precision=processes.state_dict(),
            )
            follower.add(step, run.seconds)
            stop, save, sample = processes.any(
                [signals.received is not None, results.checkpoint_is_due(run), results.samples_are_due(run)]
            )
            with follower.bar.pause():
                if evaluator is not None and step.step % config.evaluate_steps == 0:
                    run, enough = results.evaluate(run, evaluator, follower)
                    stop, save = stop or enough, True
                if sample:
                    results.draw_samples(run, log)
                # While steps are skipped the weights may be beyond repair: the last good checkpoint stays the newest.
                if (save or stop) and not step.skipped:
                    results.save(run)
            if stop:
                break
    return run


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Returns:
        0 if it finished; 1 if it could not go on (numbers, disk); 2 on bad input; 130 or 143 after Ctrl-C or SIGTERM.
        But for bad input the last good checkpoint is there, and the same command goes on from it.
    """
    argv = sys.argv[1:] if argv is None else argv
    forgiving_streams()
    try:
        config = parse(argv)
        check_packages("PIL")  # for the pictures at its end
        processes = join_processes(config)
    except (ValueError, FileNotFoundError) as error:
        return _told(error, 2)
    with closing(processes), ExitStack() as held:
        try:
            run, data, config = prepare(config, processes, held)
        except (ValueError, OSError) as error:
            return _told(error, 2, everywhere=True)
        except KeyboardInterrupt:
            return _told("interrupted before the first step", 130, plain=True)
        with closing(data), StopSignals() as signals:
            return go(run, Results(config, data, processes, argv), signals)


def go(run: Run, results: Results, signals: StopSignals) -> int:
    """Train and write the results, and return the exit status; what cannot be gone on from is told in one line."""
    config = results.config
    try:
        run = train_and_tell(run, results, signals)
        if signals.received is not None:
            line = f"stopped at step {run.step}; the same command goes on from {config.output}"
            return _told(line, signals.exit_status, plain=True)
        results.finish(run)
    except FloatingPointError as error:
        return _told(f"{error}; the last good checkpoint is in {config.output}/checkpoints", 1)
    except torch.cuda.OutOfMemoryError:
        return _told(
            "the device has no memory left: give more accumulation_steps, a smaller batch_size, or mixed_precision "
            f"bf16 (python -m sdm_lite.plan {config.preset} counts what it takes)",
            1,
            everywhere=True,
        )
    except (OSError, ValueError) as error:  # a full disk; an example that turns out to be damaged when it is read
        line = f"{error}; what was written to {config.output} before is whole, and the same command goes on from it"
        return _told(line, 1, everywhere=True)
    except KeyboardInterrupt:
        return _told(f"interrupted; the same command goes on from {config.output}", 130, plain=True)
    return 0


def _told(error: object, status: int, *, everywhere: bool = False, plain: bool = False) -> int:
    """Print one line, from the first process alone if all have the same to say, and return the exit status."""
    rank = os.environ.get("RANK", "0")
    if everywhere or rank == "0":
        where = "" if rank == "0" else f" (process {rank})"
        print(error if plain else f"error{where}: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
