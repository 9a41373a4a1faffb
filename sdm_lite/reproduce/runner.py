"""A run: the notebooks in order, each in a kernel of its own, with progress, logs, executed copies and a report.

Apart because it decides what a run is and leaves the rest to others: execute.py runs one notebook, report.py writes
what is read in the end, refresh.py knows the committed form. A run's state is one file, run.json, rewritten after every
notebook, so that a run cut short at any moment is a shorter run.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat

from sdm_lite.reproduce import committed as refresh
from sdm_lite.reproduce.claims import CLAIMS_VARIABLE
from sdm_lite.reproduce.display import Display, Weight
from sdm_lite.reproduce.execute import Failure, Job, Outcome, execute, write_text
from sdm_lite.reproduce.pages import notebook_page
from sdm_lite.reproduce.report import read_claims, write_report

# How long the client inside may need to stop a cell that is over its limit, before the watcher outside stops both.
GRACE_SECONDS = 60.0


@dataclass(frozen=True)
class Plan:
    """What to run and where to; `reproduce.make_plan` makes it, after checking all of it."""

    profile: str
    output: Path
    notebooks: tuple[Path, ...]
    parameters: dict[str, Any]
    kernel: str
    timeout: float
    write_back: str | None


def run(plan: Plan, *, resume: bool = False) -> int:
    """Runs a plan and writes its report.

    A notebook that fails does not stop the others. Ctrl-C ends the run, keeps what is done and writes its report.

    Args:
        plan: from `reproduce.make_plan`.
        resume: skip notebooks that succeeded in this output folder before, with this profile and these parameters, and
            whose source has not changed.

    Returns:
        0 if every notebook of the plan succeeded, 1 if one failed, 130 if interrupted.
    """
    state = _begin(plan)
    results = state["results"]
    status = 0
    with Display([_weight(path, plan.profile) for path in plan.notebooks]) as display:
        try:
            for path in plan.notebooks:
                if resume and _is_done(results.get(path.stem), path):
                    status = max(status, int(not _written_back_again(plan, path, results[path.stem])))
                    display.skip(path.stem)
                    continue
                results.pop(path.stem, None)
                results[path.stem] = result = _run_notebook(plan, path, display)
                status = max(status, int(result["failure"] is not None))
                _save(plan, state)
                display.end(path.stem, _told(plan, path.stem, result))
        except KeyboardInterrupt:
            status = 130
            for partial in (plan.output / "executed").glob(".*.partial.ipynb"):
                partial.unlink()
    state["finished"] = _now()
    _save(plan, state)
    print(f"{'interrupted; what is done: ' if status == 130 else ''}report: {_shown(plan.output / 'report.html')}")
    return status


def _run_notebook(plan: Plan, path: Path, display) -> dict[str, Any]:
    """Executes one notebook, keeps its copy and its page, and returns its part of run.json."""
    stem = path.stem
    claims = plan.output / "claims" / f"{stem}.jsonl"
    claims.unlink(missing_ok=True)
    folder = plan.output / "files" / stem
    folder.mkdir(parents=True, exist_ok=True)
    partial = plan.output / "executed" / f".{stem}.partial.ipynb"
    source = nbformat.read(path, as_version=4)
    job = Job(
        source=str(path),
        target=str(partial),
        log=str(plan.output / "logs" / stem),
        parameters={"PROFILE": plan.profile, "OUTPUT_DIR": _relative(folder, path.parent)}
        | {name: value for name, value in plan.parameters.items() if name in parameter_names(source)},
        kernel=plan.kernel,
        timeout=plan.timeout,
        environment=_environment(claims),
    )
    code = [index for index, cell in enumerate(source.cells) if cell.cell_type == "code"]
    display.start(stem, len(code))
    outcome = execute(
        job,
        limit=plan.timeout + GRACE_SECONDS,
        on_cell=lambda index: display.cell(stem, code.index(index), source.cells[index].source),
        on_wait=display.tick,
    )
    executed = _keep_copy(partial, source, plan, stem)
    if outcome.failure is None and plan.write_back:
        outcome = _write_back(plan, path, source, executed, outcome)
    return {
        "title": title(source, stem),
        "seconds": outcome.seconds,
        "failure": refresh.scrub(asdict(outcome.failure)) if outcome.failure else None,
        "cells": _cell_times(source, outcome),
        "source": source_hash(source),
    }


def _keep_copy(partial: Path, source, plan: Plan, stem: str):
    """Puts the executed copy and its page in place, clean of papermill and machine paths; returns it unscrubbed."""
    try:
        executed = nbformat.read(partial, as_version=4)
    except (OSError, ValueError):  # killed before or while the first copy was written
        executed = source
    partial.unlink(missing_ok=True)
    kept = refresh.without_papermill(executed)
    for cell in kept.cells:
        if "outputs" in cell:
            cell.outputs = refresh.scrub(cell.outputs)
        if "injected-parameters" in refresh.tags(cell):
            cell.source = refresh.scrub(cell.source)
    write_text(plan.output / "executed" / f"{stem}.ipynb", refresh.to_text(kept))
    siblings = frozenset(path.name for path in plan.notebooks)
    page = notebook_page(kept, title=title(source, stem), siblings=siblings)
    write_text(plan.output / "executed" / f"{stem}.html", page)
    return executed


def _write_back(plan: Plan, path: Path, source, executed, outcome: Outcome) -> Outcome:
    """Writes the executed notebook, or its time alone, over its source; what is not fit for that is a failure."""
    times = refresh.updated_times(source, outcome.seconds, device_name(), plan.profile)
    try:
        if plan.write_back == "notebook":
            written = refresh.committed_form(executed, times)
        else:
            written = source
            refresh.set_time_line(written, times)
        write_text(path, refresh.to_text(written))
    except ValueError as error:
        failure = Failure(0, len(source.cells), "", "", f"not written back: {error}")
        return replace(outcome, failure=failure)
    return outcome


def _written_back_again(plan: Plan, path: Path, result: dict[str, Any]) -> bool:
    """Writes a notebook back, where asked for, from the copy that an earlier run executed; False if unfit."""
    if plan.write_back is None:
        return True
    executed = nbformat.read(plan.output / "executed" / f"{path.stem}.ipynb", as_version=4)
    source = nbformat.read(path, as_version=4)
    outcome = _write_back(plan, path, source, executed, Outcome(seconds=result["seconds"]))
    if outcome.failure is not None:
        print(f"{path.name}: {outcome.failure.error}")
    return outcome.failure is None


def parameter_names(notebook) -> set[str]:
    """The names that a notebook's `parameters` cells assign."""
    names = set()
    for cell in notebook.cells:
        if "parameters" in refresh.tags(cell):
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    names.add(node.id)
    return names


