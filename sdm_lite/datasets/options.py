"""How every command is told of photographs: which data set, which folder, what size, how treated.

Apart from the commands so that all of them ask in the same words.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sdm_lite.command import check_packages
from sdm_lite.datasets import DATASETS, Photographs, open_dataset
from sdm_lite.datasets.crops import PROTOCOLS

SKIP_BAD = "leave out what is bad, and list it (default: the first bad file is an error)"


def add_dataset(parser: argparse.ArgumentParser, *, skip_bad: str = SKIP_BAD) -> None:
    """Add name, root, --size, --protocol and --skip-bad, for a command that reads a data set and no more.

    Args:
        parser: to add to.
        skip_bad: help of --skip-bad.
    """
    parser.add_argument("dataset", metavar="name", help=f"the data set: {', '.join(DATASETS)}")
    parser.add_argument("root", type=Path, help="its folder, as published")
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("H", "W"), help="of the examples (default: the data set's)"
    )
    add_treatment(parser, skip_bad=skip_bad)


def add_treatment(parser: argparse._ActionsContainer, *, skip_bad: str = SKIP_BAD) -> None:
    """Add --protocol and --skip-bad alone.

    Args:
        parser: to add to, or a group of it.
        skip_bad: help of --skip-bad.
    """
    parser.add_argument(
        "--protocol",
        choices=sorted(PROTOCOLS),
        default="sdm_lite",
        help="how photographs come to their size: reference is as the published code does (default: %(default)s)",
    )
    parser.add_argument("--skip-bad", action="store_true", help=skip_bad)


def open_asked(
    arguments: argparse.Namespace,
    split: str,
    size: Sequence[int] | None,
    *,
    crops: int = 1,
    skip_bad: bool | None = None,
) -> Photographs:
    """The data set that was asked for.

    Args:
        arguments: of a command line, with `dataset`, `root`, and what `add_treatment` adds.
        split: which part of it.
        size: (height, width) of the examples; None = the data set's.
        crops: examples made of each picture.
        skip_bad: instead of --skip-bad, where the command itself decides.

    Raises:
        ValueError: if there is no root, no such data set, or its folder is not as it should be.
    """
    if arguments.root is None:
        raise ValueError(f"--dataset {arguments.dataset} needs --root, its folder")
    check_packages("PIL")
    return open_dataset(
        arguments.dataset,
        arguments.root,
        split,
        size=None if size is None else tuple(size),
        protocol=arguments.protocol,
        crops=crops,
        skip_bad=arguments.skip_bad if skip_bad is None else skip_bad,
    )
