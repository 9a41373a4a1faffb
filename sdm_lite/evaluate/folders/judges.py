"""Which network looks at the pictures of two folders, by its name on the command line.

Apart because each of these comes from elsewhere: a package of weights, a cache, a file of one's own. What a network
must have is in the two protocols, and nothing else is asked of it.

Shapes: B batch, D features, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from sdm_lite.checkpoints import load_facts, resolve
from sdm_lite.judge import segmenter as segmenters
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
    """What reads label maps off pictures, for mIoU.

    Attributes:
        name: for the name of the measure.
        num_classes: K of the ids 0..K-1 of label maps.
        known_ids: those that it can see: mIoU is over these.
    """

    name: str
    num_classes: int
    known_ids: list[int]

    def predict(self, images: Tensor) -> Tensor:
        """(B, H, W) class ids of images (B, 3, H, W) in [-1, 1]; -1 for a class that no label map has."""


class NamedJudge:
    """A judge of this package under the name that its metrics carry.

    Args:
        judge: in evaluation mode.
        name: what it is, for `metric_name`.
    """

    def __init__(self, judge: Judge, name: str):
        self.judge, self.name, self.device = judge, name, judge.device
        self.num_classes, void = judge.config.num_classes, judge.config.void_id
        self.known_ids = [k for k in range(self.num_classes) if k != void]
        self.void = () if void is None else (void,)

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


class PublishedSegmenter:
    """A segmenter of transformers whose classes are those of some label maps; see `judge.segmenter`.

    Args:
        segmenter: to ask.
        num_classes: K of the label maps.
    """

    def __init__(self, segmenter: segmenters.Segmenter, num_classes: int):
        self.segmenter, self.name, self.num_classes = segmenter, segmenter.name, num_classes
        self.known_ids = segmenter.known_ids

    def predict(self, images: Tensor) -> Tensor:
        """See `judge.segmenter.Segmenter.predict`."""
        return self.segmenter.predict(images)


def find_segmenter(
    name: str | None,
    judge: FeatureNetwork,
    *,
    ids: str | None = None,
    class_names: Sequence[str] = (),
    device: str | torch.device = "cpu",
) -> Segmenter | None:
    """What reads label maps off pictures.

    Args:
        name: a judge of this package, by its file or shipped name; or a segmenter of transformers, by its folder or
            cached name, which takes ids and class_names; None = the judge itself, if it reads label maps.
        judge: what looks at the pictures.
        ids: which of the classes of a segmenter of transformers are which; see `judge.segmenter.segmenter_ids`.
        class_names: K names of the classes of the label maps, in the order of their ids.
        device: where to compute.

    Raises:
        ValueError: if it cannot be had; says what to do.
        FileNotFoundError: if it is neither.
    """
    if name is None:
        return judge if hasattr(judge, "predict") else None
    if ids is None and not class_names:
        return _own(name, device)
    if ids is None or not class_names:
        raise ValueError("a segmenter of transformers takes --segmenter-ids and --classes, got one of them alone")
    found = segmenters.load_segmenter(name, class_names, ids, device=device)
    return PublishedSegmenter(found, len(class_names))


def _own(name: str, device: str | torch.device) -> NamedJudge:
    """A judge that this package trained."""
    path = resolve(name)
    dataset = load_facts(path).get("dataset")
    told = f"own judge {path.stem}, trained on {dataset}" if dataset else "Scenes judge"
    return NamedJudge(load_judge(path, device=device), told)


def _efficientnet(device: str | torch.device) -> FeatureNetwork:
    return load_efficientnet(device=device)


def _inception(device: str | torch.device) -> FeatureNetwork:
    return load_inception(device=device)


PUBLISHED: dict[str, Callable[[str | torch.device], FeatureNetwork]] = {
    "efficientnet-lite0": _efficientnet,
    "inception": _inception,
}
"""Networks with published weights, the usual one first."""
