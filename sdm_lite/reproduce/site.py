"""The course as pages: a folder of HTML with search, which needs no kernel, no server and no network.

Apart because it only arranges: pages.py turns a notebook into HTML, catalogue.py reads its header, and what moves, the
search and the guidance slider, is a script of the page (templates/site.js) over pictures that are drawn already.
"""

from __future__ import annotations

import base64
import json
import posixpath
import re
import shutil
from collections.abc import Callable, Mapping
from html import unescape
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from sdm_lite.files import DATA_DIR, write_whole
from sdm_lite.reproduce.catalogue import lesson
from sdm_lite.reproduce.course import REPOSITORY_URL
from sdm_lite.reproduce.pages import TEMPLATES, anchor, code_colours, fill, markdown_html, notebook_html
from sdm_lite.reproduce.report import report_pictures

DOCS = DATA_DIR.parent / "docs"
"""The pages of a checkout; an installed package has none, and links to them lead to the repository."""

# The columns of docs/images/guidance.png, after that of the label maps, and its rows: docs/scripts/make_pictures.py.
GUIDANCE_SCALES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
GUIDANCE_ROWS = 4
# After which cell of which notebook the slider stands once more: where a kernel would show the panel.
PANEL = ("00_start_here", "guidance")


def write_site(folder: Path, notebooks: Mapping[str, Any], *, docs: Path = DOCS) -> Path:
    """Write the course as pages.

    Args:
        folder: for the pages; made if missing, files of the same names are replaced, others left alone.
        notebooks: executed notebook nodes by the names of their files without ending, in order.
        docs: folder of further pages in Markdown with their pictures in images/; need not be there.

    Returns:
        The path of index.html.
    """
    pages = sorted(docs.glob("*.md")) if docs.is_dir() else []
    sections = [one for stem, notebook in notebooks.items() for one in notebook_sections(stem, notebook)]
    moving = (docs / "images" / "guidance.png").exists()
    slider = {"scales": GUIDANCE_SCALES, "rows": GUIDANCE_ROWS} if moving else None
    if moving:
        for picture in sorted((docs / "images").iterdir()):
            (folder / "docs" / "images").mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, folder / "docs" / "images" / picture.name)
    cards = [lesson(stem, notebook) for stem, notebook in notebooks.items()]
    links = [{"href": f"{card.stem}.html", "title": card.title} for card in cards]
    for number, (stem, notebook) in enumerate(notebooks.items()):
        body = notebook_html(_with_slider(stem, notebook, slider), address=_addresses("notebooks", notebooks, pages))
        around = {"before": links[number - 1] if number else None, "after": (links[number + 1 :] or [None])[0]}
        _write_page(folder / f"{stem}.html", body, {"title": cards[number].title, "slider": slider, **around})
        if pictures := report_pictures(notebook):
            write_whole(folder / "thumbnails" / f"{stem}.png", base64.b64decode(pictures[0][0]))
    reference = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        title = re.search(r"^# (.+)$", text, re.MULTILINE)
        reference.append({"href": f"docs/{page.stem}.html", "title": title[1] if title else page.stem})
        body = markdown_html(text, address=_addresses("docs", notebooks, pages))
        _write_page(folder / "docs" / f"{page.stem}.html", body, {"title": reference[-1]["title"], "home": "../"})
        sections += page_sections(f"docs/{page.stem}.html", text)
    write_whole(folder / "search.js", f"const SECTIONS = {json.dumps(sections)};\n")
    style = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "site.css"))
    write_whole(folder / "site.css", f"{style}\n{code_colours()}\n")
    write_whole(folder / "site.js", (TEMPLATES / "site.js").read_text(encoding="utf-8"))
    seen = {path.stem for path in (folder / "thumbnails").glob("*.png")}
    index = fill("site_index.html", {"lessons": cards, "seen": seen, "reference": reference, "slider": slider})
    return _write_page(folder / "index.html", index, {"title": "sdm_lite: the course", "slider": slider})


def _write_page(path: Path, body: str, values: dict[str, Any]) -> Path:
    """A page of the site around what is in it; `home` is the way back to the first page's folder."""
    known = {"home": "", "before": None, "after": None, "slider": None}
    return write_whole(path, fill("site_page.html", known | values | {"body": body}))


def _with_slider(stem: str, notebook, slider: dict[str, Any] | None):
    """The notebook with the slider behind the cell that shows the panel where there is a kernel."""
    ids = [cell.get("id") for cell in notebook.cells]
    if slider is None or stem != PANEL[0] or PANEL[1] not in ids:
        return notebook
    cells, place = list(notebook.cells), ids.index(PANEL[1]) + 1
    cells.insert(place, new_markdown_cell(fill("site_slider.html", {"slider": slider, "home": ""})))
    return NotebookNode(notebook | {"cells": cells})


def _addresses(room: str, notebooks: Mapping[str, Any], pages: list[Path]) -> Callable[[str], str]:
    """Where links of a file in `notebooks` or `docs` of the repository lead to in the site.

    To the page of what has one, to a picture that was copied, and to the repository for everything else in it.
    """
    homes = {f"notebooks/{stem}.ipynb": f"{stem}.html" for stem in notebooks}
    homes |= {f"docs/{page.name}": f"docs/{page.stem}.html" for page in pages}

    def address(link: str) -> str:
        path, mark, place = link.partition("#")
        if not path or "://" in link or link.startswith("mailto:"):
            return link
        path = posixpath.normpath(posixpath.join(room, path))
        home = path if path.startswith("docs/images/") and pages else homes.get(path)
        if home is None:
            return f"{REPOSITORY_URL}/blob/main/{path}{mark}{place}"
        return posixpath.relpath(home, "docs" if room == "docs" else ".") + mark + place

    return address


def notebook_sections(stem: str, notebook) -> list[dict[str, str]]:
    """What is searched of a notebook: its text cell by cell under the last heading, and the captions of figures."""
    found, page = [], lesson(stem, notebook).title
    heading = page
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE)
            heading = headings[0] if headings else heading
        text = cell.source if cell.cell_type == "markdown" else cell.metadata.get("caption", "")
        if text:
            place = f"{stem}.html#cell-id={cell.get('id', '')}"
            found.append({"href": place, "page": page, "title": _plain(heading), "text": _plain(text)})
    return found


def page_sections(href: str, text: str) -> list[dict[str, str]]:
    """What is searched of a page of Markdown, heading by heading."""
    parts = re.split(r"^#{1,4} (.+)$", text, flags=re.MULTILINE)
    page = _plain(parts[1]) if len(parts) > 1 else Path(href).stem
    return [
        {"href": f"{href}#{anchor(heading)}", "page": page, "title": _plain(heading), "text": _plain(body)}
        for heading, body in zip(parts[1::2], parts[2::2], strict=True)
    ]


def _plain(markdown: str) -> str:
    """Markdown as words in one line: no tags, no addresses of links, no marks."""
    text = re.sub(r"<[^>]+>|^\|[-|: ]+$", " ", markdown, flags=re.MULTILINE)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return " ".join(re.sub(r"[*`#|]", " ", unescape(text)).split())
