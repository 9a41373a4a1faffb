"""The committed form of a notebook is clean, and keeps its times."""

from pathlib import Path

import nbformat
import pytest
from made_notebooks import make_notebook, state_of
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from sdm_lite.reproduce import committed
from sdm_lite.reproduce.__main__ import main
from sdm_lite.reproduce.runner import source_hash


@pytest.mark.slow
def test_refresh_writes_the_committed_form_and_the_time(tmp_path):
    path = make_notebook(tmp_path / "nb" / "00_a.ipynb", "1 + 1", "print(PROFILE)")
    assert main(["--notebooks", str(path.parent), "--output", str(tmp_path / "out"), "--refresh"]) == 0
    text = path.read_text()
    notebook = nbformat.read(path, as_version=4)
    assert text.endswith("}\n") and "papermill" not in text and '"injected-parameters"' not in text
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert [cell.get("execution_count") for cell in notebook.cells] == [None, 1, 2, 3]
    assert notebook.cells[2].outputs[0].execution_count == 2
    assert notebook.cells[3].outputs[0].text == "quick\n"
    assert [cell.id for cell in notebook.cells] == ["header", "parameters", "c0", "c1"]
    assert [dict(cell.metadata) for cell in notebook.cells] == [{}, {"tags": ["parameters"]}, {}, {}]
    assert committed.measured_seconds(notebook, "quick") is not None
    # The time that was written does not make it another notebook.
    assert state_of(tmp_path / "out")["results"]["00_a"]["source"] == source_hash(notebook)


@pytest.mark.slow
def test_refresh_takes_what_a_finished_run_executed(tmp_path, monkeypatch):
    path = make_notebook(tmp_path / "nb" / "00_a.ipynb", "1 + 1", "print(PROFILE)")
    arguments = ["--notebooks", str(path.parent), "--output", str(tmp_path / "out")]
    assert main(arguments) == 0 and nbformat.read(path, as_version=4).cells[3].outputs == []
    monkeypatch.setattr("sdm_lite.reproduce.runner.execute", lambda *_, **__: pytest.fail("it was executed once more"))
    assert main([*arguments, "--refresh", "--resume"]) == 0
    notebook = nbformat.read(path, as_version=4)
    assert [cell.get("execution_count") for cell in notebook.cells] == [None, 1, 2, 3]
    assert notebook.cells[3].outputs[0].text == "quick\n"
    assert committed.measured_seconds(notebook, "quick") is not None


def executed_notebook(*outputs):
    cell = new_code_cell("1", id="a", outputs=list(outputs), execution_count=7)
    return new_notebook(cells=[new_markdown_cell("# A", id="h"), cell], metadata={"widgets": {"x": 1}})


def test_the_committed_form_counts_anew_and_copies_have_no_widget_state():
    notebook = committed.committed_form(executed_notebook(new_output("execute_result", execution_count=7)))
    assert notebook.cells[1].execution_count == notebook.cells[1].outputs[0].execution_count == 1
    assert "widgets" not in committed.without_papermill(executed_notebook()).metadata


def test_every_picture_of_the_committed_form_has_words():
    own = new_output("display_data", {"image/png": "aGk="}, metadata={"image/png": {"alt": "a line that rises"}})
    bare = new_output("display_data", {"image/png": "aGk="})
    notebook = executed_notebook(own, bare)
    assert ["words for its picture" in line for line in committed.problems(notebook)] == [True]
    notebook.cells.append(new_markdown_cell("*See: which way it goes.*", id="see-a"))
    outputs = committed.committed_form(notebook).cells[1].outputs
    assert outputs[0].metadata["image/png"]["alt"] == "a line that rises"
    assert outputs[1].metadata["image/png"]["alt"] == "Figure: A. which way it goes."
    notebook.cells[1].metadata.caption = "Two lines."
    assert committed.committed_form(notebook).cells[1].outputs[1].metadata["image/png"]["alt"].startswith("Two lines.")


@pytest.mark.parametrize(
    "output, words",
    [
        (new_output("stream", name="stderr", text="UserWarning: old\n"), "UserWarning: old"),
        (new_output("error", ename="KeyError", evalue="'a'", traceback=[]), "KeyError"),
        (new_output("stream", name="stdout", text=f"saved {committed.REPOSITORY}/a.png\n"), "path of this machine"),
        (new_output("display_data", {"text/html": f"<p>{Path.home()}/a</p>"}), "path of this machine"),
        (new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}}), "got a widget"),
        (new_output("stream", name="stdout", text="x" * 1_000_000), "outputs of cell 2 .a. take 1.00 MB"),
    ],
)
def test_the_committed_form_refuses_dirt(output, words):
    with pytest.raises(ValueError, match=words):
        committed.committed_form(executed_notebook(output))


def test_times_are_kept_by_profile():
    notebook = new_notebook(cells=[new_markdown_cell("# A\n\n**Time.** <!-- measured -->not measured yet\n\nLinks")])
    for seconds, device, profile in [(48, "2 CPU cores", "quick"), (125, "2 CPU cores", "cpu"), (50, "X", "quick")]:
        committed.write_time(notebook, seconds, device, profile)
    line = "**Time.** <!-- measured -->2 min 5 s on 2 CPU cores (cpu), 50 s on X (quick)"
    assert notebook.cells[0].source == f"# A\n\n{line}\n\nLinks"
    assert [committed.measured_seconds(notebook, name) for name in ("quick", "cpu", "gpu")] == [50.0, 125.0, None]
