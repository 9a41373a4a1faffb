"""A network of a few thousand weights for Scenes of 16 pixels: what the tests of the widgets sample from."""

import torch

from sdm_lite import DiffusionConfig, Model, Scenes, SDMUNet, UNetConfig

CONFIG = UNetConfig(
    condition_channels=12,
    image_size=(16, 16),
    base_channels=8,
    channel_multipliers=(1, 2),
    num_res_blocks=1,
    attention_resolutions=(8,),
    channels_per_head=8,
    spade_hidden_channels=8,
    num_groups=4,
)


def tiny_scenes():
    return Scenes(16, seed=1)


def tiny_model():
    """Random weights, none of them zero: every setting and every label reaches the picture."""
    torch.manual_seed(0)
    unet = SDMUNet(CONFIG)
    for parameter in unet.parameters():
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.1)
    return Model(unet.eval(), DiffusionConfig().build())
