"""What a training run must keep to go on as if it had never stopped, and how that is kept on disk.

Apart from the loop because a process may be killed at any moment: a checkpoint is written whole or not at all, and
since disks fail too, the newest is checked and, if it is damaged, the one before is used.

    RUN/checkpoints/step-000001500.pt       the newest, and those of before that are kept
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import torch

from sdm_lite.checkpoints import load_exactly
from sdm_lite.checkpoints.unfinished import CHECKPOINT_FORMAT, read_checkpoint
from sdm_lite.files import to_json, write_whole
from sdm_lite.train.config import RunConfig, TrainConfig
from sdm_lite.unet import SDMUNet


class Run(NamedTuple):
    """The state of a training run: what must be saved for it to go on as if it had not stopped.

    Data order, noise and dropped labels are not in it: they are functions of the seed and the step.

    Attributes:
        unet: the network that is trained.
        ema: its averaged weights.
        optimizer: with its moments.
        step: how many steps are done.
        seconds: that they took.
        num_skipped: how many of them changed nothing, because a number was not finite.
        evaluations: what was measured so far, `held_out.Evaluation`s as plain dictionaries.
        precision: the state of `processes`.
        lengths: how many steps it was to have, and from which step on, first to last: "step", "num_steps", "minutes".
    """

    unet: SDMUNet
    ema: SDMUNet
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    num_skipped: int = 0
    evaluations: tuple[dict[str, object], ...] = ()
    precision: dict[str, object] = {}  # noqa: B006, RUF012 - never changed in place
    lengths: tuple[dict[str, object], ...] = ()


def make_optimizer(unet: SDMUNet, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW over all weights, Wang et al. (2022), section 4.1; fused, as the lite networks have many small tensors."""
    betas = (config.adam_beta1, config.adam_beta2)
    return torch.optim.AdamW(
        unet.parameters(), lr=config.learning_rate, betas=betas, weight_decay=config.weight_decay, fused=True
    )


def new_run(unet: SDMUNet, config: TrainConfig) -> Run:
    """A run at its first step, the averaged weights a copy of the network's."""
    return Run(unet, deepcopy(unet).eval().requires_grad_(False), make_optimizer(unet, config))


def state_of(run: Run) -> dict[str, object]:
    """A run as numbers and tensors, without its configuration."""
    numbers = {name: getattr(run, name) for name in ("step", "seconds", "num_skipped", "precision")}
    tensors = {name: getattr(run, name).state_dict() for name in ("unet", "ema", "optimizer")}
    lists = {"evaluations": list(run.evaluations), "lengths": list(run.lengths)}
    return numbers | lists | tensors


def recipe_of(config: RunConfig) -> dict[str, object]:
    """What a resumed run must have in common with the one that was stopped, by name: how it learns, which process."""
    return dataclasses.asdict(config.train) | dataclasses.asdict(config.diffusion)


def network_of(run: Run) -> dict[str, object]:
    """The same of its network."""
    return {f"unet {name}": value for name, value in dataclasses.asdict(run.unet.config).items()}


# On disk.


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint after a step lies in a run's folder."""
    return folder / "checkpoints" / f"step-{step:09d}.pt"


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a run's folder, oldest first."""
    found = (folder / "checkpoints").glob("step-*.pt")
    return sorted(path for path in found if re.fullmatch(r"step-\d{9,}\.pt", path.name))


def is_finite(unet: SDMUNet) -> bool:
    """Whether every weight is a number; a network that is not is never written."""
    return all(bool(torch.isfinite(weights).all()) for weights in unet.parameters())


def save_run(
    run: Run,
    config: RunConfig,
    *,
    data: str = "",
    best_step: int | None = None,
    facts: dict[str, object] | None = None,
) -> Path | None:
    """Write a checkpoint of a run to its folder, then remove those that are no longer kept.

    A run with weights that are no numbers any more is not written: the last good checkpoint stays the newest.

    Args:
        run: its state.
        config: where to, how many of the newest stay, and the recipe: a resumed run must have the same.
        data: the fingerprint of the data set; a resumed run must have the same.
        best_step: the checkpoint of this step stays too.
        facts: what its averaged weights say of their making, where they are sampled from before the run has finished.

    Returns:
        The file, or None if it was not written.

    Raises:
        OSError: if it cannot be written; the checkpoints of before are still there.
    """
    if not (is_finite(run.unet) and is_finite(run.ema)):
        return None
    folder = Path(config.output)
    path = checkpoint_path(folder, run.step)
    of_run = {"format": CHECKPOINT_FORMAT, "recipe": recipe_of(config), "network": network_of(run), "data": data}
    of_run["facts"] = to_json(facts or {})  # as text: torch's version is a class of its own, which would not be read
    write_whole(path, lambda file: torch.save(of_run | state_of(run), file))
    kept = {*list_checkpoints(folder)[-config.keep_checkpoints :], checkpoint_path(folder, best_step or 0)}
    for old in set(list_checkpoints(folder)) - kept:
        old.unlink(missing_ok=True)
    return path


