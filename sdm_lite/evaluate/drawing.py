"""How samples are asked for, and samples for many label maps: what every evaluation draws before it measures.

Apart from measuring because Scenes, photographs, notebooks and widgets ask alike and draw alike.

Shapes: B batch, L label maps, N samples of each, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral

import numpy as np
import torch
from torch import Tensor

from sdm_lite.checkpoints import Model
from sdm_lite.datasets import DATASETS
from sdm_lite.diffusion import Denoiser
from sdm_lite.guidance import check_guidance_interval, check_guidance_scale, denoiser
from sdm_lite.progress import ShowProgress, silently
from sdm_lite.sampling import (
    SAMPLERS,
    Projection,
    SampleNoise,
    Sampler,
    Step,
    last,
    sample_ddim,
    timestep_pairs,
    unchanged,
)
from sdm_lite.scenes.dataset import Scenes
from sdm_lite.student import INTERVAL, Student, check_student_scale, landings, student_denoiser
from sdm_lite.timesteps import TimeGrid, trailing

SAMPLER_WORDS = {sampler.__name__.removeprefix("sample_"): sampler for sampler in SAMPLERS.values()}
"""What a command calls each sampler."""

MakeDenoiser = Callable[..., Denoiser]  # (unet, diffusion, condition, guidance_scale) -> Denoiser

Painter = Callable[[Tensor, Tensor, Sequence[int]], Tensor]
"""Whatever draws pictures for label maps: label maps (B, H, W) int64, instance maps (B, H, W) int64 and B seeds to
pictures (B, 3, H, W) in [-1, 1]. A picture depends on its own maps and seed alone, whatever else is in the batch."""


def default_guidance_scale(dataset: str, null_probability: float) -> float:
    """The scale of samples where none is asked for: by a run for its grids, and by every evaluation, alike.

    Args:
        dataset: scenes, or a name of `datasets.DATASETS`.
        null_probability: of dropping labels in training.

    Returns:
        The data set's own; 1 where no labels were dropped, as the network then never met the null label, which guides
        nowhere.
    """
    own = DATASETS[dataset].guidance_scale if dataset in DATASETS else Scenes.guidance_scale
    return own if null_probability > 0 else 1.0


def guidance_scale_of(facts: Mapping[str, object], dataset: str | None = None) -> float:
    """The scale at which a model is sampled where none is asked for: by every command, alike.

    Args:
        facts: what its file says of its making; "guidance_scale" is what its run drew its own grids at.
        dataset: that is drawn for, where the file does not say what the model was trained on.

    Returns:
        The run's own; of files that do not say it, `default_guidance_scale`, as if labels had been dropped where that
        is not known either.
    """
    own = facts.get("guidance_scale")
    if own is not None:
        return float(own)
    dropped = facts.get("train_config", {}).get("null_probability", 1.0)
    if "teacher" in facts:  # a student dropped no labels, its teacher did
        dropped = 1.0
    return default_guidance_scale(facts.get("dataset", dataset or "scenes"), dropped)


def usual_steps(model: Model) -> int:
    """The number of steps where none is asked for: 25, of a student 4."""
    return 4 if isinstance(model.unet, Student) else SampleSettings.num_steps


@dataclass(frozen=True)
class SampleSettings:
    """How samples are asked for: all that they depend on besides network and label map.

    A student, `sdm_lite.student`, has a denoiser and timesteps of its own and takes scale, seed and 4, 2 or 1 steps.

    Attributes:
        guidance_scale: s >= 0: 0 ignores the labels, 1 is plain conditional sampling.
        num_steps: of the sampler, in 1..T.
        sampler: sample_ddim, or any other function of its form: `edit.sample_repaint`, a functools.partial.
        guidance_interval: (first, last) timestep that is guided, as for `guidance.denoiser`; None = all, as in the
            paper. The course takes (1, 800), docs/recipe.md.
        seed: of the noise, in 0 .. 2^32 - 1.
        batch_size: samples at a time, at least 1; changes nothing but memory and time.
        make_denoiser: `guidance.denoiser`, or any other function of its form, to try another kind of guidance; it gets
            guidance_interval as a keyword where there is one.
        grid: which timesteps the sampler visits, of `timesteps.TIME_GRIDS` or any other function of that form.
    """

    guidance_scale: float = 1.5
    num_steps: int = 25
    sampler: Sampler = sample_ddim
    guidance_interval: tuple[int, int] | None = None
    seed: int = 0
    batch_size: int = 32
    make_denoiser: MakeDenoiser = denoiser
    grid: TimeGrid = trailing

    def check(self, model: Model) -> SampleSettings:
        """The settings, with the scale as a float.

        Args:
            model: that samples are drawn with.

        Raises:
            ValueError: in one line, if one of them cannot be.
        """
        scale, diffusion = check_guidance_scale(self.guidance_scale), model.diffusion
        if isinstance(model.unet, Student):
            check_student_scale(scale)
            self._check_left_to_student()
        timestep_pairs(diffusion.num_timesteps, self.num_steps, self._grid_of(model)(diffusion, self.num_steps))
        if self.guidance_interval is not None:
            check_guidance_interval(self.guidance_interval, diffusion.num_timesteps)
        if not callable(self.sampler):
            raise ValueError(f"sampler must be a function such as sample_ddim, got {self.sampler!r}")
        if not isinstance(self.seed, Integral) or not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be a whole number in 0..{2**32 - 1}, got {self.seed!r}")
        if not isinstance(self.batch_size, Integral) or self.batch_size < 1:
            raise ValueError(f"batch_size must be a whole number, at least 1, got {self.batch_size!r}")
        return replace(self, guidance_scale=scale)

    def told(self) -> dict[str, object]:
        """What the samples depend on, in words and numbers, for reports: what is left at "all" or "as usual" is not."""
        interval = {} if self.guidance_interval is None else {"guidance_interval": self.guidance_interval}
        guidance = {} if self.make_denoiser is denoiser else {"make_denoiser": name_of(self.make_denoiser)}
        grid = {} if self.grid is trailing else {"grid": name_of(self.grid)}
        return {
            "sampler": name_of(self.sampler),
            "num_steps": self.num_steps,
            **grid,
            "guidance_scale": self.guidance_scale,
            **interval,
            **guidance,
            "seed": self.seed,
        }

    def guided(self, model: Model, condition: Tensor) -> Denoiser:
        """The denoiser that these settings ask for, for a condition (B, K, H, W); a student's own."""
        if isinstance(model.unet, Student):
            return student_denoiser(
                model.unet, model.diffusion, condition, self.guidance_scale, num_steps=self.num_steps
            )
        interval = {} if self.guidance_interval is None else {"guidance_interval": self.guidance_interval}
        return self.make_denoiser(model.unet, model.diffusion, condition, self.guidance_scale, **interval)

    def steps(
        self,
        denoiser: Denoiser,
        model: Model,
        x_T: Tensor,
        noise: SampleNoise,
        *,
        project: Projection = unchanged,
    ) -> Iterator[Step]:
        """The sampler's steps on the grid, from x_T (B, 3, H, W): `sampling.last` runs them."""
        grid_of, diffusion = self._grid_of(model), model.diffusion
        # Only what differs from the default: a partial may hold a projection of its own, a sampler know no grids.
        grid = {} if grid_of is trailing else {"timesteps": grid_of(diffusion, self.num_steps)}
        more = grid if project is unchanged else {**grid, "project": project}
        return self.sampler(denoiser, diffusion, x_T, self.num_steps, noise=noise, **more)

    def _grid_of(self, model: Model) -> TimeGrid:
        """Which timesteps are visited: a student's are those that it was taught to start from."""
        return landings if isinstance(model.unet, Student) else self.grid

    def _check_left_to_student(self) -> None:
        """Raise ValueError if something was asked for that a student has learned once and for all."""
        learned = {"sampler": (sample_ddim,), "make_denoiser": (denoiser,), "grid": (trailing, landings)}
        learned["guidance_interval"] = (None, INTERVAL)
        for name, known in learned.items():
            if (asked := getattr(self, name)) not in known:
                words = name_of(asked) if callable(asked) else asked
                raise ValueError(f"{name} of a student is what it has learned, got {words}: leave it out")


