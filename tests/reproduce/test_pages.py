"""Pages show equations without a network, and load nothing."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from sdm_lite.reproduce.pages import math_html, network_loads, notebook_page, unconverted_equations


def test_equations_become_mathml_or_stay_readable():
    assert "<msqrt>" in math_html(r"\sqrt{x}", display=False)
    assert "<mtable" in math_html(r"\begin{aligned} a &= b \\ c &= d \end{aligned}", display=True)
    assert math_html(r"\wrong{x < y}", display=False) == r'<code class="tex">\wrong{x &lt; y}</code>'
    notebook = new_notebook(cells=[new_markdown_cell(r"$x$ and $\wrong{y}$ and `$\wrong{z}$`")])
    assert unconverted_equations(notebook) == [r"\wrong{y}"]


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://a/b.js"></script>',
        "<script>1</script>",
        '<img src="https://a/b.png">',
        '<link rel="stylesheet" href="a.css">',
        "<style>a { background: url(//a/b.png) }</style>",
        "<style>@import 'a.css';</style>",
        '<iframe srcdoc="x"></iframe>',
    ],
)
def test_loads_are_seen_and_pages_made_free_of_them(html):
    assert network_loads(html) != []
    assert network_loads('<a href="https://a.b">a</a> <img src="data:image/png;base64,AA"><pre>&lt;script></pre>') == []
    if "<style" not in html:
        cell = new_code_cell("1", outputs=[new_output("display_data", {"text/html": html})])
        assert network_loads(notebook_page(new_notebook(cells=[new_markdown_cell(html), cell]), title="a")) == []
