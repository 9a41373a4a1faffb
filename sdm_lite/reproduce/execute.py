"""One notebook, executed by papermill in a process of its own and watched from outside, cell by cell.

Apart because nbclient can wait for ever on an idle kernel (its issue 312): only somebody outside can turn such a hang
into an error that names the cell. The outside half is `execute`; the inside half is this same file run as a script: it
reads a job from its standard input and answers with one JSON object a line.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# Runs this file by itself: as a module of the package it would import torch first, which takes seconds for nothing.
WORKER = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')"

START_SECONDS = 180.0


@dataclass(frozen=True)
class Job:
    """A notebook to execute: paths as text, parameters to inject, seconds a cell may take, variables for the kernel."""

    source: str
    target: str
    log: str
    parameters: dict[str, Any]
    kernel: str
    timeout: float
    environment: dict[str, str]


@dataclass(frozen=True)
class Failure:
    """Where and how a notebook failed; cells are counted from 1 over all cells of the source."""

    cell: int
    num_cells: int
    cell_id: str
    first_line: str
    error: str


@dataclass(frozen=True)
class Outcome:
    """How an execution ended; `cell_seconds` maps a cell's number (from 1, code cells that ran) to its time."""

    seconds: float
    failure: Failure | None = None
    cell_seconds: dict[int, float] = field(default_factory=dict)


def execute(job: Job, *, limit: float, on_cell: Callable[[int], None], on_wait: Callable[[], None]) -> Outcome:
    """Executes a notebook into `job.target`, and kills it with its kernel when one cell lasts longer than `limit`.

    The kernel's standard output and error are kept in `job.log`.stdout.txt and .stderr.txt, papermill's own words in
    `job.log`.runner.txt.

    Args:
        job: what to execute; its own `timeout` is the first to strike, and leaves the client time to stop the kernel.
        limit: seconds between two signs of life; the first, which takes a kernel's start, may take START_SECONDS.
        on_cell: called with the cell's index, from 0, as it starts.
        on_wait: called a few times a second.

    Returns:
        The outcome; a failure is described in it, not raised.
    """
    start = time.perf_counter()
    starts: list[tuple[int, float]] = []
    error, ended = "", False
    with open(f"{job.log}.runner.txt", "w", encoding="utf-8") as log:
        process = _start(job, log)
        try:
            for event in _events(process, limit, on_wait):
                if "cell" in event:
                    starts.append((event["cell"], time.perf_counter()))
                    on_cell(event["cell"])
                else:
                    error, ended = event.get("error", ""), event.get("ended", True)
        finally:
            _end(process, patience=10.0 if ended else 0.0)
    end = time.perf_counter()
    ends = [when for _, when in starts[1:]] + [end]
    seconds = {index + 1: stop - begin for (index, begin), stop in zip(starts, ends, strict=True)}
    failure = _failure(job, starts[-1][0] if starts else 0, error) if error else None
    return Outcome(seconds=end - start, failure=failure, cell_seconds=seconds)


def write_text(path: Path, text: str) -> None:
    """Writes a text file in one go: a reader, or a crash, sees the old one or the new one and never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _start(job: Job, log) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        encoding="utf-8",
        env=os.environ | job.environment,
        start_new_session=True,  # Ctrl-C reaches us alone, and we decide what to stop
    )
    with process.stdin:
        process.stdin.write(json.dumps(asdict(job)))
    return process


def _events(process: subprocess.Popen, limit: float, on_wait: Callable[[], None]):
    """The worker's events; ends with its last, or with an error of our own when it falls silent or dies."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        with process.stdout:
            for line in process.stdout:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    last, patience = time.monotonic(), max(limit, START_SECONDS)
    while True:
        try:
            line = lines.get(timeout=0.25)
        except queue.Empty:
            on_wait()
            if time.monotonic() - last > patience:
                yield {"error": f"no sign of life for {patience:g} s: the kernel or its client hangs", "ended": False}
                return
            continue
        if line is None:
            yield {"error": f"the process that runs the kernel ended by itself (exit status {process.wait()})"}
            return
        last, patience = time.monotonic(), limit
        event = json.loads(line)
        yield event
        if "cell" not in event:
            return


def _end(process: subprocess.Popen, patience: float) -> None:
    """Sees the worker off, or ends it and its kernel when it does not go."""
    import psutil

    try:
        process.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        worker = psutil.Process(process.pid)
        for member in [*worker.children(recursive=True), worker]:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                pass
        process.wait()


def _failure(job: Job, index: int, error: str) -> Failure:
    import nbformat

    cells = nbformat.read(job.source, as_version=4).cells
    cell = cells[min(index, len(cells) - 1)]
    code = [line for line in cell.source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return Failure(
        cell=index + 1,
        num_cells=len(cells),
        cell_id=cell.get("id", ""),
        first_line=code[0].strip() if code else "",
        error=error,
    )


def _work() -> None:
    """The inside half: executes the job given on standard input."""
    job = Job(**json.loads(sys.stdin.read()))
    # Only events may reach the pipe: whatever else this process or its kernel prints goes to the log.
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def send(event: dict) -> None:
        print(json.dumps(event), file=pipe, flush=True)

    offset = 0

    def on_cell_start(cell, cell_index: int) -> None:
        nonlocal offset
        if "injected-parameters" in cell.metadata.get("tags", []):
            offset = 1  # a cell that the source does not have
        elif cell.cell_type == "code":
            send({"cell": cell_index - offset})

    try:
        _papermill(job, on_cell_start)
    except Exception as error:
        send({"error": _one_line(error, job.timeout)})
    else:
        send({"done": True})


def _papermill(job: Job, on_cell_start: Callable) -> None:
    import papermill

    log = Path(job.log)
    with (
        open(log.with_name(f"{log.name}.stdout.txt"), "w", encoding="utf-8") as stdout,
        open(log.with_name(f"{log.name}.stderr.txt"), "w", encoding="utf-8") as stderr,
    ):
        papermill.execute_notebook(
            job.source,
            job.target,
            parameters=job.parameters,
            kernel_name=job.kernel,
            language="python",
            progress_bar=False,
            stdout_file=stdout,
            stderr_file=stderr,
            cwd=str(Path(job.source).parent),
            execution_timeout=job.timeout,
            coalesce_streams=True,
            on_cell_start=on_cell_start,
        )


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


if __name__ == "__main__":
    _work()
