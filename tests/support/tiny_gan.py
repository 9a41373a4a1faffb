"""A GAN so small that a test trains it whole: a generator with noise and both norms, an encoder, every kind of loss."""

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from sdm_lite.baselines.gan.blocks import Block, Decoder, SPADENorm, conditions
from sdm_lite.baselines.gan.discriminators import PatchPyramid
from sdm_lite.baselines.gan.losses import FeatureMatching, Hinge, KullbackLeibler
from sdm_lite.baselines.gan.system import Generator, LayoutForm, Posterior, System, layout_of
from sdm_lite.baselines.gan.training import GanConfig, new_players
from sdm_lite.batches import ImageBatches
from sdm_lite.scenes import Scenes

FORM = LayoutForm((32, 32), 11, True)
CONFIG = GanConfig(batch_size=4, warmup_steps=2)


class TinyGenerator(Generator):
    noise_shapes = ((3,),)

    def __init__(self, form):
        super().__init__()
        self.form, self.start = form, (4, form.size[0] // 8, form.size[1] // 8)
        self.stem = nn.Linear(3, math.prod(self.start))
        make = lambda level, a, b: Block(a, b, norm=lambda width: SPADENorm(width, form.condition_channels))  # noqa: E731
        self.decoder = Decoder((4, 4, 4, 4, 2), make)

    def forward(self, layout, noise):
        return self.decoder(self.stem(noise[0]).unflatten(1, self.start), conditions(layout, self.form))


class TinyEncoder(nn.Module):
    def __init__(self, form):
        super().__init__()
        self.conv, self.out = spectral_norm(nn.Conv2d(3, 4, 3, stride=8)), nn.Linear(4, 6)

    def forward(self, layout, image):
        mean, log_variance = self.out(self.conv(image).mean((2, 3))).chunk(2, dim=1)
        return Posterior((mean,), (log_variance,))


class Jitter(NamedTuple):
    """A term of the discriminator that uses its random numbers, as LabelMix does."""

    name: str = "jitter"

    def __call__(self, step):
        coin = torch.rand(1, generator=step.generator).to(step.real.device)
        return 0.1 * coin.mean() * step.discriminator(step.layout, step.real)[0].logits.square().mean()


TINY = System(
    name="tiny",
    title="Tiny",
    citation="nobody",
    make_generator=TinyGenerator,
    make_discriminator=lambda form: PatchPyramid(form, width=4),
    make_encoder=TinyEncoder,
    adversarial=Hinge(),
    generator_losses=(FeatureMatching(), KullbackLeibler()),
    discriminator_losses=(Jitter(),),
)


def batches(config=CONFIG, num_images=12):
    pictures = Scenes(32, length=num_images).materialize(range(num_images), keeps_instance_ids=True)
    return ImageBatches(pictures, batch_size=config.batch_size, flip_probability=0.5, seed=config.seed)


def players(system=TINY, config=CONFIG, device="cpu"):
    return new_players(system, FORM, config, device)


def layouts(number=2, size=32, seed=1):
    scenes = Scenes(size, length=number, seed=seed)
    label_maps, instance_maps = (torch.stack(maps) for maps in zip(*map(scenes.layout, range(number)), strict=True))
    return layout_of(label_maps, 11, instance_maps)


def state_of(players):
    parts = players.networks() | players.optimizers()
    return {name: part.state_dict() for name, part in parts.items()}


def tensors_of(state):
    """Every tensor in nested dictionaries and lists, in order."""
    if isinstance(state, torch.Tensor):
        return [state.clone()]
    values = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else ()
    return [tensor for value in values for tensor in tensors_of(value)]


def same(one, other):
    ours, theirs = tensors_of(one), tensors_of(other)
    return len(ours) == len(theirs) > 0 and all(map(torch.equal, ours, theirs))
