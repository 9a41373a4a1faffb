"""The label painter: a map to paint on, and beside it the sample that the network draws for it.

Apart from the map itself, which is painting.py, and from the page one paints on, which is canvas.py: here a gesture
becomes a change of the map, and the change a new sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from sdm_lite.checkpoints import Model
from sdm_lite.evaluate.drawing import Painter, SampleSettings
from sdm_lite.viz import colorize, show_grid, to_uint8
from sdm_lite.widgets.base import Shown, Tile, find_ipywidgets, tiles_html
from sdm_lite.widgets.canvas import PageFront, PlainFront, canvas_class
from sdm_lite.widgets.controls import ROW, scale_field, seed_field
from sdm_lite.widgets.drawing import (
    Frame,
    condition_of,
    draw_now,
    draw_sample,
    examples_of,
    in_words,
    painted,
    settings_for,
)
from sdm_lite.widgets.jobs import Job, Runner
from sdm_lite.widgets.painting import LabelMap, apply_gesture, landscapes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_SHOWN = 6  # maps in the figure
FOLLOW_STEPS = 4  # a sample of so few steps is drawn while the brush moves: a student's


class LabelPainter(Shown):
    """A label map to paint on, with the sample of it beside, drawn again when a stroke ends; a student's as it goes.

    Without widgets it shows the map and those to start from, each with its sample, once.

    Args:
        model: network and process, as `load_model` gives them.
        dataset: the data set that the network reads, such as `Scenes(32)`.
        indices: layouts to start from, by their number in the data set; the first is shown.
        settings: scale, seed, steps and sampler of the sample; scale and seed can be changed. None = as the course
            samples, at the data set's scale.
        on_sample: called after each sample with the label map (H, W) int64 and the sample (H, W, 3) uint8, if given; in
            the thread that draws.
        beside: others that draw the painted map from the same seed, by name, as for `SamplingPanel`.

    Attributes:
        labels: the `LabelMap` that is painted; its methods paint too, from any cell: call `redraw` after them.
        sample: the last sample, (H, W, 3) uint8, or None before the first.
        widget: the ipywidgets box; None without widgets.

    Raises:
        ValueError: in one line and before anything is drawn, if network, data set, layouts or settings do not fit.
    """

    def __init__(
        self,
        model: Model,
        dataset: Any,
        indices: Sequence[int] = tuple(range(4)),
        *,
        settings: SampleSettings | None = None,
        on_sample: Callable[[np.ndarray, np.ndarray], None] | None = None,
        beside: Mapping[str, Painter] | None = None,
    ):
        self._model, self._dataset, self._on_sample = model, dataset, on_sample
        self._beside = dict(beside or {})
        self._settings = (settings or settings_for(dataset, model)).check(model)
        self._starts = {
            name: LabelMap(one.label_map, dataset.num_classes, instance_map=one.instance_map)
            for name, one in examples_of(model, dataset, indices).items()
        }
        first, *others = self._starts.values()
        for other in others:
            if other.shape != first.shape:
                raise ValueError(f"expected layouts of one size, got {first.shape} and {other.shape}")
        self._starts |= landscapes(*first.shape, dataset.class_names)
        self.labels = LabelMap(first.label_map, first.num_classes, instance_map=first.instance_map)
        self.sample: np.ndarray | None = None
        widgets = find_ipywidgets()
        if widgets is not None:
            self.widget = self._built(widgets)
        self.redraw()

    @property
    def label_map(self) -> np.ndarray:
        """The painted map: (H, W) int64, a copy."""
        return self.labels.label_map

    def gesture(self, gesture: dict) -> bool:
        """Does a gesture, as the page or the plain controls send it, and redraws; a bad one is told in the line.

        Args:
            gesture: as for `painting.apply_gesture`; or "preset" with an "index". With "unfinished" it is a stroke on
                its way: its sample is drawn, and the map stays as it is.

        Returns:
            Whether the map changed.

        Raises:
            ValueError: on a bad gesture where there is no widget to tell it.
        """
        changed = False
        with self._telling(lambda text: self._runner.say(text, alert=True)):
            if gesture.get("unfinished"):
                draft = LabelMap(self.label_map, self.labels.num_classes, instance_map=self.labels.instance_map)
                if apply_gesture(draft, gesture):
                    self._draw(draft)
                return False
            changed = self._paint(gesture)
        if self.widget is not None:
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
        self._draw(self.labels)

    def _draw(self, labels: LabelMap) -> None:
        """Draws the sample of a map in the background."""
        if self.widget is None:
            return
        with self._telling(self._runner.refuse):
            settings = replace(self._settings, guidance_scale=self._scale.value, seed=self._seed.value)
            settings = settings.check(self._model)
            others = painted(self._beside, labels, settings.seed)
            work = partial(self._work, labels.label_map, condition_of(self._model, labels), settings, others)
            self._runner.start(work, num_steps=settings.num_steps, description="drawing")

    def figures(self) -> list[Figure]:
        """The map and others to start from, each over its sample."""
        others = {name: one for name, one in self._starts.items() if not np.array_equal(one.label_map, self.label_map)}
        same = [name for name in self._starts if name not in others]
        maps = dict(list({same[0] if same else "your map": self.labels, **others}.items())[:NUM_SHOWN])
        drawings = draw_now(self._model, [(one, self._settings) for one in maps.values()], "sampling")
        self.sample = drawings[0].picture
        palette = self._dataset.palette
        columns = [painted(self._beside, one, self._settings.seed) for one in maps.values()]
        others = [[column[name] for column in columns] for name in self._beside]
        figure = show_grid(
            [[colorize(one.label_map, palette) for one in maps.values()], [one.picture for one in drawings], *others],
            row_labels=["label map", f"sample, s = {self._settings.guidance_scale:g}", *self._beside],
            column_labels=list(maps),
            legend=(self._dataset.class_names, palette),
            title="Maps to paint on, and what is drawn for them",
        )
        return [figure]

    def _built(self, widgets: Any) -> Any:
        given = widgets, self.labels, self._dataset, list(self._starts), self.gesture
        follows = self._settings.num_steps <= FOLLOW_STEPS
        self._front = PlainFront(*given) if canvas_class() is None else PageFront(*given, follows=follows)
        self._runner = Runner(widgets)
        self._picture = widgets.HTML()
        self._scale = scale_field(widgets, self._settings.guidance_scale)
        self._seed = seed_field(widgets, self._settings.seed)
        for control in (self._scale, self._seed):
            control.observe(lambda _: self.redraw(), names="value")
        settings = widgets.HBox([self._scale, self._seed], layout=ROW)
        # Beside the map where there is room for both, below it on a narrow page.
        self._front.widget.layout.flex, self._front.widget.layout.width = "0 0 auto", "430px"
        right = widgets.VBox(
            [self._picture, settings, self._runner.box], layout={"flex": "1 1 330px", "min_width": "0"}
        )
        return widgets.HBox([self._front.widget, right], layout={"flex_flow": "row wrap", "align_items": "flex-start"})

    def _paint(self, gesture: dict) -> bool:
        if gesture.get("kind") == "preset":
            starts, index = list(self._starts.values()), gesture.get("index")
            if not isinstance(index, int) or not 0 <= index < len(starts):
                raise ValueError(f"expected a start in 0..{len(starts) - 1}, got {index!r}")
            return self.labels.replace(starts[index].label_map, instance_map=starts[index].instance_map)
        return apply_gesture(self.labels, gesture)

    def _work(
        self,
        labels: np.ndarray,
        condition: Tensor,
        settings: SampleSettings,
        others: Mapping[str, np.ndarray],
        job: Job,
    ) -> str:
        class_names = self._dataset.class_names
        words = in_words(labels, class_names)

        def show(picture: np.ndarray, caption: str) -> None:
            tiles = [Tile(picture, caption, f"{caption}, of a map with {words}")]
            tiles += [Tile(other, name, f"{name}, of the same map") for name, other in others.items()]
            self._picture.value = tiles_html(tiles, side=160 if others else 320)

        def on_frame(frame: Frame) -> None:
            job.step(lambda: show(to_uint8(frame.x0), f"predicted x0 at t = {frame.t}"))

        self.sample = draw_sample(self._model, condition, settings, on_frame).picture
        show(self.sample, f"sample, s = {settings.guidance_scale:g}, seed {settings.seed}")
        if self._on_sample is not None:
            self._on_sample(labels, self.sample)
        present = np.unique(labels)
        only = f"; the map is all {class_names[present[0]]}, which the network has not been taught"
        return f"drawn from: {words}" + (only if len(present) == 1 else "")
