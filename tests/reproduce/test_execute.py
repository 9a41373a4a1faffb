"""A notebook that hangs or takes too long ends, and its cell is named."""

import pytest
from made_notebooks import make_notebook

from sdm_lite.reproduce.execute import Job, execute, write_text


@pytest.mark.slow
def test_a_run_killed_from_outside_names_the_cell(tmp_path):
    path = make_notebook(tmp_path / "00_hangs.ipynb", "x = 1", "# so slow\nimport time; time.sleep(100)")
    job = Job(str(path), str(tmp_path / "out.ipynb"), str(tmp_path / "log"), {}, "python3", 1000.0, {})
    started = []
    outcome = execute(job, limit=5.0, on_cell=started.append, on_wait=lambda: None)
    assert started == [1, 2, 3]
    assert outcome.failure.cell == 4 and outcome.failure.first_line.startswith("import time")
    assert "no sign of life for 5 s" in outcome.failure.error


@pytest.mark.slow
def test_the_time_limit_of_a_cell_is_an_error_that_names_it(tmp_path):
    path = make_notebook(tmp_path / "00_slow.ipynb", "x = 1", "import time; time.sleep(100)")
    job = Job(str(path), str(tmp_path / "out.ipynb"), str(tmp_path / "log"), {}, "python3", 2.0, {})
    failure = execute(job, limit=120.0, on_cell=lambda _: None, on_wait=lambda: None).failure
    assert failure.cell == 4 and failure.error == "the cell took longer than its limit of 2 s (--timeout)"


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \ud800")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]
