"""OASIS: the discriminator segments, and its verdict is all the supervision there is. Sushko et al. (2021).

The one idea: the discriminator says for each pixel which class it is of or that it is fake (`Segmenting`), so it has to
understand pictures instead of being handed the layout; the generator's loss is that each pixel be taken for its class.
Classes count equally (`SegmentationLoss`), LabelMix makes the discriminator's verdict depend on what is in a region
alone, and with no loss that compares with one true picture, noise beside the labels in every norm makes pictures
differ: one vector z a picture, repeated at all pixels.

Left out: two levels of the generator and the optional VGG loss. Departs: widths and latent are small (z 16 for 64);
LabelMix draws its coins from a table, so that class 0 gets a fair one; class weights are capped; the edge channel,
which the generator does not take, is cut off here.

Shapes: B pictures, K classes, Z numbers of noise, h x w at one resolution.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sdm_lite.baselines.gan.blocks import Block, Decoder, SPADENorm, conditions, widths_for
from sdm_lite.baselines.gan.discriminators import Segmenting
from sdm_lite.baselines.gan.losses import LabelMix, SegmentationLoss
from sdm_lite.baselines.gan.system import Generator, Layout, LayoutForm, Noise, System

SMALL = (96, 96, 96, 64, 32)
LARGE = (128, 128, 128, 96, 64, 32)
Z = 16


class OASISGenerator(Generator):
    """SPADE's generator, whose stem and norms read noise beside the labels."""

    noise_shapes = ((Z,),)

    def __init__(self, form: LayoutForm):
        super().__init__()
        self.form = form
        widths, channels = widths_for(form, SMALL, LARGE), form.num_classes + Z
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)

        def norm(width: int) -> nn.Module:
            return SPADENorm(width, channels)

        self.decoder = Decoder(widths, lambda level, before, after: Block(before, after, norm=norm))

    def forward(self, layout: Layout, noise: Noise = ()) -> Tensor:
        """The picture, (B, 3, H, W) in [-1, 1].

        Args:
            layout: B of them.
            noise: z, (B, Z), the same everywhere, or (B, Z, H, W) for other looks in other places.
        """
        (z,) = noise
        z = z if z.ndim == 4 else z[..., None, None].expand(-1, -1, *self.form.size)
        classes = layout.condition[:, : self.form.num_classes]
        levels = conditions(layout._replace(condition=torch.cat([z, classes], dim=1)), self.form)
        return self.decoder(self.stem(levels[0]), levels)


OASIS = System(
    name="oasis",
    title="OASIS",
    citation="Sushko et al. (2021)",
    make_generator=OASISGenerator,
    make_discriminator=Segmenting,
    adversarial=SegmentationLoss(),
    discriminator_losses=(LabelMix(),),
    betas=(0.0, 0.999),
    rate_factor=10.0,
)
