"""Pages show equations without a network, and load nothing."""

import pytest
from made_notebooks import network_loads, unconverted_equations
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from sdm_lite.reproduce.pages import math_html, notebook_page


def test_equations_become_mathml_or_stay_readable():
    assert "<msqrt>" in math_html(r"\sqrt{x}", display=False)
    assert "<mtable" in math_html(r"\begin{aligned} a &= b \\ c &= d \end{aligned}", display=True)
    assert math_html(r"\wrong{x < y}", display=False) == r'<code class="tex">\wrong{x &lt; y}</code>'
    notebook = new_notebook(cells=[new_markdown_cell(r"$x$ and $\wrong{x < y}$ and `$\wrong{z}$`")])
    assert unconverted_equations(notebook_page(notebook, title="a")) == [r"\wrong{x < y}"]


def test_a_cell_that_is_folded_is_folded_in_the_page():
    hidden = new_code_cell("# @title One <a> day\nx = 1", metadata={"jupyter": {"source_hidden": True}})
    page = notebook_page(new_notebook(cells=[hidden, new_code_cell("y = 2")]), title="a <b>")
    assert page.count("<details>") == 1 and "<summary>One &lt;a&gt; day</summary>" in page
    assert "<title>a &lt;b&gt;</title>" in page and network_loads(page) == []


def test_a_picture_has_its_own_words_in_the_page_or_those_of_its_cell():
    told = {"image/png": {"alt": "a < b, rising"}}
    outputs = [new_output("display_data", {"image/png": "aGk="}, metadata=of) for of in (told, {})]
    cell = new_code_cell("draw()", outputs=outputs, metadata={"caption": "Two curves."})
    page = notebook_page(new_notebook(cells=[cell]), title="a")
    assert 'alt="a &lt; b, rising"' in page and 'alt="Two curves."' in page


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
def test_loads_are_seen(html):
    assert network_loads(html) != []
    assert network_loads('<a href="https://a.b">a</a> <img src="data:image/png;base64,AA"><pre>&lt;script></pre>') == []
