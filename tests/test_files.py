"""Files are whole or absent, one writer holds a folder, and what cannot be written is told before the work."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdm_lite.files import (
    check_writable,
    check_writable_folder,
    expanded,
    hold,
    holder,
    to_json,
    whole_file,
    write_whole,
)

ROOT = Path(__file__).resolve().parents[1]
HOLDER = """
import sys
from pathlib import Path
from sdm_lite.files import hold

with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds `tmp_path / ".lock"`."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / ".lock")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("data", [b"new", "new", lambda file: file.write(b"new")])
def test_what_is_written_is_there(tmp_path, data):
    path = tmp_path / "a" / "b.txt"
    assert write_whole(path, data) == path and path.read_bytes() == b"new"
    assert names(path.parent) == ["b.txt"] and path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("no more room\nlines of C++")])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = write_whole(tmp_path / "a.txt", "old")

    def fail(file):
        file.write(b"half")
        raise error

    with pytest.raises(OSError, match="a.txt could not be written \\((No space left on device|no more room)\\)"):
        write_whole(path, fail)
    assert path.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_a_writer_that_takes_a_name(tmp_path):
    with whole_file(tmp_path / "a.txt") as draft:
        draft.write_text("by name")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "by name" and names(tmp_path) == ["a.txt"]
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "a.txt") as draft:
        draft.write_text("half")
        raise KeyboardInterrupt
    assert (tmp_path / "a.txt").read_text() == "by name" and names(tmp_path) == ["a.txt"]


def test_two_threads_may_write_one_file(tmp_path):
    path = tmp_path / "file"
    with whole_file(path) as first, whole_file(path) as second:
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert path.read_bytes() == b"first" and names(tmp_path) == ["file"]


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write_whole("~/there.txt", "text")
    assert (tmp_path / "there.txt").read_text() == "text" == expanded("~/there.txt").read_text()
    check_writable_folder("~/new")
    with pytest.raises(ValueError, match="write the folder out instead of ~"):
        expanded("~nobody-of-this-name/x")


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path):
    check_writable(tmp_path / "new" / "deep" / "file.txt")
    check_writable_folder(tmp_path / "new")
    assert names(tmp_path) == []


def test_a_place_that_cannot_be_written_is_told_by_name(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot write --json .*: it is a folder, give a file"):
        check_writable(tmp_path, option="--json")
    with pytest.raises(ValueError, match="cannot write to --output .*file.inside .*: give another folder"):
        check_writable_folder(tmp_path / "file" / "inside")
    with pytest.raises(ValueError, match="cannot write to --save .*: give another folder"):
        check_writable("/proc/self/x/model.safetensors" if os.name == "posix" else "Q:/x/y", option="--save")


def test_a_second_writer_is_told_who_holds_it(tmp_path, other):
    with pytest.raises(ValueError, match=f"^busy, stop it \\(process {other.pid} on "):
        with hold(tmp_path / ".lock", busy="busy, stop it"):
            pass


def test_a_killed_process_holds_nothing(tmp_path, other):
    other.kill()  # SIGKILL: nothing of it can clean up
    other.wait()
    with hold(tmp_path / ".lock", busy="busy"):
        assert holder(tmp_path / ".lock").startswith(f"process {os.getpid()} on ")


def test_who_waits_says_so_and_goes_on(tmp_path, other):
    told = []

    def let_go(line):
        told.append(line)
        other.stdin.close()

    with hold(tmp_path / ".lock", tell=let_go):
        assert len(told) == 1 and told[0].startswith(f"waiting for process {other.pid} on ")


def test_after_an_error_it_is_free(tmp_path):
    with pytest.raises(RuntimeError), hold(tmp_path / ".lock", busy="busy"):
        raise RuntimeError
    with hold(tmp_path / ".lock", busy="busy"), pytest.raises(ValueError, match="busy"):
        with hold(tmp_path / ".lock", busy="busy"):
            pass


def test_a_disk_without_locks_is_told_and_keeps_nobody_from_writing(tmp_path, monkeypatch):
    def acquire(self, timeout):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)
    told = []
    with hold(tmp_path / ".lock", busy="busy", tell=told.append):
        assert len(told) == 1 and "has no locks" in told[0] and "No locks available" in told[0]


def test_a_full_disk_keeps_nobody_from_holding(tmp_path, monkeypatch):
    def write_text(self, text, encoding):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", write_text)  # the note of who holds it
    with hold(tmp_path / ".lock"), pytest.raises(ValueError, match="busy"), hold(tmp_path / ".lock", busy="busy"):
        pass


def test_json_has_no_nan():
    value = {"a": [1.5, math.nan, (math.inf, "x")], "b": None, "c": True}
    assert json.loads(to_json(value)) == {"a": [1.5, None, [None, "x"]], "b": None, "c": True}


@pytest.mark.skipif(os.name != "posix", reason="links and devices as Unix has them")
def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "far" / "real.txt")
    for text in ("first", "second"):
        assert write_whole(tmp_path / "link.txt", text) == tmp_path / "link.txt"
        assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "far" / "real.txt").read_text() == text
    assert names(tmp_path / "far") == ["real.txt"]


@pytest.mark.skipif(os.name != "posix", reason="links and devices as Unix has them")
def test_a_device_is_never_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe: it is a device, give a file"):
        check_writable(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe could not be written \\(a device is there\\)"):
        write_whole(tmp_path / "pipe", "text")
    assert names(tmp_path) == ["pipe"] and (tmp_path / "pipe").is_fifo()


def test_a_file_name_that_is_no_utf8_can_be_written_down():
    """As Linux hands on `caf\\xe9.png`, from a disk of Latin-1 days; JSON gives it back as it was."""
    name = os.fsdecode(b"caf\xe9.png") if os.name == "posix" else "caf\udce9.png"
    assert json.loads(to_json({"names": [name]})) == {"names": [name]} and to_json(name).isascii()


def test_text_with_such_a_name_is_written_whole(tmp_path):
    path = write_whole(tmp_path / "report.md", "left out: caf\udce9.png")
    assert path.read_text(encoding="utf-8") == "left out: caf\\udce9.png"


def test_a_home_that_is_not_there_is_told_with_what_to_do(monkeypatch):
    def expanduser(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", expanduser)
    with pytest.raises(ValueError, match="~/x cannot be read as a path .*: write the folder out instead of ~"):
        expanded("~/x")
