"""What a run of a GAN keeps: checkpoints to go on from, and the finished generator that says what it is.

Apart from the loop because a process may be killed at any moment, and because whoever draws needs a file and not a run.

    RUN/config.yaml  log.jsonl  checkpoints/step-N.pt  samples/step-N.png  model.safetensors  samples.png
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sdm_lite.baselines.gan.system import Generator, Layout, LayoutForm, System, draw_noise
from sdm_lite.baselines.gan.training import GanConfig, Players, is_finite
from sdm_lite.checkpoints import load_exactly, load_tensors, resolve, save_tensors
from sdm_lite.checkpoints.unfinished import read_checkpoint
from sdm_lite.files import to_json, write_whole
from sdm_lite.train.resume import checkpoint_path, list_checkpoints

FORMAT = "sdm_lite gan 1"
CHECKPOINT_FORMAT = "sdm_lite gan checkpoint 1"


class Identity(NamedTuple):
    """What a run is of; a resumed run must be of the same.

    Attributes:
        system: its name.
        form: of the layouts.
        config: the recipe.
        perceptual: whether the perceptual term is in the loss.
        data: the fingerprint of the data set.
    """

    system: str
    form: LayoutForm
    config: GanConfig
    perceptual: bool
    data: str

    def told(self) -> dict[str, object]:
        """By name, as plain values."""
        form = {"size": list(self.form.size), "num_classes": self.form.num_classes}
        recipe = dataclasses.asdict(self.config)
        return {
            "system": self.system,
            **form,
            "has_instances": self.form.has_instances,
            "perceptual": self.perceptual,
            **recipe,
            "data": self.data,
        }


class Progress(NamedTuple):
    """How far a run is.

    Attributes:
        step: how many are done.
        seconds: of training that they took.
        num_skipped: how many of them changed nothing, because a number was none.
    """

    step: int = 0
    seconds: float = 0.0
    num_skipped: int = 0


def save_checkpoint(folder: Path, players: Players, identity: Identity, progress: Progress, keep: int) -> Path | None:
    """Write a checkpoint, then remove all but the `keep` newest.

    Returns:
        The file, or None if a number among the weights is none: then the last good checkpoint stays the newest.

    Raises:
        OSError: if it cannot be written; the checkpoints of before are still there.
    """
    if not is_finite(players):
        return None
    state: dict[str, object] = {"format": CHECKPOINT_FORMAT, "identity": to_json(identity.told())}
    state |= {"progress": list(progress)}
    state |= {name: part.state_dict() for name, part in (players.networks() | players.optimizers()).items()}
    path = checkpoint_path(folder, progress.step)
    write_whole(path, lambda file: torch.save(state, file))
    for old in list_checkpoints(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def resume(folder: Path, players: Players, identity: Identity, tell: Callable[[str], None]) -> Progress:
    """Take up a run from its newest whole checkpoint; from the start where there is none.

    Args:
        folder: of the run.
        players: fresh ones, changed in place.
        identity: of the run that is asked for.
        tell: gets a line for each damaged checkpoint.

    Raises:
        ValueError: if a checkpoint is of another run, naming what differs; or if none of them is whole.
    """
    paths = list_checkpoints(folder)
    for path in reversed(paths):
        try:
            state = read_checkpoint(path, CHECKPOINT_FORMAT, what="checkpoint of a GAN")
        except ValueError as error:
            tell(f"{error}; trying the one before")
            continue
        check_same(path, json.loads(str(state["identity"])), identity)
        for name, network in players.networks().items():
            load_exactly(network, state[name], path)  # type: ignore[arg-type]
        for name, optimizer in players.optimizers().items():
            optimizer.load_state_dict(state[name])  # type: ignore[arg-type]
        return Progress(*state["progress"])  # type: ignore[misc]
    if paths:
        raise ValueError(f"no checkpoint in {paths[0].parent} is whole: delete that folder to start afresh")
    return Progress()


def check_newest(folder: Path, identity: Identity) -> None:
    """Raise ValueError if the newest checkpoint is of another run, whatever the data: before they are rendered.

    A file that cannot be read is left to `resume`, which tells of it.
    """
    for path in reversed(list_checkpoints(folder)):
        try:
            found = json.loads(torch.load(path, weights_only=True, map_location="meta", mmap=True)["identity"])
        except Exception:  # a damaged file fails in many ways
            continue
        check_same(path, found, identity._replace(data=str(found.get("data"))))
        return


def check_same(path: Path, found: dict[str, object], identity: Identity) -> None:
    """Raise ValueError, naming what differs, unless a checkpoint is of the run that is asked for."""
    wanted = json.loads(to_json(identity.told()))
    names = [name for name in wanted if found.get(name) != wanted[name]]
    different = [f"{name} was {found.get(name)!r}, now {wanted[name]!r}" for name in names]
    if different:
        raise ValueError(f"{path} is of another run: {'; '.join(different)}. Use the same options, or another --output")


class Gan(NamedTuple):
    """A finished GAN.

    Attributes:
        system: which of the nine.
        form: of the layouts that it reads.
        generator: in evaluation mode.
        facts: of its making.
    """

    system: System
    form: LayoutForm
    generator: Generator
    facts: dict[str, object]

    @torch.no_grad()
    def __call__(self, layout: Layout, seeds: Iterable[int]) -> Tensor:
        """Pictures of layouts, (B, 3, H, W) in [-1, 1], one a seed; each depends on its own layout and seed alone."""
        device = next(self.generator.parameters()).device
        noise = tuple(part.to(device) for part in draw_noise(self.generator, seeds))
        return self.generator(layout.to(device), noise)


def folded(generator: Generator) -> Generator:
    """The same in place, each weight under spectral norm as the plain number that it is in evaluation mode."""
    generator.eval()
    for module in list(generator.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):
                parametrize.remove_parametrizations(module, name)
    return generator


def save_gan(
    path: str | Path,
    system: System,
    form: LayoutForm,
    generator: Generator,
    *,
    facts: dict[str, object] | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write a generator, `settled` as a rule, that remembers its system and form.

    Args:
        path: of the safetensors file.
        system: which.
        form: of its layouts.
        generator: folded in place.
        facts: anything JSON can hold that a reader should know.
        dtype: to store the weights in, or None for their own.

    Raises:
        FloatingPointError: if a weight is no number; nothing is written.
        OSError: if it cannot be written.
    """
    tensors = folded(generator).state_dict()
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise FloatingPointError(f"the weights are no numbers any more, {path} was not written")
    if dtype is not None:
        tensors = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    metadata = {"format": FORMAT, "system": system.name, "form": to_json(form._asdict()), "facts": to_json(facts or {})}
    save_tensors(path, tensors, metadata)


