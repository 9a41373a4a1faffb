"""A cache holds what the data set reads, is built once and whole, and says what is wrong with it."""

import json
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

from sdm_lite import cache_building, cache_reading
from sdm_lite.cache import Cache, cache_root, describe, folder_names
from sdm_lite.cache_command import main
from sdm_lite.labels import instance_edges
from sdm_lite.loading import open_cache

NUM_EXAMPLES = 40


class Files:
    """A data set of .npy files (16, 20, 5): photograph, class, instance."""

    name, split, protocol, crops = "files", "train", "sdm_lite", 1
    class_names, num_classes, has_instances = ("a", "b", "c"), 3, True
    size = (16, 20)

    def __init__(self, root, *, skip_bad=False):
        self.root, self.skip_bad = Path(root), skip_bad
        self.names = sorted(path.stem for path in self.root.glob("*.npy"))
        self.num_read = 0
        self.pause = 0.0

    def __len__(self):
        return len(self.names)

    def sources(self, i):
        return (self.root / f"{self.names[i]}.npy",)

    def read(self, i):
        self.num_read += 1
        time.sleep(self.pause)
        (path,) = self.sources(i)
        try:
            values = np.load(path)
        except (ValueError, OSError, EOFError) as error:
            raise ValueError(f"expected a readable array, got {path}: {error}") from error
        return values[..., :3].astype(np.uint8), values[..., 3].astype(np.uint8), values[..., 4]


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for i in range(NUM_EXAMPLES):
        write(folder / f"{i:03}.npy", i)
    return folder


def write(path, seed):
    """Instance ids as Cityscapes has them: above 16 bits, equal in the lower 8."""
    chance = np.random.default_rng(seed)
    classes = chance.integers(0, 3, (16, 20))
    instances = 65536 * chance.integers(0, 2, (16, 20))
    photograph = chance.integers(0, 256, (16, 20, 3))
    np.save(path, np.concatenate([photograph, classes[..., None], instances[..., None]], axis=-1).astype(np.int32))


def all_of(cache):
    return cache.read(torch.arange(len(cache)))


