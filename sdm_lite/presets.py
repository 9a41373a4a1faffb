"""The numbers that make one SDM U-Net different from another, and the named sets of them.

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
        num_classes: of the label maps that it reads.
        instance_edges: whether its condition has one channel more, of the edges between instances.
        image_size: (height, width) it is meant for; others work if they can be halved often enough.
        base_channels: width at full resolution.
        channel_multipliers: width of each level, in units of base_channels, of which fractions will do where they give
            a whole number; each level halves the resolution.
        num_res_blocks: per level in the encoder; the decoder has one more.
        attention_resolutions: feature-map heights, at image_size, with self-attention. The middle always has it.
        channels_per_head: of the attention.
        spade_hidden_channels: width of each SPADE's own network.
        spade_kernel_size: of the convolution to gamma and beta. Lite presets use 1, the paper 3.
        num_groups: of every group norm.
        conditioning: where labels enter: "spade" in every norm of middle and decoder (the paper), or "concat" at the
            input, behind x_t (Table 4's baseline, which has no use for spade_...).
        residual_resampling: True halves and doubles resolution inside residual blocks, as the paper's networks do;
            False by plain averaging and repeating, without weights, as the lite presets do.
    """

    num_classes: int
    instance_edges: bool = False
    image_size: tuple[int, int] = (256, 256)
    base_channels: int = 256
    channel_multipliers: tuple[float, ...] = (1, 1, 2, 2, 4, 4)
    num_res_blocks: int = 2
    attention_resolutions: tuple[int, ...] = (32, 16, 8)
    channels_per_head: int = 64
    spade_hidden_channels: int = 128
    spade_kernel_size: int = 3
    num_groups: int = 32
    residual_resampling: bool = True
    conditioning: str = "spade"

    def __post_init__(self) -> None:
        for name in ("image_size", "channel_multipliers", "attention_resolutions"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON gives lists
        if self.num_classes < 1 or self.num_res_blocks < 1 or not self.channel_multipliers:
            got = f"{self.num_classes}, {self.num_res_blocks} and {self.channel_multipliers}"
            raise ValueError(
                f"num_classes and num_res_blocks must be at least 1 and channel_multipliers not empty, got {got}"
            )
        if self.conditioning not in ("spade", "concat"):
            raise ValueError(f"conditioning must be spade or concat, got {self.conditioning!r}")
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
            channels = self.width(level)
            if channels < 1 or abs(channels - self.base_channels * multiplier) > 1e-6:
                raise ValueError(f"level {level}: {self.base_channels} x {multiplier} is no number of channels")
            if channels % self.num_groups:
                raise ValueError(f"level {level} has {channels} channels, not divisible into {self.num_groups} groups")
            attends = self.attends(level) or level == len(self.channel_multipliers) - 1
            if attends and channels % self.channels_per_head:
                raise ValueError(
                    f"level {level} has {channels} channels, not divisible by "
                    f"channels_per_head = {self.channels_per_head}"
                )

    @property
    def condition_channels(self) -> int:
        """K: classes, and one of instance edges."""
        return self.num_classes + self.instance_edges

    def check_data(self, name: str, num_classes: int, *, has_instances: bool) -> None:
        """Raise ValueError unless a data set, called by its name, has what a network of these numbers reads."""
        if self.num_classes != num_classes or self.instance_edges > has_instances:
            raise ValueError(
                f"the network reads {_what_is_read(self.num_classes, self.instance_edges)}, {name} has "
                f"{_what_is_read(num_classes, has_instances)}: take the data that it was trained on"
            )

    @property
    def divisor(self) -> int:
        """What height and width must be divisible by."""
        return 2 ** (len(self.channel_multipliers) - 1)

    def resolution(self, level: int) -> str:
        """The height and width of a level's features at image_size: "16 x 16"."""
        return " x ".join(str(side >> level) for side in self.image_size)

    def width(self, level: int) -> int:
        """How many channels a level has."""
        return round(self.base_channels * self.channel_multipliers[level])

    def attends(self, level: int) -> bool:
        """Whether the blocks of a level have self-attention."""
        return self.image_size[0] // 2**level in self.attention_resolutions


def _what_is_read(num_classes: int, instance_edges: bool) -> str:
    return f"{num_classes} classes {'and instance edges' if instance_edges else 'without instances'}"


# Between the lite networks and the paper's: photographs of one's own on one GPU. Chosen by what `plan` counts, not by a
# search: attention where a map has 16 rows or fewer, SPADE with 64 hidden channels, no weights spent on resampling.
PHOTOGRAPHS_64 = UNetConfig(
    num_classes=12,
    image_size=(64, 64),
    base_channels=64,
    channel_multipliers=(1, 2, 3, 3),
    num_res_blocks=1,
    attention_resolutions=(16, 8),
    channels_per_head=32,
    spade_hidden_channels=64,
    spade_kernel_size=1,
    num_groups=16,
    residual_resampling=False,
)
# Why the lite numbers are these: docs/recipe.md.
SCENES_32 = UNetConfig(
    num_classes=11,
    instance_edges=True,
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
    # Table 4's baseline: as many weights as the two above, within 2 %, the share of the SPADEs spent on wider levels.
    "scenes-32-concat": dataclasses.replace(SCENES_32, conditioning="concat", channel_multipliers=(1, 8 / 3, 3)),
    "scenes-64-concat": dataclasses.replace(
        SCENES_32,
        conditioning="concat",
        image_size=(64, 64),
        base_channels=32,
        channels_per_head=32,
        channel_multipliers=(1, 1, 2.5, 3),
    ),
    "photographs-64": PHOTOGRAPHS_64,
    "photographs-128": dataclasses.replace(
        PHOTOGRAPHS_64,
        image_size=(128, 128),
        base_channels=96,
        channel_multipliers=(1, 1, 2, 3, 4),
        spade_kernel_size=3,
    ),
    "photographs-256": dataclasses.replace(
        PHOTOGRAPHS_64,
        image_size=(256, 256),
        base_channels=128,
        channel_multipliers=(1, 1, 2, 2, 4, 4),
        num_res_blocks=2,
        channels_per_head=64,
    ),
    # The paper's networks differ in what they read. ADE20K has 150 classes, COCO-Stuff 182, and each "unknown".
    "celebamask-hq-256": UNetConfig(num_classes=19, instance_edges=True),
    "ade20k-256": UNetConfig(num_classes=151),
    "cityscapes-256x512": UNetConfig(num_classes=35, instance_edges=True, image_size=(256, 512)),
    "coco-stuff-256": UNetConfig(num_classes=183, instance_edges=True),
}


def preset(
    name: str,
    num_classes: int | None = None,
    instance_edges: bool | None = None,
    image_size: tuple[int, int] | None = None,
) -> UNetConfig:
    """A named configuration, for other classes or another size if need be.

    Args:
        name: a key of PRESETS.
        num_classes: of your data, or None for the preset's.
        instance_edges: whether your data has instances, or None for what the preset says.
        image_size: (height, width) of your data, or None for the preset's.

    Raises:
        ValueError: on an unknown name, or a size that cannot be halved often enough.
    """
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}; got {name!r}")
    config = PRESETS[name]
    if num_classes is not None:
        config = dataclasses.replace(config, num_classes=num_classes)
    if instance_edges is not None:
        config = dataclasses.replace(config, instance_edges=instance_edges)
    if image_size is not None:
        scale = image_size[0] / config.image_size[0]  # keeps attention at the same levels
        attention = tuple(round(height * scale) for height in config.attention_resolutions)
        config = dataclasses.replace(config, image_size=image_size, attention_resolutions=attention)
    return config


def classes_and_edges(condition_channels: int) -> tuple[int, bool]:
    """How many classes a network of so many channels reads and whether edges, where nothing says it.

    The authors' files and our first ones do not. It is what the preset of as many channels reads; any other network is
    taken to read edges, as all of the paper's do whose data has instances.
    """
    alike = [config for config in PRESETS.values() if config.condition_channels == condition_channels]
    return (alike[0].num_classes, alike[0].instance_edges) if alike else (condition_channels - 1, True)


def preset_name(config: UNetConfig) -> str | None:
    """The preset that a configuration is, at whatever size; None if it is none of them.

    Args:
        config: of a network.
    """
    return next((name for name in PRESETS if _at_size(name, config.image_size) == config), None)


def _at_size(name: str, image_size: tuple[int, int]) -> UNetConfig | None:
    divisor = PRESETS[name].divisor
    return None if any(size % divisor for size in image_size) else preset(name, image_size=image_size)
