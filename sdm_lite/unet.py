"""The SDM U-Net: the encoder sees the noisy image, middle and decoder read the label map.

Three functions in a row, and kept apart for what that saves: `encode` has no label in it, so guidance runs it once for
both of its passes; `modulate` has no noisy image and no timestep in it, so it runs once for a whole trajectory;
`decode` joins them. Wang et al. (2022), section 3.2, Figure 3; where the text is silent (block order, middle block, up-
and down-sampling) the network is the published one, which builds on Dhariwal & Nichol (2021, ADM).

Shapes: B batch, C feature channels, K condition channels, E embedding channels, H x W pixels, h x w of the features.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdm_lite.labels import encode_labels
from sdm_lite.presets import UNetConfig
from sdm_lite.pyramid import Level, condition_pyramid
from sdm_lite.spade import SPADE, Modulator, PlainNorm

Modulation = list[Modulator]  # one entry for each SPADE, in the order in which `decode` meets them


class Features(NamedTuple):
    """What the encoder hands to the decoder: nothing in it depends on the label map.

    Attributes:
        h: (B, C, h, w), the last features.
        skips: the features of every encoder stage, first to last.
        embedding: (B, E), of the timestep.
    """

    h: Tensor
    skips: tuple[Tensor, ...]
    embedding: Tensor


def timestep_embedding(timestep: Tensor, channels: int) -> Tensor:
    """Cosines and sines of the timestep at geometric frequencies, 1 down to 1/10000. Vaswani et al. (2017).

    Args:
        timestep: (B,) int64 or float.
        channels: how many; one odd channel more is zero.

    Returns:
        (B, channels) float32, cosines first.
    """
    half = channels // 2
    steps = torch.arange(half, dtype=torch.float32, device=timestep.device)
    frequencies = torch.exp(-math.log(10_000) * steps / half)
    angles = timestep.float()[:, None] * frequencies  # (B, half)
    return F.pad(torch.cat([angles.cos(), angles.sin()], dim=1), (0, channels % 2))


def zeroed(layer: nn.Module) -> nn.Module:
    """The layer with all weights zero, so that what it ends adds nothing at first."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class ResBlock(nn.Module):
    """The residual block of Figure 3b. Plain norms make it the encoder's, SPADE the decoder's: one argument apart.

    The timestep scales and shifts the features after the second norm, Eq. 6, with 1 + scale as the published code has
    it.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        embedding_channels: E.
        in_norm: a PlainNorm or SPADE of in_channels, at the input's resolution.
        out_norm: the same of out_channels, at the output's resolution.
        resample: changes the resolution of both branches between the first norm and convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        embedding_channels: int,
        in_norm: nn.Module,
        out_norm: nn.Module,
        resample: nn.Module | None = None,
    ):
        super().__init__()
        self.in_norm = in_norm
        self.resample = resample or nn.Identity()
        self.in_conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.timestep = nn.Linear(embedding_channels, 2 * out_channels)
        self.out_norm = out_norm
        self.out_conv = zeroed(nn.Conv2d(out_channels, out_channels, 3, padding=1))
        self.skip = nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, h: Tensor, embedding: Tensor, modulations: Iterator[Modulator] | None = None) -> Tensor:
        """(B, in_channels, h, w) to (B, out_channels, h', w'); takes two modulations if its norms are SPADEs."""
        first, second = (None, None) if modulations is None else (next(modulations), next(modulations))
        scale_shift = self.timestep(F.silu(embedding))[:, :, None, None]  # (B, 2 out_channels, 1, 1)
        scale, shift = scale_shift.chunk(2, dim=1)  # (B, out_channels, 1, 1) each
        out = self.in_conv(self.resample(F.silu(self.in_norm(h, first))))  # (B, out_channels, h', w')
        out = torch.addcmul(shift, self.out_norm(out, second), 1 + scale)
        out = self.out_conv(F.silu(out))
        return self.skip(self.resample(h)) + out  # (B, out_channels, h', w')


class Attention(nn.Module):
    """Multi-head self-attention over the pixels, with a residual connection.

    Scaled dot products, as the published code has it; the paper's Eq. 7 describes cosine similarity, which is used
    nowhere.
    """

    def __init__(self, channels: int, *, channels_per_head: int, num_groups: int):
        super().__init__()
        self.num_heads = channels // channels_per_head
        self.norm = nn.GroupNorm(num_groups, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, h: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C, h, w)."""
        batch, channels, height, width = h.shape
        qkv = self.qkv(self.norm(h))  # (B, 3 C, h, w)
        qkv = qkv.reshape(batch, self.num_heads, 3, -1, height * width)  # (B, heads, 3, C / heads, h w): heads first
        q, k, v = qkv.transpose(-1, -2).contiguous().unbind(dim=2)  # (B, heads, h w, C / heads) each
        mixed = F.scaled_dot_product_attention(q, k, v)  # (B, heads, h w, C / heads)
        return h + self.out(mixed.transpose(-1, -2).reshape(batch, channels, height, width))  # (B, C, h, w)


