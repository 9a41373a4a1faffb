"""The plane: a cross for each point, and names that hide nothing."""

import itertools

import numpy as np
import pytest

from sdm_lite import viz

pytest.importorskip("matplotlib")


def test_a_plane_has_a_cross_for_each_point_and_the_point_to_hold_them_against():
    points = {"A": ((2.0, -1.0, 3.0), (0.5, 0.4, 0.8)), "B": ((4.0, 3.0, 6.0), (0.0, 0.0, 0.0))}
    figure = viz.plot_plane(
        points, xlabel="FID", ylabel="diversity", reference=("truth", 1.0, 0.9), marked=["B"], log_x=True
    )
    (axes,) = figure.axes
    places = {tuple(line.get_xydata()[0]) for line in axes.lines if len(line.get_xydata()) == 1}
    assert {(2.0, 0.5), (4.0, 0.0), (1.0, 0.9)} <= places and axes.get_xscale() == "log"
    marks = {line.get_marker(): line.get_markerfacecolor() for line in axes.lines if line.get_marker() in ("o", "s")}
    assert marks == {"o": viz.OKABE_ITO[0], "s": viz.OKABE_ITO[1]}, "colours of the style, whoever draws the figure"
    ends = [segment for one in axes.collections for segment in one.get_segments()]
    upright = [[end[1] for end in one] for one in ends if one[0][0] == one[1][0] == 2.0]
    assert np.allclose(sorted(upright[0]), (0.4, 0.8))
    across = [[end[0] for end in one] for one in ends if one[0][1] == one[1][1] == 0.5]
    assert 0 < min(across[0]) < 0.1 and max(across[0]) == 3.0, "what lies below 0 has no place on a logarithm"
    assert {text.get_text() for text in axes.texts} == {"A", "B", "truth"}
    assert viz.alt_text(figure) == "Points of FID and diversity: truth at 1, 0.9; A at 2, 0.5; B at 4, 0"
    with pytest.raises(ValueError, match="expected at least one point, got none"):
        viz.plot_plane({}, xlabel="", ylabel="", reference=("truth", 1.0, 0.9))


def test_names_in_a_plane_are_legible_where_points_crowd():
    from matplotlib.text import Text

    points = {f"system {n}": ((2 + n / 50,) * 3, (0.5 * (n > 5),) * 3) for n in range(12)}
    figure = viz.plot_plane(points, xlabel="FID", ylabel="diversity", reference=("truth", 1.0, 0.9))
    (axes,) = figure.axes
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in axes.texts]  # without their lines
    assert len(boxes) == 13 and not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert all(axes.get_window_extent().contains(*corner) for box in boxes for corner in (box.p0, box.p1))
