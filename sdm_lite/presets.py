"""The numbers that make one SDM U-Net different from another, and the sets of them that have names.

Apart from the network because a preset only changes numbers: the lite networks of the course and the paper's are one
class.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class UNetConfig:
    """The numbers that make one SDM U-Net different from another. The defaults are the paper's 256 x 256 networks.

    Attributes:
        condition_channels: K, classes plus one if instance edges are used.
        image_size: (height, width) it is meant for; others work if they can be halved often enough.
        base_channels: width at full resolution.
        channel_multipliers: width of each level, in units of base_channels; each level halves the resolution.
        num_res_blocks: per level in the encoder; the decoder has one more.
        attention_resolutions: feature-map heights, at image_size, with self-attention. The middle always has it.
        channels_per_head: of the attention.
        spade_hidden_channels: width of each SPADE's own network.
        spade_kernel_size: of the convolution to gamma and beta. Lite presets use 1, the paper 3.
        num_groups: of every group norm.
        residual_resampling: True halves and doubles resolution inside residual blocks, as the paper's networks do;
            False by plain averaging and repeating, without weights, as the lite presets do.
    """

    condition_channels: int
    image_size: tuple[int, int] = (256, 256)
    base_channels: int = 256
    channel_multipliers: tuple[int, ...] = (1, 1, 2, 2, 4, 4)
    num_res_blocks: int = 2
    attention_resolutions: tuple[int, ...] = (32, 16, 8)
    channels_per_head: int = 64
    spade_hidden_channels: int = 128
    spade_kernel_size: int = 3
    num_groups: int = 32
    residual_resampling: bool = True

    def __post_init__(self) -> None:
        for name in ("image_size", "channel_multipliers", "attention_resolutions"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON gives lists
        if self.condition_channels < 1 or self.num_res_blocks < 1 or not self.channel_multipliers:
            raise ValueError(f"a U-Net needs at least one condition channel, level and block a level, got {self}")
        if self.spade_kernel_size % 2 == 0:
            raise ValueError(f"spade_kernel_size must be odd, got {self.spade_kernel_size}")
        for name in ("base_channels", "channels_per_head", "num_groups"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for size in self.image_size:
            if size < 1 or size % self.divisor:
                raise ValueError(
                    f"image_size {self.image_size} must be divisible by {self.divisor}: one halving a level"
                )
        for level, multiplier in enumerate(self.channel_multipliers):
            channels = self.base_channels * multiplier
            if channels % self.num_groups:
                raise ValueError(f"level {level} has {channels} channels, not divisible into {self.num_groups} groups")
            attends = self.attends(level) or level == len(self.channel_multipliers) - 1
            if attends and channels % self.channels_per_head:
                raise ValueError(
                    f"level {level} has {channels} channels, not divisible by "
                    f"channels_per_head = {self.channels_per_head}"
                )

    @property
    def divisor(self) -> int:
        """What height and width must be divisible by."""
        return 2 ** (len(self.channel_multipliers) - 1)

    def attends(self, level: int) -> bool:
        """Whether the blocks of a level have self-attention."""
        return self.image_size[0] // 2**level in self.attention_resolutions


# Why the lite numbers are these: docs/recipe.md. 12 = 11 classes of Scenes, or of CamVid with
# "unlabelled", and one channel of edges.
SCENES_32 = UNetConfig(
    condition_channels=12,
    image_size=(32, 32),
    base_channels=24,
    channel_multipliers=(1, 2, 3),
    num_res_blocks=1,
    attention_resolutions=(8,),
    channels_per_head=24,
    spade_hidden_channels=32,
    spade_kernel_size=1,
    num_groups=8,
    residual_resampling=False,
)
PRESETS = {
    "scenes-32": SCENES_32,
    "scenes-64": dataclasses.replace(
        SCENES_32, image_size=(64, 64), base_channels=32, channels_per_head=32, channel_multipliers=(1, 1, 2, 3)
    ),
    # The paper's networks differ in their classes, plus one channel where there are edges: 19 + 1, 151 (150 and
    # "unknown", no edges), 35 + 1, 183 + 1 (182 and "unknown").
    "celebamask-hq-256": UNetConfig(condition_channels=20),
    "ade20k-256": UNetConfig(condition_channels=151),
    "cityscapes-256x512": UNetConfig(condition_channels=36, image_size=(256, 512)),
    "coco-stuff-256": UNetConfig(condition_channels=184),
}


def preset(name: str, condition_channels: int | None = None, image_size: tuple[int, int] | None = None) -> UNetConfig:
    """A named configuration, for other classes or another size if need be.

    Args:
        name: a key of PRESETS.
        condition_channels: K of your data, or None for the preset's.
        image_size: (height, width) of your data, or None for the preset's.

    Raises:
        ValueError: on an unknown name, or a size that cannot be halved often enough.
    """
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}; got {name!r}")
    config = PRESETS[name]
    if condition_channels is not None:
        config = dataclasses.replace(config, condition_channels=condition_channels)
    if image_size is not None:
        scale = image_size[0] / config.image_size[0]  # keeps attention at the same levels
        attention = tuple(round(height * scale) for height in config.attention_resolutions)
        config = dataclasses.replace(config, image_size=image_size, attention_resolutions=attention)
    return config


def preset_name(config: UNetConfig) -> str | None:
    """The preset that a configuration is, at whatever size; None if it is none of them.

    Args:
        config: of a network.
    """
    return next((name for name in PRESETS if _at_size(name, config.image_size) == config), None)


def _at_size(name: str, image_size: tuple[int, int]) -> UNetConfig | None:
    divisor = PRESETS[name].divisor
    return None if any(size % divisor for size in image_size) else preset(name, image_size=image_size)
