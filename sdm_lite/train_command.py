"""`python -m sdm_lite.train`: train on Scenes or on a folder of photographs, resume, save, and draw what was learned.

Apart from the loop so that the loop stays a page that a course can show.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import torch

from sdm_lite.checkpoints import load_exactly, load_facts, load_model, save_model
from sdm_lite.diffusion import GaussianDiffusion
from sdm_lite.guidance import denoiser
from sdm_lite.labels import Example, encode_labels
from sdm_lite.presets import PRESETS, preset
from sdm_lite.sampling import SampleNoise, last, sample_ddim
from sdm_lite.train import FINE_TUNE, ImageBatches, Run, TrainConfig, load_run, new_run, save_run, train
from sdm_lite.unet import SDMUNet


class Data(NamedTuple):
    """A data set, ready: what to train on, some held-out examples to draw, and what they look like."""

    batches: ImageBatches
    held_out: list[Example]
    palette: object
    num_classes: int
    has_instances: bool


def scenes_data(args: argparse.Namespace, config: TrainConfig) -> Data:
    """Scenes, rendered once: training from `--data-seed`, held out from the next seed."""
    from sdm_lite.progress import Progress
    from sdm_lite.scenes import Scenes

    size = args.size[0]
    if args.size[0] != args.size[1]:
        raise ValueError(f"Scenes are square: --size {size} {size}, got {args.size[0]} {args.size[1]}")
    scenes = Scenes(size=size, length=args.num_images, seed=args.data_seed)
    done = 0
    with Progress("rendering Scenes", total=args.num_images) as bar:

        def tick(count: int) -> None:
            nonlocal done
            bar.update(count - done)
            done = count

        images, label_maps, instance_maps = scenes.materialize(range(args.num_images), progress=tick)
    held_out = Scenes(size=size, length=args.num_samples, seed=args.data_seed + 1)
    batches = ImageBatches(images, label_maps, instance_maps, scenes.num_classes, config)
    return Data(batches, [held_out[i] for i in range(args.num_samples)], scenes.palette, scenes.num_classes, True)


def camvid_data(args: argparse.Namespace, config: TrainConfig) -> Data:
    """CamVid from the user's folder: its train split, and examples of its val split."""
    from sdm_lite.datasets import CamVid

    if args.root is None:
        raise ValueError("--dataset camvid needs --root FOLDER, the folder with images/ and labels/")
    size = tuple(args.size)
    training, held_out = CamVid(args.root, "train", size), CamVid(args.root, "val", size)
    examples = [training[i] for i in range(len(training))]
    images = torch.stack([((e.image + 1) * 127.5).round().to(torch.uint8) for e in examples])
    label_maps = torch.stack([e.label_map.to(torch.uint8) for e in examples])
    instance_maps = torch.stack([e.instance_map.to(torch.uint8) for e in examples])
    batches = ImageBatches(images, label_maps, instance_maps, training.num_classes, config)
    stride = max(1, len(held_out) // args.num_samples)
    shown = [held_out[i] for i in range(0, len(held_out), stride)][: args.num_samples]
    return Data(batches, shown, training.palette, training.num_classes, True)


DATASETS = {"scenes": scenes_data, "camvid": camvid_data}


def sample_grid(
    unet: SDMUNet, diffusion: GaussianDiffusion, data: Data, *, guidance_scale: float, num_steps: int
) -> object:
    """A picture of held-out examples: label map, real image, two samples of the network, a column each."""
    from sdm_lite.viz import colorize, image_grid, to_uint8

    label_maps = torch.stack([e.label_map for e in data.held_out])
    instance_maps = torch.stack([e.instance_map for e in data.held_out])
    device = next(unet.parameters()).device
    condition = encode_labels(label_maps, data.num_classes, instance_maps if data.has_instances else None).to(device)
    draw = denoiser(unet, diffusion, condition, guidance_scale)
    rows: list[list[object]] = [[colorize(m, data.palette) for m in label_maps]]
    rows.append(list(to_uint8(torch.stack([e.image for e in data.held_out]))))
    for first_seed in (0, 1000):
        noise = SampleNoise(range(first_seed, first_seed + len(label_maps)))((3, *label_maps.shape[1:])).to(device)
        rows.append(list(to_uint8(last(sample_ddim(draw, diffusion, noise, num_steps)).cpu())))
    return image_grid(rows, scale=max(1, 96 // label_maps.shape[1]))


def parse(argv: list[str] | None) -> tuple[argparse.Namespace, TrainConfig]:
    """The command line, as its own options and a TrainConfig; every field of that is an option."""
    parser = argparse.ArgumentParser(
        prog="python -m sdm_lite.train",
        description="Train an SDM. Stop it at any time: the same command goes on from its last checkpoint.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--dataset", choices=sorted(DATASETS), default="scenes", help="what to train on")
    parser.add_argument("--root", help="the data set's folder, if it has one")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="scenes-32", help="the network")
    parser.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), help="of the images; default: the preset's")
    parser.add_argument(
        "--output", type=Path, default=Path("runs/latest"), help="folder for checkpoint, log and results"
    )
    parser.add_argument("--save", type=Path, help="also write the finished averaged weights here, 16 bits each")
    parser.add_argument("--start-from", help="weights to start from: a shipped name or a file")
    parser.add_argument(
        "--fine-tune", action="store_true", help=f"null-label fine-tuning: sets {FINE_TUNE} unless given"
    )
    parser.add_argument("--num-images", type=int, default=20_000, help="Scenes to render for training")
    parser.add_argument("--data-seed", type=int, default=0, help="of Scenes; the next seed is held out")
    parser.add_argument("--num-samples", type=int, default=8, help="held-out label maps in the sample grid")
    parser.add_argument(
        "--guidance-scale", type=float, help="of the sample grid; default: 1.5 if labels were dropped, else 1"
    )
    parser.add_argument("--checkpoint-minutes", type=float, default=2.0, help="between checkpoints")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where to compute")
    recipe = parser.add_argument_group("recipe")
    for option in dataclasses.fields(TrainConfig):
        flag = "--" + option.name.replace("_", "-")
        recipe.add_argument(
            flag, type=type(option.default), default=None, help=f"{option.metadata['help']} [{option.default}]"
        )
    args = parser.parse_args(argv)
    given = {
        o.name: getattr(args, o.name) for o in dataclasses.fields(TrainConfig) if getattr(args, o.name) is not None
    }
    config = TrainConfig(**((FINE_TUNE if args.fine_tune else {}) | given))
    if args.fine_tune and not args.start_from:
        raise ValueError("--fine-tune needs --start-from: the model of the first phase")
    args.size = tuple(args.size) if args.size else PRESETS[args.preset].image_size
    if args.guidance_scale is None:
        args.guidance_scale = 1.5 if config.null_probability > 0 else 1.0
    return args, config


