"""`python -m sdm_lite.checkpoints`: turn a published checkpoint into one of our files, or say what one of ours holds.

Apart from reading and writing so that these stay pages that can be read.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from sdm_lite.checkpoints import FORMAT, read_config, read_header, read_unet_config, resolve, save_model
from sdm_lite.checkpoints.published import load_published
from sdm_lite.diffusion import SCHEDULES, DiffusionConfig
from sdm_lite.presets import UNetConfig, preset_name

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def main(argv: Sequence[str] | None = None) -> None:
    """Turn a published SDM checkpoint into a file of sdm_lite, or show what such a file holds."""
    parser = argparse.ArgumentParser(prog="python -m sdm_lite.checkpoints", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_convert(commands)
    show = commands.add_parser("show", help="print what one of our files holds")
    show.add_argument("file", help="a file, or a shipped name such as scenes-32")
    show.set_defaults(run=_show)
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _add_convert(commands: argparse._SubParsersAction) -> None:
    text = "Turn a published .pt into safetensors with the configuration inside. Code in the file is never run."
    convert = commands.add_parser(
        "convert", help="published .pt to safetensors", description=text, formatter_class=_DefaultsInHelp
    )
    convert.add_argument("file", type=Path, help="the authors' .pt (ema_... for sampling)")
    convert.add_argument(
        "--output", type=Path, metavar="OUT", help="file to write (FILE with .safetensors if left out)"
    )
    convert.add_argument("--dtype", choices=DTYPES, default="float32", help="to store the weights in")
    convert.add_argument(
        "--channels-per-head", type=int, default=64, metavar="N", help="of the attention: weights do not tell"
    )
    convert.add_argument(
        "--image-size",
        type=int,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="trained at: weights do not tell (if left out, that of the preset with the same numbers, or a guess)",
    )
    process = DiffusionConfig()
    convert.add_argument(
        "--schedule", choices=SCHEDULES, default=process.schedule, help="of the process it was trained for"
    )
    convert.add_argument("--num-timesteps", type=int, default=process.num_timesteps, metavar="T", help="of the process")
    convert.add_argument("--force", action="store_true", help="overwrite OUT")
    convert.set_defaults(run=_convert)


class _DefaultsInHelp(argparse.HelpFormatter):
    """Adds "(default ...)" to the help of options that have one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        silent = action.default in (None, False, argparse.SUPPRESS)
        return action.help if silent else f"{action.help} (default %(default)s)"


def _convert(arguments: argparse.Namespace) -> None:
    """Check the place, load, tell, write."""
    diffusion = DiffusionConfig(arguments.schedule, arguments.num_timesteps)
    output = arguments.output or arguments.file.with_suffix(".safetensors")
    _check_output(output, arguments.force)
    size = tuple(arguments.image_size) if arguments.image_size else None
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        unet = load_published(arguments.file, channels_per_head=arguments.channels_per_head, image_size=size)
    num_parameters = sum(parameter.numel() for parameter in unet.parameters())
    print(f"{arguments.file}: a published SDM network")
    print(format_table(describe(unet.config, diffusion, num_parameters)))
    print("Not in the weights, taken as given: channels a head, image size, groups a norm, process.")
    for note in notes:
        print(f"note: {note.message}")
    dtype = DTYPES[arguments.dtype]
    print(f"writing {output}, {num_parameters * dtype.itemsize / 1e6:,.1f} MB of {arguments.dtype} ...", flush=True)
    unet.to(memory_format=torch.contiguous_format)  # the file's: one parameter after another, not a second copy of all
    facts = {"converted_from": arguments.file.name, "stored_as": arguments.dtype}
    save_model(output, unet, diffusion, facts=facts, dtype=dtype)
    print(f"wrote {output}: read it with load_model({str(output)!r})")


def _check_output(output: Path, force: bool) -> None:
    """Raise before the work rather than after it."""
    if output.suffix != ".safetensors":
        raise ValueError(f"--output must end in .safetensors, got {output}")
    if output.is_dir() or (output.exists() and not force):
        raise ValueError(f"{output} exists: give another --output, or --force to overwrite a file")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=output.parent):
        pass


def _show(arguments: argparse.Namespace) -> None:
    """Print the header of one of our model files."""
    path = resolve(arguments.file)
    header = read_header(path)
    if header.metadata.get("format") != FORMAT:
        found = header.metadata.get("format", "that of another program")
        raise ValueError(f"{path} is no sdm_lite model: its format is {found!r}, expected {FORMAT!r}")
    config = read_unet_config(header.metadata, path)
    diffusion = read_config(DiffusionConfig, header.metadata.get("diffusion"), path)
    num_parameters = sum(math.prod(shape) for shape in header.shapes.values())
    stored = f"{', '.join(header.dtypes)}, {path.stat().st_size / 1e6:,.1f} MB"
    print(f"{path}: an sdm_lite model")
    print(format_table(describe(config, diffusion, num_parameters) | {"stored as": stored}))
    facts = json.loads(header.metadata.get("facts", "{}"))
    if facts:
        print("what it says of its making:")
        print(
            format_table(
                {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}
            )
        )


def describe(config: UNetConfig, diffusion: DiffusionConfig, num_parameters: int) -> dict[str, str]:
    """What a user wants to know of a network and its process, by name.

    Args:
        config: of the network.
        diffusion: of the process.
        num_parameters: of the network.
    """
    height, width = config.image_size
    levels = [level for level in range(len(config.channel_multipliers)) if config.attends(level)]
    attention = ", ".join(f"{height >> level} x {width >> level}" for level in levels) or "in the middle alone"
    widths = ", ".join(str(config.base_channels * multiplier) for multiplier in config.channel_multipliers)
    kernel = config.spade_kernel_size
    process = f"{diffusion.schedule} schedule, T = {diffusion.num_timesteps}, predicts {diffusion.prediction_type}"
    return {
        "preset": preset_name(config) or "none of ours",
        "parameters": f"{num_parameters:,}",
        "reads": f"{config.num_classes} classes, {'and' if config.instance_edges else 'no'} instance edges",
        "image size": f"{height} x {width} (height x width); others divisible by {config.divisor} work",
        "channels a level": widths,
        "blocks a level": f"{config.num_res_blocks}",
        "attention at": attention,
        "channels a head": f"{config.channels_per_head}",
        "SPADE": f"{config.spade_hidden_channels} hidden channels, {kernel} x {kernel} to gamma and beta",
        "groups a norm": f"{config.num_groups}",
        "resampling": "inside residual blocks" if config.residual_resampling else "without weights",
        "process": process,
    }


def format_table(rows: dict[str, str]) -> str:
    """Two aligned columns, a row an entry."""
    width = max(map(len, rows))
    return "\n".join(f"  {name:{width}}  {value}" for name, value in rows.items())


if __name__ == "__main__":
    raise SystemExit(main())
