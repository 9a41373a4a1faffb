"""`python -m sdm_lite.course DIR`: copy the notebooks of the course to a folder of one's own."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sdm_lite.command import check_packages, run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: options; None takes the words of the command line.

    Returns:
        The exit status: 0 done, 2 bad input.
    """
    parser = argparse.ArgumentParser(
        prog="python -m sdm_lite.course",
        description="Copy the notebooks of the course to a folder of your own, in which you may write and run them.",
        epilog="Then: cd DIR, and open them with `jupyter lab`, VS Code or whatever runs notebooks.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="where to; made if missing, nothing in it is replaced")
    arguments = parser.parse_args(argv)
    return run(lambda: _copy(arguments.folder))


def _copy(folder: Path) -> None:
    check_packages("nbformat")
    from sdm_lite.course.copying import copy_course

    made = copy_course(folder)
    print(f"{len(made)} notebooks in {folder}; begin with {made[0].name}")


if __name__ == "__main__":
    raise SystemExit(main())
