"""A kernel that does not start, dies or takes too long ends its notebook in one line, and no kernel stays behind."""

import json
import sys
from pathlib import Path

import psutil
import pytest
from made_notebooks import make_notebook

from sdm_lite.reproduce.execute import execute

WRITE_PID = "from pathlib import Path\nimport os\n_ = Path('pid').write_text(str(os.getpid()))"


def run(path: Path, **changes):
    settings = {"kernel": "python3", "timeout": 60.0, "environment": {}, "log": path.parent / "log.txt", "label": ""}
    return execute(path, {"SEED": 1}, **(settings | changes))


@pytest.mark.slow
def test_the_time_limit_of_a_cell_is_an_error_that_names_it(tmp_path):
    path = make_notebook(tmp_path / "00_slow.ipynb", WRITE_PID, "print('so')\nimport time; time.sleep(100)", "1")
    outcome = run(path, timeout=2.0)
    failure = outcome.failure
    assert failure.error == "the cell took longer than its limit of 2 s (--timeout)"
    assert (failure.cell, failure.num_cells, failure.cell_id, failure.first_line) == (4, 5, "c1", "print('so')")
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
    # What was printed until then is in the copy and in the log, and no time is told of a cell that did not run.
    assert [cell.outputs[0].text for cell in outcome.executed.cells if cell.id == "c1"] == ["so\n"]
    assert "so\n" in (tmp_path / "log.txt").read_text()
    assert list(outcome.cell_seconds) == [2, 3, 4] and 2 <= outcome.cell_seconds[4] < 10


@pytest.mark.slow
def test_a_kernel_that_dies_is_an_error_that_names_its_cell(tmp_path):
    path = make_notebook(tmp_path / "00_dies.ipynb", "x = 1", "# a comment\nimport os; os._exit(1)")
    failure = run(path).failure
    assert (failure.cell, failure.first_line) == (4, "import os; os._exit(1)")
    assert failure.error == "the kernel died, most often because memory ran out"


@pytest.mark.slow
def test_a_kernel_that_does_not_start_is_an_error(tmp_path, monkeypatch):
    kernel = tmp_path / "kernels" / "broken"
    kernel.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-c", "raise SystemExit('no such thing')"],
        "display_name": "",
        "language": "python",
    }
    (kernel / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    outcome = run(make_notebook(tmp_path / "00_a.ipynb", "1"), kernel="broken")
    assert outcome.failure.cell == 0 and outcome.cell_seconds == {}
    assert outcome.failure.error.startswith("the kernel did not start: RuntimeError: Kernel died")
    assert outcome.failure.error.endswith("; its last words: no such thing")
    assert "no such thing" in (tmp_path / "log.txt").read_text()
