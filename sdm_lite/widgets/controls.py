"""The controls of the sampling panel.

Apart so that the panel need only ask what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sdm_lite.sampling import SAMPLERS
from sdm_lite.widgets.drawing import Settings


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
        self, widgets: Any, layouts: Sequence[str], scales: list[float], settings: Settings, num_timesteps: int
    ):
        def made(kind: Any, description: str, width: int, **more: Any) -> Any:
            return kind(
                description=description, style={"description_width": "initial"}, layout={"width": f"{width}px"}, **more
            )

        self._layout = made(widgets.Dropdown, "Layout", 170, options=list(layouts))
        self._seed = made(widgets.BoundedIntText, "Seed", 130, value=settings.seed, min=0, max=2**32 - 1)
        self._num_steps = made(widgets.BoundedIntText, "Steps", 130, value=settings.num_steps, min=1, max=num_timesteps)
        self._sampler = made(widgets.Dropdown, "Sampler", 230, options=list(SAMPLERS), value=settings.sampler)
        self._first, last = settings.guidance_interval or (1, num_timesteps)
        self._last = made(
            widgets.BoundedIntText, "Guided for t <=", 180, value=last, min=self._first, max=num_timesteps
        )
        self._mode = widgets.ToggleButtons(
            options=[("scrub", False), ("live", True)],
            tooltips=["Scrub scales that are drawn once", "Type any scale and watch every step"],
            style={"button_width": "70px"},
        )
        self._slider = made(
            widgets.SelectionSlider,
            "Guidance scale s",
            380,
            options=[(f"{scale:g}", scale) for scale in scales],
            value=settings.guidance_scale,
        )
        self._typed = made(
            widgets.Text, "Guidance scale s", 200, value=f"{settings.guidance_scale:g}", continuous_update=False
        )
        self._typed.layout.display = "none"
        row = {"flex_flow": "row wrap", "align_items": "center"}
        self.rows = [
            widgets.HBox([self._layout, self._seed, self._num_steps, self._sampler], layout=row),
            widgets.HBox([self._mode, self._slider, self._typed, self._last], layout=row),
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
    def settings(self) -> Settings:
        """All settings as they were typed, so not checked."""
        scale = self._typed.value if self.is_live else self._slider.value
        interval = (self._first, self._last.value)
        return Settings(scale, self._seed.value, self._num_steps.value, self._sampler.value, interval)

    def observe(self, on_change: Callable[[], None]) -> None:
        """Calls a function after every change."""

        def switch(change: dict) -> None:
            self._slider.layout.display = "none" if change["new"] else ""
            self._typed.layout.display = "" if change["new"] else "none"

        self._mode.observe(switch, names="value")
        scale = (self._mode, self._slider, self._typed, self._last)
        for control in (self._layout, self._seed, self._num_steps, self._sampler, *scale):
            control.observe(lambda _: on_change(), names="value")
