"""The notebook contract, held over the notebooks as committed; test_nbval.py runs them all."""

import ast
import contextlib
import io
import linecache
import re
import sys
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path

import nbformat
import pytest
from made_notebooks import network_loads, unconverted_equations

from sdm_lite.ledger import find_rule
from sdm_lite.reproduce import NOTEBOOKS, PROFILES, committed, make_course
from sdm_lite.reproduce.committed import code_cells, tags
from sdm_lite.reproduce.course import parameter_defaults
from sdm_lite.reproduce.editions import ANSWERS, asked, write_teachers_edition
from sdm_lite.reproduce.pages import notebook_page
from sdm_lite.reproduce.report import report_pictures
from sdm_lite.reproduce.runner import run_course

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
MAX_FUNCTION_LINES = 15
MAX_OPEN_LINES = 15  # of a cell that plots
MAX_SHOWN_LINES = 25  # of a function that is printed
MAX_SCRATCH_LINES = 100  # of the lesson that writes the method itself, in cells tagged `scratch`
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
    assert [int(path.name[:2]) for path in PATHS] == list(range(len(PATHS)))


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
    assert notebook.cells[3].source.startswith("check_parameters(PROFILE, SEED, OUTPUT_DIR)")  # of `papermill -p`
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
            assert not isinstance(node, ast.ClassDef) or "scratch" in tags(cell), f"{cell.id}: class {node.name}"
            if isinstance(node, ast.FunctionDef):
                lines = node.end_lineno - node.lineno + 1
                assert lines <= MAX_FUNCTION_LINES, f"{cell.id}: {node.name} has {lines} lines"


def test_the_method_from_scratch_is_short_and_takes_nothing_from_the_package():
    notebook = nbformat.read(NOTEBOOKS / "15_from_scratch.ipynb", as_version=4)
    imports = [node for node in python(notebook.cells[3]).body if isinstance(node, ast.ImportFrom)]
    own = [node for node in imports if node.module.startswith("sdm_lite")]
    of_package = {name.asname or name.name for node in own for name in node.names}
    lines = []
    for cell in tagged(notebook, "scratch"):
        assert {node.id for node in ast.walk(python(cell)) if isinstance(node, ast.Name)} & of_package == set(), cell.id
        lines += [line for line in cell.source.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert 50 < len(lines) <= MAX_SCRATCH_LINES


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


@pytest.mark.parametrize(
    "name", ["sdm_lite/app/app.ipynb", "tests/browser/widgets.ipynb", "tests/browser/student.ipynb"]
)
def test_what_is_run_where_it_is_shown_has_no_outputs(name):
    shown = nbformat.read(committed.REPOSITORY / name, as_version=4)
    assert [cell.id for cell in code_cells(shown) if cell.outputs or cell.execution_count is not None] == []


def test_exercises_are_a_task_and_a_cell_that_checks_itself(path, notebook):
    """No answer stands in a notebook: it has the task, a stub and its check; hints and levels are the package's."""
    if not tagged(notebook, "exercise"):
        pytest.skip("a lesson without exercises")
    module = import_module(f"sdm_lite.exercises.{path.stem[3:]}")
    lesson, cells = module.LESSON, tagged(notebook, "exercise")
    assert [asked(cell)[0] for cell in cells] == list(range(1, len(lesson.exercises) + 1))
    assert 2 <= len(cells) <= 6
    for number, (cell, exercise) in enumerate(zip(cells, lesson.exercises, strict=True), start=1):
        task = notebook.cells[notebook.cells.index(cell) - 1]
        heading = f"### Exercise {number} ({exercise.level}): {exercise.title}"
        assert task.cell_type == "markdown" and task.source.splitlines()[0] == heading
        assert (task.id, cell.id) == (f"task-{number}", f"exercise-{number}")
        assert re.search(r"\(about \d+ minutes\)$", task.source)
        assert re.fullmatch(r"Not answered yet.*\nhint\(\d\) gives a hint\.\n", printed(cell)), "the stub must not pass"
        assert printed(cell) == printed_by(cell.source, vars(module)), "what is committed is not what the stub prints"
        name = asked(cell)[1]
        assert name.startswith("my_")
        for other in code_cells(notebook):
            assert other is cell or not re.search(rf"\b{name}\b", other.source), f"{other.id} uses an answer"


def printed_by(source: str, scope: dict) -> str:
    """What a cell prints, run by itself; its lines can be found, as in a kernel."""
    linecache.cache["cell"] = (len(source), None, source.splitlines(keepends=True), "cell")
    with contextlib.redirect_stdout(io.StringIO()) as words:
        exec(compile(source, "cell", "exec"), {"check": scope["check"], "hint": scope["hint"]})
    return words.getvalue()


def test_what_an_answer_imports_the_notebook_imports(path, notebook):
    def names(tree):
        found = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        return {alias.asname or alias.name for node in found for alias in node.names}

    if not (ANSWERS / f"{path.stem}.py").exists():
        pytest.skip("a lesson without exercises")
    answers = ast.parse((ANSWERS / f"{path.stem}.py").read_text(encoding="utf-8"))
    assert names(answers) <= names(python(notebook.cells[3]))


def test_long_code_that_is_no_lesson_is_folded(notebook):
    """Imports, and plots of more than 15 lines: what is left open is what a reader should read."""
    for cell in code_cells(notebook):
        plots = re.search(r"\bplt\.(figure|subplots|subplot_mosaic)\(|\b(show_grid|plot_lines)\(", cell.source)
        if cell.id == "imports" or (plots and len(cell.source.splitlines()) > MAX_OPEN_LINES):
            assert cell.metadata.get("jupyter", {}).get("source_hidden") and cell.metadata.get("cellView") == "form", (
                cell.id
            )


def test_source_that_is_shown_is_short(notebook, capsys):
    scope = {}
    tree = python(notebook.cells[3])
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(tree, "imports", "exec"), scope)
    for cell in code_cells(notebook):
        for node in ast.walk(python(cell)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "show_source":
                eval(compile(ast.Expression(node), "call", "eval"), scope)
                shown = capsys.readouterr().out.splitlines()
                assert len(shown) <= MAX_SHOWN_LINES, f"{cell.id}: {ast.unparse(node)} prints {len(shown)} lines"


def printed(cell) -> str:
    return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")


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


@pytest.mark.slow
@pytest.mark.notebooks
def test_the_teachers_edition_runs_and_every_answer_is_right(tmp_path):
    written = write_teachers_edition(tmp_path / "teacher")
    assert [path.name for path in written] == [path.name for path in PATHS]
    status = run_course(
        make_course(profile="test", output=tmp_path / "run", notebooks=tmp_path / "teacher", timeout=300.0)
    )
    assert status == 0, (tmp_path / "run" / "run.json").read_text()
    for path in PATHS:
        executed = nbformat.read(tmp_path / "run" / "executed" / path.name, as_version=4)
        answers = tagged(executed, "answer")
        assert len(answers) == len(tagged(executed, "exercise"))
        assert all(printed(cell).startswith("Right.") for cell in answers)
