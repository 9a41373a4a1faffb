"""What a run starts from: weights of another run, whole, or of them the layers that fit.

Apart from the command because weights of another class list fit in all but the layers that read labels: those are begun
anew, and it is said which.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.checkpoints import Model, load_facts, load_model, load_tensors, read_configs, resolve
from sdm_lite.checkpoints.fit import check_fit, shapes_of
from sdm_lite.concat import make_unet
from sdm_lite.presets import UNetConfig
from sdm_lite.train.config import RunConfig

LEAST_SHARE = 0.5  # of the weights: with fewer it is another network
READS_LABELS = ".shared.weight"  # SPADE's first convolution: the only weights of an SDM U-Net that know its classes


class Start(NamedTuple):
    """Weights to start from.

    Attributes:
        tensors: by name, those that are taken.
        left: names of the network's tensors that are begun anew.
        share: of the network's weights, that is taken.
        why: what the file has and the run has not, in words; empty where all is taken.
    """

    tensors: dict[str, Tensor]
    left: list[str]
    share: float
    why: str

    def told(self, source: str) -> str:
        """What was taken and what was left, in a line."""
        kinds = Counter(".".join(name.split(".")[-2:]) for name in self.left)
        told = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common(4)) + (
            " ..." if len(kinds) > 4 else ""
        )
        return f"of {source}, {self.why}: {self.share:.1%} of the weights are taken; begun anew: {told}"


def find_start(config: RunConfig, unet_config: UNetConfig) -> Start | None:
    """The weights that a run starts from, if there are any, checked against the network and the process of the run.

    With `adapt` those layers that fit; what reads labels is then taken only where the data set is the same.

    Raises:
        FileNotFoundError: if there is no such model.
        ValueError: if it is of another process; without `adapt` if it reads other labels or is of another network, with
            it if too little fits.
    """
    if config.start_from is None:
        return None
    path = resolve(config.start_from)
    _, process = read_configs(load_tensors(path)[1], path)
    source = load_model(path)
    with torch.device("meta"):  # the paper's network takes a minute to fill with random numbers
        wanted = make_unet(unet_config).state_dict()
    theirs, ours = dataclasses.asdict(process), dataclasses.asdict(config.diffusion)
    different = ", ".join(f"{name} {theirs[name]}, not {ours[name]}" for name in ours if theirs[name] != ours[name])
    if not config.adapt:
        _check_same(config, unet_config, source, wanted)
    if different:
        raise ValueError(f"{config.start_from} was trained with {different}: give the same options")
    found = source.unet.state_dict()
    if not config.adapt:
        return Start(found, [], 1.0, "")
    dataset = load_facts(path).get("dataset", "scenes")  # the first shipped weights do not say
    same_labels = dataset == config.dataset and source.unet.config.num_classes == unet_config.num_classes
    taken = {
        name: tensor
        for name, tensor in found.items()
        if name in wanted and tensor.shape == wanted[name].shape and (same_labels or not name.endswith(READS_LABELS))
    }
    left = [name for name in wanted if name not in taken]
    share = sum(tensor.numel() for tensor in taken.values()) / sum(tensor.numel() for tensor in wanted.values())
    if share < LEAST_SHARE:
        raise ValueError(
            f"{config.start_from} fits {share:.1%} of this network: adapt needs {LEAST_SHARE:.0%}, give the "
            "preset that it was trained with"
        )
    why = f"trained on {dataset} ({source.unet.config.num_classes} classes, here {unet_config.num_classes})"
    return Start(taken, left, share, why)


def _check_same(config: RunConfig, unet_config: UNetConfig, source: Model, wanted: dict[str, Tensor]) -> None:
    """Raise ValueError unless a model reads what the run's data set has, and is of the run's network."""
    classes, edges = unet_config.num_classes, unet_config.instance_edges
    hint = "; --adapt takes the layers that fit and begins the others anew"
    try:
        source.unet.config.check_data(config.dataset, classes, has_instances=edges)
        if edges and not source.unet.config.instance_edges:
            raise ValueError(f"{config.start_from} reads no instance edges, {config.dataset} has instances")
        check_fit(shapes_of(wanted), shapes_of(source.unet.state_dict()), config.start_from)
    except ValueError as error:
        raise ValueError(f"{error}{hint}") from None
