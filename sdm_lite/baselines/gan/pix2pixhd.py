"""pix2pixHD, Wang et al. (2018): the label map and the edges of its instances go in, and come out translated.

The one idea: an encoder, residual blocks and a decoder translate the one-hot label map together with the map of
instance edges, which tells two cars side by side apart; patch discriminators on a pyramid of averages, each half the
size of the one before, judge the picture at several scales; their features are matched with those of the true picture.
"HD" is a local enhancer around this global generator, which doubles the resolution: here from 64 pixels on.

Left out: the feature encoder, by which one label map has several pictures (features averaged inside each instance,
drawn from clusters at test), so that the generator is deterministic, as the paper's Table 1 scores it; the pool of past
pictures, off in the original.

Departs: 32 channels, two halvings and four residual blocks instead of 64, four and nine; discriminators one layer
shallower at 32 pixels; global generator and enhancer are trained together from the first step, not one after the other;
each player of the common loop has a picture drawn for it, where the original draws one for both; feature matching
weighs each layer by 10, however many there are, where the original keeps their sum.

Shapes: B pictures, K condition channels, C feature channels, H x W pixels.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from sdm_lite.baselines.gan.discriminators import PatchPyramid
from sdm_lite.baselines.gan.losses import FeatureMatching, LeastSquares
from sdm_lite.baselines.gan.spade import VGG_WEIGHTS
from sdm_lite.baselines.gan.system import Generator, Layout, LayoutForm, Noise, System

WIDTH = 32  # of the global network at its full size
NUM_DOWNS = 2
NUM_BLOCKS = 4  # residual blocks at its smallest size


def convolution(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps the size (but for its stride), an instance norm without scale and shift, ReLU."""
    padding, mode = kernel_size // 2, "zeros" if stride > 1 else "reflect"
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, padding_mode=mode),
        nn.InstanceNorm2d(out_channels),
        nn.ReLU(),
    )


def doubling(in_channels: int, out_channels: int) -> nn.Sequential:
    """A transposed convolution to twice the size, instance norm, ReLU."""
    return nn.Sequential(
        nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1),
        nn.InstanceNorm2d(out_channels),
        nn.ReLU(),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions of C channels with instance norm, added to what came in; nothing after the sum."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            convolution(channels, channels, 3),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, h: Tensor) -> Tensor:
        """(B, C, h, w) to the same."""
        return h + self.body(h)


class GlobalNetwork(nn.Sequential):
    """Encoder, residual blocks, decoder: (B, K, H, W) to features (B, width, H, W)."""

    def __init__(self, condition_channels: int, width: int, num_downs: int, num_blocks: int):
        widths = [width * 2**level for level in range(num_downs + 1)]
        super().__init__(
            convolution(condition_channels, width, 7),
            *(convolution(wide, 2 * wide, 3, stride=2) for wide in widths[:-1]),
            *(ResidualBlock(widths[-1]) for _ in range(num_blocks)),
            *(doubling(2 * wide, wide) for wide in reversed(widths[:-1])),
        )


class LocalEnhancer(nn.Module):
    """A global network at half the size, whose features are added to those of a shallow one at full size.

    (B, K, H, W) to features (B, width / 2, H, W), where width is that of the global network.
    """

    def __init__(self, condition_channels: int, inner: GlobalNetwork, width: int, num_blocks: int = 3):
        super().__init__()
        self.inner = inner
        self.down = nn.Sequential(
            convolution(condition_channels, width // 2, 7), convolution(width // 2, width, 3, stride=2)
        )
        self.up = nn.Sequential(*(ResidualBlock(width) for _ in range(num_blocks)), doubling(width, width // 2))

    def forward(self, condition: Tensor) -> Tensor:
        """(B, K, H, W) to (B, width / 2, H, W)."""
        half = F.avg_pool2d(condition, 3, stride=2, padding=1, count_include_pad=False)  # (B, K, H / 2, W / 2)
        return self.up(self.down(condition) + self.inner(half))


class Pix2PixHDGenerator(Generator):
    """From the label map and its edges to the picture, no noise; below 64 pixels without the local enhancer."""

    def __init__(self, form: LayoutForm):
        super().__init__()
        channels, is_large = form.condition_channels, min(form.size) >= 64
        features = GlobalNetwork(channels, WIDTH, NUM_DOWNS, NUM_BLOCKS)
        self.features = LocalEnhancer(channels, features, WIDTH) if is_large else features
        self.to_image = nn.Conv2d(WIDTH // 2 if is_large else WIDTH, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, layout: Layout, noise: Noise = ()) -> Tensor:
        """The picture (B, 3, H, W) in [-1, 1] of a layout."""
        return self.to_image(self.features(layout.condition)).tanh()


PIX2PIXHD = System(
    name="pix2pixhd",
    title="pix2pixHD",
    citation="Wang et al. (2018)",
    make_generator=Pix2PixHDGenerator,
    make_discriminator=partial(PatchPyramid, has_spectral_norm=False),
    adversarial=LeastSquares(),
    generator_losses=(FeatureMatching(10.0),),
    perceptual_weights=VGG_WEIGHTS,
    generator_rate=2e-4,
    discriminator_rate=2e-4,
    betas=(0.5, 0.999),
    rate_factor=10.0,
)
