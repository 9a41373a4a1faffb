"""The notebook contract, held over the notebooks as committed; test_nbval.py runs them all."""

import ast
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import nbformat
import pytest
from made_notebooks import network_loads, unconverted_equations

from sdm_lite.ledger import find_rule
from sdm_lite.reproduce import NOTEBOOKS, PROFILES, committed
from sdm_lite.reproduce.committed import code_cells, tags
from sdm_lite.reproduce.course import parameter_defaults
from sdm_lite.reproduce.pages import notebook_page
from sdm_lite.reproduce.report import report_pictures

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
MAX_FUNCTION_LINES = 15
TO_COME = {2, 6, 15}  # lessons whose numbers are kept free for them
FORBIDDEN_NAMES = {"interact", "interactive", "interactive_output", "interact_manual", "Output"}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def python(cell) -> ast.Module:
    """The syntax of a code cell, its magics replaced by nothing."""
    return ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", cell.source, flags=re.MULTILINE))


def tagged(notebook, tag: str) -> list:
    return [cell for cell in notebook.cells if tag in tags(cell)]


def test_there_are_notebooks_numbered_from_0():
    assert len(PATHS) >= 7
    numbers = [int(path.name[:2]) for path in PATHS]
    assert len(numbers) == len(set(numbers))
    assert sorted({*numbers, *TO_COME}) == list(range(max(numbers) + 1))


def test_header_has_title_question_time_and_links(path, notebook):
    header = notebook.cells[0]
    assert header.cell_type == "markdown" and header.id == "header"
    assert re.match(rf"# {path.stem[:2]}\. \S", header.source)
    assert re.search(r"^\*\*Question\.\*\* .+\?$", header.source, re.MULTILINE)
    assert re.search(r"^\*\*By the end you will have seen\*\*\n\n- ", header.source, re.MULTILINE)
    assert committed.measured_seconds(notebook, "quick") is not None, "not measured: make notebooks"


def test_links_lead_to_the_previous_and_the_next_notebook(path, notebook):
    number = PATHS.index(path)
    links = LINK.findall(notebook.cells[0].source)
    local = [link for link in links if link.endswith(".ipynb") and "://" not in link]
    assert local == [other.name for other in PATHS[max(number - 1, 0) : number + 2] if other != path]
    colab = [link for link in links if "colab" in link]
    assert colab == [f"https://colab.research.google.com/github/sdm-lite/sdm_lite/blob/main/notebooks/{path.name}"]


def test_every_local_link_resolves(path, notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for link in LINK.findall(cell.source):
                target = link.partition("#")[0]
                assert "://" in link or not target or (path.parent / target).exists(), link


def test_setup_parameters_and_imports_come_first_and_once(notebook):
    assert [cell.id for cell in notebook.cells[1:4]] == ["setup", "parameters", "imports"]
    for name, cell in zip(("setup", "parameters", "imports"), notebook.cells[1:4], strict=True):
        assert tagged(notebook, name) == [cell]
    setup = notebook.cells[1].source
    assert "if getattr(find_spec(" in setup and "%pip install" in setup
    values = parameter_defaults(notebook)
    assert values.keys() == {"PROFILE", "SEED", "OUTPUT_DIR"}
    assert notebook.cells[2].source.splitlines()[-1].startswith("check_parameters(PROFILE, SEED, OUTPUT_DIR)")
    assert values["PROFILE"] == "quick" and values["SEED"] == 0 and not Path(values["OUTPUT_DIR"]).is_absolute()


def run_setup(folder: Path, monkeypatch) -> bool:
    """Whether the setup cell of the notebooks installs, in a folder, where the package is not installed."""
    source = nbformat.read(PATHS[0], as_version=4).cells[1].source
    installed = []
    code = re.sub(r"%pip install.*", "installed.append(True)", source)
    monkeypatch.syspath_prepend(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "sdm_lite"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(folder)])
    monkeypatch.setattr(sys, "meta_path", [PathFinder])
    exec(code, {"installed": installed})
    return bool(installed)


def test_the_setup_cell_takes_no_cloned_folder_for_the_package(tmp_path, monkeypatch):
    (tmp_path / "sdm_lite" / "sdm_lite").mkdir(parents=True)  # `!git clone` beside the notebook
    assert run_setup(tmp_path, monkeypatch)


def test_the_setup_cell_leaves_an_installed_package_alone(tmp_path, monkeypatch):
    (tmp_path / "sdm_lite").mkdir()
    (tmp_path / "sdm_lite" / "__init__.py").touch()
    assert not run_setup(tmp_path, monkeypatch)


