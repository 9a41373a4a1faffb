"""The command line of `python -m sdm_lite.train`: every field of a RunConfig, its parts among them, is an option.

Apart from the command so that the same words, on a command line, in a file or in a notebook, give the same RunConfig.
"""

from __future__ import annotations

import argparse
import difflib
import typing

from sdm_lite.train.config import FINE_TUNE, Option, RunConfig, options
from sdm_lite.train.recipe import load_config, recipe_names

HELP = """\
Train an SDM. Stop it at any time: the same command goes on from its last checkpoint.
On several GPUs or machines: torchrun --nproc-per-node N -m sdm_lite.train ..., or accelerate launch.
"""


def make_parser() -> argparse.ArgumentParser:
    """An option for each field, with its default in brackets, and three that choose where the values are from."""
    parser = argparse.ArgumentParser(
        prog="python -m sdm_lite.train",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--config", metavar="FILE", help="a YAML file of fields; options given here win over it")
    source.add_argument(
        "--recipe", metavar="NAME", help=f"a file that comes with the package: {', '.join(recipe_names()) or 'none'}"
    )
    parser.add_argument(
        "--fine-tune",
        action="store_true",
        help=f"null-label fine-tuning of --start-from: the file's section fine_tune, or {FINE_TUNE}, unless given here",
    )
    run = parser.add_argument_group("the run", "data, network, device, files; may change when it is resumed")
    recipe = parser.add_argument_group("the recipe", "what is learned; a resumed run must have the same")
    for option in options().values():
        _add_option(recipe if option.part else run, option)
    return parser


def _add_option(group: argparse._ArgumentGroup, option: Option) -> None:
    shown = "" if option.default is None else f" [{option.default}]"
    flag, text = "--" + option.name.replace("_", "-"), (option.help + shown).replace("%", "%%")
    if option.kind is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=text)
    elif typing.get_origin(option.kind) is tuple:
        group.add_argument(flag, nargs=2, metavar=("H", "W"), help=text)
    else:
        group.add_argument(flag, metavar={int: "N", float: "X", str: "TEXT"}[option.kind], help=text)


def parse(argv: list[str]) -> RunConfig:
    """The run that a command line asks for.

    Raises:
        FileNotFoundError: if there is no such recipe or file.
        ValueError: if an option is unknown, naming the nearest, or a value is of the wrong kind or out of range.
    """
    parser = make_parser()
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        flags = [flag for action in parser._actions for flag in action.option_strings]
        near = difflib.get_close_matches(unknown[0].partition("=")[0], flags, n=1)
        raise ValueError(f"unknown option {unknown[0]}: {f'did you mean {near[0]}?' if near else 'see --help'}")
    given = {name: getattr(arguments, name) for name in options() if getattr(arguments, name) is not None}
    return load_config(arguments.recipe or arguments.config, given, fine_tune=arguments.fine_tune)
