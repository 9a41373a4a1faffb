"""The teacher's edition has every answer after its exercise; what does not fit is said before anything is written."""

import nbformat
import pytest
from made_notebooks import make_notebook

from sdm_lite.reproduce import NOTEBOOKS
from sdm_lite.reproduce.__main__ import main
from sdm_lite.reproduce.committed import tags
from sdm_lite.reproduce.editions import ANSWERS, asked, read_answers, teachers_edition

STUB = "def my_double(x):\n    ...  # twice\n\n\ncheck(1, my_double)  # hint(1) gives a hint"


def student(tmp_path, *sources):
    notebook = nbformat.read(make_notebook(tmp_path / "00_a.ipynb", *sources), as_version=4)
    for cell in notebook.cells:
        if "check(" in cell.source:
            cell.metadata["tags"] = ["exercise"]
    return notebook


def test_an_answer_stands_after_its_exercise_and_is_checked_strictly(tmp_path):
    notebook = student(tmp_path, "x = 1", STUB, "y = 2")
    made = teachers_edition(notebook, {1: "# why\ndef my_double(x):\n    return 2 * x"})
    place = next(i for i, cell in enumerate(made.cells) if tags(cell) == ["answer"])
    assert made.cells[place - 1].source == STUB and made.cells[place].id == "answer-1"
    assert made.cells[place].source.endswith("    return 2 * x\n\n\ncheck(1, my_double, strict=True)")
    assert len(made.cells) == len(notebook.cells) + 1, "the student's edition is not changed"
    nbformat.validate(made)


@pytest.mark.parametrize("answers", [{}, {2: "my_double = 1"}, {1: "my_double = 1", 2: "b = 1"}])
def test_answers_that_do_not_fit_are_refused(tmp_path, answers):
    with pytest.raises(ValueError, match=r"expected answers to exercises \[1\], got those to"):
        teachers_edition(student(tmp_path, STUB), answers)


def test_a_cell_that_does_not_end_in_its_check_is_refused(tmp_path):
    for source in ("check(1, my_double)\nx = 1", "check(my_double)", "check(1, 2)", "check(1, a, strict=True)"):
        with pytest.raises(ValueError, match="expected to end in check"):
            asked(nbformat.v4.new_code_cell(source))


def test_answers_are_read_by_number_and_one_number_comes_once(tmp_path):
    path = tmp_path / "00_a.py"
    path.write_text(
        '"""Answers."""\n\n# %% imports\nimport math\n\n# %% exercise 2\nb = 2\n\n# %% exercise 1\na = 1  # 1\n'
    )
    assert read_answers(path) == {2: "b = 2", 1: "a = 1  # 1"}
    path.write_text("# %% exercise 1\na = 1\n# %% exercise 1\na = 2\n")
    with pytest.raises(ValueError, match="one answer to exercise 1, got two"):
        read_answers(path)


def test_the_command_writes_it_with_links_that_lead_somewhere(tmp_path, capsys):
    assert main(["--teacher", str(tmp_path / "teacher"), "--only", "04"]) == 0
    assert capsys.readouterr().out.startswith("written: 1 notebooks with their answers")
    (path,) = (tmp_path / "teacher").iterdir()
    made = nbformat.read(path, as_version=4)
    assert "(teacher's edition)" in made.cells[0].source.splitlines()[0]
    assert [cell.id for cell in made.cells if "answer" in tags(cell)] == [f"answer-{n}" for n in range(1, 7)]
    links = [
        part.split(")")[0].partition("#")[0]
        for cell in made.cells
        if cell.cell_type == "markdown"
        for part in cell.source.split("](")[1:]
    ]
    pages = [link for link in links if link.endswith(".md")]
    assert pages and all((path.parent / link).exists() for link in pages)


def test_no_answer_is_in_a_notebook():
    """The longest line that an answer has and its exercise has not: it stands nowhere in the student's edition."""
    for path in ANSWERS.glob("*.py"):
        notebook = nbformat.read(NOTEBOOKS / f"{path.stem}.ipynb", as_version=4)
        shown = "\n".join(f"{cell.source}\n{cell.get('outputs', '')}" for cell in notebook.cells)
        stubs = {asked(cell)[0]: cell.source for cell in notebook.cells if "exercise" in tags(cell)}
        for number, answer in read_answers(path).items():
            lines = [line.partition("  #")[0].strip() for line in answer.splitlines() if not line.startswith("#")]
            own = max((line for line in lines if line not in stubs[number]), key=len)
            assert own not in shown, f"{path.stem}, exercise {number}: {own}"
