"""`python -m sdm_lite.plan PRESET`: what training takes, counted; with the words of a run, measured on this machine.

Apart from the counting because a command only prints.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing

import torch

from sdm_lite.command import check_packages, run
from sdm_lite.plan import Counts, count, make_plan
from sdm_lite.plan.measuring import outlook, told
from sdm_lite.presets import PRESETS, preset
from sdm_lite.progress import byte_count, duration
from sdm_lite.train.options import parse
from sdm_lite.train.processes import join_processes

CHECKED_TORCH = (2, 13)  # what memory is counted with where it was compared with a real run
SMALL = 1e11  # operations an image: far from the 10^12 and more of the paper's networks


EXAMPLE = """\
examples:
  python -m sdm_lite.plan celebamask-hq-256 --gpus 8 --price 2.5           # counted
  python -m sdm_lite.plan --recipe camvid --root FOLDER                    # measured: minutes on this machine
  python -m sdm_lite.plan --dataset folder --root FOLDER --preset scenes-64 --size 48 64 --num-steps 2000
  python -m sdm_lite.plan --recipe camvid --root FOLDER --minutes 25       # how many steps that is
"""
RUN_WORDS = ("--recipe", "--config", "--dataset")  # a run of sdm_lite.train begins with one of these


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Defaults in brackets, and the examples line by line."""


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sdm_lite.plan",
        description="Memory, images a second, days and cost of a training run, counted without running it: PRESET and "
        "the options below. Or, with the words of a run of sdm_lite.train (--recipe, --config or --dataset first of "
        "all, then any option of it), minutes, measured by twenty of its steps on this machine.",
        epilog=EXAMPLE,
        formatter_class=_Formatter,
    )
    parser.add_argument("preset", help=f"the network: {', '.join(PRESETS)}")
    parser.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), help="of the images; left out, the preset's")
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 4, 8, 32], help="how many; several for a table")
    parser.add_argument("--teraflops", type=float, default=100.0, help="that one GPU reaches, 10^12 operations/s")
    parser.add_argument("--num-steps", type=int, default=300_000, help="optimizer steps; the paper does not say")
    parser.add_argument("--batch-size", type=int, default=32, help="images a step, of all GPUs together")
    parser.add_argument("--accumulation-steps", type=int, default=1, help="parts of each GPU's share of a batch")
    parser.add_argument("--float32", action="store_true", help="no mixed precision")
    parser.add_argument("--price", type=float, help="of one GPU for an hour")
    return parser


def network_lines(counts: Counts) -> list[str]:
    """What the network itself takes."""
    return [
        f"parameters                    {counts.parameters / 1e6:10.1f} M",
        f"operations an image, forward  {_operations(counts.forward)}",
        f"  forward and backward        {_operations(counts.training)}",
        f"kept for the backward pass    {byte_count(counts.activations, 1024):>12} an image in float32, "
        f"{byte_count(counts.activations_16, 1024)} in 16 bits",
    ]


def _operations(number: int) -> str:
    return f"{number / 1e12:10.3f} T" if number > SMALL else f"{number / 1e9:10.3f} G"


def table(counts: Counts, arguments: argparse.Namespace) -> list[str]:
    """A line for each number of GPUs."""
    lines = [f"{'GPUs':>5}{'weights etc.':>15}{'activations':>14}{'images/s':>13}{'time':>14}{'cost':>12}"]
    for gpus in arguments.gpus:
        plan = make_plan(
            counts,
            num_steps=arguments.num_steps,
            batch_size=arguments.batch_size,
            gpus=gpus,
            teraflops=arguments.teraflops,
            accumulation_steps=arguments.accumulation_steps,
            mixed_precision=not arguments.float32,
            price=arguments.price,
        )
        cost = "-" if plan.cost is None else told_cost(plan.cost)
        memory = f"{byte_count(plan.fixed, 1024):>15}{byte_count(plan.activations, 1024):>14}"
        speed = f"{plan.images_per_second:,.1f}" if plan.images_per_second < 100 else f"{plan.images_per_second:,.0f}"
        lines.append(f"{gpus:>5}{memory}{speed:>13}{told_days(plan.days):>14}{cost:>12}")
    if torch_release() < CHECKED_TORCH:
        lines.append(
            f"\nMemory is counted by the torch that runs, here {torch.__version__}. It was checked on "
            f"{'.'.join(map(str, CHECKED_TORCH))}, and on 2.4 it was found off by a fifth."
        )
    if counts.training < SMALL:
        lines.append("\nSo small a network keeps no GPU busy: it reaches a fraction of that speed; measure it.")
    return lines


def torch_release() -> tuple[int, int]:
    """Major and minor number of the installed torch."""
    major, minor = torch.__version__.split(".")[:2]
    return int(major), int(minor)


def told_days(days: float) -> str:
    """A time as a reader says it: seconds, minutes, hours or days."""
    hours = 24 * days
    if hours < 1:
        return duration(3600 * hours) if 3600 * hours >= 1 else "under 1 s"
    return f"{days:,.1f} days" if days >= 1 else f"{hours:.1f} h"


def told_cost(cost: float) -> str:
    """A price: whole from a hundred on, never as nothing where it is something."""
    if 0 < cost < 0.01:
        return "under 0.01"
    return f"{cost:,.2f}" if cost < 100 else f"{cost:,.0f}"


def main(argv: list[str] | None = None) -> int:
    """Run the command; its exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words and words[0].partition("=")[0] in RUN_WORDS:
        return run(lambda: _measure(words))
    arguments = make_parser().parse_args(words)
    return run(lambda: _plan(arguments))


def _measure(words: list[str]) -> None:
    """Measure a run and tell; nothing is written."""
    config = parse(words)
    check_packages("PIL")
    processes = join_processes(config)
    with closing(processes):
        print("\n".join(told(outlook(config, processes), config)))


def _plan(arguments: argparse.Namespace) -> None:
    """Count and tell."""
    config = preset(arguments.preset, image_size=tuple(arguments.size) if arguments.size else None)
    counts = count(config)
    lines = table(counts, arguments)
    height, width = config.image_size
    print(f"{arguments.preset}, {height} x {width}, {config.condition_channels} condition channels")
    print("\n".join(network_lines(counts)))
    print(f"\n{arguments.num_steps:,} steps of {arguments.batch_size} images at {arguments.teraflops:g} T/s a GPU")
    print("\n".join(lines))


if __name__ == "__main__":
    raise SystemExit(main())
