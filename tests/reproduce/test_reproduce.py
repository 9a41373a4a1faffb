"""Runs of small notebooks made here: what is reported, resumed, refused and kept."""

import base64
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import psutil
import pytest
from made_notebooks import make_notebook, state_of
from nbformat.v4 import new_code_cell, new_markdown_cell

from sdm_lite.reproduce import committed as refresh
from sdm_lite.reproduce import make_plan, parse_parameters
from sdm_lite.reproduce.__main__ import main
from sdm_lite.reproduce.display import Display
from sdm_lite.reproduce.pages import network_loads
from sdm_lite.reproduce.runner import _begin

MATHS = "**One equation.** $$\\frac{a}{b}$$ with $x_t$, and [the next](01_breaks.ipynb)."


def tiny_png() -> str:
    """A red 1 x 1 picture, base64."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + data).decode()


def make_three(folder: Path) -> Path:
    """One notebook that works, one that fails in its fifth cell, one that works."""
    picture = f"from IPython.display import Image\nimport base64\nImage(data=base64.b64decode('{tiny_png()}'))"
    make_notebook(
        folder / "00_works.ipynb",
        "from sdm_lite.reproduce import record\n"
        "record('Seeds <add> up', SEED + 1, interval=(0, 9), holds=True, paper='Eq. 2')",
        new_markdown_cell(MATHS, id="maths"),
        new_code_cell(picture, id="picture", metadata={"tags": ["report"], "caption": "A <red> picture"}),
        "from pathlib import Path\n_ = Path(OUTPUT_DIR, 'note.txt').write_text(PROFILE)",
        "import sys\nprint(sys.prefix + '/lib')",
    )
    make_notebook(
        folder / "01_breaks.ipynb", "print('before')", "1 + 1", "# a comment\nfor i in range(3):\n    1 / (2 - i)", "1"
    )
    make_notebook(folder / "02_last.ipynb", "print('last')")
    return folder


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The three notebooks, run once: folder of notebooks, folder of the run, exit status."""
    root = tmp_path_factory.mktemp("ran")
    notebooks = make_three(root / "notebooks")
    status = main(["--notebooks", str(notebooks), "--output", str(root / "out"), "--profile", "test", "-p", "SEED=4"])
    return notebooks, root / "out", status


@pytest.mark.slow
def test_a_failure_is_reported_and_the_others_run(ran):
    _, output, status = ran
    results = state_of(output)["results"]
    assert status == 1
    assert {stem: result["failure"] is None for stem, result in results.items()} == {
        "00_works": True,
        "01_breaks": False,
        "02_last": True,
    }
    failure = results["01_breaks"]["failure"]
    assert (failure["cell"], failure["num_cells"], failure["cell_id"]) == (5, 6, "c2")
    assert failure["first_line"] == "for i in range(3):"
    assert failure["error"] == "ZeroDivisionError: division by zero"
    assert "last\n" in (output / "logs" / "02_last.stdout.txt").read_text()


@pytest.mark.slow
def test_parameters_and_claims_arrive(ran):
    _, output, _ = ran
    assert (output / "files" / "00_works" / "note.txt").read_text() == "test"
    lines = (output / "claims" / "00_works.jsonl").read_text().splitlines()
    (claim,) = map(json.loads, lines)
    assert (claim["claim"], claim["value"], claim["holds"], claim["paper"]) == ("Seeds <add> up", 5, True, "Eq. 2")
    assert (claim["interval"], claim["interval_kind"]) == ([0, 9], "")


@pytest.mark.slow
def test_the_report_shows_claims_pictures_and_the_failure_without_a_network(ran):
    _, output, _ = ran
    report = (output / "report.html").read_text()
    for words in (
        "Seeds &lt;add&gt; up",
        "[0, 9]",
        "A &lt;red&gt; picture",
        "cell 5 of 6",
        "division by zero",
        "02_last",
    ):
        assert words in report
    assert "<add>" not in report and "<red>" not in report
    assert tiny_png() in report
    assert network_loads(report) == []
    for link in ("executed/00_works.html", "executed/00_works.ipynb", "logs/01_breaks.stderr.txt"):
        assert f'href="{link}"' in report and (output / link).exists()


@pytest.mark.slow
def test_executed_pages_have_mathml_and_load_nothing(ran):
    _, output, _ = ran
    page = (output / "executed" / "00_works.html").read_text()
    assert "<mfrac>" in page and "$$" not in page
    assert 'href="01_breaks.html"' in page and 'alt="A &lt;red&gt; picture"' in page
    assert network_loads(page) == []
    assert "ZeroDivisionError" in (output / "executed" / "01_breaks.html").read_text()


