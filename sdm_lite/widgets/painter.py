"""The label painter: a map to paint on, and beside it the sample that the network draws for it.

Apart from the map itself, which is painting.py, and from the page one paints on, which is widgets_canvas.py: here a
gesture becomes a change of the map, and the change a new sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from sdm_lite.checkpoints import Model
from sdm_lite.progress import Progress
from sdm_lite.viz import colorize, show_grid, to_uint8
from sdm_lite.widgets.base import Live, Static, Tile, find_ipywidgets, one_line, tiles_html
from sdm_lite.widgets.canvas import PageFront, PlainFront, canvas_class
from sdm_lite.widgets.drawing import DEFAULT, Layout, Moment, Settings, World, draw_sample, in_words
from sdm_lite.widgets.jobs import Runner, Steps
from sdm_lite.widgets.painting import LabelMap, landscapes, paint

NUM_SHOWN = 6  # maps in the figure


def label_painter(
    model: Model,
    dataset: Any,
    indices: Sequence[int] = tuple(range(4)),
    *,
    settings: Settings = DEFAULT,
    on_sample: Callable[[np.ndarray, np.ndarray], None] | None = None,
) -> LabelPainter:
    """A label map to paint on, with the sample of it beside, drawn again when a stroke ends.

    Args:
        model: network and process, as `load_model` gives them.
        dataset: the data set that the network reads, such as `Scenes(32)`.
        indices: layouts to start from, by their number in the data set; the first is shown.
        settings: scale, seed, steps and sampler of the sample; scale and seed can be changed.
        on_sample: called after each sample with the label map (H, W) int64 and the sample (H, W, 3) uint8, if given; in
            the thread that draws.

    Returns:
        The painter, which a notebook shows as the last expression of a cell. Its `label_map` can be used in any other
        cell. Without widgets it shows the map and those to start from, each with its sample, once.

    Raises:
        ValueError: in one line and before anything is drawn, if network, data set, layouts or settings do not fit.
    """
    world = World(model, dataset)
    settings = world.check(settings)
    layouts = world.layouts(indices)
    starts = {name: _label_map(layout, dataset.num_classes) for name, layout in layouts.items()}
    shape = next(iter(starts.values())).shape
    for name, start in starts.items():
        if start.shape != shape:
            raise ValueError(f"expected layouts of one size, got {shape} and, for {name}, {start.shape}")
    starts |= landscapes(*shape, dataset.class_names)
    return LabelPainter(find_ipywidgets(), world, starts, settings, on_sample)


class LabelPainter(Live):
    """The painter; made by `label_painter`.

    Attributes:
        labels: the `LabelMap` that is painted; its methods paint too, from any cell: call `redraw` after them.
        sample: the last sample, (H, W, 3) uint8, or None before the first.
        widget: what is shown; None without widgets.
    """

    def __init__(
        self,
        widgets: Any,
        world: World,
        starts: Mapping[str, LabelMap],
        settings: Settings,
        on_sample: Callable[[np.ndarray, np.ndarray], None] | None,
    ):
        self._world, self._starts, self._settings, self._on_sample = world, list(starts.items()), settings, on_sample
        first = self._starts[0][1]
        self.labels = LabelMap(first.label_map, first.num_classes, instance_map=first.instance_map)
        self.sample: np.ndarray | None = None
        self.widget = None if widgets is None else self._built(widgets)
        self.redraw()

    @property
    def label_map(self) -> np.ndarray:
        """The painted map: (H, W) int64, a copy."""
        return self.labels.label_map

    def gesture(self, gesture: dict) -> bool:
        """Does a gesture, as the page or the plain controls send it, and redraws; a bad one is told in the line.

        Args:
            gesture: as for `painting.paint`; or "preset" with an "index", or "clear" with a "label".

        Returns:
            Whether the map changed.

        Raises:
            ValueError: on a bad gesture where there is no widget to tell it.
        """
        if self.widget is None:
            return self._paint(gesture)
        try:
            changed = self._paint(gesture)
        except ValueError as error:
            self._runner.say(one_line(error), alert=True)
            changed = False
        number = gesture.get("id")
        self._front.refresh(number if isinstance(number, int) else 0)
        if changed:
            self.redraw()
        return changed

    def redraw(self) -> None:
        """Shows the map as it is now and draws its sample, in the background; nothing where there is no widget."""
        if self.widget is None:
            return
        self._front.refresh(0)
        try:
            settings = self._checked_settings()
        except ValueError as error:
            self._runner.refuse(one_line(error))
            return
        layout, labels = _layout(self.labels), self.label_map
        self._runner.start(
            lambda steps: self._work(layout, labels, settings, steps),
            num_steps=settings.num_steps,
            description="drawing",
        )

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the sample is drawn; False if it is not within `timeout` seconds."""
        return self._runner.wait(timeout)

    def cancel(self) -> None:
        """Stops drawing at the next step."""
        self._runner.cancel()

    def _ipython_display_(self) -> None:
        if self.widget is None:
            Static([self._figure()])._ipython_display_()
        else:
            super()._ipython_display_()

    def _built(self, widgets: Any) -> Any:
        names = [name for name, _ in self._starts]
        front = PlainFront if canvas_class() is None else PageFront
        self._front = front(widgets, self.labels, self._world.dataset, names, self.gesture)
        self._runner = Runner(widgets)
        self._picture = widgets.HTML()
        self._scale = widgets.Text(
            value=f"{self._settings.guidance_scale:g}",
            description="Guidance scale s",
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": "180px"},
        )
        self._seed = widgets.BoundedIntText(
            value=self._settings.seed, min=0, max=2**32 - 1, description="Seed", layout={"width": "170px"}
        )
        for control in (self._scale, self._seed):
            control.observe(lambda _: self.redraw(), names="value")
        row = {"flex_flow": "row wrap", "align_items": "flex-start"}
        settings = widgets.HBox([self._scale, self._seed], layout=row)
        # Beside the map where there is room for both, below it on a narrow page.
        self._front.widget.layout.flex, self._front.widget.layout.width = "0 0 auto", "430px"
        right = widgets.VBox(
            [self._picture, settings, self._runner.box], layout={"flex": "1 1 330px", "min_width": "0"}
        )
        return widgets.HBox([self._front.widget, right], layout=row)

    def _paint(self, gesture: dict) -> bool:
        if gesture.get("kind") == "preset":
            index = gesture.get("index")
            if not isinstance(index, int) or not 0 <= index < len(self._starts):
                raise ValueError(f"expected a start in 0..{len(self._starts) - 1}, got {index!r}")
            start = self._starts[index][1]
            return self.labels.replace(start.label_map, instance_map=start.instance_map)
        if gesture.get("kind") == "clear":
            height, width = self.labels.shape
            return self.labels.rectangle((0, 0), (height - 1, width - 1), gesture.get("label"))
        return paint(self.labels, gesture)

    def _checked_settings(self) -> Settings:
        return self._world.check(self._settings._replace(guidance_scale=self._scale.value, seed=self._seed.value))

    def _work(self, layout: Layout, labels: np.ndarray, settings: Settings, steps: Steps) -> str:
        words = in_words(labels, self._world.dataset.class_names)

        def show(picture: np.ndarray, caption: str) -> None:
            tile = Tile(picture, caption, f"{caption}, of a map with {words}")
            self._picture.value = tiles_html([tile], side=320)

        def on_moment(moment: Moment) -> None:
            show(to_uint8(moment.x0), f"predicted x0 at t = {moment.t}")

        drawing = draw_sample(self._world, self._world.condition(layout), settings, steps.step, on_moment)
        self.sample = drawing.picture
        show(drawing.picture, f"sample, s = {settings.guidance_scale:g}, seed {settings.seed}")
        if self._on_sample is not None:
            self._on_sample(labels, drawing.picture)
        present = np.unique(labels)
        only = f"; the map is all {self._world.dataset.class_names[present[0]]}, which the network has not been taught"
        return f"drawn from: {words}" + (only if len(present) == 1 else "")

    def _figure(self) -> Any:
        world, dataset = self._world, self._world.dataset
        others = {name: one for name, one in self._starts if not np.array_equal(one.label_map, self.label_map)}
        same = [name for name, _ in self._starts if name not in others]
        maps = dict(list({same[0] if same else "your map": self.labels, **others}.items())[:NUM_SHOWN])
        pictures = []
        with Progress("sampling", total=len(maps) * self._settings.num_steps) as count:
            for one in maps.values():
                condition = world.condition(_layout(one))
                pictures.append(draw_sample(world, condition, self._settings, count.update).picture)
        self.sample = pictures[0]
        return show_grid(
            [[colorize(one.label_map, dataset.palette) for one in maps.values()], pictures],
            row_labels=["label map", f"sample, s = {self._settings.guidance_scale:g}"],
            column_labels=list(maps),
            legend=(dataset.class_names, dataset.palette),
            title="Maps to paint on, and what is drawn for them",
        )


def _layout(labels: LabelMap) -> Layout:
    return Layout(torch.from_numpy(labels.label_map), torch.from_numpy(labels.instance_map))


def _label_map(layout: Layout, num_classes: int) -> LabelMap:
    return LabelMap(layout.label_map.numpy(), num_classes, instance_map=layout.instance_map.numpy())
