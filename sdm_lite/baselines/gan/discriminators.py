"""The discriminators: what looks at pictures, and at several sizes of them.

Apart from the systems because three kinds serve all nine: patches at several scales (Wang et al. 2018), a feature
pyramid with projection (Liu et al. 2019), a segmenter (Sushko et al. 2021).

Shapes: B pictures, K condition channels, H x W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from sdm_lite.baselines.gan.blocks import NEGATIVE_SLOPE, PlainConv, doubled, leaky
from sdm_lite.baselines.gan.system import Layout, LayoutForm, Scores


class PatchScale(nn.Module):
    """One scale: 4x4 convolutions, each of whose outputs judges a patch.

    Args:
        in_channels: of picture and condition together.
        width: of the first convolution; doubled at each one up to 512.
        num_layers: how many come before the last; all but one of them stride. A score sees 16 pixels of 2, 34 of 3.
        has_spectral_norm: of all but the first and last, as SPADE has it and pix2pixHD does not.
    """

    def __init__(self, in_channels: int, width: int, num_layers: int, *, has_spectral_norm: bool):
        super().__init__()
        wrap = spectral_norm if has_spectral_norm else (lambda conv: conv)
        self.layers = nn.ModuleList()
        self.layers.append(nn.Conv2d(in_channels, width, 4, stride=2, padding=2))
        for number in range(1, num_layers):
            before, width = width, min(2 * width, 512)
            stride = 1 if number == num_layers - 1 else 2
            # No bias before an instance norm, which would remove it.
            conv = wrap(nn.Conv2d(before, width, 4, stride=stride, padding=2, bias=False))
            self.layers.append(nn.Sequential(conv, nn.InstanceNorm2d(width)))
        self.last = nn.Conv2d(width, 1, 4, padding=2)

    def forward(self, h: Tensor) -> Scores:
        """Scores of (B, in_channels, h, w)."""
        features = []
        for layer in self.layers:
            h = F.leaky_relu(layer(h), NEGATIVE_SLOPE)
            features.append(h)
        return Scores(self.last(h), tuple(features))


class PatchPyramid(nn.Module):
    """Patch discriminators at several scales of picture and condition: Wang et al. (2018), section 3.2.

    Args:
        form: of the layouts.
        width: of the first convolution of each.
        num_scales: how many, each half the size of the one before; average pooled.
        num_layers: of each; default 2 below 64 pixels and 3 from there on; published: 4.
        has_spectral_norm: as SPADE has it.
    """

    def __init__(
        self,
        form: LayoutForm,
        *,
        width: int = 48,
        num_scales: int = 2,
        num_layers: int | None = None,
        has_spectral_norm: bool = True,
    ):
        super().__init__()
        layers = num_layers or form.num_doublings - 1
        channels = form.condition_channels + 3
        self.scales = nn.ModuleList(
            PatchScale(channels, width, layers, has_spectral_norm=has_spectral_norm) for _ in range(num_scales)
        )

    def forward(self, layout: Layout, image: Tensor) -> list[Scores]:
        """Scores of pictures (B, 3, H, W), the full size first."""
        h = torch.cat([layout.condition, image], dim=1)
        found = []
        for number, scale in enumerate(self.scales):
            if number:
                h = F.avg_pool2d(h, 3, stride=2, padding=1, count_include_pad=False)
            found.append(scale(h))
        return found


class ResidualConvs(nn.Module):
    """Two 3x3 convolutions, LeakyReLU before each, and a 1x1 shortcut where the widths differ, all spectral-normalised.

    Args:
        in_channels: of what comes.
        out_channels: of what goes.
        sees_picture: of the first block, which has no LeakyReLU before its first convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, *, sees_picture: bool = False):
        super().__init__()
        self.sees_picture = sees_picture
        self.conv_0, self.conv_1 = PlainConv(in_channels, out_channels, 3), PlainConv(out_channels, out_channels, 3)
        self.conv_s = PlainConv(in_channels, out_channels, 1) if in_channels != out_channels else nn.Identity()

    def forward(self, h: Tensor) -> Tensor:
        """(B, in, h, w) to (B, out, h, w)."""
        residual = self.conv_0(h if self.sees_picture else leaky(h))
        return self.conv_s(h) + self.conv_1(leaky(residual))


