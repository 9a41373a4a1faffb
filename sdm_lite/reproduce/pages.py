"""Pages that need no network: an executed notebook as HTML, equations as MathML, pictures inside, no scripts.

Apart because it is the door of nbconvert, jinja2 and latex2mathml. nbconvert's own pages load MathJax and more from the
network; here its bare template is filled, in the page that the report has too (templates/).
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

from sdm_lite.ledger.rules import format_value
from sdm_lite.progress import duration

TEMPLATES = Path(__file__).with_name("templates")


def notebook_page(notebook, *, title: str) -> str:
    """The HTML page of an executed notebook; links to other notebooks of the course lead to their pages.

    Args:
        notebook: notebook node with its outputs.
        title: of the page.

    Returns:
        A whole page. Equations that cannot be converted stand in it as their source.
    """
    from nbconvert import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
    from pygments.formatters import HtmlFormatter

    class Renderer(IPythonRenderer):
        def inline_math(self, body: str) -> str:
            return math_html(body, display=False)

        def block_math(self, body: str) -> str:
            return math_html(body, display=True)

        def latex_environment(self, name: str, body: str) -> str:
            return math_html(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)

    def markdown2html(source: str) -> str:
        source = re.sub(r"\]\((\d\d_\w+)\.ipynb", r"](\1.html", source)
        return MarkdownWithMath(renderer=Renderer(escape=False, exclude_anchor_links=True)).render(source)

    exporter = HTMLExporter(template_file=str(TEMPLATES / "notebook.html.j2"))
    exporter.register_filter("markdown2html", markdown2html)
    body, _ = exporter.from_notebook_node(notebook)
    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in ("default", "github-dark"))
    colours = f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}"
    return fill("page.html", {"title": title, "body": body, "colours": colours})


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