def test_everything_is_imported_in_the_imports_cell(notebook):
    for cell in code_cells(notebook)[3:]:
        imports = [node for node in ast.walk(python(cell)) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert imports == [], cell.id


def test_notebooks_define_no_machinery(notebook):
    for cell in code_cells(notebook):
        for node in ast.walk(python(cell)):
            assert not isinstance(node, ast.ClassDef), f"{cell.id}: class {node.name}"
            if isinstance(node, ast.FunctionDef):
                lines = node.end_lineno - node.lineno + 1
                assert lines <= MAX_FUNCTION_LINES, f"{cell.id}: {node.name} has {lines} lines"


def test_no_widget_that_hangs_a_run_and_no_shell(notebook):
    for cell in code_cells(notebook):
        assert not re.search(r"^\s*!", cell.source, re.MULTILINE), cell.id
        tree = python(cell)
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        used |= {name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for name in node.names}
        assert used & FORBIDDEN_NAMES == set(), cell.id


def test_code_is_ascii(notebook):
    for cell in code_cells(notebook):
        assert cell.source.isascii(), cell.id


def test_committed_form(path, notebook):
    nbformat.validate(notebook)
    assert notebook.metadata == {"kernelspec": committed.KERNELSPEC, "language_info": {"name": "python"}}
    assert [cell.execution_count for cell in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))
    assert committed.problems(notebook) == []
    assert tagged(notebook, "injected-parameters") == []
    assert all("papermill" not in cell.metadata and "execution" not in cell.metadata for cell in notebook.cells)
    assert path.read_text(encoding="utf-8") == committed.to_text(notebook)


@pytest.mark.parametrize("name", ["sdm_lite/app/app.ipynb", "tests/browser/widgets.ipynb"])
def test_what_is_run_where_it_is_shown_has_no_outputs(name):
    shown = nbformat.read(committed.REPOSITORY / name, as_version=4)
    assert [cell.id for cell in code_cells(shown) if cell.outputs or cell.execution_count is not None] == []


def test_exercises_checks_and_solutions_come_in_threes(notebook):
    threes = [cell for cell in notebook.cells if {"exercise", "check", "solution"} & set(tags(cell))]
    assert 2 <= len(threes) // 3 <= 5
    kinds = ("exercise", "check", "solution")
    assert [cell.id for cell in threes] == [f"{kind}-{n + 1}" for n in range(len(threes) // 3) for kind in kinds]
    for n in range(len(threes) // 3):
        task = notebook.cells[notebook.cells.index(threes[3 * n]) - 1]
        exercise, check, solution = threes[3 * n : 3 * n + 3]
        assert task.cell_type == "markdown" and task.source.startswith(f"### Exercise {n + 1}: ")
        assert tags(exercise) == ["exercise"] and f"answer_{n + 1}" in exercise.source
        assert f"def check_{n + 1}(answer, strict=False):" in check.source
        assert check.source.splitlines()[-1] == f"check_{n + 1}(answer_{n + 1})"
        assert solution.metadata.jupyter.source_hidden and solution.source.startswith(f"# @title Solution {n + 1}")
        assert solution.source.splitlines()[-1] == f"check_{n + 1}(solution_{n + 1}, strict=True)"
        assert printed(check).startswith("Not answered yet. Hint: "), "an unsolved exercise must not pass"
        assert printed(solution).endswith("Right.\n")


def printed(cell) -> str:
    return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")


def test_nothing_else_uses_an_answer_or_a_solution(notebook):
    for cell in code_cells(notebook):
        if not {"exercise", "check", "solution"} & set(tags(cell)):
            assert not re.search(r"\b(answer|solution)_\d", cell.source), cell.id


def test_claims_are_recorded_and_pictures_are_described(notebook):
    calls = [
        node
        for cell in code_cells(notebook)
        for node in ast.walk(python(cell))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith("record")
    ]
    assert calls, "a notebook makes at least one claim"
    for call in calls:
        if call.func.id == "record_claim" and isinstance(call.args[0], ast.Constant):
            find_rule(call.args[0].value)  # raises where the ledger has no such row
        value = {keyword.arg: keyword.value for keyword in call.keywords}.get("value", (call.args + [None, None])[1])
        assert not isinstance(value, ast.Constant), f"a value that is typed: {ast.unparse(call)}"
    assert report_pictures(notebook), "a notebook has at least one cell tagged `report` that draws a picture"
    for cell in tagged(notebook, "report"):
        assert cell.metadata.caption.endswith("."), cell.id


def test_recap_comes_last(path, notebook):
    recap = notebook.cells[-1]
    assert recap.id == "recap" and recap.source.startswith("## Recap\n")
    if path != PATHS[-1]:
        following = PATHS[PATHS.index(path) + 1].name
        assert re.search(rf"Next: \[[^\]]+\]\({re.escape(following)}\)\.?$", recap.source)


def test_the_page_has_its_equations_and_needs_no_network(path, notebook):
    page = notebook_page(notebook, title=path.stem)
    assert unconverted_equations(page) == [] and network_loads(page) == []
    text = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert ("<math" in page) == ("$" in text.replace("\\$", ""))


def test_profile_sizes_name_every_profile(notebook):
    for cell in code_cells(notebook):
        for node in ast.walk(python(cell)):
            if isinstance(node, ast.Subscript) and ast.unparse(node.slice) == "PROFILE":
                assert isinstance(node.value, ast.Dict), cell.id
                assert {ast.literal_eval(key) for key in node.value.keys} == set(PROFILES), cell.id
