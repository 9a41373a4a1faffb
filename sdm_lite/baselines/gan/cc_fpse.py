"""CC-FPSE: the layout predicts the kernels that convolve the features, pixel by pixel. Liu et al. (2019).

The one idea: where SPADE lets the layout scale and shift features, here a small network reads the layout and predicts a
depth-wise 3x3 kernel for each channel at each pixel (`convolve_by`), and a gate on what comes out. The discriminator,
a feature pyramid that looks at pictures alone, scores how well its features agree with an embedding of what should be
there (`ProjectionPyramid`).

Left out: two resolutions and more, by size, and two norms that the published block has and never calls. Departs: widths
are small (64 channels at most, 24 in the networks that predict, latent 32 for 256); the encoder serves training alone:
at test the latent is drawn from the prior, where the published scripts encode the true picture.

Shapes: B pictures, K condition channels, P of the layout's pyramid, C feature channels, H x W pixels, h x w of a level.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from sdm_lite.baselines.gan.blocks import Decoder, PlainConv, SPADENorm, conditions, leaky, widths_for
from sdm_lite.baselines.gan.discriminators import ProjectionPyramid, normed_conv
from sdm_lite.baselines.gan.losses import FeatureMatching, Hinge, KullbackLeibler
from sdm_lite.baselines.gan.spade import VGG_WEIGHTS
from sdm_lite.baselines.gan.system import Generator, Layout, LayoutForm, Noise, Posterior, System

SMALL = (64, 64, 64, 48, 32)
LARGE = (64, 64, 64, 64, 48, 32)
Z, PYRAMID, HIDDEN = 32, 16, 24  # channels of the latent, of the layout's pyramid, of the networks that predict


def convolve_by(kernels: Tensor, h: Tensor) -> Tensor:
    """A depth-wise 3x3 convolution with a kernel of its own at every pixel; zeros around the picture.

    Args:
        kernels: (B, 9 C, h, w); channel 9 c + 3 i + j weighs, for channel c, the neighbour i - 1 rows below and j - 1
            columns to the right.
        h: (B, C, h, w).

    Returns:
        (B, C, h, w).
    """
    height, width = h.shape[-2:]
    taps, padded = kernels.unflatten(1, (-1, 9)), F.pad(h, (1, 1, 1, 1))  # (B, C, 9, h, w), (B, C, h + 2, w + 2)
    # Nine shifted products: F.unfold would hold nine copies of the features.
    places = [(i, j) for i in range(3) for j in range(3)]
    products = (padded[..., i : i + height, j : j + width] * taps[:, :, 3 * i + j] for i, j in places)
    return sum(products)


def predictor(context_channels: int, out_channels: int) -> nn.Sequential:
    """Two 3x3 convolutions from what is known of the layout to what is predicted at each pixel."""
    return nn.Sequential(
        nn.Conv2d(context_channels, HIDDEN, 3, padding=1), nn.ReLU(), nn.Conv2d(HIDDEN, out_channels, 3, padding=1)
    )


class PredictedStep(nn.Module):
    """Batch norm, convolution by predicted kernels, 1x1 across the channels, a predicted gate, LeakyReLU."""

    def __init__(self, in_channels: int, out_channels: int, context_channels: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.kernels = predictor(context_channels, 9 * in_channels)
        self.mix = PlainConv(in_channels, out_channels, 1)
        self.gate = predictor(context_channels, out_channels)

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        """(B, in, h, w) to (B, out, h, w), by a context (B, K + P, h, w)."""
        h = self.mix(convolve_by(self.kernels(context), self.norm(h)))
        return leaky(h * self.gate(context).sigmoid())


class PredictedBlock(nn.Module):
    """Two such steps beside a shortcut, which is SPADE and 1x1 where widths differ.

    Args:
        in_channels: of what comes.
        out_channels: of what goes.
        condition_channels: K, which the shortcut reads; the steps read K + P.
    """

    def __init__(self, in_channels: int, out_channels: int, condition_channels: int):
        super().__init__()
        middle, self.condition_channels = min(in_channels, out_channels), condition_channels
        self.step_0 = PredictedStep(in_channels, middle, condition_channels + PYRAMID)
        self.step_1 = PredictedStep(middle, out_channels, condition_channels + PYRAMID)
        self.has_shortcut = in_channels != out_channels
        if self.has_shortcut:
            self.norm_s = SPADENorm(in_channels, condition_channels, hidden_channels=HIDDEN)
            self.conv_s = PlainConv(in_channels, out_channels, 1, bias=False)

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        """(B, in, h, w) to (B, out, h, w), by a context (B, K + P, h, w), the condition first."""
        residual = self.step_1(self.step_0(h, context), context)
        if self.has_shortcut:
            h = self.conv_s(self.norm_s(h, context[:, : self.condition_channels]))
        return h + residual


class LayoutPyramid(nn.Module):
    """What lies around each pixel of the layout: down by strided convolutions, up again with lateral sums.

    Args:
        form: of the layouts.
    """

    def __init__(self, form: LayoutForm):
        super().__init__()
        self.form, num_levels = form, form.num_doublings + 1
        widths = (form.condition_channels, *[PYRAMID] * num_levels)
        self.down = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(0.2),
            )
            for before, after in pairwise(widths)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(PYRAMID, PYRAMID, 1) for _ in range(num_levels - 1))
        self.smooth = nn.ModuleList(nn.Conv2d(PYRAMID, PYRAMID, 3, padding=1) for _ in range(num_levels))

    def forward(self, layout: Layout) -> list[Tensor]:
        """The condition and the pyramid's features at every level, coarse to fine, (B, K + P, h, w) each."""
        h, stack = layout.condition, []
        for layer in self.down:
            h = layer(h)
            stack.append(h)  # at strides 2, 4, ..., the last one at half the generator's start
        laterals = [lateral(below) for lateral, below in zip(self.lateral, stack[:-1], strict=True)]
        levels, contexts = conditions(layout, self.form), []
        for condition, lateral, smooth in zip(levels, [*reversed(laterals), None], self.smooth, strict=True):
            h = F.interpolate(h, condition.shape[-2:], mode="nearest")  # doubled, but for a start of an odd size
            h = h if lateral is None else h + lateral
            contexts.append(torch.cat([condition, smooth(h)], dim=1))
        return contexts


