"""What a GAN for label maps is: a generator, a discriminator, perhaps an encoder, and a list of losses.

Apart from the systems because nine of them, one loop, one evaluation and one table meet in these types alone. A GAN is
a function (layout, noise) -> picture; a system whose noise is the empty tuple always draws the same.

Shapes: B pictures, K condition channels, H x W pixels, J objects at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from sdm_lite.batches import Batch, encode
from sdm_lite.labels import encode_labels

Noise = tuple[Tensor, ...]
"""What a generator's pictures of one layout differ by: () for a deterministic one, else tensors (B, *shape) each."""

MAX_INSTANCES = 32
"""J: the ids of a layout are 0 .. J - 1; where a picture has more objects, those beyond share the last id."""


class Layout(NamedTuple):
    """What is where: all that a generator is told of the picture that it draws.

    Attributes:
        condition: (B, K, H, W) float32 of zeros and ones: one channel a class; the last one marks instance edges where
            the data set has instances.
        classes: (B, H, W) int64, class ids.
        instances: (B, H, W) int64, ids 0, 1, ... of the objects of each picture, without gaps, at most MAX_INSTANCES;
            of a data set without instances each class is one object.
    """

    condition: Tensor
    classes: Tensor
    instances: Tensor

    def to(self, device: torch.device | str) -> Layout:
        """The same on a device."""
        return Layout(*(tensor.to(device) for tensor in self))

    def every(self, stride: int) -> Layout:
        """Its nearest resize to H / stride x W / stride: the upper left pixel of each square."""
        return Layout(*(tensor[..., ::stride, ::stride] for tensor in self)) if stride > 1 else self

    def twice(self) -> Layout:
        """The same B layouts once more behind themselves, 2 B: for real and generated pictures in one batch."""
        return Layout(*(torch.cat([tensor, tensor]) for tensor in self))


class LayoutForm(NamedTuple):
    """What layouts a system is made for.

    Attributes:
        size: height and width, pixels.
        num_classes: one-hot channels.
        has_instances: whether an edge channel follows them.
    """

    size: tuple[int, int]
    num_classes: int
    has_instances: bool

    @property
    def condition_channels(self) -> int:
        """K."""
        return self.num_classes + self.has_instances

    @property
    def num_doublings(self) -> int:
        """How often features are doubled in size from the coarsest to the picture: 3 below 64 pixels, else 4.

        A picture of 32 x 32 starts at 4 x 4, one of 64 x 64 too, one of 96 x 128 at 6 x 8.
        """
        return 3 if min(self.size) < 64 else 4

    @property
    def strides(self) -> tuple[int, ...]:
        """Of each level of a decoder, coarse to fine: (8, 4, 2, 1) at 32 pixels, (16, 8, 4, 2, 1) at 64."""
        return tuple(2**k for k in range(self.num_doublings, -1, -1))

    def check(self) -> None:
        """Raise ValueError, in one line, unless a GAN of this package can be made for such layouts."""
        height, width = self.size
        step = 2**self.num_doublings
        if min(self.size) < 32 or height % step or width % step:
            raise ValueError(f"size must be multiples of {step}, 32 or more, got {height} x {width}")
        if self.num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {self.num_classes}")


class Drawing(NamedTuple):
    """What a generator made of a layout: the picture, and what else it painted on the way and is trained on (SCGAN).

    Attributes:
        image: (B, 3, H, W) in [-1, 1].
        sketches: as `image` each, or none.
    """

    image: Tensor
    sketches: tuple[Tensor, ...] = ()


class Generator(nn.Module):
    """Base of the generators: a layout and noise to a picture.

    Attributes:
        noise_shapes: of the noise of one picture, without B; () = deterministic.
    """

    noise_shapes: tuple[tuple[int, ...], ...] = ()

    def forward(self, layout: Layout, noise: Noise = ()) -> Tensor:
        """The picture, (B, 3, H, W) in [-1, 1]."""
        raise NotImplementedError

    def draw(self, layout: Layout, noise: Noise = ()) -> Drawing:
        """The picture and the sketches that it is trained on; a system with sketches writes this one anew."""
        return Drawing(self(layout, noise))


