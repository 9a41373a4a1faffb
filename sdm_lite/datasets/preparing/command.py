"""`python -m sdm_lite.datasets prepare NAME SOURCE TARGET`: the options, and what is printed.

Apart from `datasets.__main__` because each of the two that are prepared asks other things.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
import sys
from pathlib import Path

from sdm_lite.command import check_packages
from sdm_lite.datasets import DATASETS
from sdm_lite.datasets.celebamask import NUM_PICTURES
from sdm_lite.datasets.check import format_bad
from sdm_lite.datasets.preparing.celebamask import prepare_celebamask
from sdm_lite.datasets.preparing.draft import draft_of
from sdm_lite.datasets.preparing.folder import Prepared, prepare_folder
from sdm_lite.datasets.preparing.reader import SIDES, Reader
from sdm_lite.datasets.preparing.report import format_prepared, picture
from sdm_lite.files import check_writable, expanded
from sdm_lite.viz import draw_for_files, figure_png, save_png

PICTURE, TEXT = "prepared.png", "prepared.txt"
FOLDER_HELP = """\
Make a folder of photographs and label maps, as you have them, into one that `--dataset folder` opens. The source is
only read. Files are paired by their names, and the report and a picture show what was taken for what: look at it.

  prepare folder CamVid prepared --colours label_colors.txt            colours, named by a file `r g b name`
  prepare folder facades prepared --side-by-side map-right --dry-run   JPEG, both in one file; which colours are there?
  prepare folder scans prepared --label-ending _labelIds --id-map ids.txt   ids, named by a file `id name`
