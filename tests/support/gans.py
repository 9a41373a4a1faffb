"""Layouts for tests of the GANs, and what must be true of every deterministic one."""

import torch
from torch import Tensor, nn

from sdm_lite.baselines.gan.system import Generator, Layout, LayoutForm, System, draw_noise, layout_of

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
