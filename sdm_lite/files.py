"""Files: written whole or not at all, held by one writer, refused before the work.

Apart because everything that lasts goes through here: weights, checkpoints, reports, caches, votes. The one door of
filelock, whose locks end with the process that holds them, on Windows too.
"""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_INSTALLED = Path(__file__).parent / "_data"
DATA_DIR = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[1] / "data"
"""What ships beside the code, weights and stored runs: in an installed package, or in `data/` of a checkout."""

UNPRINTABLE = "backslashreplace"
"""What becomes of bytes of a file's name that are no UTF-8: as \\udce9, which JSON reads back as what they were."""


def expanded(path: str | Path) -> Path:
    """A path with `~` as the home folder: what a recipe or a notebook writes, no shell has expanded.

    Raises:
        ValueError: if there is no home folder to put in its place.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{path} cannot be read as a path ({error}): write the folder out instead of ~") from None


def write_whole(path: str | Path, data: bytes | str | Callable[[BinaryIO], object]) -> Path:
    """Write a file whole or not at all.

    Args:
        path: of the file; its folder is made if missing, and `~` expanded.
        data: its bytes, its text (UTF-8, and see UNPRINTABLE), or a function that writes it to an open binary file.

    Returns:
        The path.

    Raises:
        OSError: if it cannot be written, naming it; what was there before is still there.
    """
    with whole_file(path) as draft, open(draft, "wb") as file:
        if callable(data):
            data(file)
        else:
            file.write(data.encode(errors=UNPRINTABLE) if isinstance(data, str) else data)
    return expanded(path)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary name beside a file for the block to write to; synced to the disk and renamed when the block ends.

    Args:
        path: of the file; its folder is made if missing, and `~` expanded. Of a link what it leads to is written.

    Yields:
        The temporary name; it is gone after an error.

    Raises:
        OSError: if it cannot be written, naming the file; what was there before is still there.
    """
    given = expanded(path)
    path = Path(os.path.realpath(given))  # through a link, which stays one
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a device"
        raise OSError(f"{given} could not be written ({kind} is there): give the name of a file")
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")  # two threads, or two machines, may write one
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        with open(draft, "rb+") as file:
            os.fsync(file.fileno())
        draft.chmod(0o644)  # some writers make their files private
        draft.replace(path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:  # torch's writer turns a full disk into a RuntimeError
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise OSError(
            f"{given} could not be written ({reason}): give another place, or make room on the disk"
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where folders can be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):  # some network disks know no such thing
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_writable(file: str | Path, *, option: str = "--output") -> None:
    """Raise, before any work, unless a file can be written; nothing is left behind.

    Args:
        file: to be written; it may be there already, and its folder need not.
        option: what the user gave it by, for the message.

    Raises:
        ValueError: naming the file and why.
    """
    file = expanded(file)
    if file.exists() and not file.is_file():
        raise ValueError(
            f"cannot write {option} {file}: it is a {'folder' if file.is_dir() else 'device'}, give a file"
        )
    check_writable_folder(Path(os.path.realpath(file)).parent, option=option)


def check_writable_folder(folder: str | Path, *, option: str = "--output") -> None:
    """Raise, before any work, unless files can be written to a folder; it is not made yet.

    Args:
        folder: to be written to; need not be there.
        option: what the user gave it by, for the message.

    Raises:
        ValueError: naming the folder and why.
    """
    folder = expanded(folder).absolute()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise ValueError(f"cannot write to {option} {folder} ({error.strerror}): give another folder") from None


def remove_unused(made: list[Path]) -> None:
    """Remove the folders that a command has made, if it was refused: nothing but the innermost one's lock is in them.

    Args:
        made: the folder that is held by `.lock`, then those above it that were made for it; none = nothing to do.
    """
    if made and made[0].is_dir() and {path.name for path in made[0].iterdir()} <= {".lock", ".lock.holder"}:
        shutil.rmtree(made[0])
        with suppress(OSError):  # somebody else's file is in one of those above it
            for place in made[1:]:
                place.rmdir()


@contextmanager
def hold(lock: Path, *, busy: str | None = None, tell: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold a lock file while the block runs; the system lets go of it when the process ends, `kill -9` included.

    Args:
        lock: the file, made if missing and left behind empty; who holds it stands beside it, see `holder`.
        busy: what to say if another process holds it; None = wait until it lets go, and tell so.
        tell: gets a line where it waits or the disk knows no locks; None = to the standard error stream.

    Raises:
        ValueError: if another process holds it and `busy` is given: `busy`, and who that is.
        OSError: if the file cannot be written.
    """
    from filelock import FileLock, Timeout

    tell = tell or (lambda line: print(line, file=sys.stderr, flush=True))
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        if busy is not None:
            raise ValueError(f"{busy} ({holder(lock)})") from None
        tell(f"waiting for {holder(lock)}, which holds {lock}")
        held.acquire()
    except (OSError, NotImplementedError) as error:
        if isinstance(error, PermissionError):
            raise
        # A network disk without locks must not keep a run from starting.
        tell(f"note: the disk of {lock.parent} has no locks ({error}): see that nobody else writes there")
    try:
        with suppress(OSError):  # only a note: on a full disk, what comes to be written says so, and which file
            _holder_file(lock).write_text(_this_process(), encoding="utf-8")
        yield
    finally:
        held.release()


def holder(lock: Path) -> str:
    """Who holds a lock file, or held it last: "process 123 on laptop"."""
    with suppress(OSError, UnicodeDecodeError):
        return _holder_file(lock).read_text(encoding="utf-8") or "a process that has just started"
    return "a process that has just started"


def _holder_file(lock: Path) -> Path:
    """Beside the lock and not in it, as Windows lets nobody read what is locked."""
    return lock.with_name(f"{lock.name}.holder")


def _this_process() -> str:
    return f"process {os.getpid()} on {platform.node()}"


def to_json(value: object, *, indent: int | None = None) -> str:
    """JSON that every reader takes: nan and infinity, for which JSON has no word, become null; see UNPRINTABLE."""
    text = json.dumps(_plain(value), indent=indent, ensure_ascii=False, allow_nan=False)
    return text.encode(errors=UNPRINTABLE).decode()


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
