"""SCGAN, Wang et al. (2021), Image Synthesis via Semantic Composition: each pixel mixes a few shared experts.

The one idea: a network of its own reads the label map from coarse to fine and gives each pixel of each resolution a
vector, and from it a few weights that sum to 1. Convolutions, and scale and shift after the norm, are mixtures of as
many experts by these weights: what is alike shares its weights, wherever it is and whatever it is called.

    w(p) = softmax over i of temperature * mean of the i-th group of the vector's channels at p
    conv(h)(p) = sum_i w_i(p) conv_i(h)(p)
    norm(h)(p) = (1 + gamma(p)) BatchNorm(h)(p) + beta(p),   [gamma, beta](p) = sum_i w_i(p) a_i,   a_i = 0 at first

The vectors also paint a sketch of the picture, whose L1 distance from the true one is a loss: so they learn the scene.

Left out: what the configuration for faces has alone, Gaussian position maps and noise: the generator is deterministic.
Departs: widths for small pictures, those of the vectors divisible by the number of experts; norms and convolutions
share one set of weights, of three experts each; a temperature of 10 with vectors under spectral norm, since at the
published .5 all experts still had nearly equal weights (a standard deviation over pixels below .01) after 75 of our
steps; SPADE's patch discriminator, as for faces, and not the projection pyramid of the scenes, so that against SPADE
the generator alone differs.

Shapes: B pictures, K condition channels, C feature channels, N experts, h x w pixels of the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from sdm_lite.baselines.gan.blocks import (
    Block,
    Decoder,
    PlainConv,
    SPADENorm,
    batch_norm,
    conditions,
    doubled,
    leaky,
    widths_for,
)
from sdm_lite.baselines.gan.losses import FeatureMatching, PictureLoss
from sdm_lite.baselines.gan.spade import SPADE_GAN
from sdm_lite.baselines.gan.system import Drawing, Generator, Layout, LayoutForm, Noise

SMALL = (72, 72, 72, 48, 32)
LARGE = (80, 80, 80, 64, 48, 32)
VECTORS = (66, 48, 33, 24, 18)  # channels of the vectors, coarse to fine
NUM_EXPERTS = 3
TEMPERATURE = 10.0  # published: .05 or .5 by data set, of vectors that have many more steps to grow


class Mixture(NamedTuple):
    """What a block of one resolution reads: its condition (B, K, h, w) and weights (B, N, h, w) that sum to 1."""

    condition: Tensor
    weights: Tensor


class SemanticVectors(nn.Module):
    """From the label map to vectors at every resolution, each from the coarser ones, and a sketch of the picture.

    All its convolutions are under spectral norm, an option of the original.

    Args:
        condition_channels: K.
        widths: channels of the vectors, coarse to fine.
    """

    def __init__(self, condition_channels: int, widths: Sequence[int]):
        super().__init__()
        before = (0, *widths[:-1])
        self.levels = nn.ModuleList(
            nn.ModuleList([PlainConv(coarser + condition_channels, width, 3), PlainConv(width, width, 3)])
            for coarser, width in zip(before, widths, strict=True)
        )
        self.sketch = nn.ModuleList([PlainConv(widths[-1], widths[-1], 3), PlainConv(widths[-1], 3, 3)])

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Conditions (B, K, h, w), coarse to fine, to vectors (B, widths[l], h, w)."""
        vectors: list[Tensor] = []
        for (first, second), condition in zip(self.levels, levels, strict=True):
            h = torch.cat([doubled(vectors[-1]), condition], dim=1) if vectors else condition
            vectors.append(leaky(second(leaky(first(h)))))
        return vectors

    def paint(self, vectors: Tensor) -> Tensor:
        """The finest vectors, (B, widths[-1], H, W), to a sketch (B, 3, H, W) in [-1, 1]."""
        first, second = self.sketch
        return second(leaky(first(vectors))).tanh()