def name_of(function: Callable) -> str:
    """What to call a function in a report, where a functools.partial has no name of its own.

    >>> name_of(partial(sample_ddim, num_steps=10))
    'sample_ddim(num_steps=10)'
    """
    if isinstance(function, partial):
        given = [*function.args, *function.keywords.values()]
        words = [name_of(value) if callable(value) else repr(value) for value in given]
        names = [""] * len(function.args) + [f"{name}=" for name in function.keywords]
        return f"{name_of(function.func)}({', '.join(map(str.__add__, names, words))})"
    return getattr(function, "__name__", type(function).__name__)


def draw_samples(
    model: Model, label_maps: Tensor, instance_maps: Tensor, seeds: Sequence[int], settings: SampleSettings
) -> Tensor:
    """One sample for each label map, all in one batch.

    Args:
        model: network and process.
        label_maps: (B, H, W) int64.
        instance_maps: (B, H, W) int64, read only by models with an edge channel.
        seeds: B integers, in the place of settings.seed; a sample depends on its own alone.
        settings: how to sample.

    Returns:
        (B, 3, H, W) in [-1, 1].
    """
    condition = model.unet.condition(label_maps, instance_maps)  # (B, K, H, W)
    noise = SampleNoise(seeds)
    x_T = noise((3, *label_maps.shape[1:])).to(condition)
    draw = settings.guided(model, condition)
    return last(settings.steps(draw, model, x_T, noise)).clamp(-1, 1)