@pytest.mark.slow
def test_nothing_of_the_machine_or_of_papermill_is_kept(ran):
    _, output, _ = ran
    for path in output.glob("executed/*"):
        text = path.read_text()
        assert sys.prefix not in text and str(output) not in text and str(refresh.REPOSITORY) not in text
        assert '"papermill"' not in text and "papermill-error" not in text
    assert "<python>/lib" in (output / "executed" / "00_works.ipynb").read_text()
    assert [path.name for path in output.rglob(".*")] == []  # no half-written file is left


@pytest.mark.slow
def test_resume_runs_only_what_failed_or_changed(ran, tmp_path, capsys):
    notebooks, output, _ = ran
    again = shutil.copytree(notebooks, tmp_path / "notebooks")
    kept = shutil.copytree(output, tmp_path / "out")
    make_notebook(again / "01_breaks.ipynb", "print('mended')")
    arguments = ["--notebooks", str(again), "--output", str(kept), "--profile", "test", "-p", "SEED=4", "--resume"]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "[1/3] 00_works: done before" in told and "[2/3] 01_breaks: ok" in told and "02_last: done before" in told
    before, after = state_of(output)["results"], state_of(kept)["results"]
    assert after["00_works"] == before["00_works"] and after["01_breaks"]["failure"] is None
    assert "division by zero" not in (kept / "report.html").read_text()
    # A run with another seed is another run: nothing of this one counts as done.
    other = make_plan(profile="test", output=kept, notebooks=again, parameters={"SEED": 5})
    assert _begin(other)["results"] == {}


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done_and_leaves_no_kernel(tmp_path):
    make_notebook(tmp_path / "nb" / "00_a.ipynb", "1")
    make_notebook(
        tmp_path / "nb" / "01_b.ipynb", "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(300)"
    )
    command = [sys.executable, "-m", "sdm_lite.reproduce", "--notebooks", "nb", "--output", "out"]
    path = os.environ | {"PYTHONPATH": str(refresh.REPOSITORY)}
    process = subprocess.Popen(  # a shell in the background ignores SIGINT, and its children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        args=command,
        cwd=tmp_path,
        env=path,
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = tmp_path / "nb" / "pid"
    for _ in range(1200):
        if pid.exists() and pid.read_text():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted" in told
    assert list(state_of(tmp_path / "out")["results"]) == ["00_a"]
    assert "1 not run" in (tmp_path / "out" / "report.html").read_text()
    assert list((tmp_path / "out").rglob(".*")) == []
    kernel = int(pid.read_text())
    assert not psutil.pid_exists(kernel) or psutil.Process(kernel).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--profile", "fast"], "profile: expected one of test, quick, cpu, gpu, got 'fast'"),
        (["-p", "SPEED=3"], "parameter: expected one of SEED, got 'SPEED'"),
        (["-p", "SEED"], "parameter: expected NAME=VALUE, got 'SEED'"),
        (["-p", "PROFILE=cpu"], "use --profile"),
        (["--only", "07"], "notebook: expected one of 00_a, 01_b, got '07'"),
        (["--only", "00", "--from", "01"], "got none"),
        (["--kernel", "julia"], "kernel: expected one of"),
        (["--refresh", "--profile", "cpu"], "--refresh: expected profile quick, got 'cpu'"),
        (["--timeout", "0"], "timeout: expected seconds above 0, got 0"),
        (["--notebooks", "empty"], "expected files NN_*.ipynb in empty, got none"),
        (["--output", "file/out"], "output: expected a folder to write to"),
        (["--notebooks", "bare"], "00_a.ipynb: expected a cell tagged `parameters`"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_bad_input_is_one_line_before_any_work(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("00_a", "01_b"):
        make_notebook(tmp_path / "notebooks" / f"{name}.ipynb", "open('touched', 'w')")
    make_notebook(tmp_path / "bare" / "00_a.ipynb", parameters="SEED = 0")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    before = sorted(tmp_path.rglob("*"))
    assert main(["--notebooks", "notebooks", "--output", "out", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and words in error
    assert sorted(tmp_path.rglob("*")) == before


def test_parameters_are_json_or_text():
    assert parse_parameters(["A=1", "B=0.5", "C=true", "D=words"]) == {"A": 1, "B": 0.5, "C": True, "D": "words"}


def test_bars_show_notebook_cell_and_time_left(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Display([("00_a", 10.0, 2), ("01_b", 30.0, 4)], watched=True) as display:
        display.start("00_a", 2)
        display.cell("00_a", 1, "\ntrain(now)")
        display.end("00_a", "ok")
        display.start("01_b", 4)
        display.cell("01_b", 2, "x = 1")
    shown = stream.getvalue()
    for words in ("[1/2] 00_a", "train(now)", "cell 3 of 4", "[2/2] 01_b", "left"):
        assert words in shown
    assert " 62% " in shown  # 10 s of 40, and half of the 30


def test_notebooks_import_reproduce_without_the_machinery():
    probe = "import sys; import sdm_lite.reproduce; print({'papermill', 'nbconvert', 'nbformat'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
