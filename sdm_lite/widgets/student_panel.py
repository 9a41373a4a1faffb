"""The student's panel: a guidance scale that is moved and answers at once; its teacher, or the pair from one noise.

Apart from the sampling panel, which draws a grid of scales once and shows what is drawn: here every move of the slider
draws, in the thread that hears of it, because a picture takes some hundredths of a second. The teacher takes many times
as long and is drawn by a job.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sdm_lite.checkpoints import Model
from sdm_lite.evaluate.drawing import SampleSettings
from sdm_lite.student import LANDINGS, SCALES, Student
from sdm_lite.viz import colorize, show_grid, to_uint8
from sdm_lite.widgets.base import Shown, Tile, find_ipywidgets, sized, tiles_html
from sdm_lite.widgets.controls import ROW, seed_field
from sdm_lite.widgets.drawing import condition_of, draw_now, draw_sample, examples_of, in_words, settings_for
from sdm_lite.widgets.jobs import Job, Runner
from sdm_lite.widgets.names import names_and_keys

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = {"student": (True, False), "teacher": (False, True), "side by side": (True, True)}
"""By what the switch says: whether the student is shown, whether the teacher is."""
FIGURE_SCALES = (1.0, 1.5, 2.0, 3.0)


class StudentPanel(Shown):
    """A student on a slider, its teacher, or both side by side from the same noise.

    Without widgets it shows the first layout by both at some scales, once.

    Args:
        student: that is drawn with while the slider moves, as `load_model` gives it.
        teacher: network and process that it was distilled from; of the same classes and size.
        dataset: the data set that both read, such as `Scenes(32)`.
        indices: the layouts to choose from, by their number in the data set.
        num_steps: evaluations of the student at first: 4, 2 or 1.
        seed: of the noise at first.

    Attributes:
        widget: the ipywidgets box; None without widgets.
        seconds: how long the student's last picture took; 0 before the first.

    Raises:
        ValueError: in one line and before anything is drawn, if the first is no student, or networks, data set, layouts
            or settings do not fit.
    """

    def __init__(
        self,
        student: Model,
        teacher: Model,
        dataset: Any,
        indices: Sequence[int] = tuple(range(6)),
        *,
        num_steps: int = 4,
        seed: int = 0,
    ):
        if not isinstance(student.unet, Student) or isinstance(teacher.unet, Student):
            raise ValueError(
                "expected a student and its teacher, in this order, got "
                f"{type(student.unet).__name__} and {type(teacher.unet).__name__}"
            )
        self._student, self._teacher, self._dataset = student, teacher, dataset
        self._examples = examples_of(student, dataset, indices)
        examples_of(teacher, dataset, indices[:1])
        self._usual = settings_for(dataset, teacher)
        self._first = SampleSettings(self._usual.guidance_scale, num_steps, seed=seed).check(student)
        self.seconds = 0.0
        self._drawn: dict[str, np.ndarray] = {}  # by whom, for what the controls say now
        widgets = find_ipywidgets()
        if widgets is not None:
            self.widget = self._built(widgets)
            self._change()

    @property
    def settings(self) -> SampleSettings:
        """What the student is drawn with."""
        if self.widget is None:
            return self._first
        asked = SampleSettings(self._scale.value, self._num_steps.value, seed=self._seed.value)
        return asked.check(self._student)

    @property
    def sample(self) -> np.ndarray | None:
        """The student's picture that is shown, (H, W, 3) uint8, or None while it is not."""
        return self._drawn.get("student")

    def figures(self) -> list[Figure]:
        """The first layout by student and teacher at some scales, from one noise."""
        name, example = next(iter(self._examples.items()))
        asked = [SampleSettings(scale, self._first.num_steps, seed=self._first.seed) for scale in FIGURE_SCALES]
        of_student = draw_now(self._student, [(example, one) for one in asked], "student")
        of_teacher = draw_now(self._teacher, [(example, self._of_teacher(one)) for one in asked], "teacher")
        grid = show_grid(
            [[one.picture for one in of_student], [one.picture for one in of_teacher]],
            row_labels=[f"student, {self._first.num_steps} evaluations", f"teacher, {self._usual.num_steps} steps"],
            column_labels=[f"s = {scale:g}" for scale in FIGURE_SCALES],
            title="Student and teacher, one map and one noise",
            caption=f"{name}, seed {self._first.seed}.",
        )
        return [grid]

    def _of_teacher(self, asked: SampleSettings) -> SampleSettings:
        """How the teacher draws what the student is asked for: as the course samples, from the same noise."""
        return replace(self._usual, guidance_scale=asked.guidance_scale, seed=asked.seed).check(self._teacher)

    def _built(self, widgets: Any) -> Any:
        low, high = SCALES
        scale = min(high, max(low, self._first.guidance_scale))
        self._layout = sized(widgets.Dropdown(description="Layout", options=list(self._examples)), 170)
        self._seed = seed_field(widgets, self._first.seed)
        self._shown = widgets.ToggleButtons(description="Drawn by", options=list(SHOWN), style={"button_width": "95px"})
        self._num_steps = widgets.ToggleButtons(
            description="Evaluations",
            options=list(LANDINGS),
            value=self._first.num_steps,
            style={"button_width": "45px"},
        )
        slider = widgets.FloatSlider(description="Guidance scale s", min=low, max=high, step=0.05, value=scale)
        self._scale = sized(slider, 380)
        self._runner, self._pictures, self._line = Runner(widgets), widgets.HTML(), widgets.HTML()
        for control in (self._layout, self._seed, self._shown, self._num_steps, self._scale):
            control.observe(lambda _: self._change(), names="value")
        rows = [
            widgets.HBox([self._layout, self._seed, self._shown], layout=ROW),
            widgets.HBox([self._scale, self._num_steps], layout=ROW),
        ]
        return widgets.VBox([*rows, self._pictures, self._line, self._runner.box, *names_and_keys()])

    def _change(self) -> None:
        """Draws with the student now, and with the teacher in a job, whichever are shown."""
        with self._telling(self._runner.refuse):
            settings, (by_student, by_teacher) = self.settings, SHOWN[self._shown.value]
            self._runner.cancel()
            self._drawn = {}
            example = self._examples[self._layout.value]
            if by_student:
                start = time.perf_counter()
                condition = condition_of(self._student, example)
                self._drawn["student"] = draw_sample(self._student, condition, settings, lambda _: None).picture
                self.seconds = time.perf_counter() - start
            self._show(settings)
            if by_teacher:
                asked = self._of_teacher(settings)
                work = partial(self._work, self._drawn, example, settings, asked)
                self._runner.start(work, num_steps=asked.num_steps, description="teacher")

    def _work(
        self, drawn: dict[str, np.ndarray], example: Any, settings: SampleSettings, asked: SampleSettings, job: Job
    ) -> str:
        start, condition = time.perf_counter(), condition_of(self._teacher, example)
        drawn["teacher"] = draw_sample(self._teacher, condition, asked, lambda _: job.step()).picture
        if drawn is self._drawn:  # nothing else was asked for meanwhile
            self._show(settings)
        return f"teacher: {asked.num_steps} steps in {1000 * (time.perf_counter() - start):.0f} ms"

    def _show(self, settings: SampleSettings) -> None:
        """Shows the map, what is drawn, and in whose place a picture is still to come."""
        example, dataset = self._examples[self._layout.value], self._dataset
        scale, words = f"s = {settings.guidance_scale:g}", in_words(example.label_map, dataset.class_names)
        tiles = [Tile(colorize(example.label_map, dataset.palette), "label map", f"label map: {words}")]
        for who, is_shown in zip(("student", "teacher"), SHOWN[self._shown.value], strict=True):
            if is_shown:
                grey = np.full_like(tiles[0].picture, 128)
                picture = self._drawn.get(who, grey)
                tiles.append(Tile(picture, f"{who}, {scale}" if who in self._drawn else f"{who}: being drawn"))
        tiles.append(Tile(to_uint8(example.image), "a true picture"))
        self._pictures.value = tiles_html(tiles)
        if "student" in self._drawn:
            evaluations = f"{settings.num_steps} evaluation{'s' * (settings.num_steps > 1)}"
            self._line.value = f"student: {evaluations} in {1000 * self.seconds:.0f} ms"
        else:
            self._line.value = ""