def load_gan(name_or_path: str | Path, systems: dict[str, System], device: str | torch.device = "cpu") -> Gan:
    """Load what `save_gan` wrote.

    Args:
        name_or_path: a file, or a shipped name such as "gan-spade-32".
        systems: by name: `SYSTEMS`.
        device: where to put it.

    Raises:
        FileNotFoundError: if there is no such file; lists the shipped names.
        ValueError: if it is no GAN of this package, of an unknown system, or damaged.
    """
    path = resolve(name_or_path)
    tensors, metadata = load_tensors(path)
    if metadata.get("format") != FORMAT:
        found = metadata.get("format")
        raise ValueError(f"{path} is no GAN of sdm_lite: expected the format {FORMAT!r}, got {found!r}")
    if metadata["system"] not in systems:
        raise ValueError(f"{path} is of system {metadata['system']!r}: expected one of {', '.join(systems)}")
    system = systems[metadata["system"]]
    written = json.loads(metadata["form"])
    form = LayoutForm(tuple(written["size"]), written["num_classes"], written["has_instances"])
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        generator = folded(system.make_generator(form).float())
    held = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    load_exactly(generator, held, path)
    return Gan(system, form, generator.requires_grad_(False).to(device), json.loads(metadata.get("facts", "{}")))


def num_parameters(network: nn.Module | None) -> int:
    """How many weights are learned; 0 of None."""
    return 0 if network is None else sum(weight.numel() for weight in network.parameters())
