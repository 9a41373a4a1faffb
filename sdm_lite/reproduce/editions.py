"""The teacher's edition: the notebooks with an answer after every exercise, made from the student's and never kept.

Apart because the notebooks are the student's edition, in which no answer stands where a viewer could show it. The
answers are Python files beside them, `notebooks/answers/NN_name.py`, in cells that begin with `# %% exercise N`.
"""

from __future__ import annotations

import ast
import copy
import os
import re
from pathlib import Path

import nbformat

from sdm_lite.files import check_writable_folder, expanded, write_whole
from sdm_lite.reproduce.committed import tags, to_text
from sdm_lite.reproduce.course import NOTEBOOKS, make_course

ANSWERS = NOTEBOOKS / "answers"
CELL = re.compile(r"^# %% (.+)\n", re.MULTILINE)
LOCAL_LINK = re.compile(r"\]\((\.\./[^)\s]+)\)")


def read_answers(path: Path) -> dict[int, str]:
    """The answers in a file by the number of their exercise: the source of its cells `# %% exercise N`.

    Raises:
        ValueError: if a number comes twice.
    """
    _, *parts = CELL.split(path.read_text(encoding="utf-8"))
    answers: dict[int, str] = {}
    for title, source in zip(parts[::2], parts[1::2], strict=True):
        if title.startswith("exercise "):
            number = int(title.removeprefix("exercise "))
            if number in answers:
                raise ValueError(f"{path.name}: expected one answer to exercise {number}, got two: remove one")
            answers[number] = source.strip()
    return answers


def asked(cell) -> tuple[int, str]:
    """The number of an exercise and the name that holds its answer: of the cell's last line, `check(1, my_answer)`.

    Raises:
        ValueError: if its last line is something else.
    """
    call = getattr(ast.parse(cell.source).body[-1], "value", None)
    match call:
        case ast.Call(func=ast.Name("check"), args=[ast.Constant(int(number)), ast.Name(name)], keywords=[]):
            return number, name
    raise ValueError(f"{cell.id}: expected to end in check(NUMBER, NAME), got {cell.source.splitlines()[-1]!r}")


def teachers_edition(notebook, answers: dict[int, str]) -> nbformat.NotebookNode:
    """A copy of a notebook with a cell after each exercise: its answer, and the check, which raises if that is wrong.

    Args:
        notebook: the student's edition.
        answers: by number of the exercise.

    Raises:
        ValueError: if an exercise has no answer, or an answer no exercise.
    """
    made = copy.deepcopy(notebook)
    cells, numbers = [], []
    for cell in made.cells:
        cells.append(cell)
        if "exercise" in tags(cell):
            number, name = asked(cell)
            numbers.append(number)
            source = f"{answers.get(number, '')}\n\n\ncheck({number}, {name}, strict=True)"
            answer = nbformat.v4.new_code_cell(source, id=f"answer-{number}", metadata={"tags": ["answer"]})
            cells.append(answer)
    if sorted(numbers) != sorted(answers):
        raise ValueError(f"expected answers to exercises {sorted(numbers)}, got those to {sorted(answers)}")
    header = cells[0]
    header.source = re.sub(r"^(# .+)$", r"\1 (teacher's edition)", header.source, count=1, flags=re.MULTILINE)
    made.cells = cells
    return made


def write_teachers_edition(folder: Path, only: tuple[str, ...] = ()) -> list[Path]:
    """Writes the teacher's edition of the course's notebooks into a folder, their links to its pages kept right.

    Args:
        folder: made where it is not there.
        only: numbers or names of notebooks; empty is all.

    Raises:
        ValueError: before anything is written, if nothing can be written there, a notebook is unknown, or its answers
            do not fit it.
    """
    paths = make_course(only=only).notebooks
    editions = {}
    for path in paths:
        try:
            answers = read_answers(ANSWERS / f"{path.stem}.py") if (ANSWERS / f"{path.stem}.py").exists() else {}
            editions[path.name] = teachers_edition(nbformat.read(path, as_version=4), answers)
        except (OSError, ValueError) as error:
            raise ValueError(f"{path.name}: {error}") from None
    check_writable_folder(folder, option="--teacher")
    folder = expanded(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    home = Path(os.path.relpath(NOTEBOOKS, folder)).as_posix()
    for name, edition in editions.items():
        for cell in edition.cells:
            if cell.cell_type == "markdown":
                cell.source = LOCAL_LINK.sub(rf"]({home}/\1)", cell.source)
        write_whole(folder / name, to_text(edition))
    return [folder / name for name in editions]
