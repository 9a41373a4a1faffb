"""What every command does alike: which device it computes on by itself, and how it ends.

Apart so that bad input ends every command alike: with one line on the standard error stream, and 2.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch


def default_device() -> str:
    """A CUDA GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def check_device(device: str | None) -> None:
    """Raise ValueError unless tensors can be made on a device; None = `default_device()`."""
    try:
        torch.zeros(1, device=device or default_device())
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {device!r} cannot be used here ({reason}): give --device cpu") from None


def run(work: Callable[[], int | None], *, interrupted: str = "interrupted") -> int:
    """Do the work of a command and tell in one line if it could not be done.

    Args:
        work: returns the exit status, None for 0.
        interrupted: what to say on Ctrl-C.

    Returns:
        The exit status: 2 on bad input (ValueError) or a file that cannot be read or written, 130 if interrupted.
    """
    try:
        return work() or 0
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130
