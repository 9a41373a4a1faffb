"""Weights on disk: safetensors with the configuration inside, so that a file alone is enough.

Apart from training because loading must never run code, never leave half a file, and say in one line what is wrong.
The published SDM checkpoints are read by `published`; `python -m sdm_lite.checkpoints` turns them into such files.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.checkpoints.fit import check_finite, check_fit, shapes_of
from sdm_lite.checkpoints.published import load_published as load_published
from sdm_lite.checkpoints.unfinished import FINISHED, averaged_weights, is_checkpoint, told_folder
from sdm_lite.concat import make_unet
from sdm_lite.diffusion import DiffusionConfig, GaussianDiffusion
from sdm_lite.files import DATA_DIR as DATA_DIR
from sdm_lite.files import expanded, whole_file
from sdm_lite.presets import UNetConfig, classes_and_edges
from sdm_lite.student import Student
from sdm_lite.unet import SDMUNet

FORMAT = "sdm_lite model 1"
STUDENT_FORMAT = "sdm_lite student 1"


class Model(NamedTuple):
    """A network and the process that it was trained for: neither is of use without the other."""

    unet: SDMUNet
    diffusion: GaussianDiffusion


def save_tensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file whole or not at all.

    Args:
        path: of the file; its folder is made if missing.
        tensors: by name.
        metadata: strings by name.

    Raises:
        OSError: if it cannot be written; what was there before is still there.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with whole_file(path) as draft:
        held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        try:
            save_file(held, draft, metadata)
        except SafetensorError as error:  # a full disk, most often
            raise OSError(str(error)) from None


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Map a safetensors file into memory: its numbers are read from the disk when they are first used.

    Of a checkpoint of a training run, step-*.pt, the averaged weights.

    Returns:
        Tensors by name, and the metadata.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is truncated or of another format.
    """
    from safetensors import safe_open

    path = expanded(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    if is_checkpoint(path):
        return averaged_weights(path, FORMAT)
    try:
        # Old versions of safetensors make their tensors by torch's defaults, whatever device they are asked for.
        with torch.device("cpu"), safe_open(str(path), framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})
    except Exception as error:  # SafetensorError is neither OSError nor ValueError; torch adds errors of its own
        raise ValueError(
            f"{path} is not a whole safetensors file ({error}): it may be truncated, or of another kind"
        ) from None


def save_model(
    path: str | Path,
    unet: SDMUNet,
    diffusion: DiffusionConfig,
    *,
    facts: dict[str, object] | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write a network with its configuration and that of its process.

    Args:
        path: of the safetensors file.
        unet: the network, EMA weights as a rule.
        diffusion: the configuration of its process.
        facts: anything JSON can hold that a reader should know: command, steps, seconds.
        dtype: to store the weights in, or None for their own.
    """
    tensors = {name: tensor if dtype is None else tensor.to(dtype) for name, tensor in unet.state_dict().items()}
    metadata = {
        "format": STUDENT_FORMAT if isinstance(unet, Student) else FORMAT,
        "unet": json.dumps(dataclasses.asdict(unet.config)),
        "diffusion": json.dumps(dataclasses.asdict(diffusion)),
        "facts": json.dumps(facts or {}),
    }
    save_tensors(path, tensors, metadata)


def resolve(name_or_path: str | Path) -> Path:
    """The file that a shipped name or a path means; the folder of a finished run means its averaged weights.

    Raises:
        FileNotFoundError: listing the shipped names if it is neither.
        ValueError: if it is a folder of another kind, saying which file of it is meant.
    """
    of_run = expanded(name_or_path) / FINISHED
    for path in (expanded(name_or_path), of_run, DATA_DIR / f"{name_or_path}.safetensors"):
        if path.is_file():
            return path
    if expanded(name_or_path).is_dir():
        raise ValueError(told_folder(expanded(name_or_path)))
    shipped = ", ".join(sorted(path.stem for path in DATA_DIR.glob("*.safetensors"))) or "none"
    raise FileNotFoundError(
        f"no weights called {str(name_or_path)!r}: give a file, or one of the shipped names ({shipped})"
    )


def read_config(kind: type, text: str | None, path: Path) -> object:
    """Rebuild a configuration dataclass from JSON metadata, with a one-line ValueError if it does not fit."""
    try:
        return kind(**json.loads(text or ""))
    except (TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} holds no {kind.__name__} that this version understands ({error})") from None


def read_configs(metadata: dict[str, str], path: Path) -> tuple[UNetConfig, DiffusionConfig]:
    """The configuration of network and process in the metadata of one of our model files; ValueError if it is none."""
    if metadata.get("format") not in (FORMAT, STUDENT_FORMAT):
        found = repr(metadata["format"]) if "format" in metadata else "that of another program"
        raise ValueError(f"{path} is no sdm_lite model: expected the format {FORMAT!r}, got {found}")
    text = metadata.get("unet", "")
    if counted := re.search(
        r'"condition_channels": (\d+)', text
    ):  # a version that did not tell classes and edges apart
        num_classes, edges = classes_and_edges(int(counted[1]))
        # As many channels as Scenes, and no edges; a recipe of one's own has a name of one's own.
        if re.search(r'--(dataset|recipe)[ =]camvid|"dataset": "camvid"', metadata.get("facts", "")):
            num_classes, edges = num_classes + edges, False
        text = text.replace(counted[0], f'"num_classes": {num_classes}, "instance_edges": {json.dumps(edges)}')
    return read_config(UNetConfig, text, path), read_config(DiffusionConfig, metadata.get("diffusion"), path)


def load_model(name_or_path: str | Path, *, device: str | torch.device = "cpu") -> Model:
    """Load a network and its process.

    Args:
        name_or_path: a shipped name such as "scenes-32", a file that `save_model` wrote, a student's among them, the
            folder of a finished run, or a checkpoint of one that has not finished.
        device: where to put both.

    Returns:
        The network in evaluation mode, float32, and its process.

    Raises:
        FileNotFoundError: if there is no such file; lists the shipped names.
        ValueError: if the file is truncated, foreign, of another configuration than it says, or holds what is no
            number.
    """
    path = resolve(name_or_path)
    tensors, metadata = load_tensors(path)
    config, process = read_configs(metadata, path)
    make = Student if metadata["format"] == STUDENT_FORMAT else make_unet
    with torch.device("meta"):
        unet = make(config).float()  # whatever torch's default is
    unet.to_empty(device="cpu")  # no time for weights that are replaced at once
    load_exactly(unet, {name: tensor.float() for name, tensor in tensors.items()}, path)
    return Model(unet.eval().to(device), process.build().to(device))


def load_facts(name_or_path: str | Path) -> dict[str, object]:
    """What the file says of its own making: the `facts` of `save_model`."""
    return json.loads(load_tensors(resolve(name_or_path))[1].get("facts", "{}"))


def load_exactly(module: torch.nn.Module, tensors: dict[str, Tensor], source: object) -> None:
    """Load every tensor into the parameter of its name, and say which do not fit before any is changed.

    Args:
        module: to load into.
        tensors: by name.
        source: where they are from, for messages.

    Raises:
        ValueError: naming missing, surplus and misshapen tensors, or those that hold what is no number.
    """
    check_fit(shapes_of(module.state_dict()), shapes_of(tensors), source)
    check_finite(tensors, source)
    module.load_state_dict(tensors)
