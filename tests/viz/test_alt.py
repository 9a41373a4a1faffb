"""Words for those who cannot see: made of what is on a figure, and carried by the PNG that a notebook shows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiles import PALETTE, noise_tile

from sdm_lite import viz

pytest.importorskip("matplotlib")


def test_a_grid_tells_its_rows_columns_title_and_legend():
    figure = viz.show_grid(
        [[noise_tile(0)] * 2, [noise_tile(1)] * 2],
        row_labels=["label map", "sample"],
        column_labels=["", r"$\log\,p(x_t)$"],
        title="Two maps",
        caption="Look.",
        legend=(["sky", "grass", "water"], PALETTE),
    )
    expected = "Two maps. Pictures in 2 rows of 2 columns. Rows: label map; sample. Columns: log p(x_t)"
    assert viz.alt_text(figure) == f"{expected}. Legend: sky; grass; water. Look."


def test_curves_are_told_by_their_names_and_ends():
    lines = {"DDIM": [0.5, 0.25, 0.125], r"$\bar\alpha_t$": [3, float("nan"), float("nan")]}
    figure = viz.plot_lines(
        [5, 10, 50], lines, xlabel="steps", ylabel="distance", references={"floor": 0.1}, title="Far"
    )
    expected = r"Far: distance against steps: DDIM from 0.5 at 5 to 0.125 at 50; alpha_t at 3; floor at 0.1"
    assert viz.alt_text(figure) == expected


def test_panels_are_counted_and_images_named():
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2)
    pyplot.close(figure)
    figure.suptitle("Both")
    left.imshow(noise_tile(0))
    left.set_title("a map")
    right.bar(["a", "b"], [1, 2], label="weights")
    right.set(xlabel="part", ylabel="millions")
    assert viz.alt_text(figure) == "Both. 2 panels. Panel 1: a map. Panel 2: millions against part: weights"


def test_words_of_one_s_own_come_first():
    figure = viz.plot_lines([0, 1], {"a": [0, 1]}, xlabel="x", ylabel="y")
    assert viz.alt_text(viz.describe(figure, "A line\nthat rises.")) == "A line that rises."


def test_differences_are_told_one_by_one():
    of = viz.Difference
    panels = {"Steps": {"mIoU": [of("500", 0.5, 0.1, 0.9), of("1000", 0.1, -0.1, 0.3), of("2000")]}}
    figure = viz.plot_differences(panels, more_is_better={"mIoU": True, "FID": False}, names=("SDM", "concat"))
    expected = "mIoU, Steps: 500 SDM better; 1000 undecided; 2000 not measured. FID, Steps: not measured"
    assert viz.alt_text(figure) == f"Differences. {expected}"


SHOWN = """
import json
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
from sdm_lite.viz import plot_lines, use_style
use_style(), use_style()  # once is enough, twice no harm
import matplotlib.pyplot as plt
plt.plot([1, 2], label="rises")
plt.gca().set(xlabel="x", ylabel="y")
own, theirs = plt.gcf(), plot_lines([0, 1], {"a": [0, 1]}, xlabel="steps", ylabel="loss")
told = []
for figure in (own, theirs):
    data, metadata = shell.display_formatter.format(figure)
    told.append([str(data["image/png"])[:6], metadata["image/png"]["alt"]])
print(json.dumps(told))
"""


def test_what_a_notebook_shows_carries_its_words():
    pytest.importorskip("matplotlib_inline")
    environment = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    environment["PYTHONPATH"] = str(Path(viz.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", SHOWN], capture_output=True, text=True, env=environment, check=True)
    own, theirs = json.loads(done.stdout.splitlines()[-1])
    assert own == ["iVBORw", "y against x: rises from 1 at 0 to 2 at 1"]
    assert theirs == ["iVBORw", "loss against steps: a from 0 at 0 to 1 at 1"]
