"""DAGAN, Tang et al. (2020), Dual Attention GANs: SPADE's generator with two gates on its last features.

The one idea: before the picture is painted, its features are weighed twice and the two results summed: by place (each
pixel has one factor, read off the mean and the largest of its channels) and by channel (each channel has one factor,
read off the mean of the picture).

    a = conv(before),   y = after,   where the last block turns before into after
    by place:    sigmoid(conv(mean and max over channels of y)) * y
    by channel:  sigmoid(W2 ReLU(W1 mean over pixels of [a, y])) * y + a

So it is in the published code, which attends once, at full size; the paper speaks of relating all pixels of equal
labels at any distance, which no such gate does. `a` is a way around the last block and has most of the added
parameters.

All else is SPADE's: blocks, discriminator, losses, rates; no noise. Left out: SPADE's image encoder. Departs: widths
for small pictures, which the original fixes at 128 and 64.

Shapes: B pictures, C channels of the last features, D of those before the last block, H x W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdm_lite.baselines.gan.blocks import conditions, doubled, widths_for
from sdm_lite.baselines.gan.spade import LARGE, SMALL, SPADE_GAN, SPADEGenerator
from sdm_lite.baselines.gan.system import Layout, LayoutForm, Noise


class SpatialGate(nn.Module):
    """One factor in (0, 1) for each pixel."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 3, padding=1, bias=False)

    def forward(self, after: Tensor) -> Tensor:
        """(B, C, H, W) to factors (B, 1, H, W)."""
        channels = torch.cat([after.mean(1, keepdim=True), after.amax(1, keepdim=True)], dim=1)
        return self.conv(channels).sigmoid()


class ChannelGate(nn.Module):
    """One factor in (0, 1) for each of C channels."""

    def __init__(self, channels: int):
        super().__init__()
        self.squeeze = nn.Conv2d(2 * channels, channels, 1)
        self.expand = nn.Conv2d(channels, channels, 1)

    def forward(self, skipped: Tensor, after: Tensor) -> Tensor:
        """Twice (B, C, H, W) to factors (B, C, 1, 1)."""
        means = torch.cat([skipped, after], dim=1).mean((2, 3), keepdim=True)
        return self.expand(F.relu(self.squeeze(means))).sigmoid()


class DualAttention(nn.Module):
    """Both gates, summed.

    Args:
        before_channels: D.
        channels: C.
    """

    def __init__(self, before_channels: int, channels: int):
        super().__init__()
        self.skip = nn.Conv2d(before_channels, channels, 3, padding=1)
        self.spatial_gate = SpatialGate()
        self.channel_gate = ChannelGate(channels)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """(B, D, H, W) that goes into the last block and (B, C, H, W) that it gives, to (B, C, H, W)."""
        skipped = self.skip(before)
        by_channel = self.channel_gate(skipped, after) * after + skipped
        return by_channel + self.spatial_gate(after) * after


class DAGANGenerator(SPADEGenerator):
    """A layout to a picture; no noise."""

    def __init__(self, form: LayoutForm):
        super().__init__(form)
        self.attention = DualAttention(*widths_for(form, SMALL, LARGE)[-2:])

    def forward(self, layout: Layout, noise: Noise = ()) -> Tensor:
        """The picture, (B, 3, H, W) in [-1, 1]."""
        levels = conditions(layout, self.form)
        *blocks, last = self.decoder.blocks
        h = blocks[0](self.stem(levels[0]), levels[0])
        for block, level in zip(blocks[1:], levels[1:-1], strict=True):
            h = block(doubled(h), level)
        before = doubled(h)
        return self.decoder.picture(self.attention(before, last(before, levels[-1])))


DAGAN = SPADE_GAN._replace(
    name="dagan",
    title="DAGAN",
    citation="Tang et al. (2020)",
    make_generator=DAGANGenerator,
    rate_factor=4.0,
)
