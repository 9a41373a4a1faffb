"""From the settings of a widget to pictures: one sample, the steps on its way, what the label did at each.

Apart from the widgets because it knows no widget: what they show can be drawn, and tested, without a browser.

Shapes: H x W pixels, T training timesteps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sdm_lite.checkpoints import Model
from sdm_lite.guidance import check_guidance_interval, check_guidance_scale, denoiser
from sdm_lite.pictures import to_uint8
from sdm_lite.sampling import SAMPLERS, SampleNoise, timestep_pairs

NUM_COLUMNS = 8  # of the denoising strip
SHOW_SECONDS = 0.12  # at least so long is between two moments that are shown


class Settings(NamedTuple):
    """What a sample depends on besides its label map.

    Attributes:
        guidance_scale: s >= 0: 0 ignores the labels, 1 is plain conditional sampling.
        seed: of the noise, in 0 .. 2^32 - 1.
        num_steps: in 1..T.
        sampler: a name in `sampling.SAMPLERS`.
        guidance_interval: (first, last) timestep at which a scale above 1 is applied, as for `guidance.denoiser`; None
            = at all, as in the paper. The shipped networks draw better with the default (docs/recipe.md).
    """

    guidance_scale: float = 1.5
    seed: int = 0
    num_steps: int = 25
    sampler: str = "DDIM"
    guidance_interval: tuple[int, int] | None = (1, 800)


DEFAULT = Settings()


class Layout(NamedTuple):
    """A label map (H, W) int64, the objects in it (H, W) int64, and a true picture (3, H, W) of it or None."""

    label_map: Tensor
    instance_map: Tensor
    image: Tensor | None = None


class Moment(NamedTuple):
    """One step of a sample, all (3, H, W): the noisy image at t, the clean image predicted from it, what came next."""

    t: int
    x_t: Tensor
    x0: Tensor
    x_s: Tensor


class World:
    """A network and the data set whose label maps it reads: what all widgets that draw share.

    Args:
        model: network and process.
        dataset: any data set of the package: `num_classes`, `class_names`, `palette`, and examples by number.

    Raises:
        ValueError: if the network reads other classes than the data set's label maps have.
    """

    def __init__(self, model: Model, dataset: Any):
        model.unet.config.check_data("the data set", dataset.num_classes, has_instances=True)
        self.model, self.dataset = model, dataset

    def layouts(self, indices: Sequence[int]) -> dict[str, Layout]:
        """Layouts of the data set by name: "layout 12".

        Raises:
            ValueError: if there is none, or one has a size that the network cannot take.
        """
        indices = list(indices)
        if not indices:
            raise ValueError("expected at least one layout, got no indices")
        found = {}
        for index in indices:
            image, label_map, instance_map = self.dataset[index]
            self.model.unet.check_size(*label_map.shape)
            found[f"layout {index}"] = Layout(label_map, instance_map, image)
        return found

    def condition(self, layout: Layout) -> Tensor:
        """The condition (1, K, H, W) of a layout, on the network's device."""
        return self.model.unet.condition(layout.label_map[None], layout.instance_map[None])

    def check(self, settings: Settings) -> Settings:
        """The settings, with the scale as a float.

        Raises:
            ValueError: in one line, if one of them cannot be.
        """
        if settings.sampler not in SAMPLERS:
            raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, got {settings.sampler!r}")
        num_timesteps = self.model.diffusion.num_timesteps
        SampleNoise([settings.seed])
        timestep_pairs(num_timesteps, settings.num_steps)
        if settings.guidance_interval is not None:
            check_guidance_interval(settings.guidance_interval, num_timesteps)
        return settings._replace(guidance_scale=check_guidance_scale(settings.guidance_scale))

    def walk(self, condition: Tensor, settings: Settings) -> Iterator[Moment]:
        """The steps of one sample from t = T on; the last one's x_s is the sample.

        The noise depends on the seed alone, so two walks that differ in scale start from one and the same.

        Args:
            condition: (1, K, H, W), as `condition` makes it.
            settings: checked ones.
        """
        model, noise = self.model, SampleNoise([settings.seed])
        t, x = model.diffusion.num_timesteps, noise((3, *condition.shape[2:])).to(condition)
        scale, interval = settings.guidance_scale, settings.guidance_interval
        draw = denoiser(model.unet, model.diffusion, condition, scale, guidance_interval=interval)
        for step in SAMPLERS[settings.sampler](draw, model.diffusion, x, settings.num_steps, noise=noise):
            yield Moment(t, x[0], step.x0[0], step.x_t[0])
            t, x = step.t, step.x_t

    def label_difference(self, condition: Tensor) -> Callable[[Moment], Tensor]:
        """What the label adds: eps with the label less eps without it, at a moment's x_t.

        Guidance goes this way, s times as far: Wang et al. (2022), Algorithm 2, line 4.

        Returns:
            A function from a moment to (3, H, W).
        """
        model = self.model
        conditional, null = (denoiser(model.unet, model.diffusion, condition, scale) for scale in (1.0, 0.0))

        def difference(moment: Moment) -> Tensor:
            x_t, t = moment.x_t[None], torch.tensor([moment.t], device=moment.x_t.device)
            return (conditional(x_t, t).eps - null(x_t, t).eps)[0]

        return difference


