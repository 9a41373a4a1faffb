"""Curves: what is given is drawn, and what does not fit is refused."""

import numpy as np
import pytest

from sdm_lite import viz

pytest.importorskip("matplotlib")


def test_plot_lines_draws_what_it_is_given():
    y = np.array([3.0, 2.0, 1.0])
    figure = viz.plot_lines(
        [1, 2, 4],
        {"DDIM": y, "DDPM": 2 * y},
        xlabel="steps",
        ylabel="distance",
        intervals={"DDIM": (y - 1, y + 1)},
        references={"floor": 0.5},
        log_x=True,
    )
    axes = figure.axes[0]
    assert [line.get_label() for line in axes.get_lines()] == ["DDIM", "DDPM", "floor"]
    assert axes.get_lines()[1].get_ydata().tolist() == [6, 4, 2]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale(), axes.get_yscale()) == (
        "steps",
        "distance",
        "log",
        "linear",
    )
    band = axes.collections[0].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == (0, 4)


def test_plot_lines_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="expected 2 values for line 'a'"):
        viz.plot_lines([1, 2], {"a": [1]}, xlabel="x", ylabel="y")
    with pytest.raises(ValueError, match="got one for 'b'"):
        viz.plot_lines([1], {"a": [1]}, intervals={"b": ([0], [1])}, xlabel="x", ylabel="y")