class Scores(NamedTuple):
    """What one scale of a discriminator says of pictures.

    Attributes:
        logits: (B, 1, h, w) of a patch discriminator, (B, num_classes + 1, H, W) of a segmenting one.
        features: of its layers, shallow to deep, as feature matching compares them.
    """

    logits: Tensor
    features: tuple[Tensor, ...] = ()

    def halves(self) -> tuple[Scores, Scores]:
        """Of the first half of the batch, and of the second."""
        half = len(self.logits) // 2
        first = Scores(self.logits[:half], tuple(feature[:half] for feature in self.features))
        return first, Scores(self.logits[half:], tuple(feature[half:] for feature in self.features))


Discriminator = Callable[[Layout, Tensor], Sequence[Scores]]
"""An nn.Module: forward(layout, image) -> one Scores a scale."""


class Posterior(NamedTuple):
    """What an encoder read off true pictures: normal distributions of the noise, used in training alone.

    Attributes:
        means: one tensor (B, *shape) for each of the generator's noise; zeros, with log-variance zero, where there is
            nothing to encode: that is the prior.
        log_variances: likewise.
    """

    means: Noise
    log_variances: Noise

    def sample(self, noise: Noise) -> Noise:
        """Standard normal noise moved into the posterior: mean + exp(log-variance / 2) noise."""
        return tuple(
            mean + (0.5 * log_variance).exp() * draw
            for mean, log_variance, draw in zip(self.means, self.log_variances, noise, strict=True)
        )


Encoder = Callable[[Layout, Tensor], Posterior]
"""An nn.Module: forward(layout, image) -> Posterior."""


class GeneratorStep(NamedTuple):
    """All that a loss of the generator may look at.

    Attributes:
        layout: of the batch.
        real: (B, 3, H, W) in [-1, 1], the true pictures.
        drawing: of the generator.
        real_scores: of the discriminator, without gradient; empty where no loss of the system reads them.
        fake_scores: of the drawn pictures.
        posterior: of the encoder, or None.
    """

    layout: Layout
    real: Tensor
    drawing: Drawing
    real_scores: Sequence[Scores]
    fake_scores: Sequence[Scores]
    posterior: Posterior | None = None


class DiscriminatorStep(NamedTuple):
    """All that a loss of the discriminator may look at.

    Attributes:
        layout: of the batch.
        real: (B, 3, H, W) in [-1, 1], the true pictures.
        fake: (B, 3, H, W), the drawn pictures, without gradient.
        real_scores: of `discriminator`, with gradient.
        fake_scores: likewise.
        discriminator: to ask of other pictures.
        generator: of random numbers, on the CPU: a function of seed and step.
    """

    layout: Layout
    real: Tensor
    fake: Tensor
    real_scores: Sequence[Scores]
    fake_scores: Sequence[Scores]
    discriminator: Discriminator
    generator: torch.Generator


class Adversarial(Protocol):
    """The game: what the discriminator loses and what the generator loses, each a scalar.

    Attributes:
        chance: the discriminator's loss where it cannot tell: what its loss is compared with to see a collapse.
    """

    chance: float

    def discriminator_loss(self, step: DiscriminatorStep) -> Tensor:
        """To be made small by the discriminator."""
        ...

    def generator_loss(self, step: GeneratorStep) -> Tensor:
        """To be made small by the generator."""
        ...


class GeneratorLoss(Protocol):
    """A term beside the game, its weight included.

    Attributes:
        name: in the log.
        reads_real_scores: whether the discriminator must be asked of the true pictures too.
    """

    name: str
    reads_real_scores: bool

    def __call__(self, step: GeneratorStep) -> Tensor:
        """A scalar."""
        ...


