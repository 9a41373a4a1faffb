"""Weights on disk: safetensors with the configuration inside, so that a file alone rebuilds network and process.

Apart from training because loading must never run code, never leave half a file, and say in one line what is wrong.
Also reads the names of the published SDM checkpoints, so that their weights fit `SDMUNet`.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.diffusion import DiffusionConfig, GaussianDiffusion
from sdm_lite.presets import UNetConfig
from sdm_lite.unet import ResBlock, SDMUNet, Stage

FORMAT = "sdm_lite model 1"


class Model(NamedTuple):
    """A network and the process that it was trained for: neither is of use without the other."""

    unet: SDMUNet
    diffusion: GaussianDiffusion


def find_data_dir() -> Path:
    """The folder of the shipped weights: `data/` of the checkout, or the copy inside an installed package."""
    inside = Path(__file__).parent / "_data"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "data"


DATA_DIR = find_data_dir()


def save_tensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file whole or not at all: to a temporary name, synced, then renamed.

    Args:
        path: of the file; its folder is made if missing.
        tensors: by name.
        metadata: strings by name.

    Raises:
        OSError: if the folder cannot be written.
    """
    from safetensors.torch import save_file

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary, metadata)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # safetensors makes its files readable by their owner alone
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file.

    Returns:
        Tensors by name, and the metadata.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is truncated or of another format.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    try:
        with safe_open(str(path), framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError, json.JSONDecodeError) as error:
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
        "format": FORMAT,
        "unet": json.dumps(dataclasses.asdict(unet.config)),
        "diffusion": json.dumps(dataclasses.asdict(diffusion)),
        "facts": json.dumps(facts or {}),
    }
    save_tensors(path, tensors, metadata)


def resolve(name_or_path: str | Path) -> Path:
    """The file that a shipped name or a path means.

    Raises:
        FileNotFoundError: listing the shipped names if it is neither.
    """
    for path in (Path(name_or_path), DATA_DIR / f"{name_or_path}.safetensors"):
        if path.is_file():
            return path
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


def load_model(name_or_path: str | Path, *, device: str | torch.device = "cpu") -> Model:
    """Load a network and its process.

    Args:
        name_or_path: a shipped name such as "scenes-32", or a file that `save_model` wrote.
        device: where to put both.

    Returns:
        The network in evaluation mode, float32, and its process.

    Raises:
        FileNotFoundError: if there is no such file; lists the shipped names.
        ValueError: if the file is truncated, foreign, or of another configuration than it says.
    """
    path = resolve(name_or_path)
    tensors, metadata = load_tensors(path)
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{path} is no sdm_lite model: its format is {metadata.get('format')!r}, expected {FORMAT!r}")
    unet = SDMUNet(read_config(UNetConfig, metadata.get("unet"), path))
    diffusion = read_config(DiffusionConfig, metadata.get("diffusion"), path)
    load_exactly(unet, {name: tensor.float() for name, tensor in tensors.items()}, path)
    return Model(unet.eval().to(device), diffusion.build().to(device))


def load_unet(name_or_path: str | Path, *, device: str | torch.device = "cpu") -> SDMUNet:
    """The network of `load_model` alone."""
    return load_model(name_or_path, device=device).unet


def load_facts(name_or_path: str | Path) -> dict[str, object]:
    """What the file says of its own making: the `facts` of `save_model`."""
    return json.loads(load_tensors(resolve(name_or_path))[1].get("facts", "{}"))


