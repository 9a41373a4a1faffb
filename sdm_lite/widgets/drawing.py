"""From the settings of a widget to pictures: one sample, the steps on its way, what the label did at each.

Apart from the widgets because it knows no widget: what they show can be drawn, and tested, without a browser.

Shapes: K condition channels, H x W pixels, T training timesteps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sdm_lite.batches import Example
from sdm_lite.checkpoints import Model
from sdm_lite.datasets.photographs import spread
from sdm_lite.diffusion import Prediction
from sdm_lite.evaluate.drawing import Painter, SampleSettings, name_of, usual_steps
from sdm_lite.guidance import denoiser
from sdm_lite.pictures import to_uint8
from sdm_lite.progress import Progress
from sdm_lite.sampling import SAMPLERS, SampleNoise, Sampler, last
from sdm_lite.widgets.painting import LabelMap

DEFAULT = SampleSettings(guidance_interval=(1, 800))  # what the course takes: docs/recipe.md

NUM_FRAMES = 8  # of the denoising strip


def settings_for(dataset: Any, model: Model) -> SampleSettings:
    """What a widget shows first if nothing is asked: DEFAULT, at the data set's scale, in the model's usual steps."""
    scale = getattr(dataset, "guidance_scale", DEFAULT.guidance_scale)
    return replace(DEFAULT, guidance_scale=scale, num_steps=usual_steps(model))


class Frame(NamedTuple):
    """A sample on its way, once it was put to the network: one column of the denoising strip.

    Attributes:
        t: the timestep, in 1..T.
        x_t: (3, H, W), the noisy image.
        x0: (3, H, W), the clean image that was predicted from it.
        difference: (3, H, W), what the label adds to the predicted noise: eps with it less eps without it; None while
            that is not computed.
    """

    t: int
    x_t: Tensor
    x0: Tensor
    difference: Tensor | None = None


class Drawing(NamedTuple):
    """A sample, uint8 (H, W, 3), and the frames of its strip, on the CPU."""

    picture: np.ndarray
    frames: tuple[Frame, ...]

    @property
    def is_complete(self) -> bool:
        """Whether it is known what the label did in each frame."""
        return all(frame.difference is not None for frame in self.frames)


def examples_of(model: Model, dataset: Any, indices: Sequence[int]) -> dict[str, Example]:
    """Examples of a data set by the names of their layouts: "layout 12".

    Args:
        model: network and process.
        dataset: any data set of the package: `num_classes`, `class_names`, `palette`, and examples by number.
        indices: which.

    Raises:
        ValueError: if the network reads other classes than the data set has, there is no index, or a layout has a size
            that the network cannot take.
    """
    model.unet.config.check_data("the data set", dataset.num_classes, has_instances=True)
    found = {f"layout {index}": dataset[index] for index in indices}
    if not found:
        raise ValueError("expected at least one layout, got no indices")
    for example in found.values():
        model.unet.check_size(*example.label_map.shape)
    return found


def condition_of(model: Model, layout: Example | LabelMap) -> Tensor:
    """What the network reads of a label map and the objects in it: (1, K, H, W), on its device."""
    label_map, instance_map = (torch.as_tensor(part)[None] for part in (layout.label_map, layout.instance_map))
    return model.unet.condition(label_map, instance_map)


def draw_sample(
    model: Model, condition: Tensor, settings: SampleSettings, on_frame: Callable[[Frame], object]
) -> Drawing:
    """Draws one sample, without the label's differences, which take as long again for the frames of the strip.

    The noise depends on the seed alone, so two samples that differ in scale start from one and the same.

    Args:
        model: network and process.
        condition: (1, K, H, W).
        settings: checked ones.
        on_frame: called with every frame; what it raises ends the walk.
    """
    noise = SampleNoise([settings.seed])
    x_T = noise((3, *condition.shape[2:])).to(condition)  # (1, 3, H, W)
    guided = settings.guided(model, condition)
    frames = []

    def watched(x_t: Tensor, t: Tensor) -> Prediction:
        prediction = guided(x_t, t)
        frames.append(Frame(int(t[0]), x_t[0], prediction.x0[0]))
        on_frame(frames[-1])
        return prediction

    sample = last(settings.steps(watched, model, x_T, noise))
    chosen = (frames[place] for place in spread(len(frames), NUM_FRAMES))
    strip = (frame._replace(x_t=frame.x_t.cpu(), x0=frame.x0.cpu()) for frame in chosen)
    return Drawing(to_uint8(sample[0]), tuple(strip))


def draw_now(
    model: Model, asked: Sequence[tuple[Example | LabelMap, SampleSettings]], description: str
) -> list[Drawing]:
    """A drawing for each layout and checked settings, while the notebook waits and is told how far it is."""
    with Progress(description, total=sum(settings.num_steps for _, settings in asked)) as count:
        return [
            draw_sample(model, condition_of(model, layout), settings, lambda _: count.update())
            for layout, settings in asked
        ]


def label_difference(model: Model, condition: Tensor) -> Callable[[Frame], Frame]:
    """What the label adds to the predicted noise: eps with the label less eps without it, at a frame's x_t.

    Guidance goes this way, s times as far: Wang et al. (2022), Algorithm 2, line 4.

    Args:
        model: network and process.
        condition: (1, K, H, W).

    Returns:
        A function from a frame to the same frame with its difference.
    """
    conditional, null = (denoiser(model.unet, model.diffusion, condition, scale) for scale in (1.0, 0.0))

    def with_difference(frame: Frame) -> Frame:
        x_t, t = frame.x_t[None].to(condition), torch.tensor([frame.t], device=condition.device)
        return frame._replace(difference=(conditional(x_t, t).eps - null(x_t, t).eps)[0].cpu())

    return with_difference


def painted(beside: Mapping[str, Painter], layout: Example | LabelMap, seed: int) -> dict[str, np.ndarray]:
    """What others draw for a layout, each from this seed.

    Args:
        beside: by name, whatever draws: `baselines.gan.painting.painter_of` makes a GAN one.
        layout: the map, and the objects in it.
        seed: of their noise; whoever has none draws the same for every seed.

    Returns:
        Pictures, uint8 (H, W, 3), by the same names.
    """
    maps = [torch.as_tensor(part)[None].long() for part in (layout.label_map, layout.instance_map)]
    return {name: to_uint8(paint(*maps, [seed])[0].cpu()) for name, paint in beside.items()}


def sampler_name(sampler: Sampler) -> str:
    """A sampler by the name of its paper, or else by its own."""
    return next((name for name, known in SAMPLERS.items() if known is sampler), None) or name_of(sampler)


def in_words(label_map: np.ndarray | Tensor, class_names: Sequence[str]) -> str:
    """A label map in words: its classes by the area they cover, largest first."""
    shares = np.bincount(np.asarray(label_map).ravel(), minlength=len(class_names)) / np.asarray(label_map).size
    present = [f"{class_names[i]} {shares[i]:.0%}" for i in np.argsort(-shares, kind="stable") if shares[i] > 0]
    return ", ".join(present)
