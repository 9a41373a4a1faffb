"""Layouts for tests of the GANs, and what must be true of every deterministic one and of every one with noise."""

from functools import cache

import torch
from torch import Tensor, nn

from sdm_lite.baselines.gan.system import (
    Generator,
    Layout,
    LayoutForm,
    Noise,
    System,
    draw_noise,
    layout_of,
    layout_of_batch,
)
from sdm_lite.batches import Batch
from sdm_lite.scenes import Scenes

NUM_CLASSES = 11  # as Scenes has them


def form_of(size: int) -> LayoutForm:
    """Of layouts as Scenes has them."""
    return LayoutForm((size, size), NUM_CLASSES, True)


def made_layouts(batch_size: int = 2, size: int = 32, seed: int = 0) -> Layout:
    """Layouts of squares of 8 pixels, each of some class and an object of its own."""
    stream = torch.Generator().manual_seed(seed)
    squares = torch.randint(NUM_CLASSES, (batch_size, size // 8, size // 8), generator=stream)
    objects = torch.arange(squares[0].numel()).view(1, size // 8, size // 8).expand_as(squares)
    classes, instances = (maps.repeat_interleave(8, 1).repeat_interleave(8, 2) for maps in (squares, objects))
    return layout_of(classes, NUM_CLASSES, instances)


def made_generator(system: System, size: int = 32) -> Generator:
    """A generator with the same weights every time."""
    torch.manual_seed(0)
    return system.make_generator(form_of(size))


def num_parameters(network: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(weights.numel() for weights in network.parameters())


def check_pictures(system: System, size: int) -> None:
    """A picture for each layout, in [-1, 1], and a gradient for every weight; the discriminator takes them."""
    generator, layout = made_generator(system, size), made_layouts(2, size)
    drawing = generator.draw(layout, draw_noise(generator, [0, 1]))
    assert drawing.image.shape == (2, 3, size, size) and drawing.image.abs().max() <= 1
    torch.stack([picture.square().sum() for picture in (drawing.image, *drawing.sketches)]).sum().backward()
    without = [name for name, weights in generator.named_parameters() if weights.grad is None]
    assert without == []
    scores = system.make_discriminator(form_of(size))(layout, drawing.image.detach())
    assert all(torch.isfinite(scale.logits).all() and len(scale.logits) == 2 for scale in scores)


def check_deterministic(system: System) -> None:
    """One layout, one picture: bit for bit, whatever the seeds."""
    generator, layout = made_generator(system).eval(), made_layouts()
    pictures: list[Tensor] = []
    with torch.no_grad():
        for seeds in ([0, 1], [2, 3]):
            torch.manual_seed(seeds[0])
            noise = draw_noise(generator, seeds)
            assert noise == ()
            pictures.append(generator(layout, noise))
    assert torch.equal(*pictures)


def with_edges_moved(layout: Layout) -> Layout:
    """The same classes, and edges where there were none."""
    condition = layout.condition.clone()
    condition[:, -1] = 1 - condition[:, -1]
    return layout._replace(condition=condition)


@cache
def scenes(size: int = 32, number: int = 4) -> Batch:
    """The first scenes, their objects told apart."""
    return Scenes(size=size, length=number).materialize(range(number), keeps_instance_ids=True)


def scene_layouts(size: int = 32, number: int = 4) -> Layout:
    """The layouts of the first scenes."""
    return layout_of_batch(scenes(size, number))


@torch.no_grad()
def drawn(generator: Generator, layout: Layout, noise: Noise) -> Tensor:
    """What a trained generator would be asked for: pictures (B, 3, H, W), in evaluation mode."""
    image = generator.eval()(layout, noise)
    assert image.shape == (len(layout.classes), 3, *layout.classes.shape[1:]) and image.abs().max() <= 1
    return image


def check_noise(system: System, size: int) -> None:
    """The same noise: the same picture, bit for bit; other noise, of any kind alone: nearly every pixel another."""
    generator, layout = made_generator(system, size), scene_layouts(size, 2)
    noise, other = draw_noise(generator, [1, 2]), draw_noise(generator, [3, 4])
    image = drawn(generator, layout, noise)
    assert torch.equal(drawn(generator, layout, noise), image)
    for kind in range(len(noise)):
        redrawn = (*noise[:kind], other[kind], *noise[kind + 1 :])
        assert ((drawn(generator, layout, redrawn) - image).abs().amax(1) > 0).float().mean() > 0.99


def check_posterior(system: System, size: int) -> None:
    """The encoder of true pictures speaks of the noise that the generator takes, and every weight has a gradient."""
    generator, encoder = made_generator(system, size), system.make_encoder(form_of(size))
    layout, noise = scene_layouts(size), draw_noise(generator, range(4))
    posterior = encoder(layout, scenes(size).x0)
    shapes = [part.shape for part in noise]
    assert [part.shape for part in posterior.means] == [part.shape for part in posterior.log_variances] == shapes
    generator(layout, posterior.sample(noise)).square().sum().backward()
    assert [name for name, weights in encoder.named_parameters() if weights.grad is None] == []
