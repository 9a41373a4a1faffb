"""The committed outputs are what comes out: `pytest --nbval-lax` over all notebooks, and that it sees a wrong one."""

import re
from pathlib import Path

import nbformat
import pytest
from made_notebooks import make_notebook
from nbformat.v4 import new_code_cell, new_output
from nbval_run import MARK, run_nbval, write_copies

from sdm_lite.reproduce import NOTEBOOKS, committed
from sdm_lite.reproduce.committed import tags
from sdm_lite.reproduce.report import read_claims

PATHS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_marked_cells_have_something_to_compare(path):
    notebook = nbformat.read(path, as_version=4)
    marked = [cell for cell in notebook.cells if MARK in tags(cell)]
    assert marked, "a notebook has cells tagged nbval-check-output"
    for cell in marked:
        printed = [output for output in cell.outputs if output.get("name") == "stdout" or "data" in output]
        assert printed and cell.execution_count is not None, (
            f"{cell.id}: nbval compares nothing where nothing is stored"
        )
        assert all(output.get("name") != "stderr" for output in cell.outputs)


def marked_cell(source: str, printed: str, *, marked: bool = True):
    """A cell with what is committed of it."""
    outputs = [new_output("stream", name="stdout", text=printed)]
    metadata = {"tags": [MARK]} if marked else {}
    return new_code_cell(source, id="cell", metadata=metadata, outputs=outputs, execution_count=1)


CASES = {
    "00_right": (marked_cell("print(f'{1 / 3:.3f}')", "0.333\n"), True),
    "01_wrong_number": (marked_cell("print(f'{1 / 3:.3f}')", "0.334\n"), False),
    "02_wrong_and_not_marked": (marked_cell("print(PROFILE)", "quick\n", marked=False), True),
    "03_depends_on_the_profile": (marked_cell("print(PROFILE)", "quick\n"), False),
    "04_a_time_and_rounding": (marked_cell("print('in 3.1 s: 2.5e-08')", "in 17 s: 7.1e-09\n"), True),
    "05_raises": (marked_cell("1 / 0", "", marked=False), False),
}


@pytest.mark.slow
def test_a_wrong_committed_output_makes_it_fail(tmp_path):
    paths = [make_notebook(tmp_path / "nb" / f"{name}.ipynb", cell) for name, (cell, _) in CASES.items()]
    write_copies(paths, tmp_path / "run")
    done = run_nbval(tmp_path / "run")
    failed = set(re.findall(r"^FAILED (\w+)\.ipynb", done.stdout, re.MULTILINE))
    assert done.returncode == 1 and failed == {name for name, (_, right) in CASES.items() if not right}, done.stdout
    assert "0.334" in done.stdout and "0.333" in done.stdout
    executed = nbformat.read(tmp_path / "run" / "executed" / "01_wrong_number.ipynb", as_version=4)
    assert executed.cells[-1].outputs[0].text == "0.333\n"


def write_broken(path: Path, source: Path, cell_id: str) -> Path:
    """A copy of a notebook with one digit wrong in what is committed of one of its marked cells."""
    notebook = nbformat.read(source, as_version=4)
    (cell,) = (cell for cell in notebook.cells if cell.id == cell_id and MARK in tags(cell))
    cell.outputs[0].text = re.sub(r"\d", lambda digit: str((int(digit[0]) + 1) % 10), cell.outputs[0].text, count=1)
    path.parent.mkdir()
    nbformat.write(notebook, path)
    return path


@pytest.mark.slow
@pytest.mark.notebooks
def test_all_notebooks_run_and_print_what_is_committed_and_one_wrong_digit_is_seen(tmp_path):
    (source,) = (path for path in PATHS if path.stem.endswith("_unet"))
    broken = write_broken(tmp_path / "broken" / "broken.ipynb", source, "count")
    run = tmp_path / "run"
    write_copies([*PATHS, broken], run)
    done = run_nbval(run)
    assert re.findall(r"^FAILED (\w+)\.ipynb", done.stdout, re.MULTILINE) == ["broken"], done.stdout[-20000:]
    for path in PATHS:
        claims = read_claims(run, path.stem)
        assert claims, f"{path.stem} recorded no claim"
        assert [claim["claim"] for claim in claims if claim["interval"] and not claim["interval_kind"]] == []
        executed = nbformat.read(run / "executed" / path.name, as_version=4)
        begun = [cell.outputs[-1].text for cell in executed.cells if "exercise" in tags(cell)]
        assert all(text.startswith("Not answered yet") for text in begun)
        committed.committed_form(executed)  # raises where an output is not fit to be read
