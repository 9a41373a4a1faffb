"""Small notebooks for the tests of what runs them, and what to look for in the pages that they become."""

import json
import re
from html import unescape
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PARAMETERS = 'PROFILE = "quick"\nSEED = 0\nOUTPUT_DIR = "output"'
# Attributes and style rules through which a page would load something; links that a reader may follow are not meant.
LOADS = re.compile(
    r"""<(?:script|iframe|embed|object)\b|<link\b[^>]*\bhref|\bsrcset\s*="""
    r"""|\b(?:src|poster)\s*=\s*["']?(?!data:)[^\s>"']"""
    r"""|url\(\s*["']?(?!data:|\#)\S|@import""",
    re.IGNORECASE,
)


def make_notebook(path: Path, *cells, parameters: str = PARAMETERS) -> Path:
    """A notebook with a header and a parameters cell; code cells are given as text or as cells."""
    header = new_markdown_cell(f"# {path.stem}\n\n**Time.** <!-- measured -->not measured yet", id="header")
    tagged = new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]})
    made = [new_code_cell(cell, id=f"c{i}") if isinstance(cell, str) else cell for i, cell in enumerate(cells)]
    path.parent.mkdir(parents=True, exist_ok=True)
    kernel = {"name": "other", "display_name": "Other", "language": "python"}
    nbformat.write(new_notebook(cells=[header, tagged, *made], metadata={"kernelspec": kernel}), path)
    return path


def state_of(output: Path) -> dict:
    return json.loads((output / "run.json").read_text())


def network_loads(html: str) -> list[str]:
    """What a page would load from elsewhere when opened, as excerpts; a self-contained page has none."""
    markup = re.sub(r"<pre\b.*?</pre>|<code\b.*?</code>", "", html, flags=re.DOTALL)
    return [markup[match.start() : match.start() + 80] for match in LOADS.finditer(markup)]


def unconverted_equations(html: str) -> list[str]:
    """The equations of a page that have no MathML form, as their source."""
    return [unescape(tex) for tex in re.findall(r'<code class="tex">(.*?)</code>', html, flags=re.DOTALL)]
