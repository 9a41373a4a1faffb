"""Widgets as in a live notebook."""

import pytest

from sdm_lite.widgets import jobs as widgets_jobs


@pytest.fixture
def live(monkeypatch):
    """Widgets are shown, whatever the environment says, and a job that waits its turn says so at once."""
    monkeypatch.delenv("SDM_LITE_STATIC", raising=False)
    monkeypatch.setattr(widgets_jobs, "WAIT_SECONDS", 0.01)