def load_exactly(module: torch.nn.Module, tensors: dict[str, Tensor], source: object) -> None:
    """Load every tensor into the parameter of its name, and say which do not fit before any is changed.

    Raises:
        ValueError: naming missing, surplus and misshapen tensors.
    """
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    got = {name: tuple(value.shape) for name, value in tensors.items()}
    wrong = [f"missing {name}" for name in sorted(expected.keys() - got.keys())]
    wrong += [f"not expected {name}" for name in sorted(got.keys() - expected.keys())]
    wrong += [
        f"{n}: expected {expected[n]}, got {got[n]}"
        for n in sorted(expected.keys() & got.keys())
        if expected[n] != got[n]
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ValueError(f"{source} does not fit this network: {'; '.join(wrong[:3])}{more}")
    module.load_state_dict(tensors)


def published_names(unet: SDMUNet) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Pair every parameter of the network with its name, or names, in the published checkpoints.

    Yields:
        (our name, published names). Two published names, gamma's and beta's, are stacked along the output channels.
    """
    modules: list[tuple[str, str, object]] = [
        ("embed.0", "time_embed.0", None),
        ("embed.2", "time_embed.2", None),
        ("input", "input_blocks.0.0", None),
        ("output_norm", "out.0", None),
        ("output", "out.2", None),
    ]
    for group, prefix, offset in ((unet.encoder, "encoder", 1), (unet.decoder, "decoder", 0)):
        theirs = "input_blocks" if prefix == "encoder" else "output_blocks"
        for index, stage in enumerate(group):
            modules += _stage_names(stage, f"{prefix}.{index}", [f"{theirs}.{index + offset}.{k}" for k in range(3)])
    modules += _stage_names(unet.middle[0], "middle.0", ["middle_block.0", "middle_block.1"])
    modules += _stage_names(unet.middle[1], "middle.1", ["middle_block.2"])
    for ours, theirs, norm in modules:
        for kind in ("weight", "bias"):
            if norm == "gamma_beta":
                yield f"{ours}.{kind}", (f"{theirs}.mlp_gamma.{kind}", f"{theirs}.mlp_beta.{kind}")
            else:
                yield f"{ours}.{kind}", (f"{theirs}.{kind}",)


def _stage_names(stage: Stage, ours: str, places: list[str]) -> list[tuple[str, str, object]]:
    names: list[tuple[str, str, object]] = []
    layers = [(part, layer) for part, layer in stage.named_children() if layer is not None]
    for (part, layer), place in zip(layers, places, strict=False):
        if isinstance(layer, ResBlock):
            names += _block_names(layer, f"{ours}.{part}", place)
        elif part == "attention":
            pairs = (("norm", "norm"), ("qkv", "qkv"), ("out", "proj_out"))
            names += [(f"{ours}.{part}.{a}", f"{place}.{b}", None) for a, b in pairs]
    return names


def _block_names(block: ResBlock, ours: str, theirs: str) -> list[tuple[str, str, object]]:
    # With SPADE the norms leave the published Sequentials, and what follows them moves up by one.
    with_labels = hasattr(block.in_norm, "gamma_beta")
    names: list[tuple[str, str, object]] = [(f"{ours}.timestep", f"{theirs}.emb_layers.1", None)]
    if with_labels:
        for norm in ("in_norm", "out_norm"):
            names.append((f"{ours}.{norm}.shared", f"{theirs}.{norm}.mlp_shared.0", None))
            names.append((f"{ours}.{norm}.gamma_beta", f"{theirs}.{norm}", "gamma_beta"))
        names += [
            (f"{ours}.in_conv", f"{theirs}.in_layers.1", None),
            (f"{ours}.out_conv", f"{theirs}.out_layers.2", None),
        ]
    else:
        names += [
            (f"{ours}.in_norm", f"{theirs}.in_layers.0", None),
            (f"{ours}.in_conv", f"{theirs}.in_layers.2", None),
        ]
        names += [
            (f"{ours}.out_norm", f"{theirs}.out_layers.0", None),
            (f"{ours}.out_conv", f"{theirs}.out_layers.3", None),
        ]
    if isinstance(block.skip, torch.nn.Conv2d):
        names.append((f"{ours}.skip", f"{theirs}.skip_connection", None))
    return names


def from_published(unet: SDMUNet, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename and reshape published tensors for `SDMUNet.load_state_dict`.

    Args:
        unet: a network of the checkpoint's configuration (on any device, the meta device too).
        tensors: by published name.

    Returns:
        Tensors by our names.

    Raises:
        ValueError: naming what is missing or left over.
    """
    shapes = {name: value.shape for name, value in unet.state_dict().items()}
    renamed, used = {}, set()
    for ours, theirs in published_names(unet):
        missing = [name for name in theirs if name not in tensors]
        if missing:
            raise ValueError(f"the checkpoint lacks {missing[0]}, which this network needs for {ours}")
        value = torch.cat([tensors[name] for name in theirs]) if len(theirs) > 1 else tensors[theirs[0]]
        # 1x1 convolutions of the attention are published as one-dimensional ones.
        renamed[ours] = value.reshape(shapes[ours]) if value.numel() == shapes[ours].numel() else value
        used.update(theirs)
    left = sorted(tensors.keys() - used)
    if left:
        raise ValueError(
            f"the checkpoint has {len(left)} tensors that this network has no place for, such as {left[0]}"
        )
    return renamed
