"""Names and keys for controls of ipywidgets, for those who use a screen reader or the keyboard; see names.js.

Apart because it mends ipywidgets and is no control itself: where anywidget is missing, widgets work without it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any


def names_and_keys() -> list[Any]:
    """An unseen widget to put among the children of the outermost VBox: it names the controls in there.

    Returns:
        The widget in a list, which is empty where anywidget is missing.
    """
    names = _names_class()
    return [] if names is None else [names(layout={"display": "none"})]


@lru_cache(maxsize=1)
def _names_class() -> Any:
    try:
        import anywidget
    except ImportError:
        return None

    class Names(anywidget.AnyWidget):
        _esm = Path(__file__).parent / "names.js"

    return Names