class Segmenting(nn.Module):
    """What class is each pixel of, or is it fake? A U-Net from pictures to K + 1 logits a pixel. Sushko et al. (2021).

    Channel 0 is "fake", channel c + 1 class c of a true picture. It is never shown the layout: it has to find it.
    Published: six halvings, widths 128 to 512.

    Args:
        form: of the layouts.
        widths: after each halving, fine to coarse; default (48, 96, 96) below 64 pixels, then (48, 64, 96, 128).
    """

    def __init__(self, form: LayoutForm, *, widths: tuple[int, ...] | None = None):
        super().__init__()
        widths = widths or ((48, 96, 96) if form.num_doublings == 3 else (48, 64, 96, 128))
        self.down, self.up, channels = nn.ModuleList(), nn.ModuleList(), 3
        for width in widths:
            self.down.append(ResidualConvs(channels, width, sees_picture=channels == 3))
            channels = width
        for width in (*reversed(widths[:-1]), widths[0]):
            self.up.append(ResidualConvs(channels, width))
            channels = 2 * width  # what the block on the way down gave comes beside it
        self.last = nn.Conv2d(widths[0], form.num_classes + 1, 1)

    def forward(self, layout: Layout, image: Tensor) -> list[Scores]:
        """Logits (B, K + 1, H, W) of pictures (B, 3, H, W); what the layout says is not looked at."""
        h, skips = image, []
        for block in self.down:
            h = F.avg_pool2d(block(h), 2)
            skips.append(h)
        for block, skip in zip(self.up, [None, *reversed(skips[:-1])], strict=True):
            h = block(doubled(h if skip is None else torch.cat([h, skip], dim=1)))
        return [Scores(self.last(leaky(h)))]


class ProjectionPyramid(nn.Module):
    """How well a picture's features agree with what should be there, at several strides. Liu et al. (2019), CC-FPSE.

    A stack of strided convolutions sees the picture alone; its maps are summed from coarse to fine. The score at a
    pixel is a linear map of the features there plus their scalar product with an embedding of the condition. Instance
    norm everywhere, no map below 4 x 4. Each scale's `features` are one map of the stack, all but the finest being
    matched: strides 4 and 8 at 32 pixels, 16 too at 64.

    Args:
        form: of the layouts.
        widths: of the stack; default (48, 96, 128) below 64 pixels, then (48, 96, 96, 128); published: 64 to 512.
        pyramid: width of what is summed; published: 256, and 128 for the heads.
    """

    def __init__(self, form: LayoutForm, *, widths: tuple[int, ...] | None = None, pyramid: int = 64):
        super().__init__()
        widths = widths or ((48, 96, 128) if form.num_doublings == 3 else (48, 96, 96, 128))
        pairs = zip((3, *widths[:-1]), widths, strict=True)
        self.stack = nn.ModuleList(normed_conv(before, after, 3, stride=2) for before, after in pairs)
        self.lateral = nn.ModuleList(normed_conv(width, pyramid, 1) for width in widths)
        self.heads = nn.ModuleList(normed_conv(pyramid, pyramid, 3) for _ in widths[:-1])
        # One for all scales, as published.
        self.embed_layout = nn.Conv2d(form.condition_channels, pyramid, 1)
        self.embed_features = nn.Conv2d(pyramid, pyramid, 1)
        self.score = nn.Conv2d(pyramid, 1, 1)

    def forward(self, layout: Layout, image: Tensor) -> list[Scores]:
        """Scores of pictures (B, 3, H, W), the finest first, at stride 2."""
        h, stack = image, []
        for layer in self.stack:
            h = layer(h)
            stack.append(h)
        summed = [self.lateral[-1](stack[-1])]  # coarse to fine
        for lateral, h in zip(reversed(self.lateral[:-1]), reversed(stack[:-1]), strict=True):
            above = F.interpolate(summed[-1], scale_factor=2, mode="bilinear", align_corners=False)
            summed.append(above + lateral(h))
        wanted, found = self.embed_layout(layout.condition), []
        for head, h, feature in zip(self.heads, reversed(summed[1:]), stack[1:], strict=True):
            wanted, h = F.avg_pool2d(wanted, 2), head(h)
            agreement = (self.embed_features(h) * wanted).sum(1, keepdim=True)
            found.append(Scores(self.score(h) + agreement, (feature,)))
        return found


def normed_conv(in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1) -> nn.Module:
    """A convolution under spectral norm, instance norm, LeakyReLU; no bias, which the norm would remove."""
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=False)
    return nn.Sequential(spectral_norm(conv), nn.InstanceNorm2d(out_channels), nn.LeakyReLU(NEGATIVE_SLOPE))
