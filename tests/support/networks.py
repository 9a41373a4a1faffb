"""Small networks for tests, none of their weights zero, and the stored example of another implementation."""

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from sdm_lite.checkpoints.published_names import published_names
from sdm_lite.concat import make_unet
from sdm_lite.labels import encode_labels, null_like
from sdm_lite.presets import UNetConfig
from sdm_lite.unet import SDMUNet

TINY = UNetConfig(
    num_classes=4,
    image_size=(16, 16),
    base_channels=8,
    channel_multipliers=(1, 2),
    num_res_blocks=1,
    attention_resolutions=(8,),
    channels_per_head=8,
    spade_hidden_channels=8,
    num_groups=4,
)
# The least that trains on Scenes: for tests of what surrounds the network.
LEAST = replace(
    TINY,
    num_classes=11,
    instance_edges=True,
    attention_resolutions=(),
    spade_kernel_size=1,
    residual_resampling=False,
)
# The least of the published family, whose groups are 32.
SMALL = replace(
    TINY, instance_edges=True, base_channels=32, channels_per_head=32, spade_hidden_channels=16, num_groups=32
)


def randomised(config, seed=0):
    """A network whose zero-initialised layers are not zero, so that everything reaches the output."""
    torch.manual_seed(seed)
    unet = make_unet(config)
    for parameter in unet.parameters():
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.1)
    return unet.eval()


def tiny_inputs(batch=2, size=16):
    """What TINY takes: x_t, t, condition."""
    generator = torch.Generator().manual_seed(1)
    x_t = torch.randn(batch, 3, size, size, generator=generator)
    t = torch.randint(1, 1001, (batch,), generator=generator)
    label_map = torch.randint(0, 4, (batch, size, size), generator=generator)
    return x_t, t, encode_labels(label_map, 4)


def formula_weights(config):
    """Weights by the formula of the stored example: cosines, over the alphabetical order of the published names."""
    with torch.device("meta"):
        unet = SDMUNet(config)
    shapes = {}
    state = unet.state_dict()
    for ours, theirs in published_names(unet):
        shape = list(state[ours].shape)
        shape[0] //= len(theirs)
        for name in theirs:
            one_dimensional = name.endswith("weight") and (".qkv." in name or ".proj_out." in name)
            shapes[name] = shape[:3] if one_dimensional else shape
    weights = {}
    for k, name in enumerate(sorted(shapes)):
        shape = shapes[name]
        fan = np.prod(shape[1:]) if len(shape) > 1 else 16
        values = np.cos(0.7390851 * np.arange(np.prod(shape)) + 0.31 * k) * np.sqrt(2 / fan)
        weights[name] = torch.from_numpy(values.astype(np.float32).reshape(shape))
    return weights


class StoredExample(NamedTuple):
    """What an independent implementation answered: outputs for (condition, null label), its weights `formula_weights`.

    Attributes:
        config: of the network.
        x_t: (B, 3, H, W).
        t: (B,).
        labels: condition and null label.
        outputs: for each of the two.
    """

    config: UNetConfig
    x_t: torch.Tensor
    t: torch.Tensor
    labels: tuple[torch.Tensor, torch.Tensor]
    outputs: tuple[torch.Tensor, torch.Tensor]

    @torch.no_grad()
    def check(self, unet):
        """Assert that a network gives the stored outputs."""
        for labels, expected in zip(self.labels, self.outputs, strict=True):
            torch.testing.assert_close(unet(self.x_t, self.t, labels), expected, rtol=0, atol=1e-4)


def stored_example():
    """The stored example."""
    stored = np.load(Path(__file__).parent / "fixtures" / "unet_small.npz")
    numbers = json.loads(str(stored["config"]))
    config = UNetConfig(
        num_classes=numbers["condition_channels"],
        image_size=(numbers["height"], numbers["width"]),
        base_channels=numbers["num_channels"],
        channel_multipliers=numbers["channel_mult"],
        num_res_blocks=numbers["num_res_blocks"],
        attention_resolutions=numbers["attention_resolutions"],
        channels_per_head=numbers["num_head_channels"],
    )
    condition = encode_labels(torch.from_numpy(stored["label_map"]), config.num_classes)
    outputs = tuple(torch.from_numpy(stored[f"output_{name}"]) for name in ("conditional", "null"))
    x_t, t = torch.from_numpy(stored["x_t"]), torch.from_numpy(stored["t_index"]) + 1
    return StoredExample(config, x_t, t, (condition, null_like(condition)), outputs)
