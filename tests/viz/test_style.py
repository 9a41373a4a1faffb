"""The style: figures are closed, and nothing of it leaks until it is asked for."""

import pytest
from tiles import noise_tile

from sdm_lite import viz

pytest.importorskip("matplotlib")


def test_figures_are_not_left_open():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()  # of tests that ran earlier
    viz.show_grid([[noise_tile(0)]])
    viz.plot_lines([1, 2], {"a": [1, 2]}, xlabel="x", ylabel="y")
    assert plt.get_fignums() == before


def test_the_style_does_not_leak_until_asked_for():
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        viz.show_grid([[noise_tile(0)]])
        assert matplotlib.rcParams["legend.frameon"]
        viz.use_style()
        assert not matplotlib.rcParams["legend.frameon"]
