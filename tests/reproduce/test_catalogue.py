"""What headers say of notebooks, and the tables that pages make of it."""

import re
from pathlib import Path

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from sdm_lite.reproduce import NOTEBOOKS
from sdm_lite.reproduce.catalogue import LEVELS, course_table, lesson, lessons, renewed, times_table

ROOT = NOTEBOOKS.parent
HEADER = """# 03. A lesson

**Question.** Why is it so?

**Level.** beginner. **Before this.** 00, 01.

**Time.** <!-- measured -->1 min 31 s on 2 CPU cores (quick), 7.2 s on NVIDIA X 1 (gpu)
"""


def test_a_header_is_read():
    read = lesson("03_a", new_notebook(cells=[new_markdown_cell(HEADER)]))
    assert (read.title, read.question, read.level, read.before) == (
        "03. A lesson",
        "Why is it so?",
        "beginner",
        "00, 01",
    )
    assert read.times == {("quick", "2 CPU cores"): 91.0, ("gpu", "NVIDIA X 1"): 7.2}
    assert course_table([read]).splitlines()[-1] == (
        "| [03. A lesson](notebooks/03_a.ipynb) | Why is it so? | 1 min 31 s | beginner | 00, 01 |"
    )


def test_times_stand_in_a_column_for_each_machine_and_what_is_missing_is_said():
    both = [lesson("03_a", new_notebook(cells=[new_markdown_cell(HEADER)]))]
    both.append(lesson("04_b", new_notebook(cells=[new_markdown_cell(HEADER.split(", 7.2 s")[0])])))
    lines = times_table(both).splitlines()
    assert lines[0] == "| notebook | quick, 2 CPU cores | gpu, NVIDIA X 1 |"
    assert lines[3].endswith("| 1 min 31 s | not measured |")
    assert lines[4] == "| together | 3 min 2 s (2 of 2) | 7.2 s (1 of 2) |"


@pytest.mark.parametrize("one", lessons(), ids=lambda one: one.stem)
def test_every_header_says_its_level_and_what_comes_before(one):
    told = "the header needs a line such as: **Level.** intermediate. **Before this.** 00, 01."
    assert one.question and one.level in LEVELS, told
    known = {path.name[:2] for path in NOTEBOOKS.glob("*.ipynb")}
    before = [] if one.before == "nothing" else one.before.split(", ")
    assert set(before) <= known and all(number < one.stem[:2] for number in before), told


@pytest.mark.parametrize("name", ["README.md", "docs/teaching.md"])
def test_the_tables_of_the_pages_are_of_today(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "from the headers of the notebooks, by `make tree` -->" in text and renewed(text, lessons()) == text, (
        "run: make tree"
    )


def test_the_sessions_of_the_page_for_teachers_are_of_notebooks_that_there_are():
    text = Path(ROOT, "docs", "teaching.md").read_text(encoding="utf-8")
    column = re.findall(r"^\| [A-Z][^|]+ \| ([\d, ]+) \|", text, re.MULTILINE)
    named = {number for cell in column for number in cell.strip().split(", ")}
    known = {path.name[:2] for path in NOTEBOOKS.glob("*.ipynb")}
    assert len(column) >= 12 and named <= known
