"""Where to compute: what a command takes by itself, and whether a named device can be used.

Apart because every command that computes asks it, before any work.
"""

from __future__ import annotations

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
