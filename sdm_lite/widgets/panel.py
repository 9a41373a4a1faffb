"""The sampling panel: a scale to scrub, seed, steps, sampler and layout, the denoising strip, and a live mode.

Apart because it is the largest of the widgets. A grid of scales is drawn once, from one noise, in the background;
scrubbing shows what is drawn and interpolates nothing. In live mode any scale can be typed, and every step is shown as
it comes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sdm_lite.checkpoints import Model
from sdm_lite.evaluate.drawing import Painter, SampleSettings
from sdm_lite.progress import counted
from sdm_lite.viz import colorize, show_grid, to_uint8
from sdm_lite.widgets.base import Shown, Tile, find_ipywidgets, table_html, tiles_html
from sdm_lite.widgets.controls import Controls
from sdm_lite.widgets.drawing import (
    NUM_FRAMES,
    Drawing,
    Frame,
    condition_of,
    draw_now,
    draw_sample,
    examples_of,
    in_words,
    label_difference,
    painted,
    sampler_name,
    settings_for,
)
from sdm_lite.widgets.jobs import BUTTON, Job, Runner
from sdm_lite.widgets.names import names_and_keys

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCALES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)

MAX_KEPT = 100  # drawings; one is about 300 kB at 32 pixels

STRIP_CAPTION = (
    "From noise to picture. Below, which way the label moves the picture at each step: minus what it adds to the "
    "predicted noise (null - cond). Grey is nothing, each is enlarged to full colour; under it, its root mean square."
)

MOVES = "null - cond"  # its row: as noise is taken away, the picture moves against the difference of the predictions

Key = tuple[str, SampleSettings]  # a layout by its name, and all else that a drawing depends on


class SamplingPanel(Shown):
    """A panel that samples: guidance scale, seed, number of steps, sampler and layout.

    Without widgets it shows the first layout at every scale, and the denoising strip of the first setting, once.

    Args:
        model: network and process, as `load_model` gives them.
        dataset: the data set that the network reads, such as `Scenes(32)`.
        indices: the layouts to choose from, by their number in the data set.
        scales: guidance scales to scrub, each at least 0.
        settings: what is shown first; its scale becomes the nearest of `scales`. None = as the
            course samples, at the data set's scale.
        beside: others that draw the same map from the same seed, by name: a GAN, as `baselines.gan.painting.painter_of`
            makes it, for instance. They must be quick: they draw whenever layout or seed changes.

    Attributes:
        widget: the ipywidgets box; None without widgets.

    Raises:
        ValueError: in one line and before anything is drawn, if network, data set, layouts, scales or settings do not
            fit.
    """

    def __init__(
        self,
        model: Model,
        dataset: Any,
        indices: Sequence[int] = tuple(range(6)),
        *,
        scales: Sequence[float] = SCALES,
        settings: SampleSettings | None = None,
        beside: Mapping[str, Painter] | None = None,
    ):
        self._model, self._dataset = model, dataset
        self._beside, self._drawn_beside = dict(beside or {}), {}
        self._examples, self._scales = examples_of(model, dataset, indices), sorted({float(scale) for scale in scales})
        if not self._scales:
            raise ValueError("expected at least one guidance scale, got none")
        settings = settings or settings_for(dataset, model)
        asked = settings.check(model).guidance_scale
        for scale in self._scales:
            replace(settings, guidance_scale=scale).check(model)
        nearest = min(self._scales, key=lambda scale: abs(scale - asked))
        self._now: Key = (next(iter(self._examples)), replace(settings, guidance_scale=nearest))  # what is shown
        self._wanted: list[Key] = []  # what the slider can reach
        self._kept: dict[Key, Drawing] = {}
        self._showing = threading.RLock()
        widgets = find_ipywidgets()
        if widgets is not None:
            self.widget = self._built(widgets)
            self._controls.observe(self._change)
            self._change()

    @property
    def settings(self) -> SampleSettings:
        """What the controls say now; ValueError if the typed scale is none."""
        return self._now[1] if self.widget is None else self._controls.settings.check(self._model)

    @property
    def sample(self) -> np.ndarray | None:
        """The sample that is shown, (H, W, 3) uint8, or None while it is not drawn."""
        drawing = self._kept.get(self._now)
        return None if drawing is None else drawing.picture

    def figures(self) -> list[Figure]:
        """The first layout at every scale, and the strip of the first setting."""
        name, settings = self._now
        keys, example, tiles = self._keys(self._now, self._scales), self._examples[name], self._tiles(name)
        drawings = draw_now(self._model, [(example, key[1]) for key in keys], "sampling")
        self._kept = dict(zip(keys, drawings, strict=True))
        explained = label_difference(self._model, condition_of(self._model, example))
        frames = [explained(frame) for frame in self._kept[self._now].frames]
        tiles[1:1] = [Tile(self._kept[key].picture, f"s = {key[1].guidance_scale:g}") for key in keys]
        tiles[-1:-1] = self._others(self._now)
        grid = show_grid(
            [[tile.picture for tile in tiles]],
            column_labels=[tile.caption for tile in tiles],
            title=f"One map, one noise, {len(keys)} guidance scales",
            caption=f"{name}, {_in_words(settings)}.",
        )
        rows = _strip(frames)
        strip = show_grid(
            [[tile.picture for tile in tiles] for tiles in rows.values()],
            row_labels=["$x_t$", "predicted $x_0$", MOVES],
            column_labels=[f"$t$={frame.t}" for frame in frames],
            column_footers=[tile.caption for tile in rows[MOVES]],
            scale=max(1, 64 // max(tiles[0].picture.shape)),  # noise does not compress: larger, it fills a file
            title=f"The way there at s = {settings.guidance_scale:g}",
            caption=STRIP_CAPTION,
        )
        return [grid, strip]

    def _built(self, widgets: Any) -> Any:
        self._runner = Runner(widgets)
        num_timesteps = self._model.diffusion.num_timesteps
        self._controls = Controls(widgets, list(self._examples), self._scales, self._now[1], num_timesteps)
        self._pictures, self._strip = widgets.HTML(), widgets.HTML()
        again = widgets.Button(description="Draw", tooltip="Draw what is not drawn yet", layout=BUTTON)
        again.on_click(lambda _: self._draw())
        buttons = widgets.HBox([again, self._runner.box], layout={"align_items": "center"})
        return widgets.VBox([*self._controls.rows, buttons, self._pictures, self._strip, *names_and_keys()])

    def _change(self) -> None:
        with self._telling(self._runner.refuse):
            now = (self._controls.layout, self.settings)
            before = self._wanted
            # Both the kernel's thread and the job's show pictures: what was asked for last must be shown last.
            with self._showing:
                # What is to be drawn: every scale of the slider, or in live mode the one that was typed.
                scales = [now[1].guidance_scale] if self._controls.is_live else self._scales
                self._now, self._wanted = now, self._keys(now, scales)
                self._show(now)
            # Scrubbing draws nothing that is drawn, and leaves a job alone that draws it: it looks where the slider is.
            if before != self._wanted or not (self._runner.is_running or self._is_complete(now)):
                self._draw()

    def _keys(self, now: Key, scales: Sequence[float]) -> list[Key]:
        return [(now[0], replace(now[1], guidance_scale=scale)) for scale in scales]

    def _is_complete(self, key: Key) -> bool:
        return key in self._kept and self._kept[key].is_complete

    def _draw(self) -> None:
        todo = [key for key in self._wanted if not self._is_complete(key)]
        if not todo:
            self._runner.cancel()
            self._runner.say("drawn")
            return
        length = self._now[1].num_steps
        num_steps = length * sum(key not in self._kept for key in todo) + min(NUM_FRAMES, length) * len(todo)
        description = f"drawing {counted(len(todo), 'scale')}"
        self._runner.start(partial(self._work, todo), num_steps=num_steps, description=description)

    def _work(self, todo: list[Key], job: Job) -> str:
        start = time.perf_counter()
        condition = condition_of(self._model, self._examples[todo[0][0]])
        explained = label_difference(self._model, condition)
        while (key := self._next(todo)) is not None:
            if key not in self._kept:
                self._keep(key, draw_sample(self._model, condition, key[1], partial(self._watch, job, key)))
            frames = []
            for frame in self._kept[key].frames:
                frames.append(explained(frame))
                job.step()
            self._keep(key, self._kept[key]._replace(frames=tuple(frames)))
            job.pause()
        return f"drawn in {time.perf_counter() - start:.1f} s"

    def _watch(self, job: Job, key: Key, frame: Frame) -> None:
        job.step(partial(self._show, key, frame))

    def _next(self, todo: list[Key]) -> Key | None:
        """What to draw now: of what is not complete, that nearest to where the slider stands."""
        left = [key for key in todo if not self._is_complete(key)]
        wanted = self._now[1].guidance_scale
        return min(left, key=lambda key: abs(key[1].guidance_scale - wanted), default=None)

    def _keep(self, key: Key, drawing: Drawing) -> None:
        self._kept[key] = drawing
        others = [one for one in self._kept if one not in self._wanted]
        for oldest in others[: max(0, len(self._kept) - MAX_KEPT)]:
            del self._kept[oldest]
        self._show(key)

    def _show(self, key: Key, frame: Frame | None = None) -> None:
        """Shows what there is of a drawing, perhaps only a frame on its way, if it is what is wanted now."""
        with self._showing:
            if key != self._now:
                return
            drawing, scale = self._kept.get(key), f"s = {key[1].guidance_scale:g}"
            tiles = self._tiles(key[0])
            if drawing is not None:
                sample = Tile(drawing.picture, f"sample, {scale}")
            elif frame is not None:
                words = f"predicted x0, t = {frame.t}"  # no wider than the picture, or the next would move
                sample = Tile(to_uint8(frame.x0), words, f"{scale}: {words}")
            else:
                sample = Tile(np.full_like(tiles[0].picture, 128), f"{scale}: not drawn yet")
            self._pictures.value = tiles_html([tiles[0], sample, *self._others(key), tiles[1]])
            self._strip.value = "" if drawing is None else table_html(_strip(drawing.frames), caption=STRIP_CAPTION)

    def _others(self, key: Key) -> list[Tile]:
        """What those beside draw for a layout and a seed; kept for the last of these alone."""
        what = key[0], key[1].seed
        if what not in self._drawn_beside:
            self._drawn_beside = {what: painted(self._beside, self._examples[what[0]], what[1])}
        return [Tile(picture, name) for name, picture in self._drawn_beside[what].items()]

    def _tiles(self, name: str) -> list[Tile]:
        """The label map and the true picture of a layout."""
        example, dataset = self._examples[name], self._dataset
        words = in_words(example.label_map, dataset.class_names)
        label_map = Tile(colorize(example.label_map, dataset.palette), "label map", f"label map: {words}")
        return [label_map, Tile(to_uint8(example.image), "a true picture")]


def _strip(frames: Sequence[Frame]) -> dict[str, list[Tile]]:
    """The denoising strip: x_t, the clean image predicted from it, and which way the label moves it, if known."""
    rows = {
        "x_t": [Tile(to_uint8(frame.x_t), f"t = {frame.t}") for frame in frames],
        "predicted x0": [Tile(to_uint8(frame.x0), "") for frame in frames],
    }
    added = [frame.difference for frame in frames if frame.difference is not None]
    if len(added) == len(frames):
        coloured = [to_uint8(-one / one.abs().max().clamp(min=1e-12)) for one in added]
        sizes = [one.square().mean().sqrt().item() for one in added]
        rows[MOVES] = [Tile(picture, f"{size:.2g}") for picture, size in zip(coloured, sizes, strict=True)]
    return rows


def _in_words(settings: SampleSettings) -> str:
    words = f"seed {settings.seed}, {settings.num_steps} steps of {sampler_name(settings.sampler)}"
    if settings.guidance_interval is None:
        return words
    first, last = settings.guidance_interval
    return f"{words}; what goes beyond s = 1 is applied at {first} <= t <= {last} only"
