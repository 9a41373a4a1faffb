"""Pictures of a network as it is trained: always the same held-out label maps and the same noise.

Apart from the command so that a notebook's live figure and the files of a run are the same pictures.
"""

from __future__ import annotations

import numpy as np
import torch

from sdm_lite.checkpoints import Model
from sdm_lite.guidance import denoiser
from sdm_lite.sampling import SampleNoise, last, sample_ddim
from sdm_lite.train.data import Data


def sample_grid(
    model: Model, data: Data, *, guidance_scale: float, num_samples: int = 8, num_steps: int = 25
) -> np.ndarray:
    """A picture of held-out examples: label map, real image, two samples of the network, a column each.

    Args:
        model: network, averaged weights as a rule, and process.
        data: whose held-out examples.
        guidance_scale: s >= 0.
        num_samples: how many columns.
        num_steps: of DDIM.

    Returns:
        (H', W', 3) uint8.
    """
    from sdm_lite.viz import colorize, image_grid, to_uint8

    apart = max(1, len(data.held_out) // num_samples)  # neighbours of a video are much the same picture
    examples = data.held_out[::apart][:num_samples]
    label_maps = torch.stack([example.label_map for example in examples])
    condition = model.unet.condition(label_maps, torch.stack([example.instance_map for example in examples]))
    draw = denoiser(model.unet, model.diffusion, condition, guidance_scale)
    rows: list[list[np.ndarray]] = [[colorize(label_map, data.palette) for label_map in label_maps]]
    rows.append(list(to_uint8(torch.stack([example.image for example in examples]))))
    for first_seed in (0, 1000):
        noise = SampleNoise(range(first_seed, first_seed + len(examples)))((3, *label_maps.shape[1:])).to(condition)
        drawn = last(sample_ddim(draw, model.diffusion, noise, num_steps))
        rows.append(list(to_uint8(drawn.cpu())))
    return image_grid(rows, scale=max(1, 96 // label_maps.shape[1]))
