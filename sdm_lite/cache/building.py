"""Building a cache: a data set read once, by several processes, into one file that is there whole or not at all.

Apart from reading it because this is where things go wrong: bad pictures, a full disk, a run that is killed. Records
are written in order into a folder named `.partial`, each followed by a line with its checksum, so that a build that was
stopped in any way goes on behind its last good record. The folder gets its name when everything is on the disk.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from sdm_lite.cache import DESCRIPTION, EXAMPLES, RECORDS, Readable, describe, folder_names, record_dtype
from sdm_lite.cache.reading import UNGUARDED, Packed, read_all
from sdm_lite.progress import Progress


def build_cache(dataset: Readable, folder: Path, *, num_workers: int | None = None) -> None:
    """Read every example of a data set into a cache.

    Does nothing if the cache is there. If another process is building it, waits for that one. Caches of the same data
    set made before its files changed are deleted at the end; a run that has one open keeps it until it closes it,
    except on Windows and on network file systems.

    Args:
        dataset: what to read.
        folder: of the cache, named by `cache.folder_names`.
        num_workers: processes that read. 0 reads in this one; None begins here, and if that would take long goes on
            with one for each core. They are started afresh, so a script needs `if __name__ == "__main__":`.

    Raises:
        ValueError: if an example is bad and the data set does not skip those, the folder cannot be written, the disk
            is or becomes full, or the files change meanwhile. What was read is kept, and used by the next attempt.
    """
    stem, digest = folder_names(dataset)
    dtype = record_dtype(dataset.size, dataset.num_classes, dataset.has_instances)
    partial = folder.with_name(f"{folder.name}.partial")
    with _locked(folder.with_name(f"{stem}.lock")):
        if folder.exists():
            return
        with _Writer(partial, dtype) as writer:
            done = writer.resume()
            _check_space(partial, (len(dataset) - done) * dtype.itemsize)
            with Progress(f"reading {dataset.name} {dataset.split}", total=len(dataset)) as bar:
                bar.update(done)
                for chunk in read_all(dataset, dtype, done, num_workers):
                    writer.write(chunk)
                    bar.update(len(chunk))
            if folder_names(dataset)[1] != digest:
                raise ValueError(
                    f"files of {dataset.root} changed while they were read: start again when they are still"
                )
            if not writer.num_records:
                raise ValueError(f"no example of {dataset.root}, split {dataset.split}, can be read")
            writer.finish(folder, describe(dataset))
        for other in folder.parent.glob(f"{stem}-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)


class _Writer:
    """Records and their lines, appended to the two files of a partial cache."""

    def __init__(self, partial: Path, dtype: np.dtype):
        self.partial, self.dtype, self.num_records = partial, dtype, 0

    def __enter__(self) -> _Writer:
        with self._told():
            self.partial.mkdir(parents=True, exist_ok=True)
            self._records = open(self.partial / RECORDS, "a+b")
            self._lines = open(self.partial / EXAMPLES, "a+b")
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._records, self._lines):
            try:
                file.close()
            except OSError:  # a full disk, which was told when it was written to
                pass

    def resume(self) -> int:
        """Cut off what was not written whole, and return how many examples are done."""
        self._records.seek(0)
        self._lines.seek(0)
        num_lines = num_bytes = 0
        for line in self._lines:
            entry = _parsed(line)
            if entry is None:
                break
            if "crc32" in entry:
                record = self._records.read(self.dtype.itemsize)
                if len(record) < self.dtype.itemsize or zlib.crc32(record) != entry["crc32"]:
                    break
                self.num_records += 1
            num_lines, num_bytes = num_lines + 1, num_bytes + len(line)
        with self._told():
            self._records.truncate(self.num_records * self.dtype.itemsize)
            self._lines.truncate(num_bytes)
        return num_lines

    def write(self, chunk: list[Packed]) -> None:
        """Append examples: the records first, so that a line always has its record before it."""
        lines = []
        for packed in chunk:
            entry = {"left_out": packed.left_out} if packed.left_out else {"crc32": zlib.crc32(packed.record)}
            lines.append(json.dumps({"name": packed.name} | entry) + "\n")
            self.num_records += not packed.left_out
        with self._told():
            self._records.write(b"".join(packed.record for packed in chunk))
            self._records.flush()
            self._lines.write("".join(lines).encode())
            self._lines.flush()

    def finish(self, folder: Path, description: dict[str, object]) -> None:
        """Put everything on the disk, then give the folder its name."""
        with self._told(), open(self.partial / DESCRIPTION, "wb") as file:
            file.write(json.dumps(description, indent=1).encode())
            for written in (self._records, self._lines, file):
                written.flush()
                os.fsync(written.fileno())
        self.__exit__()  # Windows renames no folder with open files
        with self._told():
            _sync_folder(self.partial)
            self.partial.rename(folder)
            _sync_folder(folder.parent)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ValueError(_cannot_write(self.partial, error)) from error


def _cannot_write(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"the disk is full, writing {path}: make room and start again, what was read is kept; or {ELSEWHERE}"
    return f"cannot write the cache {path} ({error.strerror}): {ELSEWHERE}"


ELSEWHERE = "name a folder on another disk in the environment variable SDM_LITE_CACHE"


def _check_space(folder: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < num_bytes:
        raise ValueError(
            f"the cache needs {num_bytes / 1e9:.2f} GB, {folder.parent} has {free / 1e9:.2f} GB left: "
            f"make room, or {ELSEWHERE}"
        )


def _parsed(line: bytes) -> dict[str, object] | None:
    """A line as it was written, or None if it is not whole."""
    try:
        return json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None


def _sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk, where folders can be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, however it ends; without one where the system has none (Windows)."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a")
    except OSError as error:
        raise ValueError(_cannot_write(path.parent, error)) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if path.read_text() == str(os.getppid()):  # we are its worker, and would wait for each other
                raise ValueError(f"this process runs {UNGUARDED}") from None
            print(f"waiting for another process that builds {path.with_suffix('')}", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        path.write_text(str(os.getpid()))
        try:
            yield
        finally:
            path.write_text("")
