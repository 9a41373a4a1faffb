"""Two runs never write to one folder, and a run that was killed holds nothing."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdm_lite.train.__main__ import main
from sdm_lite.train.lock import hold_folder

fcntl = pytest.importorskip("fcntl", reason="Windows has no such locks")

HOLDER = """
import sys
from pathlib import Path
from sdm_lite.train.lock import hold_folder

with hold_folder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds `tmp_path`."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_run_is_told_who_holds_the_folder_and_touches_nothing(tmp_path, holder, capsys):
    half_written = tmp_path / "checkpoints" / ".step-000000005.pt.1.tmp"  # what a second run would take for a leftover
    half_written.parent.mkdir()
    half_written.write_bytes(b"half")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    options = "--preset scenes-32 --size 16 16 --num-images 8 --num-steps 1 --device cpu --output".split()
    assert main([*options, str(tmp_path)]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1 and told[0].startswith(f"error: another run is writing to {tmp_path} (process {holder.pid} ")
    assert "wait until it ends, stop it, or give another --output" in told[0]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_killed_run_lets_go(tmp_path, holder):
    with pytest.raises(ValueError, match="another run"), hold_folder(tmp_path):
        pass
    holder.kill()  # SIGKILL: nothing of it can clean up
    holder.wait()
    with hold_folder(tmp_path):
        assert (tmp_path / ".lock").read_text().startswith(f"process {os.getpid()} on ")


def test_a_run_that_ends_or_fails_lets_go(tmp_path):
    with pytest.raises(RuntimeError), hold_folder(tmp_path):
        raise RuntimeError
    with hold_folder(tmp_path), pytest.raises(ValueError, match="another run"), hold_folder(tmp_path):
        pass
    with hold_folder(tmp_path):
        pass


def test_a_disk_without_locks_is_told_and_keeps_no_run_from_starting(tmp_path, monkeypatch):
    def flock(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    told = []
    with hold_folder(tmp_path, tell=told.append):
        assert len(told) == 1 and "has no locks (No locks available)" in told[0]


def test_a_system_without_locks_is_no_obstacle(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with hold_folder(tmp_path, tell=pytest.fail), hold_folder(tmp_path, tell=pytest.fail):
        pass
