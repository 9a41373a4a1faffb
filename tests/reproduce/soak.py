"""Executes the notebooks that have widgets with papermill, again and again: a widget that hangs does so now and then.

    python tests/reproduce/soak.py [--runs 50] [00 05 ...]

Each run is papermill's own command on one notebook, in turns, in the shortest profile. A run that takes longer than the
limit hangs, is ended, and ends the soak. What a run leaves must hold no widget state and no widget view.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
VIEW = "application/vnd.jupyter.widget-view+json"


def with_widgets(numbers: list[str]) -> list[Path]:
    """The notebooks that import a widget, in order; those of some numbers, if any are given."""
    found = [path for path in sorted((ROOT / "notebooks").glob("*.ipynb")) if not numbers or path.name[:2] in numbers]
    return [path for path in found if "sdm_lite.widgets" in path.read_text("utf-8")]


def execute(source: Path, folder: Path, limit: float) -> tuple[str, Path]:
    """What is wrong with one run, or nothing, and the notebook that it wrote."""
    target = folder / source.name
    command = [sys.executable, "-m", "papermill", str(source), str(target), "--no-progress-bar", "--cwd", str(folder)]
    command += ["-p", "PROFILE", "test", "-p", "OUTPUT_DIR", str(folder / "output")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    environment.pop("SDM_LITE_STATIC", None)  # papermill alone must be enough
    log = folder / "log.txt"
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"hangs: not done within {limit:g} s", target
    return ("" if status == 0 else f"failed: {log.read_text('utf-8')[-2000:]}"), target


def left_over(target: Path) -> str:
    """What an executed notebook holds of widgets, or nothing."""
    notebook = nbformat.read(target, as_version=4)
    if "widgets" in notebook.metadata:
        return "widget state is stored"
    shown = {kind for cell in notebook.cells for output in cell.get("outputs", []) for kind in output.get("data", {})}
    return "a widget is shown in place of its picture" if VIEW in shown else ""


def main() -> int:
    """Runs the soak; 0 if nothing was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", help="of notebooks, such as 00 05 (default: all that have widgets)")
    parser.add_argument("--runs", type=int, default=50, help="how many runs in all (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds until a run hangs (default: %(default)s)")
    arguments = parser.parse_args()
    sources, start = with_widgets(arguments.numbers), time.monotonic()
    if not sources:
        parser.error(f"no notebook with widgets has one of the numbers {' '.join(arguments.numbers)}")
    for number in range(arguments.runs):
        source, begin = sources[number % len(sources)], time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            wrong, target = execute(source, Path(folder), arguments.limit)
            wrong = wrong or left_over(target)
        print(f"{number + 1:3d} {source.stem:24s} {time.monotonic() - begin:6.1f} s  {wrong or 'ok'}", flush=True)
        if wrong:
            return 1
    print(f"{arguments.runs} runs of {len(sources)} notebooks in {time.monotonic() - start:.0f} s: none hung")
    return 0


if __name__ == "__main__":
    sys.exit(main())
