"""What every command does alike: its device, the packages it needs, streams, and how it ends.

Apart so that bad input ends every command alike: with one line on the standard error stream, and 2.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec

import torch

# Packages that not every installation has: what pip calls each, and the extra of this package that brings it.
PACKAGES = {
    "accelerate": ("accelerate", "train"),
    "matplotlib": ("matplotlib", "train"),
    "PIL": ("pillow", "train"),
    "tqdm": ("tqdm", "train"),
    "yaml": ("pyyaml", "train"),
    "jinja2": ("jinja2", "notebooks"),
    "jupyter_client": ("jupyter_client", "notebooks"),
    "nbconvert": ("nbconvert", "notebooks"),
    "nbformat": ("nbformat", "notebooks"),
    "papermill": ("papermill", "notebooks"),
    "voila": ("voila", "lab"),
}


def default_device() -> str:
    """A CUDA GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def check_device(device: str | None) -> None:
    """Raise ValueError unless tensors can be made on a device; None = `default_device()`."""
    try:
        torch.zeros(1, dtype=torch.float32, device=device or default_device())
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {device!r} cannot be used here ({reason}): give --device cpu") from None


def check_seed(seed: int, *, option: str = "--seed") -> None:
    """Raise ValueError unless a seed is one that torch's and numpy's generators tell apart: 0 .. 2^32 - 1."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"{option} must be in 0..{2**32 - 1}, got {seed}")


def check_packages(*names: str) -> None:
    """Raise ValueError, before any work, unless packages that a command needs are installed.

    Args:
        names: as they are imported, of PACKAGES.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise ValueError(_lacking(missing))


def _lacking(names: list[str]) -> str:
    """What to say where packages are missing, by the names that they are imported by."""
    known = [PACKAGES.get(name, (name, "all")) for name in names]
    called, extras = ", ".join(name for name, _ in known), ",".join(dict.fromkeys(extra for _, extra in known))
    return f'packages: expected {called}, got none: pip install "sdm_lite[{extras}]"'


def forgiving_streams() -> None:
    """Let no letter end a command: one that a terminal does not have is written by its number, as "u5929"."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a test or a notebook has put its own
            stream.reconfigure(errors="backslashreplace")


def run(work: Callable[[], int | None], *, interrupted: str = "interrupted") -> int:
    """Do the work of a command and tell in one line if it could not be done.

    Args:
        work: returns the exit status, None for 0.
        interrupted: what to say on Ctrl-C.

    Returns:
        The exit status: 2 on bad input (ValueError), a file that cannot be read or written or a package that is not
        installed; 130 if interrupted; 141 if whoever read what it printed has gone, as `| head` has.
    """
    forgiving_streams()
    try:
        status = work() or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Python flushes once more when it ends, and would tell of it in three lines.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, OSError) as error:
        return refuse(error)
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in PACKAGES:
            raise  # a mistake of ours, or of an installation
        return refuse(_lacking([name]))
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130


def refuse(error: object) -> int:
    """Print why a command was not done, in one line, and return its status, 2."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    print(f"error: {' '.join(lines) or type(error).__name__}", file=sys.stderr)
    return 2
