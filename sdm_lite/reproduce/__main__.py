"""`python -m sdm_lite.reproduce`: execute the notebooks in order, join the ledger of the paper's claims, report."""

from __future__ import annotations

import argparse
import webbrowser
from pathlib import Path

from sdm_lite.command import check_packages, run
from sdm_lite.files import DATA_DIR, check_writable_folder, expanded
from sdm_lite.ledger import coverage
from sdm_lite.reproduce.course import PROFILES, make_course, parse_parameters


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit status: 0 done, 1 a notebook failed or a verdict of the ledger became worse, 2 bad input or a full
        disk, 130 interrupted.
    """
    return run(lambda: _reproduce(arguments))


def _reproduce(arguments: list[str] | None) -> int:
    options = _parser().parse_args(arguments)
    if options.ledger or options.crate:
        return _ledger(options.output, options.crate)
    if options.site or options.slides:
        return _pages(options.site, options.slides, options.reveal, options.notebooks)
    if options.teacher:
        return _teacher(options.teacher, options.only)
    check_packages("papermill", "nbformat", "nbconvert", "jupyter_client", "jinja2")
    from sdm_lite.reproduce.runner import run_course

    course = make_course(
        profile=options.profile,
        output=options.output,
        notebooks=options.notebooks,
        only=options.only,
        start=getattr(options, "from"),
        parameters=parse_parameters(options.parameter),
        kernel=options.kernel,
        timeout=options.timeout,
        write_back="notebook" if options.refresh else "time" if options.times else None,
    )
    status = run_course(course, resume=options.resume)
    if options.open:
        webbrowser.open((course.output / "report.html").resolve().as_uri())
    return status


def _ledger(output: Path, crate: Path | None) -> int:
    """Join the ledger without running anything: into a crate, or into the pages of the repository."""
    import nbformat

    from sdm_lite.reproduce import NOTEBOOKS, joining, ledger_pages
    from sdm_lite.reproduce.runner import source_hash

    sources = {path.stem: source_hash(nbformat.read(path, as_version=4)) for path in NOTEBOOKS.glob("*.ipynb")}
    before = joining.read_ledger()
    now = joining.joined(before, joining.stored_records(), output, joining.notebooks_that_ran(output, sources))
    if crate:
        from sdm_lite.reproduce.crate import write_crate

        check_writable_folder(crate, option="--crate")
        print(f"{coverage(now)}: {write_crate(now, expanded(crate))}")
        return 0
    if DATA_DIR.name != "data":
        raise ValueError("--ledger: expected a checkout, got an installed package: clone the repository")
    ledger_pages.write_pages(now, DATA_DIR.parent)
    joining.write_ledger(now)
    worse = joining.tell_worse(before, now)
    print("written: docs/ledger.md, README.md, data/ledger.json")
    return int(worse)


def _pages(site: Path | None, slides: Path | None, reveal: str | None, notebooks: Path | None) -> int:
    """Write the course as pages or as slides, without running anything: the notebooks as they are committed."""
    check_packages("nbformat", "nbconvert", "jinja2")
    import nbformat

    from sdm_lite.reproduce.course import find_notebooks
    from sdm_lite.reproduce.site import write_site
    from sdm_lite.reproduce.slides import write_slides

    check_writable_folder(site or slides, option="--site" if site else "--slides")
    read = {path.stem: nbformat.read(path, as_version=4) for path in find_notebooks(notebooks)}
    if site:
        print(f"{len(read)} notebooks as pages: {write_site(expanded(site), read)}")
    else:
        written = write_slides(expanded(slides), read, reveal=reveal)
        print(f"{len(written)} decks of slides: open {written[0]} in a browser; S shows the notes")
    return 0


def _teacher(folder: Path, only: list[str]) -> int:
    """Write the teacher's edition of the notebooks, without running it."""
    check_packages("nbformat", "jupyter_client")
    from sdm_lite.reproduce.editions import write_teachers_edition

    written = write_teachers_edition(folder, tuple(only))
    print(f"written: {len(written)} notebooks with their answers; run them with --notebooks {folder}")
    return 0


class _Parser(argparse.ArgumentParser):
    """argparse with errors of one line, raised where the other bad input is reported too."""

    def error(self, message: str) -> None:
        raise ValueError(f"{message} (all options: python -m sdm_lite.reproduce --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m sdm_lite.reproduce",
        description="Execute the notebooks in order and write one HTML report of what they measured.",
    )
    add = parser.add_argument
    add("--profile", default="quick", help=f"how much to compute: {', '.join(PROFILES)} (default quick)")
    add("--output", type=Path, default=Path("reports/latest"), help="folder of the report (default reports/latest)")
    add("--notebooks", type=Path, help="folder of the notebooks (default: the course's)")
    add("--only", nargs="+", default=[], metavar="NN", help="run these notebooks only, for example 03 05")
    add("--from", metavar="NN", help="run from this notebook on")
    add(
        "--resume",
        action="store_true",
        help="skip what already succeeded in this output folder and has not changed; with --refresh, write that back",
    )
    add("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="set a parameter, e.g. SEED=1")
    add("--timeout", type=float, default=1800, metavar="SECONDS", help="time limit of a cell (default 1800)")
    add("--kernel", default="python3", help="Jupyter kernel to run in (default python3)")
    write_back = parser.add_mutually_exclusive_group()
    write_back.add_argument(
        "--refresh", action="store_true", help="write executed notebooks back, cleaned (quick only)"
    )
    write_back.add_argument("--times", action="store_true", help="write only the measured time back into each header")
    add(
        "--ledger",
        action="store_true",
        help="run nothing: join the run in --output, stored runs and arithmetic; write docs/ledger.md, data/ledger.json"
        " and the README's table",
    )
    add("--crate", type=Path, metavar="FOLDER", help="run nothing: write the ledger and its stored runs as an RO-Crate")
    add("--site", type=Path, metavar="FOLDER", help="run nothing: write the committed notebooks as pages with search")
    add("--slides", type=Path, metavar="FOLDER", help="run nothing: write a deck of slides for each committed notebook")
    add(
        "--reveal",
        metavar="ADDRESS",
        help="of --slides: where reveal.js is, as seen from a deck (default: the network)",
    )
    add(
        "--teacher",
        type=Path,
        metavar="FOLDER",
        help="run nothing: write the notebooks with an answer to each exercise",
    )
    add("--open", action="store_true", help="open the report in a browser")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
