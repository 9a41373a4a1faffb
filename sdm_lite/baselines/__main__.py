"""`python -m sdm_lite.baselines`: what the paper compares with: `train` and `evaluate` a GAN, measure its tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sdm_lite.baselines.ablation.command import add_table4
from sdm_lite.baselines.comparison.command import add_table1
from sdm_lite.baselines.gan.command import add_train
from sdm_lite.baselines.gan.evaluating import add_evaluate
from sdm_lite.baselines.gan.perceptual.command import add_perceptual
from sdm_lite.command import run as run_command


def parser() -> argparse.ArgumentParser:
    """The command line: each command's own room adds it, with the function `run` that does it."""
    top = argparse.ArgumentParser(prog="python -m sdm_lite.baselines", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    add_train(commands)
    add_evaluate(commands)
    add_table1(commands)
    add_table4(commands)
    add_perceptual(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    args = parser().parse_args(arguments)
    args.argv = arguments
    return run_command(lambda: args.run(args), interrupted="interrupted: the same command goes on where it stopped")


if __name__ == "__main__":
    sys.exit(main())
