"""A live picture is replaced in place; where nothing may move, the last one is shown once."""

import io

import numpy as np
import pytest

from sdm_lite.viz import show_grid
from sdm_lite.widgets import LiveImage

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("matplotlib")


def decode(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.fixture
def live(monkeypatch):
    monkeypatch.delenv("SDM_LITE_STATIC", raising=False)


@pytest.fixture
def static(monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")


class Notebook:
    """Stands in for IPython's display: what a reader sees, in order, and how often it was sent."""

    def __init__(self, monkeypatch):
        self.cells, self.num_messages = [], 0
        display = pytest.importorskip("IPython.display")
        monkeypatch.setattr("IPython.get_ipython", lambda: self)
        monkeypatch.setattr(display, "display", self.display)

    def display(self, image, *, display_id):
        assert display_id is True
        self.cells.append(image.data)
        self.num_messages += 1
        return self

    def update(self, image):
        self.cells[-1] = image.data
        self.num_messages += 1


def test_live_image_is_replaced_in_place(live, monkeypatch):
    notebook = Notebook(monkeypatch)
    pictures = [np.full((4, 4, 3), value, np.uint8) for value in (10, 20, 30)]
    with LiveImage() as image:
        for picture in pictures:
            image.update(picture)
            assert len(notebook.cells) == 1 and np.array_equal(decode(notebook.cells[0]), picture)
    assert notebook.num_messages == 3


def test_static_live_image_shows_the_last_once_also_when_interrupted(static, monkeypatch):
    notebook = Notebook(monkeypatch)
    with pytest.raises(KeyboardInterrupt), LiveImage() as image:
        for value in (10, 20):
            image.update(np.full((4, 4, 3), value, np.uint8))
        assert notebook.cells == []
        raise KeyboardInterrupt
    assert notebook.num_messages == 1 and decode(notebook.cells[0])[0, 0, 0] == 20


def test_live_image_without_a_notebook(live):
    with LiveImage() as image:
        assert image.png is None
        image.update(show_grid([[np.zeros((4, 4, 3), np.uint8)]], scale=1))
    assert decode(image.png).shape[-1] == 3


def test_live_image_that_was_never_updated(static, monkeypatch):
    notebook = Notebook(monkeypatch)
    with LiveImage():
        pass
    assert notebook.cells == []