"""


def add_prepare(commands: argparse._SubParsersAction) -> None:
    """Add the command to `python -m sdm_lite.datasets`."""
    text = "Make a folder ready that no data set reads as it is; the source is only read."
    prepare = commands.add_parser("prepare", help="make a folder ready: masks merged, colours to ids", description=text)
    names = prepare.add_subparsers(dest="name", required=True, metavar="name")
    _add_celebamask(names)
    _add_folder(names)
    for name in DATASETS:
        if name not in ("celebamask-hq", "folder"):
            as_it_is = names.add_parser(name, add_help=False, prefix_chars="\0")
            as_it_is.add_argument("rest", nargs="*")
            as_it_is.set_defaults(run=_run_nothing)


def _add_celebamask(names: argparse._SubParsersAction) -> None:
    text = "Merge the masks of the parts of a face into one label map a face."
    command = names.add_parser("celebamask-hq", help="merge the masks of CelebAMask-HQ", description=text)
    command.add_argument("source", type=Path, help="the folder with CelebA-HQ-img and CelebAMask-HQ-mask-anno")
    command.add_argument("target", type=Path, help="where to write images/ and labels/; may be the source")
    _add_workers(command)
    command.add_argument(
        "--expect", type=int, default=NUM_PICTURES, help="faces that there must be (default: %(default)s)"
    )
    command.set_defaults(run=_run_celebamask)


def _add_folder(names: argparse._SubParsersAction) -> None:
    command = names.add_parser(
        "folder",
        help="photographs and label maps of your own: colours, ids, suffixes, halves",
        description=FOLDER_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("source", type=Path, help="the folder with photographs and label maps")
    command.add_argument("target", type=Path, help="folder to write; must not be there, nor lie in the source")
    where = command.add_argument_group("which file is what", "found by the names of folders and files where not said")
    where.add_argument("--images", metavar="FOLDER", help="in the source, with the photographs")
    where.add_argument("--labels", metavar="FOLDER", help="in the source, with the label maps")
    where.add_argument("--image-ending", metavar="TEXT", help="between name and suffix, such as _leftImg8bit")
    where.add_argument("--label-ending", metavar="TEXT", help="the same of label maps: _L, _gtFine_labelIds")
    where.add_argument("--side-by-side", choices=sorted(SIDES), help="a file has both: which half is the label map")
    what = command.add_argument_group("what the label maps mean", "as it is found, with its share, where not said")
    table = what.add_mutually_exclusive_group()
    table.add_argument("--colours", metavar="FILE", help="lines `r g b name`; equal names are one class")
    table.add_argument("--id-map", metavar="FILE", help="lines `id name`; equal names are one class")
    table.add_argument("--classes", metavar="FILE", help="the names of the ids, one a line, from --id-offset on")
    what.add_argument("--id-offset", type=int, default=0, metavar="N", help="taken from each id (default 0)")
    what.add_argument(
        "--void",
        action="append",
        default=[],
        metavar="VALUE",
        help="a name, id or colour that is void, besides 255 and the like; none: nothing is but what is said so",
    )
    what.add_argument(
        "--tolerance", type=float, metavar="D", help="of a pixel to its colour, 0..441 (default: 0, of JPEG 48)"
    )
    what.add_argument("--unknown-is-void", action="store_true", help="values that the table lacks (default: an error)")
    command.add_argument("--skip-bad", action="store_true", help="leave out what is bad (default: nothing is written)")
    command.add_argument("--dry-run", action="store_true", help="write nothing, only report")
    command.add_argument(
        "--output", type=Path, metavar="FILE.png", help=f"the picture of what was taken for what (TARGET/{PICTURE})"
    )
    _add_workers(command)
    command.set_defaults(run=_run_folder)


def _add_workers(command: argparse.ArgumentParser) -> None:
    number = os.cpu_count() or 1
    command.add_argument(
        "--workers", type=int, default=number, help="threads that work (default: one a core, here %(default)s)"
    )


def _run_nothing(args: argparse.Namespace) -> int:
    raise ValueError(f"{args.name} is read as it is published, nothing is to prepare: give check the folder as it is")


def _run_celebamask(args: argparse.Namespace) -> int:
    """Merge, and print what was done; 1 if a face failed."""
    check_packages("PIL")
    done = prepare_celebamask(args.source, args.target, num_workers=args.workers, num_expected=args.expect)
    for problem in done.failed:
        print(problem)
    before = f" ({done.num_before} of them were before)" if done.num_before else ""
    print(f"{done.num_ready} of {args.expect} faces are ready in {args.target}{before}")
    if done.failed:
        print(f"error: {len(done.failed)} faces failed, listed above; mend them, and run this again", file=sys.stderr)
        return 1
    return 0


def _run_folder(args: argparse.Namespace) -> int:
    """Prepare, and print what was taken for what; 1 if something is bad, and then nothing is written."""
    check_packages("PIL", "matplotlib")
    if args.workers < 0:
        raise ValueError(f"the number of workers must not be negative, got {args.workers}")
    if args.output is not None:
        if args.output.suffix.lower() != ".png":
            raise ValueError(f"--output must end in .png, got {args.output}")
        check_writable(args.output)
    draw_for_files()
    fields = {field.name for field in dataclasses.fields(Reader)}
    given = {name: value for name, value in vars(args).items() if name in fields}
    reader = Reader(**given | {"void": tuple(args.void)})

    def describe(done: Prepared) -> dict[str, bytes | str]:
        return {TEXT: f"{format_prepared(done)}\n", PICTURE: figure_png(picture(done, reader))}

    target = None if args.dry_run else args.target
    done = prepare_folder(args.source, target, reader, num_workers=max(1, args.workers), describe=describe)
    if args.output is not None and done.ready:
        save_png(args.output, picture(done, reader))
    if done.ready:
        print(format_prepared(done))
    print("\n".join(format_bad(done.bad, expanded(args.source))) + ("\n" if done.bad else ""), end="")
    if args.output is not None and done.ready:
        print(f"wrote {args.output}")
    if done.bad and not (args.skip_bad and done.ready):
        kept = "; what is done is kept" if not args.dry_run and draft_of(expanded(args.target)).exists() else ""
        print(
            f"error: {len(done.bad)} bad files, listed above, nothing is written: mend them, or leave them out with "
            f"--skip-bad{kept}",
            file=sys.stderr,
        )
        return 1
    if done.target is not None:
        before = f", {done.num_before} of them from an earlier run" if done.num_before else ""
        print(f"wrote {len(done.ready)} examples to {args.target}{before}; look at {args.target / PICTURE}")
        print(f"next: python -m sdm_lite.datasets check folder {shlex.quote(str(expanded(args.target)))}")
    return 0
