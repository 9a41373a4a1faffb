"""The Scenes judge: a small segmentation network that scores pictures of Scenes where no pretrained network can be had.

One network stands in for three: its label maps for the segmenter of mIoU, its pooled features for Inception in FID,
its layers for AlexNet in LPIPS. It was trained on Scenes and knows nothing else, so a number measured with it carries
its name: `metric_name("FID")` is "FID (Scenes judge)". It compares pictures of Scenes, never with a paper's numbers.

Ronneberger et al. (2015) for the U-Net, Zhang et al. (2018), Eq. 1, for the perceptual distance. Trained and measured
by `python -m sdm_lite.judge train` and `evaluate`.

Shapes: B batch, K classes, C channels, H x W pixels, h x w of a layer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdm_lite import checkpoints
from sdm_lite.batches import Batch
from sdm_lite.files import to_json
from sdm_lite.pictures import check_range
from sdm_lite.scenes.look import SEASONS, TIMES_OF_DAY

FORMAT = "sdm_lite judge 1"


def metric_name(metric: str, judge: str = "Scenes judge") -> str:
    """The name of a metric that was measured with a judge, for tables and axes.

    >>> metric_name("FID")
    'FID (Scenes judge)'
    """
    return f"{metric} ({judge})"


@dataclass(frozen=True)
class JudgeConfig:
    """The numbers that make one judge different from another.

    Attributes:
        num_classes: K.
        num_times_of_day: outcomes of the first head.
        num_seasons: outcomes of the second head.
        channels: width of each level, full resolution first; each level halves the resolution. The last is the width of
            the pooled features.
        num_groups: of every group norm.
        image_size: (height, width) that it was trained at, or the side of a square. Others work if they can be halved
            often enough.
        void_id: the class of unlabelled pixels: never predicted, and ignored in loss and mIoU. None = there is none.
    """

    num_classes: int = 11
    num_times_of_day: int = len(TIMES_OF_DAY)
    num_seasons: int = len(SEASONS)
    channels: tuple[int, ...] = (24, 48, 64)
    num_groups: int = 8
    image_size: tuple[int, int] = (32, 32)
    void_id: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))  # JSON gives a list
        side = self.image_size
        object.__setattr__(self, "image_size", (side, side) if isinstance(side, int) else tuple(side))
        if len(self.channels) < 2 or any(width % self.num_groups for width in self.channels):
            raise ValueError(
                f"channels must be two or more multiples of num_groups = {self.num_groups}, got {self.channels}"
            )
        if len(self.image_size) != 2 or any(side % self.divisor for side in self.image_size):
            raise ValueError(
                f"image_size must be divisible by {self.divisor}, one halving a level, got {self.image_size}"
            )

        if self.void_id is not None and not 0 <= self.void_id < self.num_classes:
            raise ValueError(f"void_id must be None or a class id in 0..{self.num_classes - 1}, got {self.void_id}")

    format = FORMAT

    def build(self) -> Judge:
        """A judge with random weights."""
        return Judge(self)

    @property
    def divisor(self) -> int:
        """What height and width must be divisible by."""
        return 2 ** (len(self.channels) - 1)


class Reading(NamedTuple):
    """All that one pass of the judge says about pictures.

    Attributes:
        logits: (B, K, H, W), of classes; -inf for void.
        features: (B, C), see `Judge.features`.
        time_of_day: (B, num_times_of_day) logits, in the order of scenes.TIMES_OF_DAY.
        season: (B, num_seasons) logits, in the order of scenes.SEASONS.
        levels: (B, D), see `pool_levels`.
    """

    logits: Tensor
    features: Tensor
    time_of_day: Tensor
    season: Tensor
    levels: Tensor


class Judge(nn.Module):
    """A U-Net from pictures to label maps, with two heads that read time of day and season off its bottleneck.

    Args:
        config: its numbers.
    """

    def __init__(self, config: JudgeConfig):
        super().__init__()
        self.config = config
        widths, groups = config.channels, config.num_groups
        self.encoder = nn.ModuleList(
            _two_convolutions(before, after, groups) for before, after in zip((3, *widths), widths, strict=False)
        )
        self.decoder = nn.ModuleList(
            _two_convolutions(below + width, width, groups) for width, below in zip(widths, widths[1:], strict=False)
        )
        self.label_head = nn.Conv2d(widths[0], config.num_classes, 1)
        self.time_of_day_head = nn.Linear(widths[-1], config.num_times_of_day)
        self.season_head = nn.Linear(widths[-1], config.num_seasons)
        # Of the pooled features of true pictures, so that no feature outweighs another in the Frechet distance.
        self.register_buffer("feature_mean", torch.zeros(widths[-1]))
        self.register_buffer("feature_std", torch.ones(widths[-1]))

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.feature_mean.device

    def layers(self, images: Tensor) -> list[Tensor]:
        """Features of every encoder level.

        Args:
            images: (B, 3, H, W) in [-1, 1].

        Returns:
            One (B, C, h, w) a level, full resolution first; the last is the bottleneck.

        Raises:
            ValueError: if the images have not three channels, or cannot be halved once a level.
        """
        divisor = self.config.divisor
        if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] % divisor or images.shape[3] % divisor:
            raise ValueError(
                f"images must be (B, 3, H, W) with H and W divisible by {divisor}, got {tuple(images.shape)}"
            )
        if not self.training:
            check_range(images)
        features, h = [], images
        for level, block in enumerate(self.encoder):
            h = block(h if level == 0 else F.max_pool2d(h, 2))
            features.append(h)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Class logits of every pixel.

        Args:
            images: (B, 3, H, W) in [-1, 1].

        Returns:
            (B, K, H, W), -inf for void.
        """
        return self._decode(self.layers(images))

    def read(self, images: Tensor) -> Reading:
        """Everything in one pass.

        Args:
            images: (B, 3, H, W) in [-1, 1].

        Returns:
            Class logits, features, the logits of the two heads, and pooled features of all levels.
        """
        return self.reading(self.layers(images))

    def reading(self, layers: list[Tensor]) -> Reading:
        """Everything, from what `layers` returned; see `read`."""
        pooled = pool(layers)
        features = (pooled - self.feature_mean) / self.feature_std
        heads = self.time_of_day_head(pooled), self.season_head(pooled)
        return Reading(self._decode(layers), features, *heads, pool_levels(layers))

    def _decode(self, layers: list[Tensor]) -> Tensor:
        """Class logits (B, K, H, W) from what `layers` returned, -inf for void."""
        logits = self._logits(layers)
        if self.config.void_id is not None:
            logits = logits.index_fill(1, torch.tensor([self.config.void_id], device=logits.device), -torch.inf)
        return logits

    def _logits(self, layers: list[Tensor]) -> Tensor:
        """The same, as the decoder has it."""
        h = layers[-1]
        for block, skip in zip(reversed(self.decoder), reversed(layers[:-1]), strict=True):
            h = block(torch.cat([F.interpolate(h, scale_factor=2, mode="nearest"), skip], dim=1))
        return self.label_head(h)

    def remember(self, pictures: Batch) -> Callable[[Tensor, Tensor], list[Tensor]] | None:
        """For training: the layers of any of N pictures, mirrored or not, or None where training changes them."""

    def predict(self, images: Tensor) -> Tensor:
        """The most probable label map, (B, H, W) int64."""
        return self(images).argmax(1)

    def features(self, images: Tensor) -> Tensor:
        """The bottleneck averaged over pixels, in units of the spread of true pictures.

        Args:
            images: (B, 3, H, W) in [-1, 1].

        Returns:
            (B, C), C the last of config.channels: over true pictures each has mean 0 and standard deviation 1.
        """
        return (pool(self.layers(images)) - self.feature_mean) / self.feature_std

    def perceptual_distance(self, a: Tensor, b: Tensor) -> Tensor:
        """LPIPS' formula on the layers of the judge. Not LPIPS: another network, and unit weights; `layer_distance`.

        Args:
            a: (B, 3, H, W) in [-1, 1].
            b: the same shape.

        Returns:
            (B,), between 0 and 4 times the number of levels.
        """
        return layer_distance(self.layers(a), self.layers(b))


