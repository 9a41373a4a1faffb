"""Small pictures side by side: one for each value, in rows, under one title."""

import pytest

from sdm_lite.viz import plot_panels

plt = pytest.importorskip("matplotlib.pyplot")


def test_there_is_a_picture_for_each_value_in_rows():
    figure = plot_panels(lambda axes, value: axes.set_title(f"s = {value}"), range(5), columns=3, title="Five values")
    assert [axes.get_title(loc="left") for axes in figure.axes] == [f"s = {value}" for value in range(5)]
    tops = [round(axes.get_position().y1, 3) for axes in figure.axes]
    assert len(set(tops[:3])) == 1 and len(set(tops[3:])) == 1 and tops[0] > tops[3]
    assert figure.get_suptitle() == "Five values" and plt.get_fignums() == []


def test_nothing_to_draw_is_told():
    with pytest.raises(ValueError, match="at least one value"):
        plot_panels(print, [])
