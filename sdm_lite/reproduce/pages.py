"""Pages that need no network: an executed notebook as HTML, equations as MathML, pictures inside, no scripts.

Apart because it is the door of nbconvert, jinja2 and latex2mathml. nbconvert's own pages load MathJax and more from the
network; here its bare template is filled, in the page that the report has too (templates/).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from html import escape, unescape
from pathlib import Path
from typing import Any

from sdm_lite.ledger.rules import format_value
from sdm_lite.progress import duration

TEMPLATES = Path(__file__).with_name("templates")


def notebooks_as_pages(link: str) -> str:
    """The page of a notebook of the course for a link to the notebook; any other link is left as it is."""
    return re.sub(r"^(\d\d_\w+)\.ipynb", r"\1.html", link)


def notebook_page(notebook, *, title: str) -> str:
    """The HTML page of an executed notebook; links to other notebooks of the course lead to their pages.

    Args:
        notebook: notebook node with its outputs.
        title: of the page.

    Returns:
        A whole page. Equations that cannot be converted stand in it as their source.
    """
    return fill("page.html", {"title": title, "body": notebook_html(notebook), "colours": code_colours()})


def notebook_html(notebook, *, address: Callable[[str], str] = notebooks_as_pages) -> str:
    """The cells of an executed notebook as HTML, without the page around them.

    Args:
        notebook: notebook node with its outputs.
        address: where a link of its text leads to in the page.
    """
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_file=str(TEMPLATES / "notebook.html.j2"))
    exporter.register_filter("markdown2html", lambda source: markdown_html(source, address=address))
    body, _ = exporter.from_notebook_node(_with_captions(notebook))
    return body


def _with_captions(notebook):
    """A copy in which every cell that draws says what in words, if only under which heading it stands."""
    notebook, heading = copy.deepcopy(notebook), ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE)
            heading = headings[-1] if headings else heading
        elif not cell.metadata.get("caption"):
            cell.metadata["caption"] = f"Figure: {heading}"
    return notebook


def markdown_html(source: str, *, address: Callable[[str], str] = notebooks_as_pages) -> str:
    """Markdown as HTML; headings have the anchors that GitHub gives them.

    Args:
        source: the text.
        address: where a link or a picture of the text is in the page.
    """
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def inline_math(self, body: str) -> str:
            return math_html(body, display=False)

        def block_math(self, body: str) -> str:
            return math_html(body, display=True)

        def latex_environment(self, name: str, body: str) -> str:
            return math_html(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)

        def heading(self, text: str, level: int) -> str:
            return f'<h{level} id="{anchor(text)}">{text}</h{level}>\n'

        def link(self, text: str, url: str, title: str | None = None) -> str:
            return super().link(text, address(url), title)

        def image(self, text: str, url: str, title: str | None = None) -> str:
            return super().image(text, address(url), title)

    html = MarkdownWithMath(renderer=Renderer(escape=False, exclude_anchor_links=True)).render(source)
    return re.sub(r"<th([^>]*)></th>", r"<td\1></td>", html)  # a corner of a table heads nothing


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading: small letters, hyphens for spaces, no other signs."""
    text = unescape(re.sub(r"<[^>]+>", "", heading)).lower()
    return re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")


def code_colours() -> str:
    """The style of highlighted code, for light and for dark pages."""
    from pygments.formatters import HtmlFormatter

    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in ("default", "github-dark"))
    return f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}"


def fill(template: str, values: dict[str, Any]) -> str:
    """A page from one of the templates, which escape what is put in: it is text, but for `body` and `colours`."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
    environment.filters |= {"duration": duration, "value": format_value}
    return environment.get_template(template).render(values)


def math_html(tex: str, *, display: bool) -> str:
    """An equation as MathML, or as its readable source where it cannot be converted."""
    import latex2mathml.converter

    known = tex.strip().replace("{aligned}", "{split}")  # the same thing, under the name that the converter knows
    try:
        mathml = latex2mathml.converter.convert(known, display="block" if display else "inline")
    except Exception:  # the converter's errors have no common type; whatever it is, the reader gets the source
        mathml = "\\"
    # What it does not know comes back as a name: a command with its backslash, a table's column mark.
    if "\\" in mathml or "<mi>&</mi>" in mathml:
        return f'<code class="tex">{escape(tex.strip())}</code>'
    return mathml
