"""A cache is built once and whole, goes on where it was stopped, and says what kept it from being built."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from cached_files import NUM_EXAMPLES, Files, cut, finished, flip_a_byte, make_files, records_of, write

from sdm_lite.cache import building as cache_building
from sdm_lite.cache import reading as cache_reading
from sdm_lite.cache.loading import open_cache


@pytest.fixture
def root(tmp_path):
    return make_files(tmp_path / "files")


def stopped_build(root, folder, *, at):
    """A build that Ctrl-C ended at an example; returns the folder of what it left."""
    dataset = Files(root)
    read = dataset.read

    def stopping(i):
        if i == at:
            raise KeyboardInterrupt
        return read(i)

    dataset.read = stopping
    with pytest.raises(KeyboardInterrupt):
        open_cache(dataset, folder, num_workers=0)
    assert finished(folder) == []
    (partial,) = folder.glob("*.partial")
    return partial


def append(path, content):
    path.write_bytes(path.read_bytes() + content)


@pytest.mark.parametrize(
    ("damage", "num_done"),
    [
        (lambda partial: None, 32),
        (lambda partial: cut(partial / "records.bin", 10), 31),
        (lambda partial: cut(partial / "examples.jsonl", 10), 31),
        (lambda partial: append(partial / "records.bin", b"half a record"), 32),
        (lambda partial: flip_a_byte(partial / "records.bin"), 16),
        (lambda partial: (partial / "examples.jsonl").write_bytes(b""), 0),
    ],
)
def test_a_build_that_was_stopped_goes_on_behind_its_last_good_record(root, tmp_path, damage, num_done):
    whole = open_cache(Files(root), tmp_path / "whole")
    partial = stopped_build(root, tmp_path / "stopped", at=35)
    damage(partial)
    dataset = Files(root)
    resumed = open_cache(dataset, tmp_path / "stopped")
    assert dataset.num_read == NUM_EXAMPLES - num_done
    assert records_of(resumed.folder) == records_of(whole.folder)
    assert not partial.exists()


@pytest.mark.slow
def test_worker_processes_make_the_same_records_and_pass_errors_on(root, tmp_path):
    (root / "036.npy").write_bytes(b"")
    with pytest.raises(ValueError, match="036.npy"):
        open_cache(Files(root), tmp_path / "workers", num_workers=2)
    goes_on, alone = Files(root, skip_bad=True), Files(root, skip_bad=True)
    begun = open_cache(goes_on, tmp_path / "workers", num_workers=0)
    whole = open_cache(alone, tmp_path / "alone", num_workers=0)
    assert (goes_on.num_read, alone.num_read) == (8, NUM_EXAMPLES)  # the workers' two whole chunks were kept
    assert records_of(begun.folder) == records_of(whole.folder)


KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
from cached_files import Files
from sdm_lite.cache.loading import open_cache
if __name__ == "__main__":
    dataset = Files(sys.argv[2])
    dataset.pause = 0.05
    open_cache(dataset, sys.argv[3], num_workers=1)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes left over in /proc")
def test_a_build_that_was_killed_leaves_no_process_and_can_go_on(root, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    support, package = Path(__file__).parents[1] / "support", Path(__file__).parents[2]
    command = [sys.executable, str(script), str(support), str(root), str(tmp_path / "caches")]
    build = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(package)}, stderr=subprocess.DEVNULL)
    wait_for(lambda: [path for path in tmp_path.glob("caches/*.partial/records.bin") if path.stat().st_size])
    workers = Path(f"/proc/{build.pid}/task/{build.pid}/children").read_text().split()
    build.send_signal(signal.SIGKILL)
    build.wait()
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    dataset = Files(root)
    resumed = open_cache(dataset, tmp_path / "caches")
    assert 0 < dataset.num_read < NUM_EXAMPLES
    assert records_of(resumed.folder) == records_of(open_cache(Files(root), tmp_path / "whole").folder)


UNGUARDED = KILLED.replace("if __name__ ==", "if 'of any name' or __name__ ==")


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_what_it_lacks(root, tmp_path):
    script = tmp_path / "unguarded.py"
    script.write_text(UNGUARDED)
    support, package = Path(__file__).parents[1] / "support", Path(__file__).parents[2]
    command = [sys.executable, str(script), str(support), str(root), str(tmp_path / "caches")]
    environment = os.environ | {"PYTHONPATH": str(package)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ValueError: a process that reads pictures ended")
    assert '`if __name__ == "__main__":`' in done.stderr.splitlines()[-1]


def test_processes_are_started_when_reading_takes_long(root, tmp_path, monkeypatch):
    asked = []

    def read_in_workers(dataset, dtype, chunks, num_workers):
        asked.append((sum(map(len, chunks)), num_workers))
        yield from ([cache_reading._pack(dataset, dtype, i) for i in chunk] for chunk in chunks)

    monkeypatch.setattr(cache_reading, "_read_in_workers", read_in_workers)
    monkeypatch.setattr(cache_reading, "_num_cores", lambda: 7)
    open_cache(Files(root), tmp_path / "quick")
    assert asked == []
    monkeypatch.setattr(cache_reading, "WORTH_PROCESSES", 0)
    assert len(open_cache(Files(root), tmp_path / "long")) == NUM_EXAMPLES
    assert asked == [(NUM_EXAMPLES - 16, 7)]


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def test_two_builds_at_once_read_everything_once(root, tmp_path, capsys):
    datasets = [Files(root), Files(root)]
    datasets[0].pause = 0.01
    first = threading.Thread(target=open_cache, args=(datasets[0], tmp_path / "caches"))
    first.start()
    wait_for(lambda: datasets[0].num_read)
    open_cache(datasets[1], tmp_path / "caches")
    first.join()
    assert (datasets[0].num_read, datasets[1].num_read) == (NUM_EXAMPLES, 0)
    assert "waiting for another process" in capsys.readouterr().out


def test_a_bad_example_stops_the_build_by_name_or_is_left_out_and_told(root, tmp_path, capsys):
    (root / "003.npy").write_bytes((root / "003.npy").read_bytes()[:100])
    with pytest.raises(ValueError, match="003.npy"):
        open_cache(Files(root), tmp_path / "caches")
    cache = open_cache(Files(root, skip_bad=True), tmp_path / "caches")
    assert len(cache) == NUM_EXAMPLES - 1 and "003" not in cache.names
    assert "003.npy" in cache.left_out[0] and "left out: " + cache.left_out[0] in capsys.readouterr().err
    assert torch.allclose(cache.read(torch.tensor([3])).images[0] / 127.5 - 1, Files(root)[4].image)
    open_cache(Files(root, skip_bad=True), tmp_path / "caches")
    assert "003.npy" in capsys.readouterr().err  # never silently
    with pytest.raises(ValueError, match="003.npy.*skip_bad"):
        open_cache(Files(root), tmp_path / "caches")


def test_ids_and_shapes_are_checked_when_they_are_read(root, tmp_path):
    values = np.load(root / "007.npy")
    values[0, :5, 3] = 9
    np.save(root / "007.npy", values)
    with pytest.raises(ValueError, match=r"007: label ids must lie in 0\.\.2, got 9 \(5 pixels\)"):
        open_cache(Files(root), tmp_path / "caches")
    np.save(root / "007.npy", values[:8])
    with pytest.raises(ValueError, match="expected 007 at 16 x 20 pixels"):
        open_cache(Files(root), tmp_path / "caches")
    for path in root.glob("*.npy"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="no example .* can be read"):
        open_cache(Files(root, skip_bad=True), tmp_path / "caches")


def test_files_that_change_while_they_are_read_are_told(root, tmp_path):
    dataset = Files(root)
    read = dataset.read

    def changing(i):
        if i == 20:
            write(root / "002.npy", 99)
        return read(i)

    dataset.read = changing
    with pytest.raises(ValueError, match="changed while they were read"):
        open_cache(dataset, tmp_path / "caches")
    assert finished(tmp_path / "caches") == []


def test_a_file_that_is_gone_is_told(root, tmp_path):
    dataset = Files(root)
    (root / "004.npy").unlink()
    with pytest.raises(ValueError, match="004.npy"):
        open_cache(dataset, tmp_path / "caches")


def test_a_folder_that_cannot_be_written_is_told(root, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot write the cache .*SDM_LITE_CACHE"):
        open_cache(Files(root), tmp_path / "file" / "caches")


def test_too_little_space_is_told_before_anything_is_read(root, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("Usage", "free")(1000))
    dataset = Files(root)
    with pytest.raises(ValueError, match=r"needs 0\.00 GB.*SDM_LITE_CACHE"):
        open_cache(dataset, tmp_path / "caches")
    assert dataset.num_read == 0


def test_a_write_that_fails_is_told_and_the_next_build_goes_on(root, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))  # a file of 20 records
    try:
        with pytest.raises(ValueError, match="cannot write the cache .*SDM_LITE_CACHE"):
            open_cache(Files(root), tmp_path / "caches")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    dataset = Files(root)
    open_cache(dataset, tmp_path / "caches").verify()
    assert dataset.num_read < NUM_EXAMPLES


def test_a_full_disk_is_called_so(tmp_path):
    with pytest.raises(OSError) as told, open("/dev/full", "wb", buffering=0) as full:
        full.write(b"x")
    assert "the disk is full" in cache_building._cannot_write(tmp_path, told.value)