def mixture_weights(vectors: Tensor, num_experts: int = NUM_EXPERTS) -> Tensor:
    """Softmax over the means of equal groups of channels: (B, C, h, w) to (B, N, h, w), which sum to 1."""
    return (TEMPERATURE * vectors.unflatten(1, (num_experts, -1)).mean(2)).softmax(1)


class MixedNorm(nn.Module):
    """Parameter-free batch norm, then a mixture of scales and shifts; zero at first, so that it starts as the norm."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = batch_norm(channels)
        self.experts = nn.Parameter(torch.zeros(NUM_EXPERTS, 2 * channels, dtype=torch.float32, device="cpu"))

    def forward(self, h: Tensor, level: Mixture) -> Tensor:
        """(B, C, h, w) to the same."""
        kernel = self.experts.t()[:, :, None, None]  # (2 C, N, 1, 1): a mixture at each pixel is a 1x1 convolution
        gamma, beta = F.conv2d(level.weights, kernel).chunk(2, dim=1)  # (B, C, h, w) each
        return self.norm(h) * (1 + gamma) + beta


class MixedConv(nn.Module):
    """A mixture of convolutions without bias, each under spectral norm, by the weights at the pixel that they give."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int):
        super().__init__()
        self.experts = nn.ModuleList(
            spectral_norm(nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False))
            for _ in range(NUM_EXPERTS)
        )

    def forward(self, h: Tensor, level: Mixture) -> Tensor:
        """(B, in, h, w) to (B, out, h, w)."""
        weights = level.weights.split(1, dim=1)  # N of (B, 1, h, w)
        return sum(weight * expert(h) for weight, expert in zip(weights, self.experts, strict=True))


class ShortcutNorm(SPADENorm):
    """SPADE, which a shortcut keeps: it reads the condition and not the weights."""

    def forward(self, h: Tensor, level: Mixture) -> Tensor:
        """(B, C, h, w) to the same."""
        return super().forward(h, level.condition)


class SCGANGenerator(Generator):
    """A layout to a picture; no noise."""

    def __init__(self, form: LayoutForm):
        super().__init__()
        self.form = form
        widths, channels = widths_for(form, SMALL, LARGE), form.condition_channels
        self.vectors = SemanticVectors(channels, VECTORS[: form.num_doublings + 1])
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)

        def shortcut_norm(width: int) -> nn.Module:
            return ShortcutNorm(width, channels)

        def shortcut_conv(before: int, after: int, kernel_size: int) -> nn.Module:
            return PlainConv(before, after, 3, bias=False)  # 3x3 here, where SPADE has 1x1

        def block(level: int, before: int, after: int) -> nn.Module:
            return Block(
                before,
                after,
                norm=MixedNorm,
                conv=MixedConv,
                shortcut_norm=shortcut_norm,
                shortcut_conv=shortcut_conv,
            )

        self.decoder = Decoder(widths, block)

    def draw(self, layout: Layout, noise: Noise = ()) -> Drawing:
        """The picture, and the sketch that the vectors are trained on."""
        levels = conditions(layout, self.form)
        vectors = self.vectors(levels)
        mixtures = [Mixture(level, mixture_weights(vector)) for level, vector in zip(levels, vectors, strict=True)]
        features = self.decoder.features(self.stem(levels[0]), mixtures)
        image = F.hardtanh(self.decoder.head(leaky(features)))
        return Drawing(image, (self.vectors.paint(vectors[-1]),))

    def forward(self, layout: Layout, noise: Noise = ()) -> Tensor:
        """The picture, (B, 3, H, W) in [-1, 1]."""
        return self.draw(layout, noise).image


SCGAN = SPADE_GAN._replace(
    name="scgan",
    title="SCGAN",
    citation="Wang et al. (2021)",
    make_generator=SCGANGenerator,
    rate_factor=10.0,
    generator_losses=(FeatureMatching(10.0), PictureLoss(2.0)),
    betas=(0.0, 0.999),
)
