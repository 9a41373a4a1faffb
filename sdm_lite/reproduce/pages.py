"""An executed notebook as one HTML page that needs no network: equations as MathML, pictures inside, no scripts.

Apart because it is the only door of nbconvert and latex2mathml. nbconvert's own pages load MathJax, require.js and more
from the network; here only its bare template is used, in a shell of our own.
"""

from __future__ import annotations

import re
from html import escape

# Attributes and style rules through which a page would load something; links that a reader may follow are not meant.
LOADS = re.compile(
    r"""<(?:script|iframe|embed|object)\b|<link\b[^>]*\bhref|\bsrcset\s*=|\b(?:src|poster)\s*=\s*["']?(?!data:)[^\s>"']"""
    r"""|url\(\s*["']?(?!data:|\#)\S|@import""",
    re.IGNORECASE,
)

STYLE = """
:root { color-scheme: light dark; --ink: #1d2126; --soft: #5c6570; --line: #dfe3e8; --back: #ffffff; --panel: #f6f7f9;
  --link: #0b61a4; --good: #1a7a3c; --bad: #b3261e; --bad-back: #fdf0ef; --accent: #2f6f9f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --soft: #9aa4af; --line: #343a41; --back: #16191d; --panel: #1f2328;
    --link: #79b8f3; --good: #6ccf8b; --bad: #ff8a80; --bad-back: #33201f; --accent: #5f9fd0; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 60rem; background: var(--back); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.25; margin: 2.2em 0 0.6em; }
h1 { font-size: 1.9rem; margin-top: 0; }
h2 { font-size: 1.35rem; }
h3 { font-size: 1.1rem; }
a { color: var(--link); text-underline-offset: 0.15em; }
img { max-width: 100%; height: auto; }
code, pre { font: 0.875em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { overflow-x: auto; margin: 0; white-space: pre; }
table { border-collapse: collapse; }
math { font-size: 1.12em;
  font-family: "Cambria Math", "STIX Two Math", "Latin Modern Math", "STIX Math", "DejaVu Math TeX Gyre", math; }
math[display="block"] { overflow-x: auto; overflow-y: hidden; padding: 0.5rem 0; }
mtd[columnalign="right"] { text-align: -webkit-right; }
mtd[columnalign="left"] { text-align: -webkit-left; }
mtable[columnspacing] mtd { padding-left: 0; padding-right: 0.15em; }
"""

NOTEBOOK_STYLE = """
.anchor-link, .prompt { display: none; }
.cell { margin: 1rem 0; }
.input_area, .rendered_html pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  padding: 0.7rem 0.9rem; }
.output_area { margin: 0.6rem 0; }
.output_text pre { color: var(--soft); padding: 0 0.9rem; }
.output_png img { background: #fff; border-radius: 4px; padding: 4px; }
.output_error pre { background: var(--bad-back); color: var(--ink); border-left: 4px solid var(--bad);
  padding: 0.7rem 0.9rem; }
.rendered_html table { margin: 1rem 0; }
.rendered_html td, .rendered_html th { border-bottom: 1px solid var(--line); padding: 0.3rem 0.8rem; text-align: left; }
summary { cursor: pointer; color: var(--soft); }
code.tex { background: var(--panel); padding: 0.1em 0.3em; border-radius: 3px; }
"""


def notebook_page(notebook, *, title: str, siblings: frozenset[str] = frozenset()) -> str:
    """The HTML page of an executed notebook.

    Args:
        notebook: notebook node with its outputs.
        title: of the page.
        siblings: file names of the notebooks whose pages lie beside this one; links to them lead to their pages.

    Returns:
        A whole page that loads nothing. Equations that cannot be converted stand in it as their source.
    """
    from bs4 import BeautifulSoup
    from nbconvert import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def inline_math(self, body: str) -> str:
            return math_html(body, display=False)

        def block_math(self, body: str) -> str:
            return math_html(body, display=True)

        def latex_environment(self, name: str, body: str) -> str:
            return math_html(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)

    def markdown2html(source: str) -> str:
        return MarkdownWithMath(renderer=Renderer(escape=False, exclude_anchor_links=True)).render(source)

    exporter = HTMLExporter(template_name="basic")
    exporter.register_filter("markdown2html", markdown2html)
    body, _ = exporter.from_notebook_node(_with_alternative_texts(notebook))
    soup = BeautifulSoup(body, "html.parser")
    _make_static(soup, siblings)
    _fold_hidden(soup, notebook)
    return page(str(soup), title=title, style=NOTEBOOK_STYLE + _code_colours())


def page(body: str, *, title: str, style: str = "") -> str:
    """A whole HTML page around a body that is HTML already; the title is text."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


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


def unconverted_equations(notebook) -> list[str]:
    """The equations of a notebook's text that have no MathML form, as their source."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(notebook_page(notebook, title=""), "html.parser")
    return [element.get_text() for element in soup.select("code.tex")]


def network_loads(html: str) -> list[str]:
    """What a page would load from elsewhere when opened, as excerpts; a self-contained page has none."""
    markup = re.sub(r"<pre\b.*?</pre>|<code\b.*?</code>", "", html, flags=re.DOTALL)
    return [markup[match.start() : match.start() + 80] for match in LOADS.finditer(markup)]


def _with_alternative_texts(notebook):
    """A copy whose pictures are described by their cell's caption."""
    from copy import deepcopy

    described = deepcopy(notebook)
    for cell in described.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}) and "caption" in cell.metadata:
                output.metadata.setdefault("image/png", {}).setdefault("alt", cell.metadata.caption)
    return described


def _make_static(soup, siblings: frozenset[str]) -> None:
    for element in soup.find_all(["script", "iframe", "embed", "object", "link", "base", "meta"]):
        element.decompose()
    for element in soup.find_all(src=lambda address: address and not address.startswith("data:")):
        element.replace_with(f"[{element.get('alt') or 'picture'}: {element['src']}]")
    for link in soup.find_all("a", href=True):
        name, mark, fragment = link["href"].partition("#")
        if name in siblings:
            link["href"] = name.removesuffix(".ipynb") + ".html" + mark + fragment


def _fold_hidden(soup, notebook) -> None:
    """Folds the code of cells that are folded in JupyterLab."""
    for cell in notebook.cells:
        element = soup.find(id=f"cell-id={cell.get('id', '')}")
        area = element and element.find(class_="input_area")
        if area and cell.metadata.get("jupyter", {}).get("source_hidden"):
            summary = soup.new_tag("summary")
            summary.string = cell.source.splitlines()[0].lstrip("# ").replace("@title ", "")
            area.wrap(soup.new_tag("details")).insert(0, summary)


def _code_colours() -> str:
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n.highlight {{ background: none !important; }}"
