"""The authors' `.pt` files: tensors by name, or one line that says why not.

Apart from what the names mean (`published`) because this is about safety alone: a `.pt` is a pickle, and unpickling can
run code, so only tensors are let through; and a 2.6 GB file is mapped into memory rather than read.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sdm_lite.checkpoints.unfinished import CHECKPOINT_FAMILY
from sdm_lite.files import expanded

# Where training programs put the weights of a network among other things.
WRAPPERS = ("state_dict", "model_state_dict", "model", "ema", "ema_model", "model_ema")
EXPECTED = "expected the authors' .pt, a file that torch.save wrote"


def open_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Map a `.pt` file into memory and find the weights in it; code in the file is never run.

    Args:
        path: of a file that `torch.save` wrote: a state dict, or one inside another dict.

    Returns:
        Tensors by name, on the CPU, a wrapper's prefix such as `module.` removed. They are read from the disk when they
        are first used, and changing them does not change the file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is truncated, of another program, or holds anything but tensors.
    """
    path = expanded(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file at {path}: {EXPECTED}")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", ".*TorchScript archive")  # which torch 2.4 would load, and that is code
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # what a damaged pickle raises has no end
        raise ValueError(f"{path} {_why_unreadable(error)}") from None
    if isinstance(content, Mapping) and str(content.get("format", "")).startswith(CHECKPOINT_FAMILY):
        raise ValueError(f"{path} is of a run of sdm_lite, not published: it needs no converting, give it as the model")
    return find_weights(content, path)


def _why_unreadable(error: Exception) -> str:
    """In one line, what torch.load takes many to tell."""
    line = " ".join(str(error).split())
    if found := re.search(r"GLOBAL (\S+)", line):
        return (
            f"holds more than tensors ({found[1]}) and is not opened, because that could run code: "
            "where it was made, save model.state_dict() alone"
        )
    if "mmap can only be used" in line:  # said of whatever is no zip archive
        return (
            f"is of torch before 1.6, or not of torch: {EXPECTED}; an old one can be loaded and saved again with a "
            "newer torch, a web page or a pointer in its place has to be fetched again"
        )
    reason = re.split(r"(?<=\w)\. ", line.rpartition("WeightsUnpickler error: ")[2])[0][:150]
    return f"cannot be read ({reason}): {EXPECTED}; it may be truncated or damaged, fetch or copy it again"


def find_weights(content: object, source: object) -> dict[str, Tensor]:
    """The tensors by name in what a checkpoint holds, out of the dict that wraps them and without a common prefix.

    Args:
        content: a mapping of names to tensors, or of one of WRAPPERS to such a mapping.
        source: where it is from, for messages.

    Raises:
        ValueError: if it is something else.
    """
    for _ in WRAPPERS:
        if not isinstance(content, Mapping):
            raise ValueError(f"{source} holds a {type(content).__name__}, expected tensors by name")
        if {"state", "param_groups"} <= content.keys():
            raise ValueError(f"{source} is the state of an optimiser, not a network: take the file named ema or model")
        inside = [key for key in WRAPPERS if isinstance(content.get(key), Mapping)]
        if len(inside) > 1:
            raise ValueError(
                f"{source} holds several networks ({', '.join(inside)}): load it with torch.load(..., "
                "weights_only=True) and pass the one you mean as a mapping"
            )
        if not inside:
            break
        content = content[inside[0]]
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor) or not value.is_floating_point():
            kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"{source} holds {name!r} of {kind}, expected floating-point tensors by name")
    # A network's names have no first part in common: what they share is a wrapper's, such as DataParallel's "module.".
    parts = os.path.commonprefix(list(content)).rpartition(".") if len(content) > 1 else ("", "", "")
    prefix = parts[0] + parts[1]
    return {name.removeprefix(prefix): value for name, value in content.items()}
