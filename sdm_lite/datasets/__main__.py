"""`python -m sdm_lite.datasets`: look into a folder before training on it, or make one ready.

Apart from checking and preparing so that they stay functions that a notebook can call.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sdm_lite.command import check_packages, check_seed, run
from sdm_lite.datasets import Photographs
from sdm_lite.datasets.celebamask import NUM_PICTURES
from sdm_lite.datasets.check import check_split, format_counts, format_frequencies, picture
from sdm_lite.datasets.export import render_scenes
from sdm_lite.datasets.options import add_dataset, open_asked
from sdm_lite.datasets.prepare import prepare_celebamask
from sdm_lite.files import check_writable
from sdm_lite.viz import draw_for_files, save_png


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line; `run` is what it asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m sdm_lite.datasets",
        description="Look into a folder before training on it, or make one ready.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    check = commands.add_parser("check", help="report what is in a folder, and what is wrong")
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

    prepare = commands.add_parser("prepare", help="merge the masks of CelebAMask-HQ")
    prepare.add_argument("name", help="the data set: celebamask-hq (the others are read as they are published)")
    prepare.add_argument("source", type=Path, help="the folder with CelebA-HQ-img and CelebAMask-HQ-mask-anno")
    prepare.add_argument("target", type=Path, help="where to write images/ and labels/; may be the source")
    prepare.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        help="threads that work (default: one a core, here %(default)s)",
    )
    prepare.add_argument(
        "--expect", type=int, default=NUM_PICTURES, help="faces that there must be (default: %(default)s)"
    )
    prepare.set_defaults(run=run_prepare)

    render = commands.add_parser("render-scenes", help="write procedural pictures as a folder of photographs")
    render.add_argument("target", type=Path, help="folder to write; `check folder` and `--dataset folder` open it")
    render.add_argument("--num-train", type=int, default=200, help="pictures to train on (default: %(default)s)")
    render.add_argument("--num-val", type=int, default=50, help="held-out pictures (default: %(default)s)")
    render.add_argument("--size", type=int, default=64, help="pixels on a side (default: %(default)s)")
    render.add_argument("--seed", type=int, default=0, help="of Scenes; held out is the next (default: %(default)s)")
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
    problems = list(dict.fromkeys(str(error) for error in opened if isinstance(error, ValueError)))
    if not datasets:
        raise ValueError(problems[0])
    reports = [check_split(dataset, limit=args.limit, num_shown=args.num_pictures) for dataset in datasets]
    first = datasets[0]
    height, width = first.size
    print(f"{args.dataset} in {args.root}, {first.num_classes} classes, examples of {height} x {width} pixels")
    for dataset, report in zip(datasets, reports, strict=True):
        print(format_counts(dataset, report))
    print("\n" + format_frequencies(first.class_names, reports))
    if args.output is not None:
        title = f"{args.dataset}, {reports[0].split}: {reports[0].num_examples} photographs"
        print(f"wrote {save_png(args.output, picture(first, reports[0].shown, title))}")
    num_bad = sum(len(report.bad) for report in reports)
    if num_bad and not args.skip_bad:
        problems.append(f"{num_bad} bad files or examples, listed above; mend them, or leave them out with --skip-bad")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


def run_prepare(args: argparse.Namespace) -> int:
    """Merge, and print what was done; 1 if a face failed."""
    check_packages("PIL")
    if args.name != "celebamask-hq":
        raise ValueError(f"only celebamask-hq needs preparing, got {args.name!r}: give check the folder as it is")
    done = prepare_celebamask(args.source, args.target, num_workers=args.workers, num_expected=args.expect)
    for problem in done.failed:
        print(problem)
    before = f" ({done.num_before} of them were before)" if done.num_before else ""
    print(f"{done.num_ready} of {args.expect} faces are ready in {args.target}{before}")
    if done.failed:
        print(f"error: {len(done.failed)} faces failed, listed above; mend them, and run this again", file=sys.stderr)
        return 1
    return 0


def run_render(args: argparse.Namespace) -> int:
    """Render, and print how to go on."""
    check_packages("PIL")
    check_seed(args.seed)
    render_scenes(args.target, num_train=args.num_train, num_val=args.num_val, size=args.size, seed=args.seed)
    print(f"wrote {args.num_train} pictures to train on and {args.num_val} held-out ones to {args.target}")
    print(f"next: python -m sdm_lite.datasets check folder {args.target} --size {args.size} {args.size}")
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
