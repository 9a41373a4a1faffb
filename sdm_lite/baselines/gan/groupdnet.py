"""GroupDNet: one latent a class, in groups of channels that do not mix until late. Zhu et al. (2020).

The one idea: encoder and early decoder are group convolutions, one group of channels a class, so that what a class
looks like is the business of its own latent alone; towards the output there are fewer groups (K, K, 2, 1), so that the
classes agree with each other in the end. New noise for one class redraws that class.

Left out: what the published code does for one data set and not for another. Departs: widths and latent are small (4
channels a class on the generator's coarsest grid, for 8); the norms have a group a class at every level, as published
for Cityscapes; all widths are multiples of the number of classes, so 440 channels of Scenes' 11 classes are 4 or more a
class of any other data set.

Shapes: B pictures, K classes, C feature channels, H x W pixels, h x w of a level.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from sdm_lite.baselines.gan.blocks import Block, Decoder, PlainConv, SPADENorm, widths_for
from sdm_lite.baselines.gan.discriminators import PatchPyramid
from sdm_lite.baselines.gan.losses import FeatureMatching, Hinge, KullbackLeibler
from sdm_lite.baselines.gan.spade import VGG_WEIGHTS
from sdm_lite.baselines.gan.system import Generator, Layout, LayoutForm, Noise, Posterior, System

SMALL = (440, 440, 264, 132, 44)
LARGE = (440, 440, 264, 176, 88, 44)
SMALL_GROUPS, LARGE_GROUPS = (0, 0, 2, 1), (0, 0, 4, 2, 1)  # of each level's block, coarse to fine; 0: one a class
Z = 4  # channels of a class's latent


def with_edges(layout: Layout, form: LayoutForm) -> Tensor:
    """The condition with the edges once for each class, so that every group reads them: class, edge, class, edge, ...

    Returns:
        (B, 2 K, H, W), or (B, K, H, W) of layouts without instances.
    """
    classes, edges = layout.condition.tensor_split([form.num_classes], dim=1)
    if not form.has_instances:
        return classes
    return torch.stack([classes, edges.expand_as(classes)], dim=2).flatten(1, 2)


class GroupDNetGenerator(Generator):
    """Latents of the classes, on a coarse grid each, to a picture."""

    def __init__(self, form: LayoutForm):
        super().__init__()
        self.form, classes = form, form.num_classes
        start = [side // form.strides[0] for side in form.size]
        self.noise_shapes = ((classes, Z, *start),)
        # Divisible by the classes and by 4, 2 and 1 groups; as they stand for 11 classes.
        unit = math.lcm(classes, 4)
        widths = [unit * max(1, round(width / unit)) for width in widths_for(form, SMALL, LARGE)]
        groups = [few or classes for few in (SMALL_GROUPS if len(form.strides) == 4 else LARGE_GROUPS)]
        self.stem = nn.Conv2d(Z * classes, widths[0], 3, padding=1, groups=classes)

        def norm(width: int) -> nn.Module:
            return SPADENorm(width, (1 + form.has_instances) * classes, hidden_channels=4 * classes, groups=classes)

        def block(level: int, before: int, after: int) -> nn.Module:
            def conv(i: int, o: int, kernel_size: int) -> nn.Module:
                return PlainConv(i, o, kernel_size, bias=kernel_size > 1, groups=groups[level])

            return Block(before, after, norm=norm, conv=conv, shortcut_conv=conv)

        self.decoder = Decoder(widths, block)

    def forward(self, layout: Layout, noise: Noise = ()) -> Tensor:
        """The picture, (B, 3, H, W) in [-1, 1], of latents (B, K, Z, h, w)."""
        (z,) = noise
        layout = layout._replace(condition=with_edges(layout, self.form))
        levels = [layout.every(stride).condition for stride in self.form.strides]
        return self.decoder(self.stem(z.flatten(1, 2)), levels)


def class_pictures(layout: Layout, image: Tensor, num_classes: int) -> Tensor:
    """What each class looks like: its pixels alone, their bounding box blown up to the whole picture, nearest.

    Args:
        layout: B of them.
        image: (B, 3, H, W).
        num_classes: K.

    Returns:
        (B, K, 3, H, W); 0 at pixels of other classes, and for a class that is not there.
    """
    own = layout.condition[:, :num_classes]  # (B, K, H, W)
    rows, columns = stretched(own.amax(3))[..., None], stretched(own.amax(2))[:, :, None]  # (B, K, H, 1), (B, K, 1, W)
    batch, kind = (torch.arange(length, device=own.device) for length in own.shape[:2])
    batch, kind = batch[:, None, None, None], kind[:, None, None]
    colours = image.movedim(1, 3)[batch, rows, columns].movedim(4, 2)  # (B, K, 3, H, W)
    return colours * own[batch, kind, rows, columns][:, :, None]


def stretched(occupied: Tensor) -> Tensor:
    """Which pixel to look up at each place of a side, so that the first to the last occupied one fill it.

    Of tensors alone, so that no GPU waits.

    Args:
        occupied: (B, K, n) of zeros and ones.

    Returns:
        (B, K, n) int64, in 0 .. n - 1.
    """
    side = occupied.shape[-1]
    first = occupied.argmax(-1, keepdim=True)
    length = side - occupied.flip(-1).argmax(-1, keepdim=True) - first
    return first + torch.arange(side, device=occupied.device) * length // side


class ClassEncoder(nn.Module):
    """True pictures to the distributions of each class's latent: group convolutions down to the generator's start.

    Spectral norm, instance norm, LeakyReLU; the channels a class double at each level, up to 8 times the first.

    Args:
        form: of the layouts.
    """

    def __init__(self, form: LayoutForm):
        super().__init__()
        self.form, classes = form, form.num_classes
        widths = [3, *(4 * 2 ** min(level, 3) for level in range(form.num_doublings))]  # a class
        self.layers = nn.Sequential()
        for before, after in pairwise(widths):
            conv = nn.Conv2d(before * classes, after * classes, 3, stride=2, padding=1, bias=False, groups=classes)
            self.layers.extend([spectral_norm(conv), nn.InstanceNorm2d(after * classes), nn.LeakyReLU(0.2)])
        self.mean = nn.Conv2d(widths[-1] * classes, Z * classes, 3, padding=1, groups=classes)
        self.log_variance = nn.Conv2d(widths[-1] * classes, Z * classes, 3, padding=1, groups=classes)

    def forward(self, layout: Layout, image: Tensor) -> Posterior:
        """The posterior of the latents, (B, K, Z, h, w), of pictures (B, 3, H, W)."""
        pictures = class_pictures(layout, image, self.form.num_classes)
        h = self.layers(pictures.flatten(1, 2))
        groups = (self.form.num_classes, Z)
        return Posterior((self.mean(h).unflatten(1, groups),), (self.log_variance(h).unflatten(1, groups),))


GROUPDNET = System(
    name="groupdnet",
    title="GroupDNet",
    citation="Zhu et al. (2020)",
    make_generator=GroupDNetGenerator,
    make_discriminator=PatchPyramid,
    adversarial=Hinge(),
    make_encoder=ClassEncoder,
    generator_losses=(FeatureMatching(10.0), KullbackLeibler(0.05)),
    perceptual_weights=VGG_WEIGHTS,
    rate_factor=4.0,
)
