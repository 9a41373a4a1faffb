"""The hint button: a line more at each press, safe for what stands in it, and nothing where nobody can press."""

from sdm_lite.widgets.more_button import show_more_button


def test_each_press_adds_a_line(monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "0")
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    given = iter(["alpha < 1", "beta"])
    show_more_button("Hint for exercise 1", lambda: next(given))
    ((button, lines),) = (box.children for box in shown)
    assert button.tooltip == "Hint for exercise 1" and lines.value == ""
    button.click()
    button.click()
    assert lines.value.count("<div") == 2 and lines.value.index("alpha &lt; 1") < lines.value.index("beta")


def test_nothing_where_a_notebook_runs_unwatched(monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    monkeypatch.setattr("IPython.display.display", lambda thing: 1 / 0)
    show_more_button("Hint", lambda: "")
