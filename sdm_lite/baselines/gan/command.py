"""`python -m sdm_lite.baselines train SYSTEM`: train one of the nine, resume, save, and tell how it goes.

Apart from the loop so that the loop stays a page that a course can show. Data, signals, logs and files are those of
`sdm_lite.train`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from sdm_lite.baselines.gan import SYSTEMS
from sdm_lite.baselines.gan.follower import NO_END, Follower
from sdm_lite.baselines.gan.perceptual import features_for
from sdm_lite.baselines.gan.runs import (
    Gan,
    Identity,
    Progress,
    check_newest,
    num_parameters,
    resume,
    save_checkpoint,
    save_gan,
)
from sdm_lite.baselines.gan.system import LayoutForm, System, layout_of
from sdm_lite.baselines.gan.training import GanConfig, Players, is_finite, new_players, settled, train
from sdm_lite.batches import Example
from sdm_lite.command import check_device, check_packages, default_device
from sdm_lite.datasets import DATASETS
from sdm_lite.datasets.options import add_treatment
from sdm_lite.files import check_writable_folder, expanded, hold, remove_unused, to_json, write_whole
from sdm_lite.pictures import Row, colorize, image_grid, png_bytes, scale_to_see
from sdm_lite.train.config import RunConfig, TrainConfig
from sdm_lite.train.data import Data, open_data, open_splits
from sdm_lite.train.log import Log
from sdm_lite.train.processes import Processes
from sdm_lite.train.signals import StopSignals

NUM_STEPS = 10_000

DESCRIPTION = """\
Train a GAN for label maps on Scenes or on photographs. Stop it at any time: the same command goes on from its last
checkpoint.
"""


def add_train(commands: argparse._SubParsersAction) -> None:
    """Add `train` to the commands of `python -m sdm_lite.baselines`."""
    parser = commands.add_parser("train", help="one of the nine GANs of Tables 1 and 3", description=DESCRIPTION)
    parser.add_argument("system", choices=list(SYSTEMS), metavar="SYSTEM", help=", ".join(SYSTEMS))
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data", "--dataset", dest="data", default="scenes", choices=["scenes", *DATASETS], metavar="NAME",
        help=f"scenes, or photographs: {', '.join(DATASETS)} (default: %(default)s)",
    )  # fmt: skip
    data.add_argument("--root", help="folder of the photographs")
    data.add_argument(
        "--size", type=int, nargs="+", metavar="N", help="height and width, or one number for both; scenes: 32"
    )
    data.add_argument("--num-images", type=int, default=20_000, help="Scenes to render (default: %(default)s)")
    data.add_argument("--data-seed", type=int, default=0, help="of Scenes, not 1 or 2: those are held out")
    data.add_argument("--crops", type=int, default=1, help="examples made of each photograph (default: %(default)s)")
    data.add_argument("--num-workers", type=int, default=2, help="threads that read photographs (default: %(default)s)")
    add_treatment(data)

    recipe = parser.add_argument_group("the recipe", "what is learned; a resumed run must have the same")
    for one in dataclasses.fields(GanConfig):
        flag, kind = "--" + one.name.replace("_", "-"), type(one.default)
        if one.name == "rate_factor":
            text = f"{one.metadata['help']} (default: the system's, the best of 1, 4, 10 at 32 x 32)"
            recipe.add_argument(flag, type=kind, help=text)
            continue
        recipe.add_argument(flag, type=kind, default=one.default, help=f"{one.metadata['help']} (default: %(default)s)")
    recipe.add_argument(
        "--perceptual", action=argparse.BooleanOptionalAction, default=True,
        help="the perceptual term, by a network that is not the judge, where the system has one (default: with)",
    )  # fmt: skip

    run = parser.add_argument_group("the run", "length, device, files; may change when it is resumed")
    run.add_argument("--num-steps", type=int, help=f"when to end (default: {NUM_STEPS}, or by --minutes alone)")
    run.add_argument("--minutes", type=float, default=0.0, help="of training, when to end; 0 = by steps alone")
    run.add_argument("--device", help="cpu, cuda, ... (default: a GPU if there is one)")
    run.add_argument("--output", help="folder of the run (default: runs/SYSTEM)")
    run.add_argument(
        "--checkpoint-minutes",
        type=float,
        default=2.0,
        help="between checkpoints, at a log line (default: %(default)s)",
    )
    run.add_argument("--keep-checkpoints", type=int, default=2, help="the newest so many (default: %(default)s)")
    run.add_argument("--log-steps", type=int, default=50, help="between two lines of log.jsonl (default: %(default)s)")
    run.add_argument("--sample-steps", type=int, default=0, help="between two sample grids; 0 = only one at the end")
    run.add_argument("--num-samples", type=int, default=8, help="held-out layouts in a grid (default: %(default)s)")
    run.add_argument("--max-skipped-steps", type=int, default=25, help="in a row, then stop (default: %(default)s)")
    parser.set_defaults(run=train_command)


class Training(NamedTuple):
    """A run, ready for its first step or its next."""

    args: argparse.Namespace
    system: System
    form: LayoutForm
    config: GanConfig
    identity: Identity
    players: Players
    data: Data
    features: Callable[[Tensor], Sequence[Tensor]] | None
    progress: Progress

    @property
    def folder(self) -> Path:
        """Of the run."""
        return Path(self.args.output)


def checked(args: argparse.Namespace) -> tuple[RunConfig, GanConfig]:
    """What was asked for, as the data's configuration and the recipe; `args` gets its defaults.

    Raises:
        ValueError: in one line, if something of it cannot be.
    """
    if args.rate_factor is None:
        args.rate_factor = SYSTEMS[args.system].rate_factor
    config = GanConfig(**{one.name: getattr(args, one.name) for one in dataclasses.fields(GanConfig)})
    lowest = {"num_images": 1, "crops": 1, "num_workers": 0, "log_steps": 1, "num_samples": 1, "keep_checkpoints": 1}
    lowest |= {"minutes": 0, "checkpoint_minutes": 0, "sample_steps": 0, "max_skipped_steps": 1, "data_seed": 0}
    for name, low in lowest.items():
        if not getattr(args, name) >= low:
            raise ValueError(f"--{name.replace('_', '-')} must be at least {low}, got {getattr(args, name)}")
    if args.num_steps is None:
        args.num_steps = NO_END if args.minutes else NUM_STEPS
    if args.num_steps < 1:
        raise ValueError(f"--num-steps must be at least 1, got {args.num_steps}")
    if args.size is None and args.data != "scenes":
        raise ValueError(f"{args.data} needs --size, height and width, such as --size 64")
    size = args.size or [32]
    if len(size) > 2:
        raise ValueError(f"--size takes one or two numbers, got {len(size)}")
    args.size = (size[0], size[-1])
    LayoutForm(args.size, 2, True).check()
    args.device = args.device or default_device()
    check_device(args.device)
    args.output = str(expanded(args.output or f"runs/{args.system}"))
    recipe = TrainConfig(
        num_steps=args.num_steps,
        batch_size=config.batch_size,
        flip_probability=config.flip_probability,
        seed=config.seed,
    )
    names = ("root", "size", "protocol", "crops", "skip_bad", "num_images", "data_seed", "num_workers", "num_samples")
    given = {name: getattr(args, name) for name in names}
    return RunConfig(dataset=args.data, output=args.output, device=args.device, train=recipe, **given), config


def prepare(args: argparse.Namespace, held: ExitStack) -> Training:
    """Networks and data, resumed if the folder of the run has a checkpoint; `held` then holds that folder.

    Raises:
        OSError: if a file cannot be read or written.
        ValueError: if anything does not go together; where it can be known, before the folder is made.
    """
    data_config, config = checked(args)
    system, folder = SYSTEMS[args.system], Path(args.output)
    check_packages("PIL", "tqdm")
    training, held_out = open_splits(data_config)
    form = LayoutForm(args.size, training.num_classes, training.has_instances)
    features = features_for(form.size, device=args.device) if args.perceptual and system.perceptual_weights else None
    check_writable_folder(folder)
    made = [place for place in (folder, *folder.parents) if not place.exists()]  # innermost first
    held.callback(remove_unused, made)
    busy = f"another run is writing to {folder}: wait until it ends, stop it, or give another --output"
    held.enter_context(hold(folder / ".lock", busy=busy))
    identity = Identity(args.system, form, config, features is not None, data="")
    check_newest(folder, identity)
    players = new_players(system, form, config, args.device)
    process = Processes(device=args.device)
    data = held.enter_context(closing(open_data(data_config, training, held_out, process, keeps_instance_ids=True)))
    identity = identity._replace(data=data.fingerprint)
    progress = resume(folder, players, identity, lambda line: print(line, file=sys.stderr))
    if progress.step:
        print(f"resuming at step {progress.step} from {folder}")
    told = {name: value for name, value in vars(args).items() if name not in ("run", "command", "argv")}
    write_whole(folder / "config.yaml", "".join(f"{name}: {to_json(value)}\n" for name, value in told.items()))
    return Training(args, system, form, config, identity, players, data, features, progress)


def train_and_tell(run: Training, signals: StopSignals) -> Training:
    """Run the loop with its log, checkpoints and grids, until it is done, out of time, or stopped."""
    args, players = run.args, run.players
    log = Log(run.folder, run.progress.step)
    follower = Follower(
        log,
        log_steps=args.log_steps,
        num_steps=args.num_steps,
        start=run.progress.step,
        batch_size=run.config.batch_size,
        chance=run.system.adversarial.chance,
        device=players.device,
        num_skipped=run.progress.num_skipped,
        max_skipped_steps=args.max_skipped_steps,
    )
    budget = args.minutes * 60 or float("inf")
    steps = train(
        run.system,
        players,
        run.data.batches,
        run.config,
        num_steps=args.num_steps if run.progress.seconds < budget else 0,
        start=run.progress.step,
        features=run.features,
    )
    started = time.monotonic() - run.progress.seconds  # moved on by every pause, so that only training counts
    saved, step, seconds = time.monotonic(), run.progress.step, run.progress.seconds

    def at(step: int, seconds: float) -> Training:
        follower.flush(seconds)
        return run._replace(progress=Progress(step, seconds, follower.num_skipped))

    with closing(follower):
        for done in steps:
            step, seconds = done.step, time.monotonic() - started
            follower.add(done, seconds)
            stop = signals.received is not None or seconds >= budget
            # Where a log line has just been written, so that lines are of the same steps whenever a run was stopped.
            save = step % args.log_steps == 0 and time.monotonic() - saved > 60 * args.checkpoint_minutes
            sample = bool(args.sample_steps and step % args.sample_steps == 0)
            if save or sample or stop:
                paused = time.monotonic()
                with follower.bar.pause():
                    if sample:
                        picture = png_bytes(grid(run, settled(players, run.data.batches, run.config)))
                        write_whole(run.folder / "samples" / f"step-{step:09d}.png", picture)
                    if save:
                        run = at(step, seconds)
                        save_checkpoint(run.folder, players, run.identity, run.progress, args.keep_checkpoints)
                        saved = time.monotonic()
                started += time.monotonic() - paused
            if stop:
                break
        run = at(step, seconds)
    save_checkpoint(run.folder, players, run.identity, run.progress, args.keep_checkpoints)
    return run


def grid(run: Training, generator: torch.nn.Module) -> np.ndarray:
    """A picture of held-out examples: label map, true picture, two samples; (H', W', 3) uint8."""
    number = run.args.num_samples
    apart = max(1, len(run.data.held_out) // number)  # neighbours of a video are much the same picture
    gan = Gan(run.system, run.form, generator, {})
    return sample_grid(gan, run.data.held_out[::apart][:number], run.data.palette)


def sample_grid(gan: Gan, examples: list[Example], palette: np.ndarray) -> np.ndarray:
    """A picture of examples: label map, true picture, two samples of seeds that are always the same.

    Args:
        gan: what draws.
        examples: at least one, a column each.
        palette: (num_classes, 3) uint8.

    Returns:
        (H', W', 3) uint8.
    """
    images, label_maps, instance_maps = default_collate(examples)  # (N, 3, H, W), twice (N, H, W)
    layout = layout_of(label_maps, gan.form.num_classes, instance_maps if gan.form.has_instances else None)
    rows: list[Row] = [colorize(label_maps, palette), images]
    rows += [gan(layout, range(first, first + len(images))).cpu() for first in (0, 1000)]
    return image_grid(rows, scale=scale_to_see(images.shape[3]))


def finish(run: Training) -> None:
    """Write the generator to draw with, and a grid of what it draws."""
    if not is_finite(run.players):
        raise FloatingPointError("the weights are no numbers any more: try a lower --rate-factor")
    generator = settled(run.players, run.data.batches, run.config)
    save_gan(run.folder / "model.safetensors", run.system, run.form, generator, facts=facts(run))
    print(f"wrote {run.folder / 'model.safetensors'}: the averaged weights after {run.progress.step} steps")
    write_whole(run.folder / "samples.png", png_bytes(grid(run, generator)))
    print(f"wrote {run.folder / 'samples.png'}: label map, true picture, two samples")


def facts(run: Training) -> dict[str, object]:
    """What the weights say of their making."""
    players, progress = run.players, run.progress
    return {
        "command": shlex.join(["python", "-m", "sdm_lite.baselines", *run.args.argv]),
        "steps": progress.step,
        "images": progress.step * run.config.batch_size,
        "seconds": round(progress.seconds, 1),
        "num_skipped": progress.num_skipped,
        "device": players.device.type,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "dataset": run.args.data,
        "data_images": run.data.num_images,
        "data_seed": run.args.data_seed,
        "run": json.loads(to_json(run.identity.told())),
        "parameters": {name: num_parameters(network) for name, network in players.networks().items() if name != "ema"},
    }


def train_command(args: argparse.Namespace) -> int:
    """Train, and return the exit status: 0; 1 if numbers gave out; 130 or 143 after Ctrl-C or SIGTERM."""
    with ExitStack() as held:
        run = prepare(args, held)
        with StopSignals() as signals:
            try:
                run = train_and_tell(run, signals)
                if signals.received is not None:
                    line = f"stopped at step {run.progress.step}; the same command goes on from {args.output}"
                    print(line, file=sys.stderr)
                    return signals.exit_status
                finish(run)
            except FloatingPointError as error:
                print(f"error: {error}; the last good checkpoint is in {args.output}/checkpoints", file=sys.stderr)
                return 1
            except torch.cuda.OutOfMemoryError:
                print("error: the device has no memory left: give a smaller --batch-size or --size", file=sys.stderr)
                return 1
    return 0
