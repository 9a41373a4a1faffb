"""What widgets are made of: pictures with words, and nothing that hangs a notebook that runs unwatched."""

import ast
import base64
import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from sdm_lite.widgets import base
from sdm_lite.widgets.base import find_ipywidgets, picture_tag


def test_a_picture_on_the_page_is_the_picture_with_words():
    tag = picture_tag(np.arange(48, dtype=np.uint8).reshape(4, 4, 3), 'a "b" <c>', side=40)
    png = base64.b64decode(re.search(r"base64,([^\"]+)", tag)[1])
    picture = pytest.importorskip("PIL.Image").open(io.BytesIO(png)).convert("RGB")
    assert np.array_equal(np.asarray(picture), np.arange(48).reshape(4, 4, 3))
    assert 'alt="a &quot;b&quot; &lt;c&gt;"' in tag and 'width="40" height="40"' in tag and "pixelated" in tag


def test_widgets_stand_still_where_asked_to_and_where_ipywidgets_is_missing(monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "0")
    assert find_ipywidgets() is pytest.importorskip("ipywidgets")
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    assert find_ipywidgets() is None
    monkeypatch.setenv("SDM_LITE_STATIC", "0")
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert find_ipywidgets() is None


@pytest.mark.parametrize("path", sorted(Path(base.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_nothing_that_hangs_papermill_is_used(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert used  # the file was read
    assert not used & {"Output", "interact", "interactive", "interactive_output", "interact_manual"}
