"""Progress: items pass unchanged, static output is one line, nothing is lost on interruption."""

import re
import sys

import pytest

from sdm_lite.progress import Progress, byte_count, is_static, progress


@pytest.mark.parametrize("value, static", [("1", True), ("yes", True), ("0", False), ("", False)])
def test_the_environment_decides(monkeypatch, value, static):
    monkeypatch.setenv("SDM_LITE_STATIC", value)
    assert is_static() is static


@pytest.mark.parametrize(
    "command, static",
    [
        ("python /venv/bin/papermill 00.ipynb out.ipynb", True),
        ("python -m papermill 00.ipynb out.ipynb", True),
        ("python /venv/bin/jupyter-nbconvert --execute 00.ipynb", True),
        ("python -m jupyterlab", False),
        ("python /venv/bin/voila app.ipynb", False),
        ("python -m jupyterlab papermill", False),
    ],
)
def test_a_kernel_that_papermill_started_is_static_unless_it_is_said_otherwise(monkeypatch, command, static):
    psutil = pytest.importorskip("psutil")
    monkeypatch.setattr(psutil.Process, "parent", lambda self: self)
    monkeypatch.setattr(psutil.Process, "cmdline", lambda self: command.split())
    monkeypatch.delenv("SDM_LITE_STATIC", raising=False)
    monkeypatch.setitem(sys.modules, "ipykernel", None)
    assert is_static() is static
    monkeypatch.setenv("SDM_LITE_STATIC", "0")
    assert not is_static()
    monkeypatch.delenv("SDM_LITE_STATIC")
    monkeypatch.delitem(sys.modules, "ipykernel")
    assert not is_static()  # no kernel: a command of the package, started by whatever


def test_static_output_is_one_line(monkeypatch, capsys):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    assert list(progress(range(25), description="denoising")) == list(range(25))
    out, err = capsys.readouterr()
    assert re.fullmatch(r"denoising: 25 steps in \d+\.\d s\n", out)
    assert err == ""


def test_without_tqdm_it_is_one_line_too(monkeypatch, capsys):
    monkeypatch.delenv("SDM_LITE_STATIC", raising=False)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    assert list(progress("ab", description="letters")) == ["a", "b"]
    out, err = capsys.readouterr()
    assert out == "" and re.fullmatch(r"letters: 2 steps in \d+\.\d s\n", err)


def test_a_command_whose_error_stream_is_a_file_draws_no_bar_over_it(monkeypatch, capsys):
    monkeypatch.delenv("SDM_LITE_STATIC", raising=False)
    assert len(list(progress(range(500), description="counting"))) == 500
    out, err = capsys.readouterr()
    assert out == "" and "\r" not in err and re.fullmatch(r"counting: 500 steps in \d+\.\d s\n", err)


def test_such_a_log_gets_a_line_a_minute(monkeypatch, capsys):
    monkeypatch.delenv("SDM_LITE_STATIC", raising=False)
    clock = iter(range(0, 10_000, 25))  # seconds between two looks at it
    monkeypatch.setattr("sdm_lite.progress.time.perf_counter", lambda: next(clock))
    list(progress(range(20), description="counting"))
    lines = capsys.readouterr().err.splitlines()
    assert 5 <= len(lines) <= 10 and re.match(r"counting: 3 of 20 steps in \d min", lines[0])
    assert lines[0].endswith(", about 7 min 5 s left"), "17 steps of 25 s"
    assert "left" not in lines[-1]


def test_a_bar_is_drawn_when_somebody_watches(monkeypatch, capsys):
    pytest.importorskip("tqdm")
    monkeypatch.delenv("SDM_LITE_STATIC", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(progress(iter([3, 1, 2]), description="counting", total=3)) == [3, 1, 2]
    out, err = capsys.readouterr()
    assert out == ""
    assert "counting" in err and "3/3" in err


def test_an_interrupted_loop_says_how_far_it_came(monkeypatch, capsys):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    items = progress(range(10), description="training")
    for item in items:
        if item == 4:
            break
    items.close()
    assert capsys.readouterr().out.startswith("training: 4 of 10 steps in ")


def test_a_loop_of_unknown_length(monkeypatch, capsys):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    assert list(progress((i for i in [7]), description="one")) == [7]
    assert capsys.readouterr().out.startswith("one: 1 step in ")


def test_the_manual_form_ends_once_and_lets_errors_pass(monkeypatch, capsys):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    with pytest.raises(KeyboardInterrupt), Progress("training", total=100) as count:
        count.update(60)
        raise KeyboardInterrupt
    count.close()
    out = capsys.readouterr().out
    assert out.startswith("training: 60 of 100 steps in ") and out.count("\n") == 1


def test_long_times_are_told_in_minutes(monkeypatch, capsys):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    clock = iter([0.0, 125.4])
    monkeypatch.setattr("sdm_lite.progress.time.perf_counter", lambda: next(clock))
    Progress("training").close()
    assert capsys.readouterr().out == "training: 0 steps in 2 min 5 s\n"


def test_bytes_are_told_in_a_unit_that_shows_them():
    told = {0: "0 bytes", 999: "999 bytes", 3400: "3.4 kB", 999_960: "1.0 MB", 12_345_678: "12.3 MB", 2.5e12: "2.5 TB"}
    assert {number: byte_count(number) for number in told} == told
    assert byte_count(1.5 * 2**30, 1024) == "1.5 GiB" and byte_count(5e15) == "5000 TB"