def in_short(layer: nn.Module) -> str:
    """A layer in a few words, for a line of a printed network."""
    if isinstance(layer, ResBlock):
        resample = "" if isinstance(layer.resample, nn.Identity) else f", {in_short(layer.resample)}"
        channels = f"{layer.in_conv.in_channels} -> {layer.in_conv.out_channels}"
        return f"ResBlock({channels}, {type(layer.in_norm).__name__}{resample})"
    if isinstance(layer, Attention):
        return f"Attention({layer.qkv.in_channels}, {layer.num_heads} heads)"
    return {nn.AvgPool2d: "halve", nn.Upsample: "double"}.get(type(layer), str(layer))


class Stage(nn.Module):
    """One step of the encoder or decoder: a residual block, perhaps attention, perhaps a doubling of the resolution.

    Args:
        resolution: "32 x 32", of its input at the configuration's image size: its name in `print(unet)`.
        block: a ResBlock, or what halves the resolution without weights.
        attention: None where there is none.
        up: None but at the end of a level of the decoder.
    """

    def __init__(
        self,
        resolution: str,
        block: nn.Module,
        attention: nn.Module | None = None,
        up: nn.Module | None = None,
    ):
        super().__init__()
        self.resolution = resolution
        self.block = block
        self.attention = attention
        self.up = up

    def forward(self, h: Tensor, embedding: Tensor, modulations: Iterator[Modulator] | None = None) -> Tensor:
        """(B, C, h, w) to (B, C', h', w')."""
        for layer in (self.block, self.attention, self.up):
            if isinstance(layer, ResBlock):
                h = layer(h, embedding, modulations)
            elif layer is not None:
                h = layer(h)
        return h

    def __repr__(self) -> str:
        """One line a stage, so that a printed network reads as its architecture; print a stage's `block` for more."""
        layers = [layer for layer in (self.block, self.attention, self.up) if layer is not None]
        return f"[{self.resolution}] {', '.join(map(in_short, layers))}"


