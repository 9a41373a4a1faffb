"""`python -m sdm_lite.datasets`: look into a folder before training on it, or make one ready.

Apart from checking and preparing so that they stay functions that a notebook can call.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from sdm_lite.command import check_packages, check_seed, run
from sdm_lite.datasets import Photographs
from sdm_lite.datasets.check import (
    SplitReport,
    check_split,
    format_bad,
    format_counts,
    format_frequencies,
    picture,
)
from sdm_lite.datasets.export import render_scenes
from sdm_lite.datasets.options import add_dataset, open_asked
from sdm_lite.datasets.photographs import NothingReadableError
from sdm_lite.datasets.preparing.command import add_prepare
from sdm_lite.files import check_writable, expanded
from sdm_lite.progress import counted
from sdm_lite.viz import draw_for_files, save_png


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line; `run` is what it asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m sdm_lite.datasets",
        description="Look into a folder before training on it, or make one ready.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    text = "Read a folder and print how many pictures it has, how often each class occurs, and every file that is bad."
    check = commands.add_parser("check", help="report what is in a folder, and what is wrong", description=text)
    add_dataset(check, skip_bad="bad files are no failure (default: they are, status 1); either way they are listed")
    check.add_argument("--split", action="append", help="which split; give it again for more (default: train and val)")
    check.add_argument(
        "--limit", type=int, help="read no more examples of a split than this, evenly spread (default: all)"
    )
    check.add_argument(
        "--output", type=Path, metavar="FILE.png", help="draw examples with a legend here (default: none are drawn)"
    )
    check.add_argument("--num-pictures", type=int, default=8, help="examples to draw (default: %(default)s)")
    check.set_defaults(run=run_check)

    add_prepare(commands)

    text = "Write procedural pictures with their label maps, to try out what is for photographs without having any."
    render = commands.add_parser(
        "render-scenes", help="write procedural pictures as a folder of photographs", description=text
    )
    render.add_argument("target", type=Path, help="folder to write; `check folder` and `--dataset folder` open it")
    render.add_argument("--num-train", type=int, default=200, help="pictures to train on (default: %(default)s)")
    render.add_argument("--num-val", type=int, default=50, help="held-out pictures (default: %(default)s)")
    render.add_argument("--size", type=int, default=64, help="pixels on a side (default: %(default)s)")
    render.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of the layouts to train on; held out are those of the next: 0, or 3 or more, as 2 is what models are "
        "scored on (default: %(default)s)",
    )
    render.set_defaults(run=run_render)
    return parser.parse_args(argv)


def run_check(args: argparse.Namespace) -> int:
    """Print the report; 1 if something is bad."""
    if args.limit is not None and args.limit < 1 or args.num_pictures < 1:
        raise ValueError("--limit and --num-pictures must be at least 1")
    if args.output is not None:
        if args.output.suffix.lower() != ".png":
            raise ValueError(f"--output must end in .png, got {args.output}")
        check_writable(args.output)
        check_packages("PIL", "matplotlib")
        draw_for_files()
    opened = [_open(args, split) for split in args.split or ("train", "val")]
    datasets = [dataset for dataset in opened if isinstance(dataset, Photographs)]
    unreadable = [error for error in opened if isinstance(error, NothingReadableError)]
    others = [error for error in opened if isinstance(error, ValueError) and error not in unreadable]
    problems = list(dict.fromkeys(map(str, others)))
    if not datasets and not unreadable:
        raise ValueError(problems[0])
    reports = [check_split(dataset, limit=args.limit, num_shown=args.num_pictures) for dataset in datasets]
    num_bad = sum(len(report.bad) for report in reports) + sum(len(error.bad) for error in unreadable)
    for error in unreadable:
        print("\n".join([f"{error.split}: nothing can be read", *format_bad(error.bad, error.root)]))
    if datasets:
        _tell(args, datasets, reports)
    empty = [error.split for error in unreadable] + [report.split for report in reports if not report.num_read]
    problems += [f"no example of split {split} can be read" for split in empty]
    if num_bad and not args.skip_bad:
        problems.append(f"{num_bad} bad files or examples, listed above; mend them, or leave them out with --skip-bad")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _tell(args: argparse.Namespace, datasets: list[Photographs], reports: list[SplitReport]) -> None:
    """Print what the splits hold, and draw the first that has something to draw."""
    first = datasets[0]
    height, width = first.size
    print(f"{args.dataset} in {args.root}, {first.num_classes} classes, examples of {height} x {width} pixels")
    for dataset, report in zip(datasets, reports, strict=True):
        print(format_counts(dataset, report))
    print("\n" + format_frequencies(first.class_names, reports))
    drawn = next((report for report in reports if report.shown), None)
    if args.output is not None and drawn is not None:
        title = f"{args.dataset}, {drawn.split}: {counted(drawn.num_examples, 'photograph')}"
        print(f"wrote {save_png(args.output, picture(first, drawn.shown, title))}")


def run_render(args: argparse.Namespace) -> int:
    """Render, and print how to go on."""
    check_packages("PIL")
    check_seed(args.seed)
    render_scenes(args.target, num_train=args.num_train, num_val=args.num_val, size=args.size, seed=args.seed)
    told = f"Scenes({args.seed}) to train on and {args.num_val} of Scenes({args.seed + 1}), held out"
    print(f"wrote {args.num_train} pictures of {told}, to {args.target}")
    target = shlex.quote(str(expanded(args.target)))  # quoted, a shell leaves ~ alone
    print(f"next: python -m sdm_lite.datasets check folder {target} --size {args.size} {args.size}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command: 0 if all is well, 1 if something bad was found, 2 on bad input, 130 if interrupted."""
    args = parse(argv)
    again = "; the same command goes on from here" if args.command == "prepare" else ""
    return run(lambda: args.run(args), interrupted=f"interrupted{again}")


def _open(args: argparse.Namespace, split: str) -> Photographs | ValueError:
    """The data set, bad files left out and listed; or what is wrong with its folder."""
    try:
        return open_asked(args, split, args.size, skip_bad=True)
    except ValueError as error:
        return error


if __name__ == "__main__":
    raise SystemExit(main())
