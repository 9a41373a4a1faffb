"""The checkpoints of a training run, step-*.pt: read whole, and as a model, so that a run can be looked at unfinished.

Apart from `train`, which writes them, because whoever samples needs a network and not a run. They hold the trained
network, the averaged one and the optimizer; the model in them is the averaged one.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from sdm_lite.diffusion import DiffusionConfig

CHECKPOINT_FAMILY = "sdm_lite training checkpoint"
CHECKPOINT_FORMAT = f"{CHECKPOINT_FAMILY} 2"
FINISHED = "model.safetensors"  # of a run's folder: its averaged weights when it ended


def read_checkpoint(
    path: Path, expected_format: str = CHECKPOINT_FORMAT, *, what: str = "training checkpoint"
) -> dict[str, object]:
    """Read a checkpoint into memory, every byte checked against the checksums in the file.

    Args:
        path: of the file.
        expected_format: what it says of itself.
        what: to call it in an error.

    Raises:
        ValueError: if it is damaged, or no checkpoint of this format.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # torch.load skips the checksums that torch.save has written
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"checksum of {damaged}")
        state = torch.load(path, weights_only=True, map_location="cpu")
        if state["format"] != expected_format:
            raise ValueError(f"format {state['format']!r}")
    except Exception as error:  # a damaged file fails in many ways
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(f"{path} is not a whole {what} ({type(error).__name__}: {reason})") from None
    return state


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint of this package, as far as a look at its head can tell; reads no weights."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        found = torch.load(path, weights_only=True, map_location="meta", mmap=True)
    except Exception:  # foreign and damaged files fail in many ways
        return False
    return isinstance(found, dict) and str(found.get("format", "")).startswith(CHECKPOINT_FAMILY)


def averaged_weights(path: Path, model_format: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The averaged weights in a checkpoint, and the metadata that a file of finished ones would have.

    Args:
        path: of the checkpoint.
        model_format: of files of finished weights.

    Raises:
        ValueError: if it is damaged.
    """
    state = read_checkpoint(path)
    process = {field.name for field in dataclasses.fields(DiffusionConfig)}
    recipe = {name: value for name, value in state["recipe"].items() if name not in process}
    # Checkpoints of before had no facts of their own.
    facts = json.loads(state.get("facts", "{}")) or {"steps": state["step"], "train_config": recipe}
    metadata = {
        "format": model_format,
        "unet": json.dumps({name.removeprefix("unet "): value for name, value in state["network"].items()}),
        "diffusion": json.dumps({name: state["recipe"][name] for name in process}),
        "facts": json.dumps(facts),
    }
    return state["ema"], metadata


def told_folder(folder: Path) -> str:
    """Which file of a folder without finished weights is meant where a model was asked for: the best, or the newest."""
    if (best := folder / "best.safetensors").is_file():
        return f"{folder} is the folder of a run: give {best}"
    if checkpoints := sorted([*folder.glob("checkpoints/step-*.pt"), *folder.glob("step-*.pt")]):
        return f"{folder} is the folder of a run that has not finished: give {checkpoints[-1]}, its averaged weights"
    files = sorted(folder.glob("*.safetensors"))
    return f"{folder} is a folder: give a file of weights" + (f", such as {files[0]}" if files else "")
