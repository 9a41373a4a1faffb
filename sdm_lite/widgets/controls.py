"""The controls of the sampling panel, and the two of them that the painter has too.

Apart so that a widget need only ask what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sdm_lite.evaluate.drawing import SampleSettings
from sdm_lite.sampling import SAMPLERS
from sdm_lite.widgets.base import sized
from sdm_lite.widgets.drawing import sampler_name

ROW = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "0 10px"}


def seed_field(widgets: Any, seed: int) -> Any:
    """A field for the seed of the noise."""
    return sized(widgets.BoundedIntText(description="Seed", min=0, max=2**32 - 1, value=seed), 130)


def scale_field(widgets: Any, guidance_scale: float) -> Any:
    """A field for a guidance scale; text, so that what is no scale can be told instead of changed."""
    field = widgets.Text(description="Guidance scale s", value=f"{guidance_scale:g}", continuous_update=False)
    return sized(field, 200)


class Controls:
    """The controls of a panel and what they say.

    Args:
        widgets: the ipywidgets module.
        layouts: names of the layouts.
        scales: of the slider, in order.
        settings: what the controls say first; the scale is one of `scales`.
        num_timesteps: T, the most steps that can be asked for, and the last timestep that can be guided.

    Attributes:
        rows: the widgets to show, one below the other.
    """

    def __init__(
        self, widgets: Any, layouts: Sequence[str], scales: list[float], settings: SampleSettings, num_timesteps: int
    ):
        def number(name: str, least: int, value: int) -> Any:
            return widgets.BoundedIntText(description=name, min=least, max=num_timesteps, value=value)

        self._given, self._everywhere = settings, (1, num_timesteps)
        self._first, last = settings.guidance_interval or self._everywhere
        samplers = list((SAMPLERS | {sampler_name(settings.sampler): settings.sampler}).items())
        choices, scale = [(f"{one:g}", one) for one in scales], settings.guidance_scale
        self._layout = sized(widgets.Dropdown(description="Layout", options=list(layouts)), 170)
        self._seed = seed_field(widgets, settings.seed)
        self._num_steps = sized(number("Steps", 1, settings.num_steps), 130)
        self._sampler = sized(widgets.Dropdown(description="Sampler", options=samplers, value=settings.sampler), 230)
        self._last = sized(number("Guided for t <=", self._first, last), 180)
        self._mode = widgets.ToggleButtons(
            options=[("scrub", False), ("live", True)],
            tooltips=["Scrub scales that are drawn once", "Type any scale and watch every step"],
            style={"button_width": "70px"},
        )
        self._slider = widgets.SelectionSlider(description="Guidance scale s", options=choices, value=scale)
        self._typed = scale_field(widgets, scale)
        self._typed.layout.display = "none"
        self.rows = [
            widgets.HBox([self._layout, self._seed, self._num_steps, self._sampler], layout=ROW),
            widgets.HBox([self._mode, sized(self._slider, 380), self._typed, self._last], layout=ROW),
        ]

    @property
    def layout(self) -> str:
        """The name of the chosen layout."""
        return self._layout.value

    @property
    def is_live(self) -> bool:
        """Whether the scale is typed, not scrubbed."""
        return self._mode.value

    @property
    def settings(self) -> SampleSettings:
        """All settings as they were typed, so not checked."""
        interval = (self._first, self._last.value)
        return replace(
            self._given,
            guidance_scale=self._typed.value if self.is_live else self._slider.value,
            num_steps=self._num_steps.value,
            sampler=self._sampler.value,
            guidance_interval=None if interval == self._everywhere else interval,
            seed=self._seed.value,
        )

    def observe(self, on_change: Callable[[], None]) -> None:
        """Calls a function after every change."""

        def switch(change: dict) -> None:
            self._slider.layout.display = "none" if change["new"] else ""
            self._typed.layout.display = "" if change["new"] else "none"

        self._mode.observe(switch, names="value")
        for row in self.rows:
            for control in row.children:
                control.observe(lambda _: on_change(), names="value")
