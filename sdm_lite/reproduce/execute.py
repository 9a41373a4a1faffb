"""One notebook, executed by papermill in a kernel of its own, a child process in which each cell has a time limit.

Apart because it is the only door of papermill and nbclient, and reads the marks that they leave.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from sdm_lite.reproduce.committed import tags

START_SECONDS = 180
# How lines of a log begin that are not the kernel's.
OF_PAPERMILL = ("Input Notebook:", "Output Notebook:", "Executing notebook", "Error occurred while starting new kernel")


@dataclass(frozen=True)
class Failure:
    """Where and how a notebook failed; cells are counted from 1 over all cells, 0 where it is not one of them."""

    cell: int
    num_cells: int
    cell_id: str
    first_line: str
    error: str


@dataclass(frozen=True)
class Outcome:
    """How an execution ended.

    Args:
        executed: the notebook as far as it came, with papermill's marks in it.
        seconds: that it took.
        cell_seconds: the same of each code cell that ran, by its number from 1 over all cells.
        failure: None if it ran through.
    """

    executed: Any
    seconds: float
    cell_seconds: dict[int, float] = field(default_factory=dict)
    failure: Failure | None = None


def execute(
    source: Path,
    parameters: dict[str, Any],
    *,
    kernel: str,
    timeout: float,
    environment: dict[str, str],
    log: Path,
    label: str,
) -> Outcome:
    """Executes a notebook in its folder; the file stays as it is, and no kernel is left behind.

    Args:
        source: the notebook.
        parameters: values for names of its `parameters` cell.
        kernel: name of a Jupyter kernel.
        timeout: seconds a cell may take.
        environment: variables that the kernel has beyond ours.
        log: file for what the notebook prints and what its kernel and papermill say, as it comes.
        label: of the bar that counts cells, where the standard error is a terminal.

    Returns:
        The outcome; a failure is described in it, not raised.
    """
    import papermill

    error, start = "", time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        words = open(log, "w", encoding="utf-8")  # closed below: what that raises is no reason to lose the copy
        handler = logging.StreamHandler(words)
        logging.getLogger("papermill").addHandler(handler)
        target = Path(folder, source.name)
        try:
            papermill.execute_notebook(
                source,
                target,
                parameters=parameters,
                kernel_name=kernel,
                language="python",
                kernel_manager_class=_kernel_manager(os.environ | environment, words),
                shutdown_kernel="immediate",
                start_timeout=START_SECONDS,
                execution_timeout=timeout,
                coalesce_streams=True,
                stdout_file=words,
                stderr_file=words,
                cwd=source.parent,
                progress_bar={"desc": label, "leave": False, "disable": None},  # None: where nobody watches
            )
        except Exception as caught:
            error = _one_line(caught, timeout)
        finally:
            logging.getLogger("papermill").removeHandler(handler)
            try:
                words.close()
            except OSError as caught:
                error = error or f"{log} could not be written ({caught.strerror}): make room on the disk"
        executed = nbformat.read(target if target.exists() else source, as_version=4)
    return _outcome(executed, time.perf_counter() - start, error, log)


def _last_words(log: Path) -> str:
    """The last line of a log that is the kernel's."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    said = [line for line in lines if line and not line.startswith(OF_PAPERMILL)]
    return said[-1] if said else ""


def _kernel_manager(environment: dict[str, str], words) -> type:
    """jupyter_client's manager of kernels, with an environment and a log for them, which papermill cannot hand on."""
    from jupyter_client import AsyncKernelManager

    class Manager(AsyncKernelManager):
        async def start_kernel(self, **settings: Any) -> None:
            await super().start_kernel(**settings, env=environment, stdout=words, stderr=words)

    return Manager


def _outcome(executed, seconds: float, error: str, log: Path) -> Outcome:
    """What papermill's marks tell: the time of each cell, and the last cell that was begun."""
    added = {"injected-parameters", "papermill-error-cell-tag"}
    cells = [cell for cell in executed.cells if not added & set(tags(cell))]
    marks = {number: cell.metadata.get("papermill", {}) for number, cell in enumerate(cells, start=1)}
    begun = [number for number, mark in marks.items() if mark.get("start_time")]
    timed = {number: marks[number]["duration"] for number in begun if cells[number - 1].cell_type == "code"}
    if not error:
        return Outcome(executed, seconds, timed)
    if not begun:
        told = f"the kernel did not start: {error}"
        if last := _last_words(log):
            told += f"; its last words: {last}"
        return Outcome(executed, seconds, timed, Failure(0, len(cells), "", "", told))
    cell = cells[begun[-1] - 1]
    code = [line for line in cell.source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    first_line = code[0].strip() if code else ""
    failure = Failure(begun[-1], len(cells), cell.get("id", ""), first_line, error)
    return Outcome(executed, seconds, timed, failure)


def _one_line(error: Exception, timeout: float) -> str:
    """What went wrong, as `ErrorType: message` in one line."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    if isinstance(error, CellTimeoutError):
        return f"the cell took longer than its limit of {timeout:g} s (--timeout)"
    if isinstance(error, DeadKernelError):
        return "the kernel died, most often because memory ran out"
    name = getattr(error, "ename", type(error).__name__)
    text = str(getattr(error, "evalue", error)).strip()
    return f"{name}: {text.splitlines()[0] if text else ''}".rstrip(": ")
