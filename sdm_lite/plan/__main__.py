"""`python -m sdm_lite.plan PRESET`: what training it takes, for several numbers of GPUs.

Apart from the counting because a command only prints.
"""

from __future__ import annotations

import argparse

from sdm_lite.command import run
from sdm_lite.plan import GIB, Counts, count, make_plan
from sdm_lite.presets import PRESETS, preset


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sdm_lite.plan",
        description="Memory, images a second, days and cost of a training run, counted without running it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
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
        f"operations an image, forward  {counts.forward / 1e12:10.3f} T",
        f"  forward and backward        {counts.training / 1e12:10.3f} T",
        f"kept for the backward pass    {counts.activations / GIB:10.2f} GiB an image in float32, "
        f"{counts.activations_16 / GIB:.2f} GiB in 16 bits",
    ]


def table(counts: Counts, arguments: argparse.Namespace) -> list[str]:
    """A line for each number of GPUs."""
    lines = [f"{'GPUs':>5}{'weights etc.':>15}{'activations':>14}{'images/s':>11}{'days':>9}{'cost':>12}"]
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
        cost = "-" if plan.cost is None else f"{plan.cost:,.0f}"
        memory = f"{plan.fixed / GIB:>11.1f} GiB{plan.activations / GIB:>10.1f} GiB"
        lines.append(f"{gpus:>5}{memory}{plan.images_per_second:>11.1f}{plan.days:>9.1f}{cost:>12}")
    return lines


def main(argv: list[str] | None = None) -> int:
    """Run the command; its exit status."""
    arguments = make_parser().parse_args(argv)
    return run(lambda: _plan(arguments))


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
