"""The plane of FID and diversity, with the truth marked: what the claim "both at once" is about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdm_lite.baselines.comparison.page import figure_name, heading
from sdm_lite.baselines.comparison.runs import SDM
from sdm_lite.judge.network import metric_name
from sdm_lite.viz import plot_plane, save_png

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plane_of(table: Mapping[str, Any]) -> Figure:
    """The plane of one table: a cross of intervals a system, the truth as a star.

    Args:
        table: of the results of the stored run.
    """
    points = {
        row["title"] if row["scale"] is None else f"{row['title']}, s = {row['scale']:g}": tuple(
            (row[score]["value"], *row[score]["interval"]) for score in ("frechet", "diversity")
        )
        for row in table["rows"]
    }
    truth = tuple(table["truth"][score]["value"] for score in ("frechet", "diversity"))
    return plot_plane(
        points,
        xlabel=f"{metric_name('FID')}, logarithmic: lower is better",
        ylabel=metric_name("diversity"),
        reference=("true pictures", *truth),
        marked=[name for name, row in zip(points, table["rows"], strict=True) if row["system"] == SDM],
        log_x=True,
        title=heading(table),
    )


def draw_planes(folder: Path, stored: Mapping[str, Any]) -> list[Path]:
    """Draw the plane of every table.

    Args:
        folder: of the PNG files.
        stored: the results of the stored run.

    Returns:
        The files.
    """
    return [save_png(folder / figure_name(table), plane_of(table)) for table in stored["tables"]]
