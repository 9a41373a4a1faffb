"""INADE: every instance draws its own modulation. Tan et al. (2021), via probability distribution modeling.

The one idea: the scale and shift that CLADE looks up for a class become random variables. Each INSTANCE j draws noise
u_j and v_j once; in every norm of the generator its class c makes scale and shift of the draw,

    out = BatchNorm(h) (a_c r_j + b_c) + (d_c q_j + e_c),   r_j = fc(u_j),   q_j = fc(v_j),

so that two cars of one layout may differ in colour. A third draw z, of the whole picture, is where it starts; no label
enters there. In training an encoder moves and stretches the noise of each instance by what that instance looks like;
feature matching and the perceptual term compare deep layers alone, as shallow ones would punish variety.

Left out: nothing of the norm. Departs: widths and noise are small (16 numbers an instance for 64, z 64 for 256); the
noise has room for a fixed number of instances, and those of a layout that are beyond it share the last draw.

Shapes: B pictures, K classes, J instances, D numbers of noise, C feature channels, h x w pixels of a level.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from sdm_lite.baselines.gan.blocks import Block, Decoder, batch_norm, doubled, leaky, widths_for
from sdm_lite.baselines.gan.discriminators import PatchPyramid
from sdm_lite.baselines.gan.losses import FeatureMatching, Hinge, KullbackLeibler
from sdm_lite.baselines.gan.system import MAX_INSTANCES, Generator, Layout, LayoutForm, Noise, Posterior, System

SMALL = (128, 128, 128, 96, 48)
LARGE = (160, 160, 160, 128, 64, 32)
D, Z = 16, 64
ENCODER_WIDTHS = (16, 32, 64, 128)


class Draws(NamedTuple):
    """What the norms of one level read.

    Attributes:
        classes: (B, K, h, w) one-hot.
        edges: (B, 1, h, w), or (B, 0, h, w) of layouts without instances.
        members: (B, J, h w), 1 where a pixel is of an instance.
        scale_noise: u, (B, J, D).
        shift_noise: v, (B, J, D).
    """

    classes: Tensor
    edges: Tensor
    members: Tensor
    scale_noise: Tensor
    shift_noise: Tensor


def num_places(form: LayoutForm) -> int:
    """J: for how many instances there is noise; where the data set has none, each class is one."""
    return MAX_INSTANCES if form.has_instances else form.num_classes


def members_of(instances: Tensor, places: int) -> Tensor:
    """Which pixels are of which instance: ids (B, h, w) to (B, J, h w) of zeros and ones."""
    ids = instances.flatten(1)[:, None].clamp(max=places - 1)  # (B, 1, h w)
    return (ids == torch.arange(places, device=ids.device)[:, None]).float()


class DrawnNorm(nn.Module):
    """Batch norm whose scale and shift each instance draws, and the edges beside what comes out.

    No "1 +": with u = v = 0 what is left is b and e, CLADE's tables.

    Args:
        channels: C.
        form: of the layouts.
    """

    def __init__(self, channels: int, form: LayoutForm):
        super().__init__()
        self.norm = batch_norm(channels)
        self.draw = nn.Linear(D, channels)  # fc, of u and of v alike
        tables = torch.zeros(4, channels, form.num_classes, dtype=torch.float32, device="cpu")
        tables[::2].uniform_()  # a and d from U(0, 1), b and e 0
        self.tables = nn.Parameter(tables.flatten(0, 1))  # (4 C, K): a, b, d, e
        self.edge = nn.Conv2d(1, 1, 1) if form.has_instances else nn.Identity()

    def forward(self, h: Tensor, draws: Draws) -> Tensor:
        """(B, C, h, w) to (B, C + 1, h, w), or to (B, C, h, w) without instances."""
        a, b, d, e = F.conv2d(draws.classes, self.tables[..., None, None]).chunk(4, dim=1)  # (B, C, h, w) each
        r = (self.draw(draws.scale_noise).mT @ draws.members).view_as(h)
        q = (self.draw(draws.shift_noise).mT @ draws.members).view_as(h)
        modulated = self.norm(h) * (a * r + b) + (d * q + e)
        return torch.cat([modulated, self.edge(draws.edges)], dim=1)


class INADEGenerator(Generator):
    """Noise of the picture and of each instance to a picture."""

    def __init__(self, form: LayoutForm):
        super().__init__()
        self.form, places = form, num_places(form)
        self.noise_shapes = ((places, D), (places, D), (Z,))
        widths = widths_for(form, SMALL, LARGE)
        self.start = (widths[0], *(side // form.strides[0] for side in form.size))
        self.stem = nn.Linear(Z, self.start[0] * self.start[1] * self.start[2])

        def norm(width: int) -> nn.Module:
            return DrawnNorm(width, form)

        extra = int(form.has_instances)
        self.decoder = Decoder(widths, lambda level, i, o: Block(i, o, norm=norm, extra_channels=extra))

    def forward(self, layout: Layout, noise: Noise = ()) -> Tensor:
        """The picture, (B, 3, H, W) in [-1, 1].

        Args:
            layout: B of them.
            noise: u (B, J, D), v (B, J, D), z (B, Z).
        """
        u, v, z = noise
        levels = [self._draws(layout.every(stride), u, v) for stride in self.form.strides]
        return self.decoder(self.stem(z).unflatten(1, self.start), levels)

    def _draws(self, layout: Layout, u: Tensor, v: Tensor) -> Draws:
        classes, edges = layout.condition.tensor_split([self.form.num_classes], dim=1)
        return Draws(classes, edges, members_of(layout.instances, u.shape[1]), u, v)


class InstanceConv(nn.Module):
    """A 3x3 convolution that looks at no other instance than its own: taps that lie in another are zero."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(in_channels, out_channels, 3)

    def forward(self, h: Tensor, instances: Tensor) -> Tensor:
        """(B, in, h, w) and ids (B, h, w) to (B, out, h / stride, w / stride)."""
        ids = F.unfold(instances[:, None].float() + 1, 3, padding=1, stride=self.stride)  # (B, 9, L); 0 outside
        same = (ids == ids[:, 4:5]).to(h)
        taps = F.unfold(h, 3, padding=1, stride=self.stride).unflatten(1, (-1, 9)) * same[:, None]  # (B, in, 9, L)
        out = self.conv.weight.flatten(1) @ taps.flatten(1, 2) + self.conv.bias[:, None]  # (B, out, L)
        return out.unflatten(2, [-(-side // self.stride) for side in h.shape[-2:]])


class InstanceEncoder(nn.Module):
    """A true picture to the distributions of each instance's noise: a U-Net of instance convolutions, then means.

    Spectral and instance norm at every convolution but the heads, four of them: mean and log-variance of u and of v,
    averaged over the pixels of each instance. z, and the noise of instances that are not there, keep the prior.

    Args:
        form: of the layouts.
    """

    def __init__(self, form: LayoutForm):
        super().__init__()
        self.places = num_places(form)
        fine_to_coarse = list(pairwise(ENCODER_WIDTHS))
        self.first = self._layer(3, ENCODER_WIDTHS[0])
        self.down = nn.ModuleList(self._layer(before, after, stride=2) for before, after in fine_to_coarse)
        self.up = nn.ModuleList(self._layer(after + before, before) for before, after in reversed(fine_to_coarse))
        self.heads = InstanceConv(ENCODER_WIDTHS[0], 4 * D)

    @staticmethod
    def _layer(before: int, after: int, *, stride: int = 1) -> InstanceConv:
        layer = InstanceConv(before, after, stride=stride)
        spectral_norm(layer.conv)
        return layer

    def forward(self, layout: Layout, image: Tensor) -> Posterior:
        """The posterior of u (B, J, D), v (B, J, D) and z (B, Z), of pictures (B, 3, H, W)."""
        maps = [layout.instances[..., :: 2**k, :: 2**k] for k in range(len(self.down) + 1)]  # fine to coarse
        h = self._activated(self.first(image, maps[0]))
        skips = []
        for layer, ids in zip(self.down, maps[:-1], strict=True):
            skips.append(h)
            h = self._activated(layer(h, ids))
        for layer, ids in zip(self.up, reversed(maps[:-1]), strict=True):
            h = self._activated(layer(torch.cat([doubled(h), skips.pop()], dim=1), ids))
        read = self.heads(h, maps[0]).flatten(2)  # (B, 4 D, H W)
        members = members_of(layout.instances, self.places)
        # The mean over an instance's pixels; 0, the prior's mean and log-variance, where an instance is not there.
        means = members @ read.mT / members.sum(2, keepdim=True).clamp(min=1)  # (B, J, 4 D)
        scale_mean, scale_spread, shift_mean, shift_spread = means.chunk(4, dim=2)
        prior = image.new_zeros(len(image), Z)
        return Posterior((scale_mean, shift_mean, prior), (scale_spread, shift_spread, prior))

    @staticmethod
    def _activated(h: Tensor) -> Tensor:
        return leaky(F.instance_norm(h))


INADE = System(
    name="inade",
    title="INADE",
    citation="Tan et al. (2021)",
    make_generator=INADEGenerator,
    make_discriminator=PatchPyramid,
    adversarial=Hinge(),
    make_encoder=InstanceEncoder,
    generator_losses=(FeatureMatching(10.0, first_layer=-1), KullbackLeibler(0.1)),
    perceptual_weights=(0.0, 0.0, 0.0, 10 / 4, 10.0),
    rate_factor=10.0,
)
