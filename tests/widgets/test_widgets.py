"""Widgets: each scale is drawn once, the slider shows it, and without widgets the same pictures stand side by side."""

import ast
import base64
import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sdm_lite.viz import image_grid, show_grid, to_uint8
from sdm_lite.widgets import slider as widgets
from sdm_lite.widgets.base import picture_tag

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("matplotlib")

SCALES = (0.0, 1.0, 2.5)


def drawn(scale):
    """A picture that tells its scale: one flat grey for each sample."""
    return torch.stack([torch.full((3, 8, 8), scale / 5), torch.full((3, 8, 8), -scale / 5)])


def decode(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.fixture
def live(monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.delenv("SDM_LITE_STATIC", raising=False)


@pytest.fixture
def static(monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")


def parts(widget):
    """The slider, the line of text and the pictures of a guidance slider."""
    slider, text, pictures = widget.children[-3:]
    return slider, text, pictures


def tags(scale):
    """The two pictures of a scale as they must stand on the page."""
    tiles = [to_uint8(image) for image in drawn(scale)]
    return [picture_tag(tile, f"sample {n + 1}, s = {scale:g}", side=16) for n, tile in enumerate(tiles)]


def test_the_slider_shows_each_scale(live):
    calls = []

    def draw(scale):
        calls.append(scale)
        return drawn(scale)

    slider, text, pictures = parts(widgets.guidance_slider(draw, SCALES, initial=1.0, enlarge=2))
    for scale in (2.5, 0.0, 1.0):
        slider.value = scale
        assert all(tag in pictures.value for tag in tags(scale))
        assert f"s = {scale:g}" in text.value
    assert calls == list(SCALES)  # scrubbing draws nothing


def test_a_picture_on_the_page_is_the_picture_with_words(live):
    tag = picture_tag(np.arange(48, dtype=np.uint8).reshape(4, 4, 3), 'a "b" <c>', side=40)
    png = base64.b64decode(re.search(r"base64,([^\"]+)", tag)[1])
    assert np.array_equal(decode(png), np.arange(48).reshape(4, 4, 3))
    assert 'alt="a &quot;b&quot; &lt;c&gt;"' in tag and 'width="40" height="40"' in tag and "pixelated" in tag


def test_the_slider_starts_at_the_nearest_scale(live):
    slider, text, pictures = parts(widgets.guidance_slider(drawn, SCALES, initial=2.2, enlarge=2))
    assert slider.value == 2.5 and "s = 2.5" in text.value and tags(2.5)[1] in pictures.value


def test_pictures_that_exist_already(live):
    pictures = {0.5: np.full((4, 4, 3), 10, np.uint8), 3.0: np.full((4, 4, 3), 200, np.uint8)}
    widget = widgets.guidance_slider(pictures.__getitem__, pictures, initial=3, enlarge=1, title="a < b")
    assert picture_tag(pictures[3.0], "sample 1, s = 3", side=4) in parts(widget)[2].value
    assert any("a &lt; b" in getattr(child, "value", "") for child in widget.children[:-3])


def test_without_movement_all_scales_stand_side_by_side(static):
    figure = widgets.guidance_slider(drawn, SCALES, enlarge=1)
    axes = figure.axes[0]
    assert [" ".join(label.get_text().split()) for label in axes.get_xticklabels()] == ["s = 0", "s = 1", "s = 2.5"]
    expected = image_grid([[drawn(scale)[sample] for scale in SCALES] for sample in range(2)])
    assert np.array_equal(np.asarray(axes.images[0].get_array()), expected)


def test_without_ipywidgets_it_is_static_too(monkeypatch):
    monkeypatch.delenv("SDM_LITE_STATIC", raising=False)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert len(widgets.guidance_slider(drawn, SCALES).axes[0].get_xticklabels()) == 3


@pytest.mark.parametrize(
    "scales, message", [((), "got none"), ((1.0, -0.5), ">= 0"), ((float("nan"),), ">= 0"), ((1, 1.0), "once")]
)
def test_bad_scales_are_refused_before_anything_is_drawn(scales, message):
    def draw(scale):
        raise AssertionError("drawn")

    with pytest.raises(ValueError, match=message):
        widgets.guidance_slider(draw, scales)


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
    with widgets.LiveImage() as image:
        for picture in pictures:
            image.update(picture)
            assert len(notebook.cells) == 1 and np.array_equal(decode(notebook.cells[0]), picture)
    assert notebook.num_messages == 3


def test_static_live_image_shows_the_last_once_also_when_interrupted(static, monkeypatch):
    notebook = Notebook(monkeypatch)
    with pytest.raises(KeyboardInterrupt), widgets.LiveImage() as image:
        for value in (10, 20):
            image.update(np.full((4, 4, 3), value, np.uint8))
        assert notebook.cells == []
        raise KeyboardInterrupt
    image.close()
    assert notebook.num_messages == 1 and decode(notebook.cells[0])[0, 0, 0] == 20


def test_live_image_without_a_notebook(live):
    with widgets.LiveImage() as image:
        assert image.png is None
        image.update(show_grid([drawn(1.0)], scale=1))
    assert decode(image.png).shape[-1] == 3


def test_live_image_that_was_never_updated(static, monkeypatch):
    notebook = Notebook(monkeypatch)
    with widgets.LiveImage():
        pass
    assert notebook.cells == []


@pytest.mark.parametrize("path", sorted(Path(widgets.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_nothing_that_hangs_papermill_is_used(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert used  # the file was read
    assert not used & {"Output", "interact", "interactive", "interactive_output", "interact_manual"}