def painter(model: Model, settings: SampleSettings) -> Painter:
    """A model as whatever draws: `draw_samples` with the settings given; its seed is that of each picture."""

    def paint(label_maps: Tensor, instance_maps: Tensor, seeds: Sequence[int]) -> Tensor:
        return draw_samples(model, label_maps, instance_maps, seeds, settings)

    return paint


def draw_groups(
    model: Model,
    label_maps: Tensor,
    instance_maps: Tensor,
    samples_of: Sequence[int],
    settings: SampleSettings,
    *,
    progress: ShowProgress = silently,
) -> list[Tensor]:
    """Several samples for each label map, in batches that mix label maps.

    Args:
        model: network and process.
        label_maps: (L, H, W) int64.
        instance_maps: (L, H, W) int64.
        samples_of: how many samples of each label map, L numbers of at least 1.
        settings: how to sample; each sample has a stream of its own, so that the batch size changes nothing.
        progress: shows how far it is, for instance `sdm_lite.progress.progress`.

    Returns:
        One (N, 3, H, W) in [-1, 1] for each label map, on the CPU.
    """
    return paint_groups(
        painter(model, settings),
        label_maps,
        instance_maps,
        samples_of,
        seed=settings.seed,
        batch_size=settings.batch_size,
        progress=progress,
    )


def paint_groups(
    paint: Painter,
    label_maps: Tensor,
    instance_maps: Tensor,
    samples_of: Sequence[int],
    *,
    seed: int = 0,
    batch_size: int = 32,
    progress: ShowProgress = silently,
) -> list[Tensor]:
    """Several pictures for each label map by whatever draws them; see `draw_groups`.

    Args:
        paint: draws.
        label_maps: (L, H, W) int64.
        instance_maps: (L, H, W) int64.
        samples_of: how many pictures of each label map, L numbers of at least 1.
        seed: from which each picture gets a seed of its own.
        batch_size: pictures at a time.
        progress: shows how far it is, for instance `sdm_lite.progress.progress`.

    Returns:
        One (N, 3, H, W) in [-1, 1] for each label map, on the CPU.
    """
    jobs = [(i, 0) for i in range(len(samples_of))]
    jobs += [(i, n) for i, number in enumerate(samples_of) for n in range(1, number)]
    batches = [jobs[start : start + batch_size] for start in range(0, len(jobs), batch_size)]
    groups: list[list[Tensor]] = [[] for _ in samples_of]
    for batch in progress(batches, description=f"samples, {batch_size} at a time"):
        maps = [i for i, _ in batch]
        seeds = [sample_seed(seed, i, n) for i, n in batch]
        images = paint(label_maps[maps], instance_maps[maps], seeds).cpu()
        for i, image in zip(maps, images, strict=True):
            groups[i].append(image)
    return [torch.stack(group) for group in groups]


def sample_seed(seed: int, layout: int, n: int) -> int:
    """A seed for sample n of a layout: 32 bits of a hash, because torch's CPU generator ignores all higher bits."""
    return int(np.random.SeedSequence([seed, layout, n]).generate_state(1)[0])
