"""What to run of the course, checked: everything that a user can ask for wrongly is found here, before any work starts.

Apart because notebooks import this package, by way of `record`: nothing that runs them is imported here but
inside a function.
"""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdm_lite.files import check_writable_folder, expanded

# From the least to the most computed; each notebook says in its imports cell how much that is.
PROFILES = ("test", "quick", "cpu", "gpu")
REQUIRED_PARAMETERS = ("PROFILE", "SEED", "OUTPUT_DIR")
REPOSITORY_URL = "https://github.com/sdm-lite/sdm_lite"
"""The address of the package. Everything else that names it is written from here: `make address`."""

_INSTALLED = Path(__file__).resolve().parents[1] / "_notebooks"
NOTEBOOKS = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).resolve().parents[2] / "notebooks"
"""The notebooks of the course: in an installed package, or in `notebooks/` of a checkout."""


@dataclass(frozen=True)
class Course:
    """Which notebooks to run, how, and where to; `make_course` makes it."""

    profile: str
    output: Path
    notebooks: tuple[Path, ...]
    parameters: dict[str, Any]
    kernel: str
    timeout: float
    write_back: str | None


def make_course(
    *,
    profile: str = "quick",
    output: Path = Path("reports/latest"),
    notebooks: Path | None = None,
    only: Sequence[str] = (),
    start: str | None = None,
    parameters: dict[str, Any] | None = None,
    kernel: str = "python3",
    timeout: float = 1800.0,
    write_back: str | None = None,
) -> Course:
    """A checked course.

    Args:
        profile: one of PROFILES.
        output: folder for the report and all that belongs to it; made when the run begins.
        notebooks: folder with NN_*.ipynb; None is the course's own.
        only: numbers or names of the notebooks to run; empty is all of them.
        start: number or name of the first to run.
        parameters: values for names of the notebooks' `parameters` cells, other than PROFILE and OUTPUT_DIR.
        kernel: name of a Jupyter kernel.
        timeout: seconds a cell may take.
        write_back: None, "notebook" (the executed notebook, cleaned) or "time" (the header's measured time alone).

    Raises:
        ValueError: if anything is not as expected.
    """
    if profile not in PROFILES:
        raise ValueError(f"profile: expected one of {', '.join(PROFILES)}, got {profile!r}: choose one of these")
    if write_back and notebooks is None and NOTEBOOKS == _INSTALLED:
        raise ValueError(
            "--refresh, --times: expected notebooks of one's own, got an installed package: give --notebooks"
        )
    if write_back == "notebook" and profile != "quick":
        raise ValueError(f"--refresh: expected profile quick, got {profile!r}: use --times to write its time alone")
    if not timeout > 0:
        raise ValueError(f"timeout: expected seconds above 0, got {timeout:g}: give a longer limit")
    chosen = _choose(find_notebooks(notebooks), only, start)
    _check_parameters(chosen, parameters or {})
    _check_kernel(kernel)
    check_writable_folder(output)
    return Course(profile, expanded(output).resolve(), tuple(chosen), parameters or {}, kernel, timeout, write_back)


def parse_parameters(pairs: Sequence[str]) -> dict[str, Any]:
    """Parameters from NAME=VALUE texts; a value that is JSON (1, 0.5, true) is taken as that, any other as text."""
    parameters = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"parameter: expected NAME=VALUE, got {pair!r}: write it like SEED=1")
        try:
            parameters[name] = json.loads(text)
        except json.JSONDecodeError:
            parameters[name] = text
    return parameters


def parameter_names(notebook) -> set[str]:
    """The names that a notebook's `parameters` cells assign."""
    return set(parameter_defaults(notebook))


