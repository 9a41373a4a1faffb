"""Copying the notebooks to where their reader may write, so that their links lead somewhere from there too."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

from sdm_lite.files import check_writable_folder, expanded, write_whole
from sdm_lite.reproduce.committed import to_text
from sdm_lite.reproduce.course import REPOSITORY_URL, find_notebooks

LEAVING = re.compile(r"(!?\[[^\]]*\])\(\.\./([^)\s]+)\)")


def copy_course(folder: str | Path, notebooks: Path | None = None) -> list[Path]:
    """Copy the notebooks of the course, outputs and all, to a folder.

    Links from one to the next stay as they are; a link to another file of the repository becomes its address there.

    Args:
        folder: where to; made if missing.
        notebooks: where from; None is the course's own, of a checkout or of an installed package.

    Returns:
        The copies, in order.

    Raises:
        ValueError: before anything is written, if the folder cannot be written to or one of them is there already: what
            somebody has worked in is never replaced.
    """
    check_writable_folder(folder, option="the folder")
    sources, folder = find_notebooks(notebooks), expanded(folder)
    there = [path.name for path in sources if (folder / path.name).exists()]
    if there:
        raise ValueError(f"{folder}: expected none of the course's notebooks, got {there[0]}: give another folder")
    return [write_whole(folder / path.name, copied(path)) for path in sources]


def copied(path: Path) -> str:
    """The text of a notebook with its links out of notebooks/ as addresses in the repository."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LEAVING.sub(_in_the_repository, cell.source)
    return to_text(notebook)


def _in_the_repository(link: re.Match) -> str:
    kind = "raw" if link[1].startswith("!") else "blob"
    return f"{link[1]}({REPOSITORY_URL}/{kind}/main/{link[2]})"