def source_hash(notebook) -> str:
    """A fingerprint of what a notebook computes: its cells' sources, the measured time in the header left out."""
    sources = [[cell.cell_type, refresh.TIME_LINE.sub(r"\1", cell.source)] for cell in notebook.cells]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def title(notebook, fallback: str) -> str:
    """The first heading of a notebook."""
    lines = notebook.cells[0].source.splitlines() if notebook.cells else []
    return next((line.lstrip("# ").strip() for line in lines if line.startswith("# ")), fallback)


def device_name() -> str:
    """What computes: the GPU's name, or the number of CPU cores this process may use."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return "1 CPU core" if num_cores == 1 else f"{num_cores} CPU cores"


def _environment(claims: Path) -> dict[str, str]:
    """What the kernel's environment has beyond ours: static widgets, inline figures, where claims go, this package."""
    path = [str(refresh.REPOSITORY), os.environ.get("PYTHONPATH", "")]
    return {
        CLAIMS_VARIABLE: str(claims),
        "SDM_LITE_STATIC": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": os.pathsep.join(part for part in path if part),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "JUPYTER_PLATFORM_DIRS": "1",
    }


def _begin(plan: Plan) -> dict[str, Any]:
    """The state of a new run, with what earlier runs in the same folder, profile and parameters have left."""
    import torch

    state = {
        "profile": plan.profile,
        "parameters": plan.parameters,
        "started": _now(),
        "finished": None,
        "machine": {
            "device": device_name(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "system": platform.system(),
        },
        "notebooks": [path.stem for path in plan.notebooks],
        "results": {},
    }
    try:
        earlier = json.loads((plan.output / "run.json").read_text(encoding="utf-8"))
        if all(earlier[key] == state[key] for key in ("profile", "parameters", "machine")):
            state["results"] = earlier["results"]
            state["notebooks"] = sorted({*state["notebooks"], *earlier["notebooks"]})
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none, or not ours: a fresh start
    return state


def _is_done(result: dict[str, Any] | None, path: Path) -> bool:
    same = result is not None and result["source"] == source_hash(nbformat.read(path, as_version=4))
    return same and result["failure"] is None


def _save(plan: Plan, state: dict[str, Any]) -> None:
    write_text(plan.output / "run.json", json.dumps(state, indent=1) + "\n")
    write_report(plan.output, state)


def _cell_times(source, outcome: Outcome) -> list[dict[str, Any]]:
    return [
        {"cell": number, "id": source.cells[number - 1].get("id", ""), "seconds": round(seconds, 2)}
        for number, seconds in outcome.cell_seconds.items()
    ]


def _weight(path: Path, profile: str) -> Weight:
    """What the display reckons time left from."""
    notebook = nbformat.read(path, as_version=4)
    return path.stem, refresh.measured_seconds(notebook, profile), len(refresh.code_cells(notebook))


def _told(plan: Plan, stem: str, result: dict[str, Any]) -> str:
    failure = result["failure"]
    if failure is None:
        num_claims = len(read_claims(plan.output, stem))
        return f"ok, {refresh.duration(result['seconds'])}, {num_claims} claim{'' if num_claims == 1 else 's'}"
    where = f"cell {failure['cell']} of {failure['num_cells']} ({failure['cell_id']}): {failure['first_line']}\n    "
    return (
        f"FAILED {where if failure['cell'] else ''}{failure['error']}\n"
        f"    logs: {_shown(plan.output / 'logs')}/{stem}.*.txt; run it again with --resume"
    )


def _relative(path: Path, start: Path) -> str:
    """The path as seen from a folder, so that no absolute one enters a notebook (but across Windows drives)."""
    try:
        return Path(os.path.relpath(path, start)).as_posix()
    except ValueError:
        return path.as_posix()


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
