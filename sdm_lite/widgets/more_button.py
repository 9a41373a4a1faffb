"""A button that shows one more line of text at each press: the hints of an exercise, below its check."""

from __future__ import annotations

import html
from collections.abc import Callable

from sdm_lite.widgets.base import find_ipywidgets


def show_more_button(name: str, more: Callable[[], str]) -> None:
    """Display a button under the cell's output; nothing where there are no widgets.

    Args:
        name: what it is for, for those who hear the page and do not see it.
        more: the next line, asked for at each press.
    """
    widgets = find_ipywidgets()
    if widgets is None:
        return
    from IPython.display import display

    button = widgets.Button(description="Hint", tooltip=name)  # of its usual width: "auto" is the page's
    lines = widgets.HTML()

    def press(_: object) -> None:
        lines.value += f'<div style="max-width:90em;line-height:1.4">{html.escape(more())}</div>'

    button.on_click(press)
    display(widgets.VBox([button, lines]))
