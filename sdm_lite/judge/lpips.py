"""LPIPS: the perceptual distance that the paper measures diversity with, by its authors' package and weights.

Apart from the other judges because it judges pairs, and because the paper's script fed it pictures that were normalised
twice: `normalised_twice` computes that. Zhang et al. (2018).

Shapes: P pairs, H x W pixels.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdm_lite.judge.weights import JudgeUnavailableError, find_weights, first_line, missing_package
from sdm_lite.metrics import Distance
from sdm_lite.pictures import check_range

# The trunks, as torchvision publishes them: eight digits of the file's sha256 are in its name.
LPIPS_BACKBONES = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}
BACKBONE_NAMES = {"alex": "AlexNet", "vgg": "VGG-16", "squeeze": "SqueezeNet"}
LEAST_SIDE = 32  # pixels: AlexNet has nothing left of smaller pictures

PUBLISHED_SIDE = 299  # of the pictures that the paper's script compares
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Lpips:
    """LPIPS as a judge: distances alone.

    Args:
        network: (P, 3, H, W) twice -> (P, 1, 1, 1), as `lpips.LPIPS`.
        name: for tables.
    """

    def __init__(self, network: nn.Module, name: str):
        self.network, self.name = network.eval().requires_grad_(False), name

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.network.parameters()).device

    @torch.no_grad()
    def perceptual_distance(self, a: Tensor, b: Tensor) -> Tensor:
        """LPIPS of pairs of pictures.

        Args:
            a: (P, 3, H, W) in [-1, 1].
            b: the same shape.

        Returns:
            (P,), >= 0.

        Raises:
            ValueError: if a side is shorter than 32 pixels.
        """
        if min(a.shape[-2:]) < LEAST_SIDE:
            raise ValueError(f"{self.name} takes pictures of at least {LEAST_SIDE} pixels, got {tuple(a.shape[-2:])}")
        for images in (a, b):
            check_range(images)
        return self.network(a.to(self.device), b.to(self.device)).flatten()


def load_lpips(net: str = "alex", folder: str | Path | None = None, *, device: str | torch.device = "cpu") -> Lpips:
    """The published LPIPS: the linear heads come with the package, the trunk from a file; nothing is downloaded.

    Args:
        net: the trunk: "alex" (the usual one for diversity), "vgg" or "squeeze".
        folder: that has the trunk's file, see `LPIPS_BACKBONES`; None = torch's cache.
        device: where to compute; images are moved there.

    Raises:
        ValueError: if there is no such trunk.
        JudgeUnavailableError: if lpips or its torchvision cannot be imported, or the trunk's weights are not there or
            not the published ones. Never a random trunk.
    """
    if net not in LPIPS_BACKBONES:
        raise ValueError(f"net must be one of {', '.join(LPIPS_BACKBONES)}, got {net!r}")
    try:
        import lpips
    except Exception as error:
        needs = "the packages lpips and torchvision, the latter built for this torch"
        raise missing_package("LPIPS", needs, "lpips", error) from error
    file = LPIPS_BACKBONES[net]
    path = find_weights([file], f"download.pytorch.org/models/{file}", folder)
    with warnings.catch_warnings(), torch.device("cpu"):  # whatever torch's defaults are
        warnings.simplefilter("ignore")  # of old argument names between lpips and torchvision
        # A random trunk, which the next lines replace.
        network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False).float()
    try:
        published = torch.load(path, map_location="cpu", weights_only=True)
        # lpips cuts torchvision's `features` into slices and keeps the numbers: slice2.3.weight is features.3.weight.
        trunk = {name: published[f"features.{name.split('.', 1)[1]}"] for name in network.net.state_dict()}
        network.net.load_state_dict(trunk)
    except Exception as error:
        raise JudgeUnavailableError(
            f"{path} holds no {BACKBONE_NAMES[net]} of torchvision's: {type(error).__name__}: {first_line(error)}"
        ) from error
    return Lpips(network.to(device), f"LPIPS, {BACKBONE_NAMES[net]}")


def normalised_twice(distance: Distance, *, side: int | None = PUBLISHED_SIDE) -> Distance:
    """What the paper's published script computes in the place of a perceptual distance.

    It brings pictures to 299 x 299 and to ImageNet's mean and spread, (p - mean) / std of p in [0, 1], and hands those
    to a network that does the same again, taking them for pictures in [-1, 1]. So the network sees about 2.2 times
    (1 / 0.45) the contrast that it was trained on. With AlexNet's LPIPS this is what Table 1's diversity was measured
    with, if it was measured with that script. See docs/errata.md.

    Args:
        distance: of pictures in [-1, 1], for instance `Lpips.perceptual_distance`.
        side: that pictures are brought to, bilinear; None leaves their size alone.

    Returns:
        A distance of pictures in [-1, 1].
    """

    def normalised(images: Tensor) -> Tensor:
        if side is not None:
            images = F.interpolate(images, (side, side), mode="bilinear", antialias=True)
        mean, std = (images.new_tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
        return ((images + 1) / 2 - mean) / std

    return lambda a, b: distance(normalised(a), normalised(b))
