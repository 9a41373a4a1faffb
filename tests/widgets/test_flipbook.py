"""The flipbook: a picture for each value, drawn once and in full; without widgets all of them in one figure."""

import pytest

from sdm_lite.widgets import Flipbook

pytest.importorskip("ipywidgets")
pytest.importorskip("matplotlib")

VALUES = (0.0, 1.5, 3.0)


def draw(axes, value):
    axes.plot([0, 1], [0, value])
    axes.set_title(f"s = {value:g}")


def made(start=1.5, values=VALUES, draw=draw):
    words = "A line that rises to {:g} <of 3>.".format
    return Flipbook(draw, values, name="Guidance scale s", start=start, describe=words, title="Three lines")


def test_leafing_shows_the_picture_and_the_words_of_each_value_and_draws_nothing(monkeypatch):
    monkeypatch.delenv("SDM_LITE_STATIC", raising=False)
    drawn = []
    book = made(draw=lambda axes, value: drawn.append(value) or draw(axes, value))
    assert drawn == list(VALUES)
    seen = {}
    for value in (1.5, 3.0, 0.0):
        book._slider.value = value
        seen[value] = book._picture.value
        assert f'alt="A line that rises to {value:g} &lt;of 3&gt;."' in seen[value]
    assert len(set(seen.values())) == 3 and len(drawn) == 3
    book._slider.value = 1.5
    assert book._picture.value == seen[1.5]


def test_without_widgets_all_pictures_stand_side_by_side(monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    book = made()
    assert book.widget is None
    (figure,) = book.figures()
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["s = 0", "s = 1.5", "s = 3"]
    assert len({axes.get_position().y0 for axes in figure.axes}) == 1


def test_a_start_that_is_no_value_is_told():
    with pytest.raises(ValueError, match="start: expected one of 0, 1.5, 3, got 2"):
        made(start=2.0)
    with pytest.raises(ValueError, match="start: expected one of"):
        made(values=())
