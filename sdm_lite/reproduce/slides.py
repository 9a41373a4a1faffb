"""A deck of slides for each notebook, by nbconvert: sections are slides, figures below them, the text in the notes.

Apart because it only chooses what of a notebook a teacher shows: a cell that says by itself what it is on a slide
(`slideshow.slide_type` in its metadata, as Jupyter's own tools write it) is taken at its word.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from sdm_lite.files import write_whole
from sdm_lite.reproduce.catalogue import lesson
from sdm_lite.reproduce.pages import TEMPLATES, markdown_html

HEADING = re.compile(r"^#{1,4} (.+)$", re.MULTILINE)
MOST_LETTERS = 240  # of prose on a slide
EQUATION = re.compile(r"\$\$.+?\$\$", re.DOTALL)
TABLE = re.compile(r"(?:^\|.*$\n?){3,9}", re.MULTILINE)  # longer ones are for reading


def write_slides(folder: Path, notebooks: Mapping[str, Any], *, reveal: str | None = None) -> list[Path]:
    """Write a deck for each notebook.

    Args:
        folder: for the decks; made if missing.
        notebooks: executed notebook nodes by the names of their files without ending, in order.
        reveal: where reveal.js is, an address or a folder as seen from a deck; None is nbconvert's own choice, which
            is in the network.

    Returns:
        The paths of the decks.
    """
    from nbconvert import SlidesExporter

    exporter = SlidesExporter(template_file=str(TEMPLATES / "slides.html.j2"), reveal_theme="white", exclude_input=True)
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    if reveal:
        exporter.reveal_url_prefix = reveal
    exporter.register_filter("markdown2html", markdown_html)
    written = []
    for stem, notebook in notebooks.items():
        body, _ = exporter.from_notebook_node(deck(stem, notebook))
        written.append(write_whole(folder / f"{stem}.slides.html", body))
    return written


def deck(stem: str, notebook) -> NotebookNode:
    """The notebook as nbconvert's exporter of slides reads it: cells with their places, new ones for what is shown."""
    about = lesson(stem, notebook)
    title = new_markdown_cell(f"# {about.title}\n\n{about.question}", id="title")
    cells = [_placed(title, "slide")]
    for cell in notebook.cells[1:]:
        own = cell.metadata.get("slideshow", {}).get("slide_type")
        if own:
            cells.append(copy.deepcopy(cell))
        elif cell.cell_type == "markdown":
            cells += _section(cell)
        elif any("image/png" in output.get("data", {}) for output in cell.outputs):
            cells += _figure(cell)
    return NotebookNode(notebook | {"cells": cells})


def _placed(cell, place: str):
    cell.metadata["slideshow"] = {"slide_type": place}
    return cell


def _section(cell) -> list:
    """A heading with its equations and tables as a slide, all of the text in its notes; without a heading, notes alone.

    A task is whole on its slide.
    """
    headings, notes = HEADING.findall(cell.source), _placed(copy.deepcopy(cell), "notes")
    if not headings:
        return [notes]
    text = HEADING.sub("", cell.source).strip()
    if re.match(r"Exercise \d", headings[0]):  # a task is done from the slide: all of it
        shown = [f"## {headings[0]}", text]
    else:
        set_apart = [*EQUATION.findall(cell.source), *TABLE.findall(cell.source)]
        shown = [f"## {headings[0]}", _beginning(text), *set_apart]
    slide = new_markdown_cell("\n\n".join(part for part in shown if part), id=f"{cell.id}-slide"[:64])
    return [_placed(slide, "slide"), notes]


def _figure(cell) -> list:
    """The pictures of a cell below the section's slide, with its caption in the notes."""
    shown = copy.deepcopy(cell)
    shown.outputs = [output for output in shown.outputs if "image/png" in output.get("data", {})]
    caption = new_markdown_cell(cell.metadata.get("caption", ""), id=f"{cell.id}-notes"[:64])
    return [_placed(shown, "subslide"), *([_placed(caption, "notes")] if caption.source else [])]


def _beginning(text: str) -> str:
    """The first paragraph of prose, or of a long one as many sentences as fit; nothing where there is none."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    prose = [part for part in paragraphs if part and not part.startswith(("$$", "|", "- ", "* ", "<", "```", "1. "))]
    if not prose or len(prose[0]) <= MOST_LETTERS:
        return prose[0] if prose else ""
    first, *more = re.split(r"(?<=[.?!:])\s+(?=[A-Z`*])", prose[0])
    for sentence in more:
        if len(first) + 1 + len(sentence) > MOST_LETTERS:
            break
        first = f"{first} {sentence}"
    return first