def layer_distance(layers_a: list[Tensor], layers_b: list[Tensor]) -> Tensor:
    """LPIPS' formula with unit weights, on the layers of whatever network.

        d(a, b) = sum_l mean_{h, w} |u_l(a) - u_l(b)|^2,   u_l: layer l, each pixel's channels scaled to unit length

    Zhang et al. (2018), Eq. 1, with w_l = 1.

    Args:
        layers_a: (B, C, h, w) each.
        layers_b: the same shapes.

    Returns:
        (B,), between 0 and 4 times the number of layers.
    """
    distance = torch.zeros(len(layers_a[0]), dtype=torch.float32, device=layers_a[0].device)
    for layer_a, layer_b in zip(layers_a, layers_b, strict=True):
        difference = F.normalize(layer_a, dim=1, eps=1e-10) - F.normalize(layer_b, dim=1, eps=1e-10)
        distance = distance + difference.square().sum(1).mean((1, 2))
    return distance


def _two_convolutions(before: int, after: int, num_groups: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(num_groups, after), nn.SiLU(),
        nn.Conv2d(after, after, 3, padding=1), nn.GroupNorm(num_groups, after), nn.SiLU(),
    )  # fmt: skip


def pool(layers: list[Tensor]) -> Tensor:
    """The last of the layers averaged over pixels, (B, C): the features before they are scaled."""
    return layers[-1].mean((2, 3))


