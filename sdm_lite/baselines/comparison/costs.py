"""What a picture takes of each system: weights, and operations of drawing it, counted without drawing."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.baselines.ablation.readings import settings
from sdm_lite.baselines.comparison.readings import GUIDED
from sdm_lite.baselines.comparison.runs import SDM
from sdm_lite.baselines.gan import SYSTEMS, LayoutForm, draw_noise, layout_of
from sdm_lite.checkpoints import Model
from sdm_lite.concat import make_unet
from sdm_lite.evaluate import draw_samples
from sdm_lite.presets import PRESETS
from sdm_lite.scenes import Scenes
from sdm_lite.train import LITE_DIFFUSION


class Costs(NamedTuple):
    """Of one system.

    Attributes:
        parameters: of what draws: of a GAN its generator.
        operations: of one picture, a multiplication and an addition being two; of SDM all its steps, guided.
        other_parameters: of what only training needs: discriminator and encoder.
    """

    parameters: int
    operations: int
    other_parameters: int = 0


@lru_cache
def costs(system: str, size: int) -> Costs:
    """Count the weights of a system, and the operations of one picture by it.

    Args:
        system: SDM, or a name of `gan.SYSTEMS`.
        size: of the picture.
    """
    from torch.utils.flop_counter import FlopCounterMode

    scenes = Scenes(size, length=1)
    label_map, instance_map = (part[None] for part in scenes.layout(0))
    with torch.random.fork_rng(devices=[]), torch.device("cpu"), torch.no_grad():
        torch.manual_seed(0)
        if system == SDM:
            unet, process = make_unet(PRESETS[f"scenes-{size}"]).float().eval(), LITE_DIFFUSION.build()
            with FlopCounterMode(display=False) as counter:
                draw_samples(Model(unet, process), label_map, instance_map, [0], settings(GUIDED))
            return Costs(_count(unet), counter.get_total_flops())
        form = LayoutForm((size, size), scenes.num_classes, scenes.has_instances)
        gan = SYSTEMS[system]
        generator = gan.make_generator(form).float().eval()
        layout = layout_of(label_map, scenes.num_classes, instance_map)
        with FlopCounterMode(display=False) as counter:
            picture: Tensor = generator(layout, draw_noise(generator, [0]))
        assert picture.shape == (1, 3, size, size)
        others = [gan.make_discriminator(form)] + ([gan.make_encoder(form)] if gan.make_encoder else [])
    return Costs(_count(generator), counter.get_total_flops(), sum(map(_count, others)))


def _count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
