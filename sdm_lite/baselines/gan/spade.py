"""SPADE: the label map modulates a parameter-free batch norm in every block. Park et al. (2019), GauGAN.

The one idea: gamma and beta of the norm are read off the label map, pixel by pixel, by two convolutions, so that no
norm washes the labels out, and no encoder of the label map is needed: the first features are a convolution of the label
map at the coarsest size.

Left out: the image encoder (a style drawn from a normal distribution), so that the generator is deterministic, as the
paper's Table 1 scores it. Departs: widths and depth for 32 and 64 pixels; 32 hidden channels in each norm instead of
128; batch norm of one device.
"""

from __future__ import annotations

from torch import Tensor, nn

from sdm_lite.baselines.gan.blocks import Block, Decoder, SPADENorm, conditions, widths_for
from sdm_lite.baselines.gan.discriminators import PatchPyramid
from sdm_lite.baselines.gan.losses import FeatureMatching, Hinge
from sdm_lite.baselines.gan.system import Generator, Layout, LayoutForm, Noise, System

SMALL = (96, 96, 96, 64, 32)
LARGE = (128, 128, 128, 96, 64, 32)
VGG_WEIGHTS = (10 / 32, 10 / 16, 10 / 8, 10 / 4, 10.0)
"""Of the five stages of a perceptual network, shallow to deep, as pix2pixHD and most of the nine weigh VGG's."""


class SPADEGenerator(Generator):
    """A layout to a picture; no noise."""

    def __init__(self, form: LayoutForm):
        super().__init__()
        self.form = form
        widths = widths_for(form, SMALL, LARGE)
        channels = form.condition_channels
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)

        def norm(width: int) -> nn.Module:
            return SPADENorm(width, channels)

        self.decoder = Decoder(widths, lambda level, before, after: Block(before, after, norm=norm))

    def forward(self, layout: Layout, noise: Noise = ()) -> Tensor:
        """The picture, (B, 3, H, W) in [-1, 1]."""
        levels = conditions(layout, self.form)
        return self.decoder(self.stem(levels[0]), levels)


SPADE_GAN = System(
    name="spade",
    title="SPADE",
    citation="Park et al. (2019)",
    make_generator=SPADEGenerator,
    make_discriminator=PatchPyramid,
    adversarial=Hinge(),
    generator_losses=(FeatureMatching(10.0),),
    perceptual_weights=VGG_WEIGHTS,
    rate_factor=1.0,
)
