"""Words on figures: no name is an equation by accident, and no letter an empty box."""

import warnings

import numpy as np
import pytest

from sdm_lite import viz
from sdm_lite.viz import words

pytest.importorskip("matplotlib")

NAMES = [r"a$\frac$b", "_background_", "$", "costs $5 or $6", "\u6a39\u6728", "\u0434\u043e\u0440\u043e\u0433\u0430"]


@pytest.fixture
def drawn_without_a_warning():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Glyph|The label")  # an empty box, a label that is left out
        yield


def test_class_names_are_no_equations_and_have_no_empty_boxes(drawn_without_a_warning):
    figure = viz.legend(NAMES, viz.default_palette(len(NAMES)))
    assert viz.figure_png(figure).startswith(b"\x89PNG")
    written = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert written[:4] == NAMES[:4] and written[5] == NAMES[5]
    assert written[4] in (NAMES[4], r"\u6a39\u6728"), "the letters, or where no font has them their numbers"


def test_letters_of_another_font_are_written_in_it(monkeypatch, drawn_without_a_warning):
    monkeypatch.setattr(words, "_font_with", lambda letters: "DejaVu Serif" if "x" in letters else None)
    written = viz.legend(["x\u00e9", "y\u00e9"], viz.default_palette(2)).axes[0].get_legend().get_texts()
    assert [text.get_text() for text in written] == ["x\u00e9", r"y\xe9"]
    assert written[0].get_fontfamily() == ["sans-serif", "DejaVu Serif"]


def test_dollars_that_are_no_equation_are_drawn_as_dollars(drawn_without_a_warning):
    row = np.zeros((2, 8, 8, 3), np.uint8)
    labels = {"column_labels": [r"a$\frac$b", "$x_t$"], "row_labels": [r"$\nope$"], "title": r"$\frac$ and $5"}
    figure = viz.show_grid([row], **labels, caption=r"$\frac$")
    assert viz.figure_png(figure).startswith(b"\x89PNG")
    first, second = figure.axes[0].get_xticklabels()
    assert r"\$" in first.get_text() and second.get_text() == "$x_t$"
    assert viz.figure_png(viz.plot_lines([0, 1], {r"$\frac$": [0, 1], "b": [1, 0]}, xlabel="", ylabel=""))