def parameter_defaults(notebook) -> dict[str, Any]:
    """The names that a notebook's `parameters` cells assign, and what; None for what is no plain value."""
    sources = [cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    found = {node.id: None for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            with suppress(ValueError):
                found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def check_parameters(profile: str, seed: int, output_dir: str | Path) -> None:
    """What the first cell of a notebook that imports calls: whether it can run with these, told before it computes.

    Raises:
        ValueError: if there is no such profile, the seed is none, or nothing can be written to the folder.
    """
    if profile not in PROFILES:
        near = difflib.get_close_matches(str(profile), PROFILES, n=1)
        hint = f": did you mean {near[0]}?" if near else ""
        raise ValueError(f"PROFILE must be one of {', '.join(PROFILES)}, got {profile!r}{hint}")
    _check_value("SEED", seed, 0)
    check_writable_folder(output_dir, option="OUTPUT_DIR")


def _check_value(name: str, value: Any, default: Any) -> None:
    """Raise ValueError unless a parameter's value is of the type of its default, and if it is a seed, one."""
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    expected = type(default)
    fits = isinstance(value, expected) and isinstance(value, bool) == isinstance(default, bool)
    fits |= expected is float and isinstance(value, int) and not isinstance(value, bool)
    if expected in kinds and not fits:
        raise ValueError(f"parameter: {name} must be {kinds[expected]} such as {default!r}, got {value!r}")
    if name == "SEED" and not 0 <= value < 2**32:
        raise ValueError(f"parameter: SEED must be in 0..{2**32 - 1}, got {value!r}")


def find_notebooks(folder: Path | None = None) -> list[Path]:
    """The notebooks NN_*.ipynb of a folder in order, None being the course's own; ValueError where there are none."""
    folder = expanded(folder or NOTEBOOKS)
    if folder == NOTEBOOKS and not folder.is_dir():
        raise ValueError(
            f"notebooks: expected those of a checkout or of an installed package, got none in {folder}: git clone "
            f"{REPOSITORY_URL}, then give its notebooks/ as --notebooks"
        )
    found = sorted(path.resolve() for path in folder.glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise ValueError(f"notebooks: expected files NN_*.ipynb in {folder}, got none: give their folder")
    return found


def _choose(found: list[Path], only: Sequence[str], start: str | None) -> list[Path]:
    def matching(name: str) -> Path:
        number = name.zfill(2) if name.isdecimal() else name
        for path in found:
            if path.stem == name.removesuffix(".ipynb") or path.stem.startswith(f"{number}_"):
                return path
        known = ", ".join(path.stem for path in found)
        raise ValueError(f"notebook: expected one of {known}, got {name!r}: give its number or its name")

    wanted = {matching(name) for name in only} or set(found)
    first = matching(start) if start else found[0]
    chosen = [path for path in found if path in wanted and path >= first]
    if not chosen:
        raise ValueError(f"notebooks: expected one of --only at or after --from {start}, got none: widen one")
    return chosen


def _check_parameters(paths: Sequence[Path], parameters: dict[str, Any]) -> None:
    import nbformat

    known: dict[str, Any] = {}
    for path in paths:
        try:
            names = parameter_defaults(nbformat.read(path, as_version=4))
        except Exception as error:  # nbformat's errors have no common name
            told = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{path.name}: expected a readable notebook, got {told}: repair it") from error
        missing = [name for name in REQUIRED_PARAMETERS if name not in names]
        if missing:
            raise ValueError(
                f"{path.name}: expected a cell tagged `parameters` that sets {', '.join(REQUIRED_PARAMETERS)}, "
                f"got none for {', '.join(missing)}: add it"
            )
        known |= names
    for name, option in (("PROFILE", "--profile"), ("OUTPUT_DIR", "--output")):
        if name in parameters:
            raise ValueError(f"parameter: expected any but {name}, got {name}={parameters[name]!r}: use {option}")
    for name, value in parameters.items():
        if name not in known:
            settable = sorted(known.keys() - {"PROFILE", "OUTPUT_DIR"})
            raise ValueError(f"parameter: expected one of {', '.join(settable)}, got {name!r}: no notebook has it")
        _check_value(name, value, known[name])


def _check_kernel(kernel: str) -> None:
    from jupyter_client.kernelspec import KernelSpecManager

    try:
        known = sorted(KernelSpecManager().find_kernel_specs())
    except RuntimeError as error:  # in a container whose user has no name and no HOME
        raise ValueError(f"Jupyter needs a home folder ({error}): set HOME to a folder that can be written") from None
    if kernel not in known:
        raise ValueError(f"kernel: expected one of {', '.join(known)}, got {kernel!r}: pip install ipykernel")
