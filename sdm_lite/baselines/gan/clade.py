"""CLADE, Tan et al. (2021): scale and shift are looked up by class, not computed from the label map around a pixel.

The one idea: what SPADE gains, it gains from knowing the class of a pixel. So its convolutions in every norm become two
tables with a row for each class, read at each pixel: a fraction of the parameters, hardly an operation.

    out(p) = BatchNorm(h)(p) * W[class(p)] + B[class(p)],   W ~ U(0, 1) and B = 0 at first; no "1 +"

A table knows no edges of instances: each norm appends the edge map, scaled, as one more channel.

All else is SPADE's: blocks, stem, discriminator, losses, rates. Left out: the variant that also reads where in its
region a pixel lies (ICPE), and SPADE's image encoder: the generator is deterministic. Departs: widths for small
pictures, wider than our SPADE's so that both have about as many parameters; at SPADE's widths CLADE has half of them,
which is its message.

Shapes: B pictures, K condition channels, C feature channels, h x w pixels of the features; E = 1 edge channel, or 0
without instances.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdm_lite.baselines.gan.blocks import Block, Decoder, batch_norm, conditions, widths_for
from sdm_lite.baselines.gan.spade import SPADE_GAN
from sdm_lite.baselines.gan.system import Generator, Layout, LayoutForm, Noise

SMALL = (128, 128, 128, 96, 48)
LARGE = (160, 160, 160, 128, 64, 32)


class ClassNorm(nn.Module):
    """Parameter-free batch norm, then the scale and shift of each pixel's class. Tan et al. (2021).

    Args:
        channels: C.
        num_classes: rows of the tables.
        has_instances: whether there is an edge channel to append.
    """

    def __init__(self, channels: int, num_classes: int, *, has_instances: bool):
        super().__init__()
        self.num_classes = num_classes
        self.norm = batch_norm(channels)
        self.scale = nn.Parameter(torch.rand(num_classes, channels, dtype=torch.float32, device="cpu"))
        self.shift = nn.Parameter(torch.zeros(num_classes, channels, dtype=torch.float32, device="cpu"))
        self.edge = nn.Conv2d(1, 1, 1) if has_instances else None

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        """(B, C, h, w) and the condition at its resolution, (B, K, h, w), to (B, C + E, h, w)."""
        one_hot, edges = condition[:, : self.num_classes], condition[:, self.num_classes :]
        # Looked up by a 1x1 convolution of the one-hot map: the same numbers as by index, sooner.
        table = torch.cat([self.scale, self.shift], dim=1).t()[:, :, None, None]  # (2 C, num_classes, 1, 1)
        scale, shift = F.conv2d(one_hot, table).chunk(2, dim=1)  # (B, C, h, w) each
        modulated = self.norm(h) * scale + shift
        return modulated if self.edge is None else torch.cat([modulated, self.edge(edges)], dim=1)


class CLADEGenerator(Generator):
    """A layout to a picture; no noise."""

    def __init__(self, form: LayoutForm):
        super().__init__()
        self.form = form
        widths = widths_for(form, SMALL, LARGE)
        self.stem = nn.Conv2d(form.condition_channels, widths[0], 3, padding=1)

        def norm(width: int) -> nn.Module:
            return ClassNorm(width, form.num_classes, has_instances=form.has_instances)

        def block(level: int, before: int, after: int) -> nn.Module:
            return Block(before, after, norm=norm, extra_channels=int(form.has_instances))

        self.decoder = Decoder(widths, block)

    def forward(self, layout: Layout, noise: Noise = ()) -> Tensor:
        """The picture, (B, 3, H, W) in [-1, 1]."""
        levels = conditions(layout, self.form)
        return self.decoder(self.stem(levels[0]), levels)


CLADE = SPADE_GAN._replace(
    name="clade",
    title="CLADE",
    citation="Tan et al. (2021)",
    make_generator=CLADEGenerator,
    rate_factor=1.0,
)
