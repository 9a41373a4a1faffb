"""A cache is built once and whole, goes on where it was stopped, and says what kept it from being built."""

import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from cached_files import NUM_EXAMPLES, Files, arrays_of, cut, finished, flip_a_byte_of, make_files, read_raw, write

from sdm_lite.cache import open_cache


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
        open_cache(dataset, folder, num_threads=1)
    assert finished(folder) == []
    (partial,) = folder.glob("*.partial")
    return partial


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (lambda partial: None, []),
        (lambda partial: flip_a_byte_of(partial, 3), [3]),
        (lambda partial: flip_a_byte_of(partial, 4, "label_maps"), [4]),
        (lambda partial: flip_a_byte_of(partial, 5, "checksums"), [5]),
        (lambda partial: cut(partial / "images.npy", 960 * 38), range(2, NUM_EXAMPLES)),
        (lambda partial: (partial / "edges.npy").unlink(), range(NUM_EXAMPLES)),
        (lambda partial: (partial / "checksums.npy").write_bytes(b""), range(NUM_EXAMPLES)),
        (lambda partial: cut(partial / "label_maps.npy", 320 * NUM_EXAMPLES + 9), range(NUM_EXAMPLES)),
    ],
)
def test_a_build_that_was_stopped_reads_what_is_missing_and_no_more(root, tmp_path, damage, lost):
    whole = open_cache(Files(root), tmp_path / "whole")
    partial = stopped_build(root, tmp_path / "stopped", at=25)
    missing = np.flatnonzero(np.load(partial / "checksums.npy") == 0).tolist()
    assert 25 in missing and len(missing) <= 15
    damage(partial)
    dataset = Files(root)
    resumed = open_cache(dataset, tmp_path / "stopped")
    assert sorted(dataset.asked) == sorted({*missing, *lost})
    assert arrays_of(resumed.folder) == arrays_of(whole.folder)
    assert not partial.exists()


def test_an_example_that_was_lost_and_is_bad_now_is_left_out(root, tmp_path):
    flip_a_byte_of(stopped_build(root, tmp_path / "caches", at=25), 3)
    dataset = Files(root, skip_bad=True)
    read = dataset.read

    def failing(i):
        if i == 3:
            raise ValueError("the disk cannot read it")
        return read(i)

    dataset.read = failing
    cache = open_cache(dataset, tmp_path / "caches")
    assert cache.left_out == ["003: the disk cannot read it"] and len(cache) == NUM_EXAMPLES - 1
    cache.verify()


@pytest.mark.parametrize("num_threads", [1, 3])
def test_threads_change_nothing(root, tmp_path, num_threads):
    caches = [open_cache(Files(root), tmp_path / f"{n}", num_threads=n) for n in (num_threads, None)]
    assert arrays_of(caches[0].folder) == arrays_of(caches[1].folder)
    assert caches[0].fingerprint() == caches[1].fingerprint()


KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
from cached_files import Files
from sdm_lite.cache import open_cache
dataset = Files(sys.argv[2])
dataset.pause = 0.05
open_cache(dataset, sys.argv[3], num_threads=1)
"""


@pytest.mark.slow
def test_a_build_that_was_killed_can_go_on(root, tmp_path):
    support, package = Path(__file__).parents[1] / "support", Path(__file__).parents[2]
    command = [sys.executable, "-c", KILLED, str(support), str(root), str(tmp_path / "caches")]
    build = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(package)}, stderr=subprocess.DEVNULL)
    wait_for(lambda: [path for path in tmp_path.glob("caches/*.partial/checksums.npy") if np.load(path).any()])
    build.kill()
    build.wait()
    dataset = Files(root)
    resumed = open_cache(dataset, tmp_path / "caches")
    assert 0 < len(dataset.asked) < NUM_EXAMPLES
    assert arrays_of(resumed.folder) == arrays_of(open_cache(Files(root), tmp_path / "whole").folder)


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def test_two_builds_at_once_read_everything_once(root, tmp_path, capsys):
    datasets = [Files(root), Files(root)]
    datasets[0].pause = 0.02
    first = threading.Thread(target=open_cache, args=(datasets[0], tmp_path / "caches"))
    first.start()
    wait_for(lambda: datasets[0].asked)
    open_cache(datasets[1], tmp_path / "caches")
    first.join()
    assert (len(datasets[0].asked), len(datasets[1].asked)) == (NUM_EXAMPLES, 0)
    assert f"waiting for process {os.getpid()}" in capsys.readouterr().err


def test_a_bad_example_stops_the_build_by_name_or_is_left_out_and_told(root, tmp_path, capsys):
    (root / "003.raw").write_bytes((root / "003.raw").read_bytes()[:100])
    with pytest.raises(ValueError, match="003.raw"):
        open_cache(Files(root), tmp_path / "caches")
    assert finished(tmp_path / "caches") == []
    cache = open_cache(Files(root, skip_bad=True), tmp_path / "caches")
    assert len(cache) == NUM_EXAMPLES - 1 and "003" not in cache.names
    (told,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("left out: 1 bad, listed in "))
    assert "003.raw" in cache.left_out[0] and told.endswith(f"cache.json, the first: {cache.left_out[0]}")
    assert torch.allclose(cache.read(torch.tensor([3])).images[0] / 127.5 - 1, Files(root)[4].image)
    open_cache(Files(root, skip_bad=True), tmp_path / "caches")
    assert "003.raw" in capsys.readouterr().err  # never silently
    with pytest.raises(ValueError, match="003.raw.*skip_bad"):
        open_cache(Files(root), tmp_path / "caches")


def test_ids_and_shapes_are_checked_when_they_are_read(root, tmp_path):
    values = read_raw(root / "007.raw")
    values[0, :5, 3] = 9
    values.tofile(root / "007.raw")
    with pytest.raises(ValueError, match=r"007: label ids must lie in 0\.\.2, got 9 \(5 pixels\)"):
        open_cache(Files(root), tmp_path / "caches")
    values[:8].tofile(root / "007.raw")
    with pytest.raises(ValueError, match="007: expected 16 x 20 pixels"):
        open_cache(Files(root), tmp_path / "caches")
    for path in root.glob("*.raw"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="no example .* can be read"):
        open_cache(Files(root, skip_bad=True), tmp_path / "caches")


def test_files_that_change_while_they_are_read_are_told(root, tmp_path):
    dataset = Files(root)
    read = dataset.read

    def changing(i):
        if i == 20:
            write(root / "002.raw", 99)
        return read(i)

    dataset.read = changing
    with pytest.raises(ValueError, match="changed while they were read"):
        open_cache(dataset, tmp_path / "caches")
    assert finished(tmp_path / "caches") == []


def test_a_file_that_is_gone_is_told(root, tmp_path):
    dataset = Files(root)
    (root / "004.raw").unlink()
    with pytest.raises(ValueError, match="004.raw"):
        open_cache(dataset, tmp_path / "caches")


def test_a_folder_that_cannot_be_written_is_told(root, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot write the cache .*SDM_LITE_CACHE"):
        open_cache(Files(root), tmp_path / "file" / "caches")


def test_too_little_space_is_told_before_anything_is_read(root, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("Usage", "free")(1000))
    dataset = Files(root)
    with pytest.raises(ValueError, match=r"needs \d\d\.\d kB, and 1\.0 kB are left.*SDM_LITE_CACHE"):
        open_cache(dataset, tmp_path / "caches")
    assert dataset.asked == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="where space cannot be taken")
def test_space_is_taken_before_anything_is_read(root, tmp_path):
    """Or a disk that fills up meanwhile would end the process, as writing to a mapped file then does."""
    partial = stopped_build(root, tmp_path / "caches", at=0)
    images = (partial / "images.npy").stat()
    assert images.st_size == 128 + 960 * NUM_EXAMPLES <= 512 * images.st_blocks


def test_a_write_that_fails_is_told_and_the_next_build_goes_on(root, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))  # the images take 38,528
    try:
        with pytest.raises(ValueError, match="cannot write the cache .*SDM_LITE_CACHE"):
            open_cache(Files(root), tmp_path / "caches")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    dataset = Files(root)
    open_cache(dataset, tmp_path / "caches").verify()
    assert len(dataset.asked) == NUM_EXAMPLES