def finished(folder):
    """Folders of caches that are there under their own name."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.suffix != ".partial")


def test_a_cache_holds_what_the_data_set_reads(root, tmp_path):
    dataset = Files(root)
    cache = open_cache(dataset, tmp_path / "caches")
    assert len(cache) == NUM_EXAMPLES and cache.names == dataset.names and cache.size == (16, 20)
    chosen = torch.tensor([7, 0, 39, 7])
    examples = cache.read(chosen)
    assert examples.images.dtype == examples.label_maps.dtype == examples.edges.dtype == torch.uint8
    for k, i in enumerate(chosen.tolist()):
        photograph, label_map, instance_map = dataset.read(i)
        assert np.array_equal(examples.images[k].movedim(0, -1), photograph)
        assert np.array_equal(examples.label_maps[k], label_map)
        assert torch.equal(examples.edges[k].float(), instance_edges(torch.from_numpy(instance_map)[None])[0, 0])
    assert 0 < examples.edges.float().mean() < 1


def test_a_data_set_without_instances_has_no_edges(root, tmp_path):
    dataset = Files(root)
    dataset.has_instances = False
    assert all_of(open_cache(dataset, tmp_path / "caches")).edges is None


def test_more_than_256_classes_take_16_bits(root, tmp_path):
    dataset = Files(root)
    dataset.num_classes = 300
    read = dataset.read
    dataset.read = lambda i: (read(i)[0], read(i)[1].astype(np.int16) + 290, read(i)[2])
    label_maps = all_of(open_cache(dataset, tmp_path / "caches")).label_maps
    assert label_maps.dtype == torch.int16 and label_maps.min() == 290 and label_maps.max() == 292


def test_a_cache_is_built_once(root, tmp_path):
    open_cache(Files(root), tmp_path / "caches")
    again = Files(root)
    open_cache(again, tmp_path / "caches").verify()
    assert again.num_read == 0


def test_a_changed_file_makes_another_cache_in_its_place(root, tmp_path):
    before = open_cache(Files(root), tmp_path / "caches")
    (old,) = finished(tmp_path / "caches")
    write(root / "005.npy", 99)
    after = open_cache(Files(root), tmp_path / "caches")
    (new,) = finished(tmp_path / "caches")
    assert new != old and after.fingerprint() != before.fingerprint()
    different = (all_of(after).images != all_of(before).images).flatten(1).any(1)
    assert different.nonzero().flatten().tolist() == [5]


def test_a_file_with_a_new_date_is_read_again_and_found_the_same(root, tmp_path):
    before = open_cache(Files(root), tmp_path / "caches")
    os.utime(root / "005.npy", (1, 1))
    dataset = Files(root)
    after = open_cache(dataset, tmp_path / "caches")
    assert dataset.num_read == NUM_EXAMPLES and after.fingerprint() == before.fingerprint()


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("split", "val"),
        ("size", (16, 24)),
        ("protocol", "reference"),
        ("crops", 2),
        ("class_names", ("a", "b", "d")),
        ("has_instances", False),
        ("name", "other"),
    ],
)
def test_what_decides_the_examples_decides_the_cache(root, attribute, value):
    plain, other = Files(root), Files(root)
    setattr(other, attribute, value)
    assert folder_names(plain)[0] != folder_names(other)[0]
    assert folder_names(plain) == folder_names(Files(root, skip_bad=True))


def test_another_folder_with_the_same_names_has_a_cache_of_its_own(root, tmp_path):
    shutil.copytree(root, tmp_path / "copy")
    assert describe(Files(root)) != describe(Files(tmp_path / "copy"))
    open_cache(Files(root), tmp_path / "caches")
    open_cache(Files(tmp_path / "copy"), tmp_path / "caches")
    assert len(finished(tmp_path / "caches")) == 2


def records_of(folder):
    return (folder / "records.bin").read_bytes(), (folder / "examples.jsonl").read_bytes()


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


def cut(path, num_bytes):
    path.write_bytes(path.read_bytes()[:-num_bytes])


def append(path, content):
    path.write_bytes(path.read_bytes() + content)


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


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
from test_cache import Files
from sdm_lite.loading import open_cache
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
    tests, package = Path(__file__).parent, Path(__file__).parents[1]
    command = [sys.executable, str(script), str(tests), str(root), str(tmp_path / "caches")]
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
    tests, package = Path(__file__).parent, Path(__file__).parents[1]
    command = [sys.executable, str(script), str(tests), str(root), str(tmp_path / "caches")]
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
    photograph = Files(root).read(4)[0]
    assert np.array_equal(cache.read(torch.tensor([3])).images[0].movedim(0, -1), photograph)
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


def test_a_damaged_record_is_told_when_it_is_read(root, tmp_path):
    folder = open_cache(Files(root), tmp_path / "caches").folder
    flip_a_byte(folder / "records.bin")  # in the middle: example 20
    cache = Cache(folder)
    cache.read(torch.arange(20))
    for _ in range(2):
        with pytest.raises(ValueError, match="checksums differ for 020; delete the folder"):
            cache.read(torch.tensor([1, 20]))
    with pytest.raises(ValueError, match="checksums differ for 020;"):
        Cache(folder).verify()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: cut(folder / "records.bin", 1), "expected .* bytes in .*records.bin"),
        (lambda folder: cut(folder / "cache.json", 5), "no whole cache"),
        (lambda folder: (folder / "examples.jsonl").unlink(), "no whole cache"),
        (lambda folder: (folder / "cache.json").write_text(json.dumps({"format": "x"})), "expected 'sdm_lite cache"),
    ],
)
def test_a_damaged_cache_is_told_when_it_is_opened(root, tmp_path, damage, message):
    damage(open_cache(Files(root), tmp_path / "caches").folder)
    with pytest.raises(ValueError, match=message) as told:
        open_cache(Files(root), tmp_path / "caches")
    assert "delete" in str(told.value) and str(tmp_path / "caches") in str(told.value)


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


def tiny_folder(root):
    """Three photographs with label maps and classes of one's own."""
    image = pytest.importorskip("PIL.Image")
    for kind, suffix in (("images", "jpg"), ("labels", "png")):
        (root / kind).mkdir(parents=True)
        for i in range(3):
            pixels = np.full((16, 16, 3), 80 * i, dtype=np.uint8)
            image.fromarray(pixels if kind == "images" else pixels[..., 0] // 80).save(root / kind / f"{i}.{suffix}")
    (root / "classes.txt").write_text("a\nb\nc\n")
    return root


def test_the_command_builds_verifies_and_tells_what_is_wrong(tmp_path, capsys):
    folder = tiny_folder(tmp_path / "mine")
    where = ["--folder", str(tmp_path / "caches")]
    build = ["build", "folder", str(folder), "--split", "all", "--size", "16", "16", *where]
    assert main(["verify", *where]) == 2
    assert "no cache in" in capsys.readouterr().err
    assert main(build) == 0 and main(build) == 0
    (cache,) = finished(tmp_path / "caches")
    assert f"{cache}: 3 examples of 16 x 16, 0.0 MB" in capsys.readouterr().out
    assert main(["verify", *where]) == 0 and main(["verify", "--folder", str(cache)]) == 0
    assert capsys.readouterr().out.count("as written") == 2
    flip_a_byte(cache / "records.bin")
    assert main(["verify", *where]) == 1
    assert "checksums differ for 1" in capsys.readouterr().err
    assert main([*build, "--workers", "-1"]) == 2
    (folder / "images" / "1.jpg").write_bytes(b"no picture")
    assert main(build) == 2
    assert "1.jpg" in capsys.readouterr().err
    assert main([*build, "--skip-bad"]) == 0
    assert "2 examples" in capsys.readouterr().out


def test_the_folder_of_caches_can_be_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SDM_LITE_CACHE", str(tmp_path / "mine"))
    assert cache_root() == tmp_path / "mine"
    monkeypatch.delenv("SDM_LITE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg" / "sdm_lite"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache" / "sdm_lite"
