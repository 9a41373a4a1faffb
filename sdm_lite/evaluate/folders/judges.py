"""Which network looks at the pictures of two folders, by its name on the command line.

Apart because each of these comes from elsewhere: a package of weights, a cache, a file of one's own. What a network
must have is in the two protocols, and nothing else is asked of it.

Shapes: B batch, D features, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from sdm_lite.checkpoints import load_facts, resolve
from sdm_lite.judge.efficientnet import load_efficientnet
from sdm_lite.judge.inception import load_inception
from sdm_lite.judge.network import Judge, load_judge


class FeatureNetwork(Protocol):
    """What pictures are compared by."""

    name: str
    device: torch.device

    def features(self, images: Tensor) -> Tensor:
        """(B, D) of images (B, 3, H, W) in [-1, 1]."""


@runtime_checkable
class Perceptual(Protocol):
    """A network that says, besides, how different two pictures look."""

    def perceptual_distance(self, a: Tensor, b: Tensor) -> Tensor:
        """(B,) of two batches of images (B, 3, H, W) in [-1, 1]."""


class Segmenter(Protocol):
    """What reads label maps off pictures, for mIoU; `num_classes` is K of its ids 0..K-1."""

    num_classes: int

    def predict(self, images: Tensor) -> Tensor:
        """(B, H, W) class ids of images (B, 3, H, W) in [-1, 1]."""


class NamedJudge:
    """A judge of this package under the name that its metrics carry.

    Args:
        judge: in evaluation mode.
        name: what it is, for `metric_name`.
    """

    def __init__(self, judge: Judge, name: str):
        self.judge, self.name, self.device = judge, name, judge.device
        self.num_classes = judge.config.num_classes

    def features(self, images: Tensor) -> Tensor:
        """See `Judge.features`."""
        return self.judge.features(images)

    def perceptual_distance(self, a: Tensor, b: Tensor) -> Tensor:
        """See `Judge.perceptual_distance`."""
        return self.judge.perceptual_distance(a, b)

    def predict(self, images: Tensor) -> Tensor:
        """See `Judge.predict`."""
        return self.judge.predict(images)


def find_judge(name: str | None, *, device: str | torch.device = "cpu") -> FeatureNetwork:
    """A network that looks at pictures, by its name.

    Args:
        name: a key of PUBLISHED, a shipped name such as judge-32, or a file that `sdm_lite.judge` wrote; None = the
            first of PUBLISHED.
        device: where to compute.

    Raises:
        ValueError: if it cannot be had; says what to do.
        FileNotFoundError: if there is no such file, or the weights of a published network are not there.
    """
    name = name or next(iter(PUBLISHED))
    return PUBLISHED[name](device) if name in PUBLISHED else _own(name, device)


def find_segmenter(name: str | None, judge: FeatureNetwork, *, device: str | torch.device = "cpu") -> Segmenter | None:
    """What reads label maps off pictures: a file of a judge of this package; None = the judge itself, if it can."""
    if name is None:
        return judge if hasattr(judge, "predict") else None
    return _own(name, device)


def _own(name: str, device: str | torch.device) -> NamedJudge:
    """A judge that this package trained."""
    path = resolve(name)
    dataset = load_facts(path).get("dataset")
    told = f"own judge {path.stem}, trained on {dataset}" if dataset else "Scenes judge"
    return NamedJudge(load_judge(path, device=device), told)


def _inception(device: str | torch.device) -> FeatureNetwork:
    return load_inception(device=device)


def _efficientnet(device: str | torch.device) -> FeatureNetwork:
    return load_efficientnet(device=device)


PUBLISHED: dict[str, Callable[[str | torch.device], FeatureNetwork]] = {
    "inception": _inception,
    "efficientnet-lite0": _efficientnet,
}
"""Networks with published weights, the usual one first."""
