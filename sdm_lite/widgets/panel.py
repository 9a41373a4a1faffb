"""The sampling panel: a scale to scrub, seed, steps, sampler and layout, the denoising strip, and a live mode.

Apart from widgets.py because it is the largest of them. A grid of scales is drawn once, from one noise, in the
background; scrubbing shows what is drawn and interpolates nothing. In live mode any scale can be typed, and every step
is shown as it comes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from sdm_lite.checkpoints import Model
from sdm_lite.progress import Progress, counted
from sdm_lite.viz import colorize, show_grid, to_uint8
from sdm_lite.widgets.base import Live, Static, Tile, find_ipywidgets, one_line, table_html, tiles_html
from sdm_lite.widgets.controls import Controls
from sdm_lite.widgets.drawing import (
    DEFAULT,
    NUM_COLUMNS,
    Column,
    Drawing,
    Layout,
    Moment,
    Settings,
    World,
    column_of,
    draw_sample,
    in_words,
)
from sdm_lite.widgets.jobs import BUTTON, Runner, Steps
from sdm_lite.widgets.names import names_and_keys

SCALES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)

MAX_KEPT = 400  # drawings; one is about 100 kB at 32 pixels

STRIP_CAPTION = (
    "From noise to picture. Below, what the label adds to the predicted noise at each step (cond - null): grey is "
    "nothing, each enlarged to full colour; its root mean square is underneath."
)


Key = tuple[str, Settings]  # a layout by its name, and all else that a drawing depends on


def sampling_panel(
    model: Model,
    dataset: Any,
    indices: Sequence[int] = tuple(range(6)),
    *,
    scales: Sequence[float] = SCALES,
    settings: Settings = DEFAULT,
) -> SamplingPanel | Static:
    """A panel that samples: guidance scale, seed, number of steps, sampler and layout.

    Args:
        model: network and process, as `load_model` gives them.
        dataset: the data set that the network reads, such as `Scenes(32)`.
        indices: the layouts to choose from, by their number in the data set.
        scales: guidance scales to scrub, each at least 0.
        settings: what is shown first; its scale becomes the nearest of `scales`.

    Returns:
        Something a notebook shows as the last expression of a cell. Without widgets: the first layout at every scale,
        and the denoising strip of the first setting, drawn once.

    Raises:
        ValueError: in one line and before anything is drawn, if network, data set, layouts, scales or settings do not
            fit.
    """
    scales = sorted({float(scale) for scale in scales})
    world = World(model, dataset)
    if not scales:
        raise ValueError("expected at least one guidance scale, got none")
    for scale in scales:
        world.check(settings._replace(guidance_scale=scale))
    nearest = min(scales, key=lambda scale: abs(scale - world.check(settings).guidance_scale))
    layouts = world.layouts(indices)
    settings = settings._replace(guidance_scale=nearest)
    widgets = find_ipywidgets()
    if widgets is None:
        return _static(world, layouts, scales, settings)
    return SamplingPanel(widgets, world, layouts, scales, settings)


class SamplingPanel(Live):
    """The panel as it lives in a notebook; made by `sampling_panel`.

    Attributes:
        widget: what is shown.
    """

    def __init__(self, widgets: Any, world: World, layouts: dict[str, Layout], scales: list[float], settings: Settings):
        self._world, self._layouts, self._scales = world, layouts, scales
        self._kept: dict[Key, Drawing] = {}
        self._now: Key | None = None  # what is shown
        self._wanted: list[Key] = []  # what the slider can reach
        self._showing = threading.RLock()
        self._runner = Runner(widgets)
        self._controls = Controls(widgets, layouts, scales, settings, world.model.diffusion.num_timesteps)
        self._pictures, self._strip = widgets.HTML(), widgets.HTML()
        again = widgets.Button(description="Draw", tooltip="Draw what is not drawn yet", layout=BUTTON)
        again.on_click(lambda _: self._draw())
        buttons = widgets.HBox([again, self._runner.box], layout={"align_items": "center"})
        parts = [*self._controls.rows, buttons, self._pictures, self._strip]
        self.widget = widgets.VBox(parts + names_and_keys())
        self._controls.observe(self._change)
        self._change()

    @property
    def settings(self) -> Settings:
        """What the controls say now; ValueError if the typed scale is none."""
        return self._world.check(self._controls.settings)

    @property
    def sample(self) -> np.ndarray | None:
        """The sample that is shown, (H, W, 3) uint8, or None while it is not drawn."""
        drawing = self._kept.get(self._now)
        return None if drawing is None else drawing.picture

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until everything is drawn; False if it is not within `timeout` seconds."""
        return self._runner.wait(timeout)

    def cancel(self) -> None:
        """Stops drawing at the next step."""
        self._runner.cancel()

    def _change(self) -> None:
        try:
            now = (self._controls.layout, self.settings)
        except ValueError as error:
            self._runner.refuse(one_line(error))
            return
        before, wanted = self._wanted, self._keys(now)
        # Both the kernel's thread and the job's show pictures: what was asked for last must be shown last.
        with self._showing:
            self._now, self._wanted = now, wanted
            self._show(now)
        # Scrubbing draws nothing that is drawn, and leaves a job alone that draws it: that looks where the slider is.
        if before != wanted or not (self._runner.is_running or self._is_complete(now)):
            self._draw()

    def _keys(self, now: Key) -> list[Key]:
        """What is to be drawn: every scale of the slider, or in live mode the one that was typed."""
        scales = [now[1].guidance_scale] if self._controls.is_live else self._scales
        return [(now[0], now[1]._replace(guidance_scale=scale)) for scale in scales]

    def _is_complete(self, key: Key) -> bool:
        drawing = self._kept.get(key)
        return drawing is not None and not drawing.moments

    def _draw(self) -> None:
        todo = [key for key in self._wanted if not self._is_complete(key)]
        if not todo:
            self._runner.cancel()
            self._runner.say("drawn")
            return
        length = self._now[1].num_steps
        num_steps = length * sum(key not in self._kept for key in todo) + min(NUM_COLUMNS, length) * len(todo)
        description = f"drawing {counted(len(todo), 'scale')}"
        self._runner.start(lambda steps: self._work(todo, steps), num_steps=num_steps, description=description)

    def _work(self, todo: list[Key], steps: Steps) -> str:
        start = time.perf_counter()
        layout = self._layouts[todo[0][0]]
        condition = self._world.condition(layout)
        difference = self._world.label_difference(condition)
        while (key := self._next(todo)) is not None:
            drawing = self._kept.get(key)
            if drawing is None:
                watch = partial(self._show_moment, key)
                self._keep(key, draw_sample(self._world, condition, key[1], steps.step, watch))
                self._show_if_current(key)
            columns = []
            drawing = self._kept[key]
            for moment in drawing.moments:
                columns.append(column_of(moment, difference(moment)))
                steps.step()
            self._keep(key, Drawing(drawing.picture, tuple(columns)))
            self._show_if_current(key)
            steps.pause()
        return f"drawn in {time.perf_counter() - start:.1f} s"

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

    def _show_if_current(self, key: Key) -> None:
        with self._showing:
            if key == self._now:
                self._show(key)

    def _show(self, key: Key) -> None:
        layout, drawing = self._layouts[key[0]], self._kept.get(key)
        if drawing is not None:
            caption = f"sample, s = {key[1].guidance_scale:g}"
            self._pictures.value = tiles_html(self._tiles(layout, Tile(drawing.picture, caption)))
            self._strip.value = strip_html(drawing.columns)
        else:
            blank = np.full((*layout.label_map.shape, 3), 128, np.uint8)
            tile = Tile(blank, f"s = {key[1].guidance_scale:g}: not drawn yet")
            self._pictures.value, self._strip.value = tiles_html(self._tiles(layout, tile)), ""

    def _show_moment(self, key: Key, moment: Moment) -> None:
        with self._showing:
            if key == self._now:
                tile = Tile(to_uint8(moment.x0), f"s = {key[1].guidance_scale:g}: predicted x0 at t = {moment.t}")
                self._pictures.value = tiles_html(self._tiles(self._layouts[key[0]], tile))

    def _tiles(self, layout: Layout, sample: Tile) -> list[Tile]:
        dataset = self._world.dataset
        words = in_words(layout.label_map, dataset.class_names)
        tiles = [Tile(colorize(layout.label_map, dataset.palette), "label map", f"label map: {words}"), sample]
        return tiles + ([Tile(to_uint8(layout.image), "a true picture")] if layout.image is not None else [])