def check_output(folder: Path) -> None:
    """Raise ValueError, before any work, unless files can be written to the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ValueError(f"cannot write to --output {folder} ({error.strerror}): give another folder") from None


def prepare(args: argparse.Namespace, config: TrainConfig) -> tuple[Run, Data]:
    """Network, optimizer and data, resumed if the output folder has a checkpoint."""
    check_output(args.output)
    torch.manual_seed(config.seed)
    unet = SDMUNet(preset(args.preset, image_size=args.size))  # a wrong size is told before anything is rendered
    if args.start_from:
        source = load_model(args.start_from)
        load_exactly(unet, source.unet.state_dict(), args.start_from)
        process = (source.diffusion.num_timesteps, source.diffusion.prediction_type)
        if process != (config.num_timesteps, config.prediction_type):
            raise ValueError(
                f"{args.start_from} was trained with T, prediction type = {process}: give the same options"
            )
    data = DATASETS[args.dataset](args, config)
    channels = data.batches.condition_channels
    if channels != unet.config.condition_channels:
        if args.start_from:
            raise ValueError(
                f"{args.start_from} reads {unet.config.condition_channels} condition channels, the data has {channels}"
            )
        unet = SDMUNet(preset(args.preset, channels, args.size))
    run = new_run(unet.to(args.device), config)
    checkpoint = args.output / "checkpoint.pt"
    if checkpoint.exists():
        run = load_run(checkpoint, run, config)
        print(f"resuming {checkpoint} at step {run.step} of {config.num_steps}")
    return run, data


def train_and_log(
    run: Run, data: Data, diffusion: GaussianDiffusion, args: argparse.Namespace, config: TrainConfig
) -> Run:
    """Run the loop with a progress bar, a JSON line every 50 steps, and checkpoints."""
    from tqdm.auto import tqdm

    steps = train(run.unet, run.ema, diffusion, data.batches, config, optimizer=run.optimizer, start=run.step)
    before, started, saved = run.seconds, time.monotonic(), time.monotonic()
    with (
        open(args.output / "log.jsonl", "a") as log,
        tqdm(total=config.num_steps, initial=run.step, mininterval=1.0) as bar,
    ):
        for step in steps:
            run = run._replace(step=step.step, seconds=before + time.monotonic() - started)
            bar.update()
            if step.step % 50 == 0 or step.step == config.num_steps:
                rate = config.batch_size * bar.format_dict["rate"] if bar.format_dict["rate"] else 0.0
                bar.set_postfix_str(f"simple {step.simple:.4f}, vlb {step.vlb:.4f} bits/dim, {rate:.0f} images/s")
                log.write(json.dumps(step._asdict()) + "\n")
                log.flush()
            if time.monotonic() - saved > 60 * args.checkpoint_minutes:
                save_run(args.output / "checkpoint.pt", run, config)
                saved = time.monotonic()
    save_run(args.output / "checkpoint.pt", run, config)
    return run


def facts_before(start_from: str | None) -> list[dict[str, object]]:
    """The facts of the phases that came before this one, first to last."""
    if start_from is None:
        return []
    facts = load_facts(start_from)
    return [*facts.get("before", []), {name: facts[name] for name in ("command", "steps", "seconds") if name in facts}]


def finish(
    run: Run, data: Data, diffusion: GaussianDiffusion, args: argparse.Namespace, config: TrainConfig, argv: list[str]
) -> None:
    """Write the averaged weights with the facts of their making, and a grid of samples."""
    from sdm_lite.viz import save_png

    facts = {
        "command": "python -m sdm_lite.train " + " ".join(argv),
        "steps": run.step,
        "images": run.step * config.batch_size,
        "seconds": round(run.seconds, 1),
        "device": args.device,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "data_seed": args.data_seed,
        "train_config": dataclasses.asdict(config),
        "before": facts_before(args.start_from),
    }
    ema = deepcopy(run.ema).cpu().eval()
    save_model(args.output / "model.safetensors", ema, config.diffusion(), facts=facts)
    if args.save:
        save_model(args.save, ema, config.diffusion(), facts=facts, dtype=torch.float16)
        print(f"wrote {args.save}")
    grid = sample_grid(ema, config.diffusion().build(), data, guidance_scale=args.guidance_scale, num_steps=25)
    save_png(args.output / "samples.png", grid)
    print(
        f"wrote {args.output / 'samples.png'}: label map, real image, two samples; guidance scale {args.guidance_scale}"
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 if it finished, 2 on bad input, 130 if interrupted (the checkpoint stays)."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        args, config = parse(argv)
        run, data = prepare(args, config)
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    diffusion = config.diffusion().build().to(args.device)
    try:
        run = train_and_log(run, data, diffusion, args, config)
    except KeyboardInterrupt:
        print(f"interrupted; the same command goes on from {args.output / 'checkpoint.pt'}", file=sys.stderr)
        return 130
    finish(run, data, diffusion, args, config, argv)
    return 0
