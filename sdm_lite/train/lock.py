"""One run a folder: a lock that a second run on the same folder meets, and that ends with the process that holds it.

Apart from the command because it rests on what a system and a disk can do. Two runs in one folder would take each
other's half-written checkpoints for leftovers and delete them, and mix their lines in one log.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def hold_folder(folder: Path, *, tell: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the folder of a run while the block runs; of several processes that share a run, one does.

    The system lets go of it when the process ends, a kill -9 and a power cut included; the file `.lock` that it leaves
    behind holds nothing. Where there are no such locks (Windows, some network disks) the block runs without one.

    Args:
        folder: the run's, made already.
        tell: gets a line if the folder's disk knows no locks; None = to the standard error stream.

    Raises:
        ValueError: if another process holds it, naming that one.
    """
    with open(folder / ".lock", "ab+") as file:
        _lock(file, folder, tell or (lambda line: print(line, file=sys.stderr)))
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}".encode())
        file.flush()
        yield


def _lock(file: BinaryIO, folder: Path, tell: Callable[[str], None]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read(200).decode(errors="replace") or "a process that has just started"
        raise ValueError(
            f"another run is writing to {folder} ({holder}): wait until it ends, stop it, or give another --output"
        ) from None
    except OSError as error:  # a network disk without locks must not keep a run from starting
        tell(f"note: the disk of {folder} has no locks ({error.strerror}): see that no other run writes there")
