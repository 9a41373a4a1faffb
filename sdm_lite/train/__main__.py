"""`python -m sdm_lite.train`: train on Scenes or on a folder of photographs, resume, save, and tell how it goes.

Apart from the loop so that the loop stays a page that a course can show.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from importlib.util import find_spec
from pathlib import Path

import torch

from sdm_lite.checkpoints import Model, load_model, load_tensors, read_configs, resolve
from sdm_lite.checkpoints.fit import check_fit, shapes_of
from sdm_lite.presets import preset
from sdm_lite.train.config import RunConfig
from sdm_lite.train.data import Data, image_size, open_data
from sdm_lite.train.held_out import Evaluator
from sdm_lite.train.lock import hold_folder
from sdm_lite.train.log import Follower, Log
from sdm_lite.train.loop import TrainStep, train
from sdm_lite.train.options import parse
from sdm_lite.train.processes import OneProcess, join_processes
from sdm_lite.train.recipe import to_yaml
from sdm_lite.train.results import Results
from sdm_lite.train.resume import Run, check_same_recipe, new_run, resume_run, write_whole
from sdm_lite.train.signals import StopSignals
from sdm_lite.unet import SDMUNet


def check_output(folder: Path) -> None:
    """Raise ValueError, before any work, unless files can be written to the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable.{os.getpid()}.tmp"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ValueError(f"cannot write to --output {folder} ({error.strerror}): give another folder") from None


def check_packages() -> None:
    """Raise ValueError, before any work, unless the pictures at its end can be written."""
    if find_spec("PIL") is None:
        raise ValueError("sample grids need Pillow: pip install 'sdm_lite[train]'")


def check_network(config: RunConfig) -> Model | None:
    """What can be told about the network without making it, and the model it starts from, if there is one.

    Raises:
        ValueError: if the size does not suit the network, or `start_from` is of another network or process.
    """
    source = load_model(config.start_from) if config.start_from else None
    read = (source.unet.config.num_classes, source.unet.config.instance_edges) if source else (None, None)
    with torch.device("meta"):  # the paper's network takes a minute to fill with random numbers
        unet = SDMUNet(preset(config.preset, *read, image_size(config)))
    if source is None:
        return None
    check_fit(shapes_of(unet.state_dict()), shapes_of(source.unet.state_dict()), config.start_from)
    weights = resolve(config.start_from)
    _, process = read_configs(load_tensors(weights)[1], weights)
    theirs, ours = dataclasses.asdict(process), dataclasses.asdict(config.diffusion)
    different = ", ".join(f"{name} {theirs[name]}, not {ours[name]}" for name in ours if theirs[name] != ours[name])
    if different:
        raise ValueError(f"{config.start_from} was trained with {different}: give the same options")
    return source


def make_network(config: RunConfig, data: Data, source: Model | None) -> SDMUNet:
    """The network at the start: random weights from the seed, or those of `source`.

    Raises:
        ValueError: if `source` reads other classes than the data has.
    """
    unet_config = preset(config.preset, data.num_classes, data.has_instances, image_size(config))
    if source is not None:
        source.unet.config.check_data(config.dataset, data.num_classes, has_instances=data.has_instances)
        if source.unet.config.instance_edges != data.has_instances:
            raise ValueError(f"{config.start_from} reads no instance edges, {config.dataset} has instances")
    torch.manual_seed(config.train.seed)
    unet = SDMUNet(unet_config)
    if source is not None:
        unet.load_state_dict(source.unet.state_dict())
    return unet


def prepare(config: RunConfig, processes: OneProcess) -> tuple[Run, Data]:
    """Network, optimizer and data, resumed if the output folder has a checkpoint.

    Raises:
        ValueError: if anything of it does not go together, before the first step; where it can, before any work.
    """
    folder = Path(config.output)
    source = check_network(config)
    check_same_recipe(config)
    data = open_data(config, processes)
    run = new_run(make_network(config, data, source).to(processes.device), config.train)
    tell = None if processes.is_main else (lambda line: None)
    run = resume_run(run, config, data=data.fingerprint, tell=tell)
    processes.load_state_dict(run.precision)
    if processes.is_main:
        if run.step:
            print(f"resuming at step {run.step} of {config.train.num_steps} from {folder}")
        write_whole(folder / "config.yaml", lambda file: file.write(to_yaml(config).encode()))
    processes.wait()
    return run, data


def start_loop(run: Run, data: Data, config: RunConfig, processes: OneProcess) -> Iterator[TrainStep]:
    """The steps that are left of a run."""
    return train(
        run.unet,
        run.ema,
        config.diffusion.build().to(processes.device),
        data.batches,
        config.train,
        optimizer=run.optimizer,
        start=run.step,
        processes=processes,
        max_skipped_steps=config.max_skipped_steps,
    )


def train_and_tell(
    run: Run, data: Data, config: RunConfig, processes: OneProcess, results: Results, signals: StopSignals
) -> Run:
    """Run the loop: log, checkpoints, sample grids, evaluations, until it is done, stopped, or not improving."""
    if results.has_stopped_improving(run):
        return run
    log = Log(results.folder, run.step) if processes.is_main else None
    follower = Follower(
        log,
        num_steps=config.train.num_steps,
        start=run.step,
        batch_size=config.train.batch_size,
        every=config.log_steps,
        device=processes.device,
        num_skipped=run.num_skipped,
    )
    evaluator = Evaluator(data, config, processes.device) if config.evaluate_steps else None
    before, started = run.seconds, time.monotonic()
    with closing(follower):
        for step in start_loop(run, data, config, processes):
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
            with follower.pause():
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
    try:
        check_packages()
        config = parse(argv)
        processes = join_processes(config)
    except (ValueError, FileNotFoundError) as error:
        return _told(error, 2)
    with closing(processes), ExitStack() as held:
        try:
            if processes.is_main:
                check_output(Path(config.output))
                held.enter_context(hold_folder(Path(config.output)))
            run, data = prepare(config, processes)
        except (ValueError, OSError) as error:
            return _told(error, 2, everywhere=True)
        except KeyboardInterrupt:
            return _told("interrupted before the first step", 130, plain=True)
        with closing(data), StopSignals() as signals:
            return go(run, data, config, processes, signals, argv)


def go(run: Run, data: Data, config: RunConfig, processes: OneProcess, signals: StopSignals, argv: list[str]) -> int:
    """Train and write the results, and return the exit status; what cannot be gone on from is told in one line."""
    results = Results(config, data, processes, argv)
    try:
        run = train_and_tell(run, data, config, processes, results, signals)
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