class DiscriminatorLoss(Protocol):
    """A term of the discriminator beside the game, its weight included; `name` is in the log."""

    name: str

    def __call__(self, step: DiscriminatorStep) -> Tensor:
        """A scalar."""
        ...


class System(NamedTuple):
    """One of the nine.

    Attributes:
        name: on the command line.
        title: in a table.
        citation: author, year.
        make_generator: from the form of the layouts.
        make_discriminator: likewise.
        adversarial: the game.
        make_encoder: likewise, or None for a system that has none.
        generator_losses: beside the game.
        discriminator_losses: beside the game.
        perceptual_weights: of the stages of the perceptual network, shallow to deep; () = the system has no such term.
        generator_rate: Adam's, as published.
        discriminator_rate: likewise.
        betas: Adam's, as published.
        rate_factor: what both rates are multiplied by in our short runs, unless one says otherwise: the best of 1, 4,
            10 by FID on 256 validation layouts of Scenes at 32 x 32, seed 0 (`comparison.rates`).
    """

    name: str
    title: str
    citation: str
    make_generator: Callable[[LayoutForm], Generator]
    make_discriminator: Callable[[LayoutForm], nn.Module]
    adversarial: Adversarial
    make_encoder: Callable[[LayoutForm], nn.Module] | None = None
    generator_losses: tuple[GeneratorLoss, ...] = ()
    discriminator_losses: tuple[DiscriminatorLoss, ...] = ()
    perceptual_weights: tuple[float, ...] = ()
    generator_rate: float = 1e-4
    discriminator_rate: float = 4e-4
    betas: tuple[float, float] = (0.0, 0.9)
    rate_factor: float = 1.0


def renumbered(ids: Tensor) -> Tensor:
    """Ids of objects as 0, 1, ... in their order, without gaps, for each picture alone; those beyond the last share it.

    Args:
        ids: (B, H, W), an integer dtype, not negative.

    Returns:
        (B, H, W) int64 in 0 .. MAX_INSTANCES - 1.
    """
    parts = [torch.unique(one, return_inverse=True)[1] for one in ids.long()]
    return torch.stack(parts).clamp(max=MAX_INSTANCES - 1)


def layout_of(label_map: Tensor, num_classes: int, instance_map: Tensor | None = None) -> Layout:
    """The layout of label maps, checked.

    Args:
        label_map: (B, H, W), an integer dtype.
        num_classes: how many classes there are.
        instance_map: (B, H, W), an integer dtype, or None for a layout without edges.

    Raises:
        ValueError: if an id lies outside the classes, or the two maps differ in shape.
    """
    condition = encode_labels(label_map, num_classes, instance_map)
    return Layout(condition, label_map.long(), renumbered(label_map if instance_map is None else instance_map))


def layout_of_batch(batch: Batch) -> Layout:
    """The layout of a batch of training, on its device and without a look at the values, which were checked before."""
    classes = batch.label_map.long()
    instances = batch.instances
    return Layout(encode(batch)[1], classes, classes if instances is None else instances.long())


def draw_noise(generator: Generator, seeds: Iterable[int]) -> Noise:
    """Noise for pictures, one random stream a picture: it depends on its own seed alone, on every device.

    Args:
        generator: whose noise it is.
        seeds: one a picture.

    Returns:
        Tensors (B, *shape) float32 on the CPU; () of a deterministic generator.
    """
    streams = [torch.Generator("cpu").manual_seed(int(seed)) for seed in seeds]
    rows = [[_normal(shape, stream) for shape in generator.noise_shapes] for stream in streams]
    return tuple(torch.stack(column) for column in zip(*rows, strict=True))


def draw_batch_noise(generator: Generator, batch_size: int, stream: torch.Generator) -> Noise:
    """Noise for the pictures of a training batch, of one stream, on the CPU."""
    return tuple(_normal((batch_size, *shape), stream) for shape in generator.noise_shapes)


def _normal(shape: tuple[int, ...], stream: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=stream, dtype=torch.float32, device="cpu")