class SDMUNet(nn.Module):
    """The denoising network of Wang et al. (2022): from x_t, t and a condition to noise and variance.

    Args:
        config: its numbers.

    Attributes:
        conditioning: where labels enter, as `UNetConfig.conditioning` says it.

    Raises:
        ValueError: if the configuration asks for another conditioning: `concat.make_unet` makes either.
    """

    conditioning = "spade"

    def __init__(self, config: UNetConfig):
        super().__init__()
        if config.conditioning != self.conditioning:
            raise ValueError(
                f"{type(self).__name__} has conditioning {self.conditioning!r}, the configuration asks for "
                f"{config.conditioning!r}: make_unet makes the network that a configuration asks for"
            )
        self.config = config
        base, embedding = config.base_channels, 4 * config.base_channels
        width = config.width(0)  # at full resolution
        self.embed = nn.Sequential(nn.Linear(base, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.input = nn.Conv2d(self._input_channels(), width, 3, padding=1)
        self.encoder, skip_channels = self._encoder()
        channels = skip_channels[-1]
        last = len(config.channel_multipliers) - 1
        self.middle = nn.ModuleList(
            [
                Stage(
                    config.resolution(last), self._decoder_block(channels, channels, last), self._attention(channels)
                ),
                Stage(config.resolution(last), self._decoder_block(channels, channels, last)),
            ]
        )
        self.decoder = self._decoder(channels, skip_channels)
        self.output_norm = nn.GroupNorm(config.num_groups, width)
        self.output = zeroed(nn.Conv2d(width, 6, 3, padding=1))
        # Channels last in memory: measured faster on a CPU, not yet tried on a GPU. Shapes and values are the same.
        self.to(memory_format=torch.channels_last)

    def _input_channels(self) -> int:
        return 3  # x_t alone: no label in the encoder

    def _attention(self, channels: int) -> Attention:
        return Attention(channels, channels_per_head=self.config.channels_per_head, num_groups=self.config.num_groups)

    def _plain_block(self, in_channels: int, out_channels: int, resample: nn.Module | None = None) -> ResBlock:
        groups = self.config.num_groups
        norms = PlainNorm(groups, in_channels), PlainNorm(groups, out_channels)
        return ResBlock(in_channels, out_channels, 4 * self.config.base_channels, *norms, resample)

    def _decoder_block(
        self,
        in_channels: int,
        out_channels: int,
        level: int,
        out_level: int | None = None,
        resample: nn.Module | None = None,
    ) -> ResBlock:
        def spade(channels: int, level: int) -> SPADE:
            return SPADE(
                channels,
                condition_channels=self.config.condition_channels,
                hidden_channels=self.config.spade_hidden_channels,
                num_groups=self.config.num_groups,
                kernel_size=self.config.spade_kernel_size,
                level=level,
            )

        norms = spade(in_channels, level), spade(out_channels, level if out_level is None else out_level)
        return ResBlock(in_channels, out_channels, 4 * self.config.base_channels, *norms, resample)

    def _encoder(self) -> tuple[nn.ModuleList, list[int]]:
        config, stages = self.config, nn.ModuleList()
        channels = config.width(0)
        skip_channels = [channels]
        for level in range(len(config.channel_multipliers)):
            for _ in range(config.num_res_blocks):
                block = self._plain_block(channels, config.width(level))
                channels = config.width(level)
                attention = self._attention(channels) if config.attends(level) else None
                stages.append(Stage(config.resolution(level), block, attention))
                skip_channels.append(channels)
            if level < len(config.channel_multipliers) - 1:
                halve = nn.AvgPool2d(2)
                block = self._plain_block(channels, channels, halve) if config.residual_resampling else halve
                stages.append(Stage(config.resolution(level), block))
                skip_channels.append(channels)
        return stages, skip_channels

    def _decoder(self, channels: int, skip_channels: list[int]) -> nn.ModuleList:
        config, stages, skips = self.config, nn.ModuleList(), list(skip_channels)
        for level in reversed(range(len(config.channel_multipliers))):
            for index in range(config.num_res_blocks + 1):
                block = self._decoder_block(channels + skips.pop(), config.width(level), level)
                channels = config.width(level)
                attention = self._attention(channels) if config.attends(level) else None
                up = None
                if level > 0 and index == config.num_res_blocks:
                    up = nn.Upsample(scale_factor=2, mode="nearest")
                    if config.residual_resampling:
                        up = self._decoder_block(channels, channels, level, level - 1, up)
                stages.append(Stage(config.resolution(level), block, attention, up))
        return stages

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.output.weight.device

    def condition(self, label_map: Tensor, instance_map: Tensor | None = None) -> Tensor:
        """The condition that this network reads of a label map: on its device, with edges if it was trained with them.

        Args:
            label_map: (B, H, W), an integer dtype, ids in 0..num_classes - 1.
            instance_map: (B, H, W), an integer dtype; read by networks with instance edges alone.

        Returns:
            (B, K, H, W) float32.

        Raises:
            ValueError: if an id is none of its classes, or it reads instances and there are none.
        """
        if self.config.instance_edges and instance_map is None:
            raise ValueError("this network reads the edges between instances, got no instance_map")
        instance_map = instance_map if self.config.instance_edges else None
        return encode_labels(label_map, self.config.num_classes, instance_map).to(self.device)

    def spades(self) -> list[SPADE]:
        """Every SPADE, in the order in which `decode` meets them."""
        return [
            module for part in (self.middle, self.decoder) for module in part.modules() if isinstance(module, SPADE)
        ]

    def check_size(self, height: int, width: int) -> None:
        """Raise ValueError unless the network can halve both sides often enough."""
        divisor = self.config.divisor
        if height % divisor or width % divisor or height < divisor or width < divisor:
            raise ValueError(
                f"height and width must be divisible by {divisor} (this network halves them "
                f"{len(self.config.channel_multipliers) - 1} times), got {height} x {width}"
            )

    def encode(self, x_t: Tensor, t: Tensor) -> Features:
        """Encode the noisy image; no label in it.

        Args:
            x_t: (B, 3, H, W).
            t: (B,) int64 in 1..T.

        Returns:
            Features for `decode`.

        Raises:
            ValueError: on another shape, or a size that cannot be halved often enough.
        """
        if x_t.ndim != 4 or x_t.shape[1] != self.input.in_channels:
            raise ValueError(f"x_t must have shape (B, {self.input.in_channels}, H, W), got {tuple(x_t.shape)}")
        self.check_size(*x_t.shape[2:])
        # The published networks count timesteps from 0: here, and only here, is the one subtracted.
        embedding = self.embed(timestep_embedding(t - 1, self.config.base_channels).to(x_t.dtype))  # (B, E)
        h = self.input(x_t)  # (B, C, H, W)
        skips = [h]
        for stage in self.encoder:
            h = stage(h, embedding)  # (B, C, h, w), down to H / 2^(levels - 1)
            skips.append(h)
        return Features(h, tuple(skips), embedding)

    def modulate(self, condition: Tensor) -> Modulation:
        """Every SPADE's scale and shift; no noisy image and no timestep in it.

        Args:
            condition: (B, K, H, W), or batch 1 to share one label map among all samples.

        Raises:
            ValueError: if K is not the network's, or the size cannot be halved often enough.
        """
        pyramid = self.pyramid(condition)  # level l is (B, K, H / 2^l, W / 2^l)
        return [spade.read(pyramid[spade.level]) for spade in self.spades()]  # (B, C, h, w) each

    def pyramid(self, condition: Tensor) -> list[Level]:
        """The condition (B, K, H, W) at every resolution; ValueError if it does not suit the network."""
        self.check_condition(condition)
        return condition_pyramid(condition, len(self.config.channel_multipliers))

    def check_condition(self, condition: Tensor) -> None:
        """Raise ValueError unless it is (B, K, H, W), of a size that the network can halve."""
        if condition.ndim != 4 or condition.shape[1] != self.config.condition_channels:
            raise ValueError(
                f"condition must have shape (B, {self.config.condition_channels}, H, W), got {tuple(condition.shape)}: "
                "one channel a class, and one for instance edges if the network was trained with them"
            )
        self.check_size(*condition.shape[2:])

    def check_sizes(self, x_t: Tensor, condition: Tensor) -> None:
        """Raise ValueError unless image and condition have the same height and width."""
        if x_t.shape[2:] != condition.shape[2:]:
            raise ValueError(
                f"image and label map differ in size: {tuple(x_t.shape[2:])} and {tuple(condition.shape[2:])}"
            )

    def decode(self, features: Features, modulation: Modulation | None) -> Tensor:
        """Decode the features under a modulation: (B, 6, H, W), noise channels first, then variance channels.

        Without SPADEs, in `concat`, there is None.
        """
        h, skips, embedding = features
        modulations, skips = None if modulation is None else iter(modulation), list(skips)
        for stage in self.middle:
            h = stage(h, embedding, modulations)  # (B, C, h, w), at the smallest h and w
        for stage in self.decoder:
            h = torch.cat([h, skips.pop()], dim=1)  # (B, C + skip's, h, w)
            h = stage(h, embedding, modulations)  # (B, C, h, w), up to H x W
        return self.output(F.silu(self.output_norm(h)))  # (B, 6, H, W)

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """decode(encode(x_t, t), modulate(condition)).

        Args:
            x_t: (B, 3, H, W).
            t: (B,) int64 in 1..T.
            condition: (B, K, H, W).

        Returns:
            (B, 6, H, W): see `GaussianDiffusion.predict`.

        Raises:
            ValueError: if image and condition differ in size.
        """
        self.check_sizes(x_t, condition)
        return self.decode(self.encode(x_t, t), self.modulate(condition))