class Column(NamedTuple):
    """One moment of the strip as uint8 pictures, with the size of the label's difference; None while not computed."""

    t: int
    x_t: np.ndarray
    x0: np.ndarray
    difference: np.ndarray | None = None
    size: float = 0.0


class Drawing(NamedTuple):
    """A sample, uint8 (H, W, 3), and the columns of its strip, uint8 as well; `moments` until those are complete."""

    picture: np.ndarray
    columns: tuple[Column, ...]
    moments: tuple[Moment, ...] = ()


def draw_sample(
    world: World, condition: Tensor, settings: Settings, step: Callable[[], None], on_moment: Callable | None = None
) -> Drawing:
    """Draws one sample, without the label's differences, which take as long again for the moments of the strip.

    Args:
        world: network and data set.
        condition: (1, K, H, W).
        settings: checked ones.
        step: called after every step; what it raises ends the walk.
        on_moment: called with a moment some times a second, to be shown, if given.

    Returns:
        The drawing; its `moments` are those of the strip, for `World.label_difference`.
    """
    moments, shown = [], time.perf_counter()
    for moment in world.walk(condition, settings):
        moments.append(moment)
        if on_moment is not None and time.perf_counter() - shown >= SHOW_SECONDS:
            shown = time.perf_counter()
            on_moment(moment)
        step()
    chosen = evenly(moments, NUM_COLUMNS)
    return Drawing(to_uint8(moments[-1].x_s), tuple(column_of(moment) for moment in chosen), tuple(chosen))


def column_of(moment: Moment, difference: Tensor | None = None) -> Column:
    """A moment as a column of the strip, with the difference (3, H, W) that the label made if that is known."""
    x_t, x0 = to_uint8(moment.x_t), to_uint8(moment.x0)
    if difference is None:
        return Column(moment.t, x_t, x0)
    return Column(moment.t, x_t, x0, to_uint8(signed_picture(difference)), root_mean_square(difference))


def evenly(items: Sequence[Any], num_items: int) -> list[Any]:
    """At most `num_items` of a sequence, evenly spaced, first and last among them."""
    places = np.unique(np.linspace(0, len(items) - 1, num_items).round().astype(int))
    return [items[place] for place in places]


def signed_picture(difference: Tensor) -> Tensor:
    """A difference (3, H, W) as a picture: grey is none, and the largest becomes full colour."""
    return difference / difference.abs().max().clamp(min=1e-12)


def root_mean_square(difference: Tensor) -> float:
    """The size of a difference, over all pixels and channels."""
    return difference.float().square().mean().sqrt().item()


def in_words(label_map: np.ndarray | Tensor, class_names: Sequence[str]) -> str:
    """A label map in words: its classes by the area they cover, largest first."""
    shares = np.bincount(np.asarray(label_map).ravel(), minlength=len(class_names)) / np.asarray(label_map).size
    present = [f"{class_names[i]} {shares[i]:.0%}" for i in np.argsort(-shares, kind="stable") if shares[i] > 0]
    return ", ".join(present)
