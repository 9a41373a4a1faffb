"""Figures: grids of images with names, denoising strips, legends, curves.

Apart because it is the one door of matplotlib, and knows no model. Functions return a matplotlib Figure, which a
notebook shows as the last expression of a cell or by `display(figure)`; after `use_style()` it is shown with words for
those who cannot see it. What `sdm_lite.pictures` makes of arrays can be
had from here too.

Shapes: B batch, H x W pixels.
"""

from sdm_lite.pictures import (
    OKABE_ITO,
    Row,
    colorize,
    default_palette,
    image_grid,
    png_bytes,
    to_uint8,
)
from sdm_lite.viz.alt import alt_text, describe
from sdm_lite.viz.differences import Difference, plot_differences
from sdm_lite.viz.files import figure_png, save_png
from sdm_lite.viz.grids import denoising_strip, legend, show_grid
from sdm_lite.viz.lines import plot_lines
from sdm_lite.viz.panels import plot_panels
from sdm_lite.viz.plane import plot_plane
from sdm_lite.viz.style import LINE_STYLES, MARKERS, draw_for_files, use_style

__all__ = [
    "Difference",
    "LINE_STYLES",
    "MARKERS",
    "OKABE_ITO",
    "Row",
    "alt_text",
    "colorize",
    "default_palette",
    "denoising_strip",
    "describe",
    "draw_for_files",
    "figure_png",
    "image_grid",
    "legend",
    "plot_differences",
    "plot_lines",
    "plot_panels",
    "plot_plane",
    "png_bytes",
    "save_png",
    "show_grid",
    "to_uint8",
    "use_style",
]