def strip_html(columns: Sequence[Column]) -> str:
    """The denoising strip: x_t, the clean image predicted from it, and what the label adds, if that is computed."""
    rows = [
        ("x_t", [Tile(column.x_t, f"t = {column.t}") for column in columns]),
        ("predicted x0", [Tile(column.x0, "") for column in columns]),
    ]
    if all(column.difference is not None for column in columns):
        rows.append(("cond - null", [Tile(column.difference, f"{column.size:.2g}") for column in columns]))
    return table_html(rows, caption=STRIP_CAPTION)


def _in_words(settings: Settings) -> str:
    words = f"seed {settings.seed}, {settings.num_steps} steps of {settings.sampler}"
    if settings.guidance_interval is None:
        return words
    first, last = settings.guidance_interval
    return f"{words}; what goes beyond s = 1 is applied at {first} <= t <= {last} only"


def _static(world: World, layouts: dict[str, Layout], scales: list[float], settings: Settings) -> Static:
    """The first layout at every scale, and the strip of the first setting."""
    name, layout = next(iter(layouts.items()))
    condition, dataset = world.condition(layout), world.dataset
    with Progress("sampling", total=len(scales) * settings.num_steps) as count:
        drawings = {
            scale: draw_sample(world, condition, settings._replace(guidance_scale=scale), count.update)
            for scale in scales
        }
    difference = world.label_difference(condition)
    columns = [column_of(moment, difference(moment)) for moment in drawings[settings.guidance_scale].moments]
    truth = [] if layout.image is None else [layout.image]
    grid = show_grid(
        [[colorize(layout.label_map, dataset.palette), *(one.picture for one in drawings.values()), *truth]],
        column_labels=["label map", *(f"s = {scale:g}" for scale in scales), *(["a true picture"] if truth else [])],
        title=f"One map, one noise, {len(scales)} guidance scales",
        caption=f"{name}, {_in_words(settings)}.",
    )
    strip = show_grid(
        [[getattr(column, part) for column in columns] for part in ("x_t", "x0", "difference")],
        row_labels=["$x_t$", "predicted $x_0$", "cond - null"],
        column_labels=[f"$t$ = {column.t}" for column in columns],
        scale=max(1, 64 // max(layout.label_map.shape)),  # noise does not compress: larger, it fills a notebook's file
        title=f"The way there at s = {settings.guidance_scale:g}",
        caption=f"{STRIP_CAPTION[:-1]}: {', '.join(f'{column.size:.2g}' for column in columns)}.",
    )
    return Static([grid, strip])
