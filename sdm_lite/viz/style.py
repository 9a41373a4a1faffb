"""How figures look: one style, new axes to draw on, and the colours of text and of what stands back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from sdm_lite.pictures import OKABE_ITO
from sdm_lite.viz.alt import show_with_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110
TEXT, FAINT = "#1c2430", "#5c6773"
LINE_STYLES = ("-", "--", (0, (1, 1.2)), "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
"""Of the curves of a plot in their order, so that they can be told apart without colours."""
MARKERS = "osD^vP"


def use_style() -> None:
    """Sets matplotlib's defaults for a notebook's own plots to those of this module, and shows figures with words.

    Every figure of the notebook then has its text alternative (`alt_text`) in the metadata of its PNG.
    """
    import matplotlib

    matplotlib.rcParams.update(settings())
    show_with_words()


def draw_for_files() -> None:
    """Draw figures for files alone from here on: a command shows none.

    Whatever MPLBACKEND asks for is then not looked for: a screen that is not there, or the front end of the notebook
    that the command was started from.
    """
    os.environ["MPLBACKEND"] = "agg"


def settings() -> dict[str, Any]:
    """What every figure of this package is drawn with: matplotlib's rcParams that differ from its own."""
    from matplotlib import cycler

    return {
        "figure.dpi": DPI,
        "figure.facecolor": "white",
        "savefig.bbox": "tight",
        "savefig.dpi": "figure",
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": TEXT,
        "axes.labelcolor": TEXT,
        "axes.edgecolor": FAINT,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=OKABE_ITO),
        "grid.color": "#e3e6ea",
        "grid.linewidth": 0.8,
        "lines.linewidth": 1.8,
        "lines.markersize": 4.5,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "xtick.labelcolor": TEXT,
        "ytick.labelcolor": TEXT,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "image.interpolation": "nearest",
    }


@contextmanager
def styled_axes(width: float, height: float, *, bare: bool = False) -> Iterator[tuple[Figure, Any]]:
    """A new figure of width x height inches and its only axes, to be drawn on inside the `with` block.

    It is closed for pyplot at once: an open one is drawn a second time by the notebook at the end of the cell. Ticks
    are made, and take their style, when a figure is laid out, so that is done before the style is left.
    """
    import matplotlib.pyplot as plt

    with plt.rc_context(settings()):
        figure = plt.figure(figsize=(width, height))
        plt.close(figure)
        axes = figure.add_axes((0, 0, 1, 1)) if bare else figure.add_subplot()
        if bare:
            axes.grid(False)
            axes.spines[:].set_visible(False)
            axes.set(xticks=[], yticks=[])
            axes.tick_params(length=0, pad=5)
            axes.xaxis.tick_top()
        yield figure, axes
        figure.draw_without_rendering()


@contextmanager
def image_axes(image: np.ndarray) -> Iterator[tuple[Figure, Any]]:
    """Axes that show a uint8 image pixel for pixel; labels lie outside of the figure's box and widen it when saved."""
    height, width = image.shape[:2]
    with styled_axes(width / DPI, height / DPI, bare=True) as (figure, axes):
        axes.imshow(image, extent=(0, width, height, 0), interpolation="nearest")
        yield figure, axes
