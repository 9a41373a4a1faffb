"""What a figure shows, in words: the text alternative that travels with its PNG, for those who cannot see it.

Apart because it draws nothing. The words are made of what is written on the figure and of the ends of its curves, so
that they cannot grow stale; `describe` sets others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 8  # curves, bars or texts of a panel that are told; more would be read to nobody's use


def describe(figure: Figure, words: str) -> Figure:
    """Set a figure's text alternative.

    Args:
        figure: a matplotlib Figure.
        words: what it shows, for somebody who hears it.

    Returns:
        The same figure.
    """
    figure.set_label(words)
    return figure


def alt_text(figure: Figure) -> str:
    """A figure's text alternative: what `describe` set, or else its titles, axes, legends and the ends of its curves.

    Args:
        figure: a matplotlib Figure.

    Returns:
        One line of text without markup.
    """
    if figure.get_label():
        return plain(figure.get_label())
    panels = [words for axes in figure.axes if axes.get_visible() and (words := _panel(axes))]
    if len(panels) > 1:
        panels = [f"Panel {number}: {words}" for number, words in enumerate(panels, start=1)]
    above = figure.get_suptitle() if hasattr(figure, "get_suptitle") else ""
    if len(panels) > 1:
        above = f"{above}. {len(panels)} panels" if above else f"{len(panels)} panels"
    return plain(". ".join(part for part in (above, *panels) if part)) or "A figure without words on it"


def plain(text: str) -> str:
    """A text without line breaks and without the marks of equations: `$x_t$` becomes x_t."""
    text = re.sub(r"\\(?:bar|tilde|hat)\s*\{?\\?(\w+)\}?", r"\1", text)
    text = re.sub(r"\\[,;:! ]", " ", text)
    text = re.sub(r"\\(\w+)", r"\1", text.replace(r"\$", "$"))
    return re.sub(r"\s+", " ", re.sub(r"[${}]", "", text)).strip()


def show_with_words() -> None:
    """Have every figure that a notebook shows from here on carry its text alternative, in the metadata of its PNG.

    Nothing happens outside of IPython.
    """
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is None:
        return
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    plt.draw_if_interactive()  # the front end's backend sets its own way of showing figures when it is first used
    formatter = shell.display_formatter.formatters["image/png"]
    try:
        show = formatter.lookup_by_type(Figure)
    except KeyError:  # a terminal shows no pictures
        return
    if getattr(show, "has_words", False):
        return

    def shown_with_words(figure: Figure) -> Any:
        shown = show(figure)
        if not shown:
            return shown
        data, metadata = shown if isinstance(shown, tuple) else (shown, {})
        return data, {**metadata, "alt": alt_text(figure)}

    shown_with_words.has_words = True
    formatter.for_type(Figure, shown_with_words)


def _panel(axes: Any) -> str:
    """The words of one pair of axes: title, what is drawn against what, and its curves."""
    if axes.get_label() == "<colorbar>":
        return f"scale of colours {axes.get_ylabel()}".strip()
    title = next((axes.get_title(loc) for loc in ("left", "center", "right") if axes.get_title(loc)), "")
    across, upward = axes.get_xlabel(), axes.get_ylabel()
    against = f"{upward} against {across}" if across and upward else across or upward
    told = [_curve(line) for line in axes.get_lines() if _is_named(line)]
    told += [one.get_label() for one in (*axes.containers, *axes.collections) if _is_named(one)]
    if axes.images and not told and not against:
        return title or "a picture"
    told = list(dict.fromkeys(plain(one) for one in told))
    more = [f"and {len(told) - MOST} more"] if len(told) > MOST else []
    return ": ".join(part for part in (title, against, "; ".join([*told[:MOST], *more])) if part)


def _is_named(artist: Any) -> bool:
    label = artist.get_label()
    return bool(label) and not str(label).startswith("_")


def _curve(line: Any) -> str:
    """A line's name, and where it begins and ends."""
    x, y = (np.asarray(values) for values in line.get_data())
    if x.dtype.kind not in "iuf" or y.dtype.kind not in "iuf" or len(y) < 2 or len(x) != len(y):
        return line.get_label()
    finite = np.isfinite(y)
    if not finite.any() or y[finite].min() == y[finite].max():
        return f"{line.get_label()} at {y[finite][0]:.4g}" if finite.any() else line.get_label()
    first, last = np.flatnonzero(finite)[[0, -1]]
    return f"{line.get_label()} from {y[first]:.4g} at {x[first]:.4g} to {y[last]:.4g} at {x[last]:.4g}"
