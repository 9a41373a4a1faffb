"""Jobs side by side: each in a process of one thread, told when it ends, none stopped by another's failure."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from sdm_lite.side_by_side import side_by_side

# For `eval`, which every process has.
TELL = "'%d in %d' % (__import__('torch').get_num_threads(), __import__('os').getpid())"


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_and_told_though_one_fails(capsys, workers):
    threads, jobs = torch.get_num_threads(), [TELL, "1 / 0", "None", "open('no such file')"]
    names = dict(zip(jobs, "abcd", strict=True))
    failed = side_by_side(eval, jobs, workers=workers, name=names.get)
    assert sorted(failed) == [
        "b failed: division by zero",
        "d failed: [Errno 2] No such file or directory: 'no such file'",
    ]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("]")[0] for line in lines] == [f"[{k} of 4" for k in (1, 2, 3, 4)]
    told = {line.split("] ")[1][0]: line.partition(": ")[2].partition("; ")[0] for line in lines}
    assert told["a"].startswith("1 in ") and told["b"] == "failed: division by zero"
    assert (told["a"] == f"1 in {os.getpid()}") == (workers == 1), "one after the other needs no process"
    assert told["c"][0].isdigit() and told["c"].endswith("s"), "the time, where nothing is told"
    assert "; about " in lines[0] and "left" not in lines[-1]
    assert torch.get_num_threads() == threads


def test_the_time_left_is_by_cost(capsys, monkeypatch):
    clock = iter([0.0, 0.0, 60.0, 60.0, 240.0])
    monkeypatch.setattr("sdm_lite.side_by_side.time.monotonic", lambda: next(clock))
    side_by_side(str, [2, 6], workers=1, name=str, cost=float)
    assert "about 3 min 0 s left" in capsys.readouterr().out.splitlines()[0], "a quarter took a minute"


def test_no_workers_are_refused():
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        side_by_side(str, [1], workers=0, name=str)


KILLED = """
import time
from pathlib import Path
from sdm_lite.side_by_side import side_by_side

def wait(name):
    Path(name).touch()
    time.sleep(60)

if __name__ == "__main__":
    side_by_side(wait, ["a", "b", "c"], workers=2, name=str)
"""


@pytest.mark.skipif(os.name != "posix", reason="a signal of POSIX")
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    (tmp_path / "work.py").write_text(KILLED)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    parent = subprocess.Popen(
        [sys.executable, "work.py"],
        cwd=tmp_path,
        env=environment,
        start_new_session=True,
        stderr=subprocess.DEVNULL,  # of the tracker of semaphores, which outlives it
    )

    def there():
        """Processes of the session that still run."""
        found = subprocess.run(["ps", "-ww", "-o", "stat=,cmd=", "-s", str(parent.pid)], capture_output=True, text=True)
        return [line for line in found.stdout.splitlines() if "spawn_main" in line and not line.startswith("Z")]

    def wait_until(true):
        ends = time.monotonic() + 120
        while not true() and time.monotonic() < ends:
            time.sleep(0.2)
        return true()

    try:
        assert wait_until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
        assert len(there()) == 2
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert wait_until(lambda: not there()) and not (tmp_path / "c").exists()
    finally:
        if parent.poll() is None or there():
            os.killpg(parent.pid, signal.SIGKILL)
        parent.wait()
