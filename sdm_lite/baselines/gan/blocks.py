"""What most of the generators are built of: SPADE's norm and block, and a decoder that is a stack of such blocks.

Apart from the systems because seven of the nine change one part of this and nothing else: a block is told which norm
and which convolution to use. Park et al. (2019); widths are this package's. Not `sdm_lite.spade`, which has the
diffusion network's group norm in place of batch norm.

Shapes: B pictures, C feature channels, K condition channels, h x w pixels of the features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from sdm_lite.baselines.gan.system import Layout, LayoutForm

NEGATIVE_SLOPE = 0.2  # of every LeakyReLU


def leaky(h: Tensor) -> Tensor:
    """LeakyReLU with the slope that all nine share."""
    return F.leaky_relu(h, NEGATIVE_SLOPE)


def initialise(network: nn.Module, gain: float = 0.02) -> nn.Module:
    """Xavier normal weights of every convolution and linear map, zero biases; other parameters stay as they are.

    As the published systems do (pix2pixHD: N(0, 0.02)). Under spectral norm the scale is of no account.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            normed = hasattr(module, "parametrizations")
            nn.init.xavier_normal_(module.parametrizations.weight.original if normed else module.weight, gain)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm without scale and shift, (B, C, h, w) to the same."""
    return nn.BatchNorm2d(channels, affine=False)


class SPADENorm(nn.Module):
    """Parameter-free batch norm, then scale and shift read off the label map, pixel by pixel.

        out = (1 + gamma(m)) BatchNorm(h) + beta(m)

    Park et al. (2019), Eq. 1, which writes gamma for 1 + gamma.

    Args:
        channels: C.
        context_channels: of the map m that is read: K, or more where noise lies beside the labels (OASIS).
        hidden_channels: of the shared convolution; published: 128.
        groups: of all its convolutions, for GroupDNet.
    """

    def __init__(self, channels: int, context_channels: int, *, hidden_channels: int = 32, groups: int = 1):
        super().__init__()
        self.norm = batch_norm(channels)
        self.shared = nn.Conv2d(context_channels, hidden_channels, 3, padding=1, groups=groups)
        # gamma and beta in one convolution: the same numbers as two, one pass over the hidden features.
        self.gamma_beta = nn.Conv2d(hidden_channels, 2 * channels, 3, padding=1, groups=groups)
        self.groups = groups

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        """Normalise (B, C, h, w) by a context (B, context_channels, h, w)."""
        hidden = F.relu(self.shared(context))
        if self.groups == 1:
            gamma, beta = self.gamma_beta(hidden).chunk(2, dim=1)
        else:  # each group gives its own channels' gamma, then their beta
            both = self.gamma_beta(hidden).unflatten(1, (self.groups, 2, -1))
            gamma, beta = both[:, :, 0].flatten(1, 2), both[:, :, 1].flatten(1, 2)
        return torch.addcmul(beta, self.norm(h), 1 + gamma)


class PlainConv(nn.Module):
    """A convolution under spectral norm that ignores the context: what a block has where a system says nothing else."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, bias: bool = True, groups: int = 1):
        super().__init__()
        conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=bias, groups=groups)
        self.conv = spectral_norm(conv)

    def forward(self, h: Tensor, context: object = None) -> Tensor:
        """(B, in, h, w) to (B, out, h, w)."""
        return self.conv(h)