class CCFPSEGenerator(Generator):
    """A latent to the start of the picture; from there on the layout says how to convolve."""

    noise_shapes = ((Z,),)

    def __init__(self, form: LayoutForm):
        super().__init__()
        widths = widths_for(form, SMALL, LARGE)
        self.start = (widths[0], *(side // form.strides[0] for side in form.size))
        self.stem = nn.Linear(Z, self.start[0] * self.start[1] * self.start[2])
        self.pyramid = LayoutPyramid(form)
        channels = form.condition_channels
        self.decoder = Decoder(widths, lambda level, before, after: PredictedBlock(before, after, channels))

    def forward(self, layout: Layout, noise: Noise = ()) -> Tensor:
        """The picture, (B, 3, H, W) in [-1, 1], of a latent (B, Z)."""
        (z,) = noise
        return self.decoder(self.stem(z).unflatten(1, self.start), self.pyramid(layout))


class PictureEncoder(nn.Module):
    """A true picture to the distribution of its latent: strided convolutions down to the generator's start, one map.

    Args:
        form: of the layouts.
    """

    def __init__(self, form: LayoutForm):
        super().__init__()
        widths = (3, 32, 64, *[96] * (form.num_doublings - 2))
        self.layers = nn.Sequential(*(normed_conv(before, after, 3, stride=2) for before, after in pairwise(widths)))
        height, width = (side // form.strides[0] for side in form.size)
        self.head = nn.Linear(widths[-1] * height * width, 2 * Z)

    def forward(self, layout: Layout, image: Tensor) -> Posterior:
        """The posterior of the latent, (B, Z), of pictures (B, 3, H, W); the layout is not looked at."""
        mean, log_variance = self.head(self.layers(image).flatten(1)).chunk(2, dim=1)
        return Posterior((mean,), (log_variance,))


CC_FPSE = System(
    name="cc_fpse",
    title="CC-FPSE",
    citation="Liu et al. (2019)",
    make_generator=CCFPSEGenerator,
    make_discriminator=ProjectionPyramid,
    adversarial=Hinge(),
    make_encoder=PictureEncoder,
    generator_losses=(FeatureMatching(20.0), KullbackLeibler()),
    perceptual_weights=VGG_WEIGHTS,
    rate_factor=10.0,
)