def pool_levels(layers: list[Tensor]) -> Tensor:
    """Mean and standard deviation over pixels of every channel of every level, full resolution first.

    The mean alone of the last level says mostly what the light is like. How much a channel varies over the picture, at
    every resolution, says what edges and textures are like.

    Args:
        layers: one (B, C, h, w) a level.

    Returns:
        (B, D), D twice the sum of the levels' C: of each level its means, then its standard deviations; unscaled.
    """
    pooled = [f(layer.flatten(2), dim=2) for layer in layers for f in (torch.mean, torch.std)]
    return torch.cat(pooled, dim=1)


# On disk.

CONFIGS = {FORMAT: JudgeConfig}
"""What a file's configuration is of, by its format; `judge.head` adds its own."""


def save_judge(path: str | Path, judge: Judge, *, facts: dict[str, object] | None = None) -> None:
    """Write a judge with its configuration, whole or not at all.

    Args:
        path: of the safetensors file.
        judge: to save.
        facts: anything JSON can hold, nan as null, that a reader should know: command, steps, seconds, scores.
    """
    metadata = {"config": to_json(dataclasses.asdict(judge.config)), "facts": to_json(facts or {})}
    checkpoints.save_tensors(path, judge.state_dict(), {"format": judge.config.format, **metadata})


def load_judge(name_or_path: str | Path = "judge-32", *, device: str | torch.device = "cpu") -> Judge:
    """Load a judge, in evaluation mode and without gradients to its weights.

    Args:
        name_or_path: a shipped name, or a file that `save_judge` wrote.
        device: where to put it.

    Returns:
        The judge.

    Raises:
        FileNotFoundError: if there is no such file; lists the shipped names.
        ValueError: if the file is truncated, foreign, or does not fit its configuration.
    """
    path = checkpoints.resolve(name_or_path)
    tensors, metadata = checkpoints.load_tensors(path)
    if metadata.get("format") not in CONFIGS:
        raise ValueError(f"{path} is no judge: its format is {metadata.get('format')!r}, expected {FORMAT!r}")
    with torch.device("cpu"):  # whatever torch's defaults are
        judge = checkpoints.read_config(CONFIGS[metadata["format"]], metadata.get("config"), path).build().float()
    checkpoints.load_exactly(judge, tensors, path)
    return judge.eval().requires_grad_(False).to(device)
