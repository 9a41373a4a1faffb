"""Decks of slides: what of a notebook is shown, what is said, and that it starts without a network."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from sdm_lite.reproduce import NOTEBOOKS
from sdm_lite.reproduce.__main__ import main
from sdm_lite.reproduce.slides import deck, write_slides

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def small_notebook():
    figure = new_output("display_data", {"image/png": PNG, "text/plain": "<Figure>"})
    return new_notebook(
        cells=[
            new_markdown_cell("# 00. A\n\n**Question.** Why?\n\nmuch more", id="header"),
            new_code_cell("import secret", id="setup"),
            new_markdown_cell(
                "## One <b>\n\nFirst sentence. " + 40 * "More words. " + "\n\n$$\\frac{a}{b}$$", id="one"
            ),
            new_code_cell("plot()", id="plot", outputs=[new_output("stream", text="a number"), figure]),
            new_markdown_cell("said, not shown", id="aside"),
            new_code_cell("x", id="own", metadata={"slideshow": {"slide_type": "fragment"}}),
        ]
    )


def test_sections_are_slides_figures_stand_below_and_the_text_is_in_the_notes():
    cells = [(cell.metadata.slideshow.slide_type, cell.source) for cell in deck("00_a", small_notebook()).cells]
    assert cells[0] == ("slide", "# 00. A\n\nWhy?")
    beginning = "First sentence." + 18 * " More words."  # whole sentences, 240 letters at most
    assert cells[1] == ("slide", f"## One <b>\n\n{beginning}\n\n$$\\frac{{a}}{{b}}$$")
    assert cells[2][0] == "notes" and "More words" in cells[2][1]
    assert cells[3:] == [("subslide", "plot()"), ("notes", "said, not shown"), ("fragment", "x")]


def test_a_task_is_whole_on_its_slide():
    notebook = small_notebook()
    task = "### Exercise 1 (easy): count\n\n" + 40 * "Count them. " + "\n\n| a | b |"
    notebook.cells.insert(2, new_markdown_cell(task, id="task-1"))
    (slide,) = [cell.source for cell in deck("00_a", notebook).cells if cell.source.startswith("## Exercise")]
    assert slide == task.replace("### ", "## ")


def test_a_table_of_a_section_is_on_its_slide():
    notebook = small_notebook()
    table = "| place | A |\n|---|---|\n| 1 | $x$ |"
    notebook.cells.insert(2, new_markdown_cell(f"## Four\n\nOf four.\n\n{table}\n\nAnd more.", id="four"))
    cells = [cell for cell in deck("00_a", notebook).cells if cell.source.startswith("## Four")]
    slide, notes = (cell.source for cell in cells)
    assert table in slide and "And more" not in slide and "And more" in notes


def test_no_theme_writes_headings_in_capitals(tmp_path):
    (path,) = write_slides(tmp_path, {"00_a": small_notebook()}, reveal="reveal")
    assert ".reveal .slides h2 { text-transform: none" in path.read_text(encoding="utf-8")  # stronger than `.reveal h2`


def test_a_deck_shows_pictures_and_equations_and_no_code(tmp_path):
    (path,) = write_slides(tmp_path, {"00_a": small_notebook()}, reveal="reveal")
    text = path.read_text(encoding="utf-8")
    assert f'src="data:image/png;base64,{PNG}"' in text and "<mfrac>" in text
    assert "import secret" not in text and ">plot<" not in text and "a number" not in text
    assert 'src="reveal/dist/reveal.js"' in text and "://" not in "".join(
        line for line in text.splitlines() if "<script src" in line or "<link" in line
    )


@pytest.mark.slow
def test_the_command_writes_a_deck_for_each_notebook(tmp_path):
    first = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))[0]
    (tmp_path / "nb").mkdir()
    nbformat.write(nbformat.read(first, as_version=4), tmp_path / "nb" / first.name)
    assert main(["--slides", str(tmp_path / "out"), "--notebooks", str(tmp_path / "nb")]) == 0
    assert [path.name for path in Path(tmp_path / "out").iterdir()] == [f"{first.stem}.slides.html"]
