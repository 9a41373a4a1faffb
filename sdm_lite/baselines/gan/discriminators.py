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

from sdm_lite.baselines.gan.blocks import NEGATIVE_SLOPE
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