def resume_run(run: Run, config: RunConfig, *, data: str = "", tell: Callable[[str], None] | None = None) -> Run:
    """Take up a run from its newest whole checkpoint, or leave it as it is if there is none at all.

    Args:
        run: a fresh one of the same configuration, changed in place.
        config: where from, and the recipe.
        data: the fingerprint of the data set.
        tell: gets a line for each damaged checkpoint; None = to the standard error stream.

    Returns:
        The run as it was saved.

    Raises:
        ValueError: if a checkpoint is of another configuration or other data, naming what differs; or if there are
            checkpoints and none of them is whole.
    """
    tell = tell or (lambda line: print(line, file=sys.stderr))
    folder = Path(config.output)
    for left in (folder / "checkpoints").glob(".step-*.tmp"):
        left.unlink(missing_ok=True)  # of a process that was killed while it wrote
    paths = list_checkpoints(folder)
    for path in reversed(paths):
        try:
            state = read_checkpoint(path)
        except ValueError as error:
            tell(f"{error}; trying the one before")
            continue
        _check_same(path, state["recipe"] | state["network"], recipe_of(config) | network_of(run), config)
        if state["data"] != data:
            raise ValueError(
                f"the data have changed since {path} was written (fingerprint {state['data']}, now {data}): "
                "bring the same data back, or start another run with another --output"
            )
        return load_state(path, state, run)
    if paths:
        raise ValueError(f"no checkpoint in {paths[0].parent} is whole: delete that folder to start afresh")
    return run


def check_same_recipe(config: RunConfig) -> None:
    """Raise ValueError if the newest checkpoint in a run's folder is of another recipe, naming what differs.

    Looked at before data are rendered and a network is built; it reads no weights. A file that cannot be read is left
    to `resume_run`, which tells of it.
    """
    for path in reversed(list_checkpoints(Path(config.output))):
        try:
            state = torch.load(path, weights_only=True, map_location="meta", mmap=True)
            version = state["format"]
        except Exception:  # a damaged file fails in many ways
            continue
        if version != CHECKPOINT_FORMAT:
            raise ValueError(
                f"{path} is of another version of sdm_lite ({version!r}, expected {CHECKPOINT_FORMAT!r}): "
                "end the run with that one, or give another --output"
            )
        _check_same(path, state["recipe"], recipe_of(config), config)
        return


def _check_same(path: Path, got: dict[str, object], wanted: dict[str, object], config: RunConfig) -> None:
    free = {"num_steps"}  # `length.fit_length` tells what a change means
    different = [
        f"{k} was {got.get(k)!r}, now {wanted.get(k)!r}"
        for k in sorted((wanted.keys() | got.keys()) - free)
        if got.get(k) != wanted.get(k)
    ]
    if different:
        raise ValueError(f"{path} is of another run: {'; '.join(different)}. Use the same options, or another --output")


def load_state(path: Path, state: dict[str, object], run: Run) -> Run:
    """Load what `state_of` gave into a run, in place where it is a tensor."""
    load_exactly(run.unet, state["unet"], path)
    load_exactly(run.ema, state["ema"], path)
    run.optimizer.load_state_dict(state["optimizer"])
    numbers = {name: state[name] for name in ("step", "seconds", "num_skipped", "precision")}
    if "lengths" in state:
        lengths = state["lengths"]
    else:  # checkpoints of before did not say how long their run was to be, but in their recipe
        lengths = [{"step": 0, "num_steps": state["recipe"]["num_steps"], "minutes": None}]
    return run._replace(**numbers, evaluations=tuple(state["evaluations"]), lengths=tuple(lengths))
