"""A run: the notebooks in order, each in a kernel of its own, with logs, executed copies and a report.

Apart because it decides what a run is and leaves the rest to others: execute.py runs one notebook, report.py writes
what is read in the end, committed.py knows the committed form. A run's state is one file, run.json, rewritten after
every notebook, so that a run cut short at any moment is a shorter run.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from sdm_lite.files import to_json, write_whole
from sdm_lite.ledger import Record, RowVerdict
from sdm_lite.progress import duration
from sdm_lite.reproduce import committed
from sdm_lite.reproduce.catalogue import write_tables
from sdm_lite.reproduce.claims import CLAIMS_VARIABLE
from sdm_lite.reproduce.course import NOTEBOOKS, Course, find_notebooks, parameter_names
from sdm_lite.reproduce.execute import Failure, execute
from sdm_lite.reproduce.joining import joined, read_ledger, stored_records, tell_worse, write_ledger
from sdm_lite.reproduce.pages import notebook_page
from sdm_lite.reproduce.report import read_claims, write_course_report
from sdm_lite.reproduce.site import write_site


def run_course(course: Course, *, resume: bool = False) -> int:
    """Runs a course and writes its report.

    A notebook that fails does not stop the others. Ctrl-C ends the run, keeps what is done and writes its report.

    Args:
        course: from `make_course`.
        resume: skip notebooks that succeeded in this output folder before, with this profile and these parameters, and
            whose source has not changed.

    Returns:
        0 if every notebook of the course succeeded and no verdict of the ledger is worse than the committed one, 1 if
        not, 130 if interrupted.

    Raises:
        ValueError: before any work, if a stored run or the committed ledger cannot be read.
    """
    ledger = _Ledger(read_ledger(), stored_records()) if _joins(course) else None
    state = _begin(course)
    results = state["results"]
    failed = interrupted = False
    try:
        for number, path in enumerate(course.notebooks):
            place = f"[{number + 1}/{len(course.notebooks)}] {path.stem}"
            result = results.pop(path.stem, None)
            if resume and _is_done(result, path):
                told = "done before"
                result["failure"] = _write_back(course, path, _kept(course, path.stem), result["seconds"])
            else:
                print(f"{place}: running{_time_to_come(course, number)}", flush=True)
                result = _run_notebook(course, path, place)
                told = f"ok, {duration(result['seconds'])}, {_num_claims(course, path.stem)}"
            results[path.stem] = result
            _save(course, state, ledger)
            failed |= result["failure"] is not None
            print(f"{place}: {_failure_line(course, path.stem, result['failure']) or told}", flush=True)
    except KeyboardInterrupt:
        interrupted = True
    state["finished"] = _now()
    if course.write_back and course.notebooks[0].parent == NOTEBOOKS:
        write_tables(NOTEBOOKS.parent)
    _write_pages(course)
    now = _save(course, state, ledger)
    if ledger and not interrupted:
        failed |= tell_worse(ledger.committed, now)
    print(f"{'interrupted; what is done: ' if interrupted else ''}report: {_shown(course.output / 'report.html')}")
    return 130 if interrupted else int(failed)


def _run_notebook(course: Course, path: Path, place: str) -> dict[str, Any]:
    """Executes one notebook, keeps its copy and its page, and returns its part of run.json."""
    source = nbformat.read(path, as_version=4)
    claims, folder = course.output / "claims" / f"{path.stem}.jsonl", course.output / "files" / path.stem
    claims.unlink(missing_ok=True)
    settings = {name: value for name, value in course.parameters.items() if name in parameter_names(source)}
    outcome = execute(
        path,
        {"PROFILE": course.profile, "OUTPUT_DIR": _relative(folder, path.parent)} | settings,
        kernel=course.kernel,
        timeout=course.timeout,
        environment=_environment(claims),
        log=course.output / "logs" / f"{path.stem}.txt",
        label=place,
    )
    failure = outcome.failure
    try:
        _keep(course, path.stem, outcome.executed)
    except OSError as error:  # a full disk: what there is to report is reported
        failure = failure or Failure(0, len(outcome.executed.cells), "", "", str(error))
    failure = failure and committed.scrub(asdict(failure))
    return {
        "title": title(source, path.stem),
        "seconds": outcome.seconds,
        "failure": failure or _write_back(course, path, outcome.executed, outcome.seconds),
        "cells": [{"cell": cell, "seconds": round(seconds, 2)} for cell, seconds in outcome.cell_seconds.items()],
        "source": source_hash(source),
    }


def _keep(course: Course, stem: str, executed) -> None:
    """Puts the executed copy and its page in place, clean of papermill and machine paths."""
    kept = committed.without_papermill(executed)
    for cell in kept.cells:
        if "outputs" in cell:
            cell.outputs = committed.scrub(cell.outputs)
        if "injected-parameters" in committed.tags(cell):
            cell.source = committed.scrub(cell.source)
    write_whole(course.output / "executed" / f"{stem}.ipynb", committed.to_text(kept))
    write_whole(course.output / "executed" / f"{stem}.html", notebook_page(kept, title=title(kept, stem)))


def _write_pages(course: Course) -> None:
    """The whole course as pages beside the report: what ran as it was executed, all else as it is committed."""
    if course.notebooks[0].parent == NOTEBOOKS:
        kept = course.output / "executed"
        paths = [kept / path.name if (kept / path.name).exists() else path for path in find_notebooks()]
        write_site(course.output / "site", {path.stem: nbformat.read(path, as_version=4) for path in paths})


def _kept(course: Course, stem: str) -> nbformat.NotebookNode:
    """The executed copy of a notebook."""
    return nbformat.read(course.output / "executed" / f"{stem}.ipynb", as_version=4)


def _write_back(course: Course, path: Path, executed, seconds: float) -> dict[str, Any] | None:
    """Writes the executed notebook, or its time alone, over its source; what is not fit for that is a failure."""
    if course.write_back is None:
        return None
    try:
        if course.write_back == "notebook":
            written = committed.committed_form(executed)
        else:
            written = nbformat.read(path, as_version=4)
        committed.write_time(written, seconds, device_name(), course.profile)
        write_whole(path, committed.to_text(written))
    except (ValueError, OSError) as error:
        return asdict(Failure(0, len(executed.cells), "", "", f"not written back: {error}"))
    return None


def source_hash(notebook) -> str:
    """A fingerprint of what a notebook computes: its cells' sources, the measured time in the header left out."""
    sources = [[cell.cell_type, committed.TIME_LINE.sub(r"\1", cell.source)] for cell in notebook.cells]
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
    path = [str(committed.REPOSITORY), os.environ.get("PYTHONPATH", "")]
    return {
        CLAIMS_VARIABLE: str(claims),
        "SDM_LITE_STATIC": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": os.pathsep.join(part for part in path if part),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def _begin(course: Course) -> dict[str, Any]:
    """The state of a new run, with what earlier runs in the same folder, profile and parameters have left."""
    import torch

    for folder in ("claims", "logs", *(f"files/{path.stem}" for path in course.notebooks)):
        (course.output / folder).mkdir(parents=True, exist_ok=True)
    state = {
        "profile": course.profile,
        "parameters": course.parameters,
        "started": _now(),
        "finished": None,
        "machine": {
            "device": device_name(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "system": platform.system(),
        },
        "notebooks": [path.stem for path in course.notebooks],
        "results": {},
    }
    try:
        earlier = json.loads((course.output / "run.json").read_text(encoding="utf-8"))
        if all(earlier[key] == state[key] for key in ("profile", "parameters", "machine")):
            copies = {path.stem for path in (course.output / "executed").glob("*.ipynb")}
            state["results"] = {stem: result for stem, result in earlier["results"].items() if stem in copies}
            state["notebooks"] = sorted({*state["notebooks"], *earlier["notebooks"]})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # none, or not ours: a fresh start
    return state


def _is_done(result: dict[str, Any] | None, path: Path) -> bool:
    same = result is not None and result["source"] == source_hash(nbformat.read(path, as_version=4))
    return same and result["failure"] is None


class _Ledger(NamedTuple):
    """What the ledger is joined of, beside the notebooks of a run."""

    committed: dict[str, Any]
    stored: list[Record]


def _joins(course: Course) -> bool:
    """Whether a run decides anything: the course's own notebooks, with more samples than the tests have."""
    return course.profile != "test" and course.notebooks[0].parent == NOTEBOOKS


def _save(course: Course, state: dict[str, Any], ledger: _Ledger | None) -> list[RowVerdict]:
    """Write what is known so far; the ledger's verdicts, none where it is not joined."""
    write_whole(course.output / "run.json", to_json(state, indent=1) + "\n")
    ran = [stem for stem, result in state["results"].items() if result["failure"] is None]
    now = joined(ledger.committed, ledger.stored, course.output, ran) if ledger else []
    if now:
        write_ledger(now, course.output / "ledger.json")
    write_course_report(course.output, state, now)
    return now


def _time_to_come(course: Course, number: int) -> str:
    """What a notebook and all after it took when their headers were measured; nothing where one was not."""
    notebooks = [nbformat.read(path, as_version=4) for path in course.notebooks[number:]]
    seconds = [committed.measured_seconds(notebook, course.profile) for notebook in notebooks]
    if None in seconds:
        return ""
    return f", about {duration(seconds[0])} ({duration(sum(seconds))} to the end)"


def _num_claims(course: Course, stem: str) -> str:
    number = len(read_claims(course.output, stem))
    return f"{number} claim{'' if number == 1 else 's'}"


def _failure_line(course: Course, stem: str, failure: dict[str, Any] | None) -> str:
    """What to say of a failure, if there is one."""
    if failure is None:
        return ""
    where = f"cell {failure['cell']} of {failure['num_cells']} ({failure['cell_id']}): {failure['first_line']}\n    "
    return (
        f"FAILED {where if failure['cell'] else ''}{failure['error']}\n"
        f"    log: {_shown(course.output / 'logs' / stem)}.txt; run it again with --resume"
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