class Block(nn.Module):
    """SPADE's residual block: twice norm, LeakyReLU, 3x3 convolution; a shortcut of norm and 1x1 where widths differ.

    Args:
        in_channels: of what comes.
        out_channels: of what goes.
        norm: from a width to a module that takes (h, context).
        conv: from widths in and out and a kernel size to a module that takes (h, context).
        extra_channels: how many channels more than its width a norm gives (CLADE's edge).
        shortcut_norm: as `norm`, for the shortcut; default: `norm`.
        shortcut_conv: as `conv`, for the shortcut; default: 1x1 under spectral norm, without bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        norm: Callable[[int], nn.Module],
        conv: Callable[[int, int, int], nn.Module] = PlainConv,
        extra_channels: int = 0,
        shortcut_norm: Callable[[int], nn.Module] | None = None,
        shortcut_conv: Callable[[int, int, int], nn.Module] | None = None,
    ):
        super().__init__()
        middle = min(in_channels, out_channels)
        self.norm_0, self.conv_0 = norm(in_channels), conv(in_channels + extra_channels, middle, 3)
        self.norm_1, self.conv_1 = norm(middle), conv(middle + extra_channels, out_channels, 3)
        self.has_shortcut = in_channels != out_channels
        if self.has_shortcut:
            self.norm_s = (shortcut_norm or norm)(in_channels)
            width = in_channels + extra_channels
            if shortcut_conv is None:
                self.conv_s = PlainConv(width, out_channels, 1, bias=False)
            else:
                self.conv_s = shortcut_conv(width, out_channels, 1)

    def forward(self, h: Tensor, context: object) -> Tensor:
        """(B, in, h, w) and whatever its norms and convolutions read to (B, out, h, w)."""
        residual = self.conv_0(leaky(self.norm_0(h, context)), context)
        residual = self.conv_1(leaky(self.norm_1(residual, context)), context)
        return residual + (self.conv_s(self.norm_s(h, context), context) if self.has_shortcut else h)


class Decoder(nn.Module):
    """A stack of blocks, coarse to fine, with a nearest doubling before each but the first; then the picture.

    Args:
        widths: of what comes in, then of what each block gives: one more than there are levels.
        make_block: from a level, 0 the coarsest, and widths in and out to a block that takes (h, context).
    """

    def __init__(self, widths: Sequence[int], make_block: Callable[[int, int, int], nn.Module]):
        super().__init__()
        pairs = zip(widths[:-1], widths[1:], strict=True)
        self.blocks = nn.ModuleList(make_block(level, *pair) for level, pair in enumerate(pairs))
        self.head = nn.Conv2d(widths[-1], 3, 3, padding=1)

    def features(self, h: Tensor, contexts: Sequence[object]) -> Tensor:
        """What the last block gives, (B, widths[-1], H, W)."""
        for level, (block, context) in enumerate(zip(self.blocks, contexts, strict=True)):
            h = block(doubled(h) if level else h, context)
        return h

    def picture(self, features: Tensor) -> Tensor:
        """From the last features to (B, 3, H, W) in [-1, 1]."""
        return self.head(leaky(features)).tanh()

    def forward(self, h: Tensor, contexts: Sequence[object]) -> Tensor:
        """The picture.

        Args:
            h: (B, widths[0], H / 2^n, W / 2^n), the start.
            contexts: what the blocks of each level read, coarse to fine.
        """
        return self.picture(self.features(h, contexts))


def doubled(h: Tensor) -> Tensor:
    """(B, C, h, w) to (B, C, 2 h, 2 w), nearest."""
    return F.interpolate(h, scale_factor=2, mode="nearest")


def conditions(layout: Layout, form: LayoutForm) -> list[Tensor]:
    """The condition at every level of a decoder, coarse to fine: (B, K, h, w) each, nearest.

    Edges are one pixel wide: at the coarse levels most of them fall between the pixels that are kept.
    """
    return [layout.condition[..., ::stride, ::stride] for stride in form.strides]


def edges(layout: Layout, form: LayoutForm) -> Tensor:
    """The instance edges, (B, 1, H, W), or (B, 0, H, W) of layouts without instances."""
    return layout.condition[:, form.num_classes :]


def widths_for(form: LayoutForm, small: Sequence[int], large: Sequence[int]) -> Sequence[int]:
    """Which widths to take: `small` for 4 levels (below 64 pixels), `large` for 5."""
    widths = small if form.num_doublings == 3 else large
    assert len(widths) == form.num_doublings + 2, "one for the start and one for each level"
    return widths
