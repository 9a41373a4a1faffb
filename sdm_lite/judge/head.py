"""A judge of one's own on frozen maps: a small head that reads label maps off what ImageNet taught EfficientNet-Lite0.

Apart from the U-Net judge because only the head is trained and stored; the maps come from the package of
`judge.efficientnet`, which must be installed wherever such a judge is used.

Shapes: B batch, K classes, C channels, H x W pixels, h x w of a map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdm_lite.batches import Batch
from sdm_lite.judge.efficientnet import EfficientNetLite0, check_images, load_efficientnet
from sdm_lite.judge.network import CONFIGS, Judge, Reading, pool, pool_levels
from sdm_lite.pictures import check_range

READ_AT_ONCE = 32  # pictures
MOST_BYTES = 2**31  # that maps may take while a head is trained
ENLARGED = 2  # times, so that the first map, at half the resolution of what is read, has the pictures' own


@dataclass(frozen=True)
class HeadConfig:
    """The numbers that make one head different from another.

    Attributes:
        num_classes: K.
        image_size: (height, width) that it was trained at; others work.
        void_id: the class of unlabelled pixels, see `JudgeConfig`.
        width: C of what the maps are brought to, and added in.
        num_groups: of every group norm.
    """

    num_classes: int
    image_size: tuple[int, int]
    void_id: int | None = None
    width: int = 28
    num_groups: int = 4

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_size", tuple(self.image_size))  # JSON gives a list
        if self.width < 1 or self.width % self.num_groups:
            raise ValueError(f"width must be a multiple of num_groups = {self.num_groups}, got {self.width}")
        if self.void_id is not None and not 0 <= self.void_id < self.num_classes:
            raise ValueError(f"void_id must be None or a class id in 0..{self.num_classes - 1}, got {self.void_id}")

    num_seasons = num_times_of_day = 1  # photographs come without
    format = "sdm_lite judge head 1"

    def build(self) -> HeadJudge:
        """A head with random weights, on the published network.

        Raises:
            JudgeUnavailableError: if that is not installed.
        """
        return HeadJudge(self, load_efficientnet())


class HeadJudge(Judge):
    """Label maps from the frozen maps of a network: each brought to one width and the pictures' size, added, mixed.

    Args:
        config: its numbers.
        backbone: whose maps are read. It is neither trained nor stored with the head.
    """

    def __init__(self, config: HeadConfig, backbone: EfficientNetLite0):
        nn.Module.__init__(self)
        self.config = config
        self._backbone = (backbone,)  # in a tuple it is no part: not among parameters, not in the state dict
        width = config.width
        self.projections = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in backbone.widths)
        self.mix = nn.Sequential(
            nn.GroupNorm(config.num_groups, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(config.num_groups, width), nn.SiLU(),
        )  # fmt: skip
        self.label_head = nn.Conv2d(width, config.num_classes, 1)
        self.register_buffer("feature_mean", torch.zeros(backbone.widths[-1]))
        self.register_buffer("feature_std", torch.ones(backbone.widths[-1]))

    @property
    def backbone(self) -> EfficientNetLite0:
        """Whose maps are read."""
        return self._backbone[0]

    def _apply(self, fn, recurse=True):
        self.backbone._apply(fn, recurse)  # `to` takes it along
        return super()._apply(fn, recurse)

    def layers(self, images: Tensor) -> list[Tensor]:
        """The frozen maps of pictures enlarged twice.

        Args:
            images: (B, 3, H, W) in [-1, 1].

        Returns:
            (B, 16, H, W), and four more, each half the size of the one before; the last has 320 channels.

        Raises:
            ValueError: if the images have not three channels.
        """
        check_images(images)
        if not self.training:
            check_range(images)
        return self.backbone.maps(F.interpolate(images, scale_factor=ENLARGED, mode="bilinear"))

    def reading(self, layers: list[Tensor]) -> Reading:
        """Everything, from what `layers` returned; time of day and season are one outcome each, which needs no head."""
        pooled, nothing = pool(layers), layers[-1].new_zeros(len(layers[-1]), 1)
        features = (pooled - self.feature_mean) / self.feature_std
        # Of pictures below 32 pixels the last map is one pixel, whose spread is no number: four of it have none.
        spread_out = [layer if layer[0, 0].numel() > 1 else layer.expand(-1, -1, 2, 2) for layer in layers]
        return Reading(self._decode(layers), features, nothing, nothing, pool_levels(spread_out))

    @torch.no_grad()
    def remember(self, pictures: Batch) -> Callable[[Tensor, Tensor], list[Tensor]] | None:
        """The maps of all pictures and of their mirror images, read once; None where they would fill the memory.

        The maps do not change in training, and reading them is most of its work.
        """
        sides = range(0, len(pictures.images), READ_AT_ONCE)
        parts = [pictures.at(slice(start, start + READ_AT_ONCE)) for start in sides]
        num_bytes = sum(layer[:1].nbytes for layer in self.layers(parts[0].at(slice(0, 1)).to(self.device).x0))
        if 2 * num_bytes * len(pictures.images) > MOST_BYTES:
            return None
        flips = (
            lambda part: part,
            lambda part: part.mirrored(torch.ones(len(part.images), dtype=torch.bool, device="cpu")),
        )
        read = [[self.layers(flip(part).to(self.device).x0) for part in parts] for flip in flips]
        plain, mirrored = ([torch.cat(layer) for layer in zip(*maps, strict=True)] for maps in read)

        def layers_of(chosen: Tensor, flip: Tensor) -> list[Tensor]:
            chosen, flip = chosen.to(self.device), flip.to(self.device)[:, None, None, None]
            return [torch.where(flip, b[chosen], a[chosen]) for a, b in zip(plain, mirrored, strict=True)]

        return layers_of

    def _logits(self, layers: list[Tensor]) -> Tensor:
        """(B, K, H, W) from what `layers` returned."""
        size = layers[0].shape[-2:]
        brought = [project(layer) for project, layer in zip(self.projections, layers, strict=True)]
        # Bringing them to one width first is the same, and cheaper where they are small.
        h = torch.stack([F.interpolate(layer, size=size, mode="bilinear") for layer in brought]).sum(0)
        return self.label_head(self.mix(h))


CONFIGS[HeadConfig.format] = HeadConfig
