"""Where the decoder path pays: what was measured stands in its panel, what was not is said, undecided is no verdict."""

import pytest

from sdm_lite.baselines.ablation.figure import (
    FID,
    MIOU,
    class_changes_lines,
    draw_where_it_pays,
    where_it_pays,
    where_it_pays_lines,
)
from sdm_lite.viz import plot_differences

LOW, HIGH = {"value": -2.0, "interval": [-3, -1]}, {"value": 0.02, "interval": [0.01, 0.03]}
OPEN = {"value": 0.1, "interval": [-1, 1]}


def results():
    """SDM better in both at 500 steps; concat better at 4000 in FID; 64 px and a label set missing."""
    curve = [{"steps": 500, "miou": HIGH, "frechet": LOW}, {"steps": 4000, "miou": OPEN, "frechet": HIGH}]
    name = "SDM less concat, guided, equal time"
    things = {"name": name, "miou": [HIGH] * 4, "frechet": [OPEN] * 4}
    of_sets = [{"label_set": "standard", "miou_groups": HIGH, "miou": OPEN, "frechet": OPEN}]
    changes = [{"name": "11 classes less 5", "miou_groups": OPEN, "frechet": LOW}]
    found = {
        "curve": curve,
        "things": {"fewest": [1, 5, 6, 7], "most": [4, 5, 6, 9], "differences": [things]},
        "classes": {"label_sets": of_sets, "changes": changes},
    }
    return {"sizes": {"32": found}}


def test_every_difference_is_in_its_panel():
    steps, size, things, classes, photographs = where_it_pays(results(), None).values()
    assert [(one.name, one.value) for one in steps[FID]] == [
        ("500", -2), ("1000", None), ("2000", None), ("4000", 0.02)
    ]  # fmt: skip
    assert [one.value for one in size[MIOU]] == [0.1, None, None], "64 px, and ten times the training"
    assert [one.name for one in things[MIOU]] == ["1-4", "5-5", "6-6", "7-9"]
    assert [(one.name, one.value) for one in classes[MIOU]] == [("5", None), ("11", 0.02), ("23", None)]
    assert photographs == {MIOU: [], FID: []}


def test_a_verdict_is_of_an_interval_on_one_side_and_knows_which_side_is_better():
    lines = "\n".join(where_it_pays_lines(results(), None))
    first = "| 500 | +0.020 [+0.010, +0.030] **SDM better** | -2.000 [-3.000, -1.000] **SDM better** |"
    assert f"| Steps of SDM (32 px) {first}" in lines
    assert "| 4000 | +0.100 [-1.000, +1.000] undecided | +0.020 [+0.010, +0.030] **concat better** |" in lines
    assert "| Photographs | | not measured | not measured |" in lines and lines.count("64 px") == 2
    said = list(class_changes_lines(results()))
    assert "undecided | -2.000 [-3.000, -1.000] **SDM gains** |" in said[-1], "more of a lead is none by itself"
    assert list(class_changes_lines({"sizes": {}})) == ["not measured"]


def test_the_figure_colours_what_is_decided_and_says_what_is_missing():
    figure = draw_where_it_pays(results(), None)
    panels = figure.axes
    assert len(panels) == 10
    colours = [line.get_color() for line in panels[5].lines if list(line.get_xdata()) in ([0], [3])]
    assert len(set(colours)) == 2, "SDM better at the first, concat at the last"
    hollow = [line for line in panels[0].lines if list(line.get_xdata()) == [3]]
    assert hollow[0].get_markerfacecolor() == "white", "undecided"
    for number, missing in ((0, 2), (1, 2), (2, 0), (3, 2), (4, 1)):
        assert [text.get_text() for text in panels[number].texts] == ["not measured"] * missing


def test_photographs_are_told_at_both_matches_where_guided():
    each = [
        {"match": match, "scale": scale, "miou": HIGH, "frechet": OPEN}
        for match in ("equal steps", "equal time")
        for scale in (1, 2)
    ]
    panels = where_it_pays(results(), {"name": "camvid 96 x 128", "differences": each})
    assert [one.name for one in panels["camvid 96 x 128"][MIOU]] == ["equal\nsteps\ns = 2", "equal\ntime\ns = 2"]


def test_a_row_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match=r"expected panels of the rows \['a'\], got \['b'\]"):
        plot_differences({"q": {"b": []}}, more_is_better={"a": True}, names=("x", "y"))
