"""`python -m sdm_lite.app`: serve the page with Voila, on this machine, and open it in a browser.

The page is `app.ipynb`, a notebook of which Voila shows what its cells draw; what it shows is loaded and checked here
first. Votes go to `votes.csv` in the folder in which the command was started, or to `$SDM_LITE_VOTES`.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from sdm_lite.app.page import VARIABLE, Words, as_text, open_page
from sdm_lite.command import check_packages, run
from sdm_lite.datasets import DATASETS

EPILOG = """\
examples:
  python -m sdm_lite.app                                                    # Scenes, by the shipped network
  python -m sdm_lite.app runs/camvid --dataset camvid --root FOLDER         # a network and data of your own
  python -m sdm_lite.app scenes-32 --beside gan-inade-32                    # a GAN draws the same maps beside it
Voila serves the page; options of its own, such as --Voila.ip=0.0.0.0, are handed on to it. Votes go to votes.csv in
this folder, or to the file that the environment variable SDM_LITE_VOTES names.
"""

PAGE = Path(__file__).with_name("app.ipynb")


def main(argv: Sequence[str] | None = None) -> int:
    """Run Voila in this process until it is stopped.

    Args:
        argv: options; None takes the words of the command line.

    Returns:
        The exit status: 0 stopped, 2 Voila is not installed or an option is none.
    """
    parser = argparse.ArgumentParser(
        prog="python -m sdm_lite.app",
        description="Open a page in the browser: paint a label map and see pictures of it, and vote between pictures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    words = Words()
    parser.add_argument(
        "model", nargs="?", default=words.model, help="a shipped name, a file, or the folder of a run (%(default)s)"
    )
    parser.add_argument(
        "--dataset", default=words.dataset, help=f"whose maps it offers: scenes, {', '.join(DATASETS)} (%(default)s)"
    )
    parser.add_argument("--root", help="the data set's folder")
    parser.add_argument("--split", default=words.split, help="of photographs (%(default)s)")
    parser.add_argument(
        "--beside",
        nargs="+",
        default=[],
        metavar="GAN",
        help="folders of runs, files or shipped names: drawn beside it",
    )
    parser.add_argument("--device", help="where to compute (a GPU if there is one)")
    parser.add_argument("--port", type=int, help="where to serve (default: Voila's, 8866)")
    parser.add_argument("--no-browser", action="store_true", help="open no browser, only print the address")
    arguments, others = parser.parse_known_args(argv)
    return run(lambda: _serve(arguments, others))


def _serve(arguments: argparse.Namespace, others: Sequence[str]) -> None:
    for word in others:
        if not re.match(r"--\w+\.\w+=", word):
            raise ValueError(f"unknown option {word}: see --help; those of Voila are written --Voila.NAME=VALUE")
    check_packages("voila")
    words = Words(
        arguments.model, arguments.dataset, arguments.root, arguments.split, arguments.beside, arguments.device
    )
    open_page(words)  # what is wrong is told here, in a line
    os.environ[VARIABLE] = as_text(words)
    os.environ.setdefault("SDM_LITE_VOTES", str(Path("votes.csv").absolute()))
    options = [] if arguments.port is None else [f"--port={arguments.port}"]
    options += ["--no-browser"] if arguments.no_browser else []
    sys.argv = ["voila", str(PAGE), *options, *others]
    runpy.run_module("voila", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    raise SystemExit(main())
