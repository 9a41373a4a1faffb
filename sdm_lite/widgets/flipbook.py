"""A slider over pictures that are drawn already: one for each value of a quantity.

Apart from the panel because it samples nothing and knows no network: whatever a function can draw on axes, it shows.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sdm_lite.viz import figure_png, plot_panels
from sdm_lite.widgets.base import Shown, find_ipywidgets, sized
from sdm_lite.widgets.names import names_and_keys

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Flipbook(Shown):
    """A slider that leafs through pictures; without widgets all of them stand side by side.

    Args:
        draw: draws a value on square matplotlib axes that have no ticks.
        values: one picture for each, in the order of the slider.
        name: of the quantity, beside the slider: "Guidance scale s".
        start: the value that is shown first.
        describe: from a value to what its picture shows, in words, for those who cannot see it.
        title: above the pictures where they stand side by side.

    Attributes:
        widget: the ipywidgets box; None without widgets.

    Raises:
        ValueError: in one line and before anything is drawn, if there are no values or `start` is none of them.
    """

    def __init__(
        self,
        draw: Callable[[Axes, float], None],
        values: Sequence[float],
        *,
        name: str,
        start: float,
        describe: Callable[[float], str],
        title: str,
    ):
        if start not in values:
            raise ValueError(f"start: expected one of {', '.join(f'{value:g}' for value in values)}, got {start:g}")
        self._draw, self._values, self._describe, self._title = draw, list(values), describe, title
        widgets = find_ipywidgets()
        if widgets is not None:
            self._pages = {value: self._page(value) for value in self._values}
            options = [(f"{value:g}", value) for value in self._values]
            self._slider = sized(widgets.SelectionSlider(description=name, options=options, value=start), 380)
            self._picture = widgets.HTML(self._pages[start])
            self._slider.observe(self._turn, names="value")
            self.widget = widgets.VBox([self._slider, self._picture, *names_and_keys()])

    def figures(self) -> list[Figure]:
        """All pictures in one figure."""
        return [plot_panels(self._draw, self._values, title=self._title)]

    def _turn(self, change: dict[str, Any]) -> None:
        self._picture.value = self._pages[change["new"]]

    def _page(self, value: float) -> str:
        """One picture as HTML, with its words."""
        png = base64.b64encode(figure_png(plot_panels(self._draw, [value], side=4.2))).decode("ascii")
        words = html.escape(self._describe(value))
        return f'<img src="data:image/png;base64,{png}" alt="{words}" style="max-width:100%">'
