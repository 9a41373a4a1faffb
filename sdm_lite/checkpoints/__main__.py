"""`python -m sdm_lite.checkpoints`: turn a published checkpoint into one of our files, or say what one of ours holds.

Apart from reading and writing so that these stay pages that can be read.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from sdm_lite.checkpoints import load_tensors, read_configs, resolve, save_model
from sdm_lite.checkpoints.published import load_published
from sdm_lite.command import run
from sdm_lite.diffusion import SCHEDULES, DiffusionConfig
from sdm_lite.files import check_writable, expanded
from sdm_lite.presets import preset_name

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def main(argv: Sequence[str] | None = None) -> int:
    """Turn a published SDM checkpoint into a file of sdm_lite, or show what such a file holds."""
    parser = argparse.ArgumentParser(prog="python -m sdm_lite.checkpoints", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_convert(commands)
    shown = commands.add_parser("show", help="print what one of our files holds")
    shown.add_argument("file", help="a file, or a shipped name such as scenes-32")
    shown.set_defaults(run=lambda arguments: show(resolve(arguments.file)))
    arguments = parser.parse_args(argv)
    return run(lambda: arguments.run(arguments))


def _add_convert(commands: argparse._SubParsersAction) -> None:
    text = "Turn a published .pt into safetensors with the configuration inside. Code in the file is never run."
    convert = commands.add_parser("convert", help="published .pt to safetensors", description=text)
    add = convert.add_argument
    add("file", type=Path, help="the authors' .pt (ema_... for sampling)")
    add("--output", type=Path, metavar="OUT", help="file to write (FILE with .safetensors if left out)")
    add("--dtype", choices=DTYPES, default="float32", help="to store the weights in (default: %(default)s)")
    help_text = "of the attention: weights do not tell (default: %(default)s)"
    add("--channels-per-head", type=int, default=64, metavar="N", help=help_text)
    help_text = "trained at: weights do not tell (if left out, that of the preset with the same numbers, or a guess)"
    add("--image-size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help=help_text)
    process = DiffusionConfig()
    help_text = "of the process it was trained for (default: %(default)s)"
    add("--schedule", choices=SCHEDULES, default=process.schedule, help=help_text)
    add("--num-timesteps", type=int, default=process.num_timesteps, metavar="T", help=help_text)
    add("--force", action="store_true", help="overwrite OUT")
    convert.set_defaults(run=_convert)


def _convert(arguments: argparse.Namespace) -> None:
    """Check the place, load, write, show what was written."""
    diffusion = DiffusionConfig(arguments.schedule, arguments.num_timesteps)
    output = expanded(arguments.output or arguments.file.with_suffix(".safetensors"))
    if output.suffix != ".safetensors":
        raise ValueError(f"--output must end in .safetensors, got {output}")
    if output.is_file() and not arguments.force:
        raise ValueError(f"{output} exists: give another --output, or --force to overwrite it")
    check_writable(output)
    size = tuple(arguments.image_size) if arguments.image_size else None
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        unet = load_published(arguments.file, channels_per_head=arguments.channels_per_head, image_size=size)
    for note in notes:
        print(f"note: {note.message}")
    dtype = DTYPES[arguments.dtype]
    num_bytes = sum(parameter.numel() for parameter in unet.parameters()) * dtype.itemsize
    print(f"writing {output}, {num_bytes / 1e6:,.1f} MB of {arguments.dtype} ...", flush=True)
    unet.to(memory_format=torch.contiguous_format)  # the file's: one parameter after another, not a second copy of all
    facts = {"converted_from": arguments.file.name, "stored_as": arguments.dtype}
    save_model(output, unet, diffusion, facts=facts, dtype=dtype)
    show(output)
    print("Not in the weights, taken as given: whether edges are read, channels a head, image size, groups, process.")
    print(f"wrote {output}: read it with load_model({str(output)!r})")


def show(path: Path) -> None:
    """Print what a user wants to know of the network and process in one of our model files."""
    tensors, metadata = load_tensors(path)
    config, diffusion = read_configs(metadata, path)
    height, width = config.image_size
    levels = [level for level in range(len(config.channel_multipliers)) if config.attends(level)]
    kernel = config.spade_kernel_size
    dtypes = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()})
    print(f"{path}: an sdm_lite model")
    _print_table(
        {
            "preset": preset_name(config) or "none of ours",
            "parameters": f"{sum(tensor.numel() for tensor in tensors.values()):,}",
            "reads": f"{config.num_classes} classes {'and' if config.instance_edges else 'without'} instance edges",
            "image size": f"{height} x {width} (height x width); others divisible by {config.divisor} work",
            "channels a level": ", ".join(str(config.base_channels * times) for times in config.channel_multipliers),
            "blocks a level": str(config.num_res_blocks),
            "attention at": ", ".join(f"{height >> k} x {width >> k}" for k in levels) or "in the middle alone",
            "channels a head": str(config.channels_per_head),
            "SPADE": f"{config.spade_hidden_channels} hidden channels, {kernel} x {kernel} to gamma and beta",
            "groups a norm": str(config.num_groups),
            "resampling": "inside residual blocks" if config.residual_resampling else "without weights",
            "process": f"{diffusion.schedule} schedule, T = {diffusion.num_timesteps}, "
            f"predicts {diffusion.prediction_type}",
            "stored as": f"{', '.join(dtypes)}, {path.stat().st_size / 1e6:,.1f} MB",
        }
    )
    facts = json.loads(metadata.get("facts", "{}"))
    if facts:
        print("what it says of its making:")
        _print_table({name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()})


def _print_table(rows: dict[str, str]) -> None:
    """Two aligned columns, a row an entry."""
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"  {name:{width}}  {value}")


if __name__ == "__main__":
    raise SystemExit(main())
