"""Runs of small notebooks made here: what is reported, resumed, refused and kept."""

import base64
import json
import os
import re
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
from made_notebooks import make_notebook, network_loads, state_of
from nbformat.v4 import new_code_cell, new_markdown_cell

from sdm_lite.ledger import ROWS
from sdm_lite.reproduce import check_parameters, course, make_course, parse_parameters, runner
from sdm_lite.reproduce.__main__ import main
from sdm_lite.reproduce.committed import REPOSITORY
from sdm_lite.reproduce.joining import read_ledger, stored_records
from sdm_lite.reproduce.runner import _begin, _time_to_come

CLAIM = "from sdm_lite.reproduce import record; record('Said once', 1)"
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
        "record('Seeds <add> up', SEED + 1, interval=(0, 9, 'all <seeds>'), holds=True)\n"
        "from sdm_lite.reproduce import record_claim\n"
        "record_claim('eq16-s', 1.5)",
        new_markdown_cell(MATHS, id="maths"),
        new_code_cell(picture, id="picture", metadata={"tags": ["report"], "caption": "A <red> picture"}),
        "from pathlib import Path\n_ = Path(OUTPUT_DIR, 'note.txt').write_text(PROFILE)",
        "import sys\nprint(sys.prefix + '/lib')",
    )
    make_notebook(folder / "01_breaks.ipynb", CLAIM, "1 + 1", "# a comment\nfor i in range(3):\n    1 / (2 - i)", "1")
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
    assert "last\n" in (output / "logs" / "02_last.txt").read_text()


@pytest.mark.slow
def test_parameters_and_claims_arrive(ran):
    _, output, _ = ran
    assert (output / "files" / "00_works" / "note.txt").read_text() == "test"
    lines = (output / "claims" / "00_works.jsonl").read_text().splitlines()
    claim, papers = map(json.loads, lines)
    assert (claim["claim"], claim["value"], claim["holds"], claim["id"]) == ("Seeds <add> up", 5, True, "")
    assert (papers["id"], papers["verdict"], papers["rule"]) == ("eq16-s", "contradicted", "at most 1e-05")
    assert (claim["interval"], claim["interval_kind"]) == ([0, 9], "all <seeds>")


@pytest.mark.slow
def test_the_report_shows_claims_pictures_and_the_failure_without_a_network(ran):
    _, output, _ = ran
    report = (output / "report.html").read_text()
    for words in (
        "Seeds &lt;add&gt; up",
        "[0, 9]</span>\n<small>all &lt;seeds&gt;</small>",
        "A &lt;red&gt; picture",
        "cell 5 of 6",
        "division by zero",
        "02_last",
        "<th>Checks of our own</th>",
        "<th>The paper&#39;s claims</th>",
        "contradicted <small>rule: at most 1e-05</small>",
    ):
        assert words in report
    assert "<add>" not in report and "<red>" not in report
    assert tiny_png() in report
    assert network_loads(report) == []
    for link in ("executed/00_works.html", "executed/00_works.ipynb", "logs/01_breaks.txt"):
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
        assert sys.prefix not in text and str(output) not in text and str(REPOSITORY) not in text
        assert '"papermill"' not in text and "papermill-error" not in text
    assert "<python>/lib" in (output / "executed" / "00_works.ipynb").read_text()
    assert [path.name for path in output.rglob(".*")] == []  # no half-written file is left


@pytest.mark.slow
def test_resume_runs_only_what_failed_changed_or_is_gone(ran, tmp_path, capsys):
    notebooks, output, _ = ran
    again = shutil.copytree(notebooks, tmp_path / "notebooks")
    kept = shutil.copytree(output, tmp_path / "out")
    make_notebook(again / "01_breaks.ipynb", CLAIM)
    (kept / "executed" / "02_last.ipynb").unlink()
    arguments = ["--notebooks", str(again), "--output", str(kept), "--profile", "test", "-p", "SEED=4", "--resume"]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "[1/3] 00_works: done before" in told and "[2/3] 01_breaks: ok" in told and "02_last: ok" in told
    before, after = state_of(output)["results"], state_of(kept)["results"]
    assert after["00_works"] == before["00_works"] and after["01_breaks"]["failure"] is None
    report = (kept / "report.html").read_text()
    assert "division by zero" not in report and report.count("Said once") == 1
    # A run with another seed is another run: nothing of this one counts as done.
    other = make_course(profile="test", output=kept, notebooks=again, parameters={"SEED": 5})
    assert _begin(other)["results"] == {}


def interrupted_run(tmp_path, sent: signal.Signals) -> tuple[int, str, int]:
    """A run that gets a signal in its second notebook: its exit status, what it told, and its kernel's id."""
    make_notebook(tmp_path / "nb" / "00_a.ipynb", "1")
    make_notebook(
        tmp_path / "nb" / "01_b.ipynb", "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(300)"
    )
    process = subprocess.Popen(  # a shell in the background ignores SIGINT, and its children inherit that
        [sys.executable, "-m", "sdm_lite.reproduce", "--notebooks", "nb", "--output", "out"],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = tmp_path / "nb" / "pid"
    for _ in range(1200):
        if pid.exists() and pid.read_text():
            break
        time.sleep(0.1)
    process.send_signal(sent)
    told, _ = process.communicate(timeout=60)
    return process.returncode, told, int(pid.read_text())


def is_gone(pid: int, seconds: float) -> bool:
    """Whether a process ends within some seconds; one that only waits to be counted out has ended."""
    for _ in range(int(10 * seconds)):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done_and_leaves_no_kernel(tmp_path):
    status, told, kernel = interrupted_run(tmp_path, signal.SIGINT)
    assert status == 130 and "interrupted" in told and is_gone(kernel, 0.1)
    assert list(state_of(tmp_path / "out")["results"]) == ["00_a"]
    assert "1 not run" in (tmp_path / "out" / "report.html").read_text()
    assert list((tmp_path / "out").rglob(".*")) == []


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_no_kernel_and_what_is_done(tmp_path):
    _, _, kernel = interrupted_run(tmp_path, signal.SIGKILL)
    assert is_gone(kernel, 20)
    assert list(state_of(tmp_path / "out")["results"]) == ["00_a"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--profile", "fast"], "profile: expected one of test, quick, cpu, gpu, got 'fast'"),
        (["-p", "SPEED=3"], "parameter: expected one of SEED, got 'SPEED'"),
        (["-p", "SEED"], "parameter: expected NAME=VALUE, got 'SEED'"),
        (["-p", "PROFILE=cpu"], "use --profile"),
        (["-p", "SEED=abc"], "parameter: SEED must be a whole number such as 0, got 'abc'"),
        (["-p", "SEED=1.5"], "parameter: SEED must be a whole number such as 0, got 1.5"),
        (["-p", "SEED=true"], "parameter: SEED must be a whole number such as 0, got True"),
        (["-p", "SEED=-1"], "parameter: SEED must be in 0..4294967295, got -1"),
        (["--only", "07"], "notebook: expected one of 00_a, 01_b, got '07'"),
        (["--only", "00", "--from", "01"], "got none"),
        (["--kernel", "julia"], "kernel: expected one of"),
        (["--refresh", "--profile", "cpu"], "--refresh: expected profile quick, got 'cpu'"),
        (["--timeout", "0"], "timeout: expected seconds above 0, got 0"),
        (["--notebooks", "empty"], "expected files NN_*.ipynb in empty, got none"),
        (["--output", "file/out"], "cannot write to --output"),
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


def test_what_cannot_be_written_is_one_line(tmp_path, capsys):
    make_notebook(tmp_path / "nb" / "00_a.ipynb", "1")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "claims").write_text("")
    assert main(["--notebooks", str(tmp_path / "nb"), "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and "claims" in error


def test_without_a_home_it_says_what_jupyter_needs(tmp_path, monkeypatch, capsys):
    def no_home(self):
        raise RuntimeError("Could not determine home directory.")  # as jupyter_core passes it on from pathlib

    make_notebook(tmp_path / "nb" / "00_a.ipynb", "1")
    monkeypatch.setattr("jupyter_client.kernelspec.KernelSpecManager.find_kernel_specs", no_home)
    assert main(["--notebooks", str(tmp_path / "nb"), "--output", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "Jupyter needs a home folder" in told and told.count("\n") == 1 and not (tmp_path / "out").exists()


def test_without_the_packages_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "sdm_lite.reproduce.runner")
    monkeypatch.setitem(sys.modules, "nbformat", None)
    assert main([]) == 2
    told = capsys.readouterr().err
    assert told == 'error: packages: expected nbformat, got none: pip install "sdm_lite[notebooks]"\n'


def test_a_package_without_notebooks_says_where_notebooks_are_had(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(course, "NOTEBOOKS", tmp_path / "site-packages" / "notebooks")
    assert main(["--output", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "got none in" in told and "git clone https://" in told and "--notebooks" in told


@pytest.mark.parametrize(
    "profile, seed, message",
    [
        ("quik", 0, "PROFILE must be one of test, quick, cpu, gpu, got 'quik': did you mean quick?"),
        ("quick", "0", "SEED must be a whole number such as 0, got '0'"),
        ("quick", -1, "SEED must be in 0..4294967295, got -1"),
    ],
)
def test_what_a_notebook_cannot_run_with_is_told_where_it_is_set(tmp_path, profile, seed, message):
    check_parameters("quick", 0, tmp_path / "output")
    with pytest.raises(ValueError, match=re.escape(message)):
        check_parameters(profile, seed, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_a_notebook_cannot_write_to_is_told_where_it_is_set(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="cannot write to OUTPUT_DIR"):
        check_parameters("quick", 0, tmp_path / "file" / "output")


def test_parameters_are_json_or_text():
    assert parse_parameters(["A=1", "B=0.5", "C=true", "D=words"]) == {"A": 1, "B": 0.5, "C": True, "D": "words"}


def test_notebooks_import_reproduce_without_the_machinery():
    machinery = {"papermill", "nbconvert", "nbformat", "jinja2", "jupyter_client"}
    probe = f"import sys; import sdm_lite.reproduce; print({machinery} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_time_to_come_is_told_where_every_header_has_it(tmp_path):
    for name, measured in (("00_a", "1 min 2 s on X (test), 8 s on X (quick)"), ("01_b", "40 s on X (test)")):
        path = make_notebook(tmp_path / "nb" / f"{name}.ipynb")
        path.write_text(path.read_text().replace("not measured yet", measured))
    course = make_course(profile="test", output=tmp_path, notebooks=tmp_path / "nb")
    assert _time_to_come(course, 0) == ", about 1 min 2 s (1 min 42 s to the end)"
    assert _time_to_come(course, 1) == ", about 40 s (40 s to the end)"
    assert _time_to_come(make_course(output=tmp_path, notebooks=tmp_path / "nb"), 0) == ""


def claiming(value: float) -> str:
    return (
        "from sdm_lite.reproduce import record_claim\n"
        f"record_claim('guidance-miou', {value}, interval=({value} - 0.01, {value} + 0.01, '95 % over 8 layouts'))"
    )


@pytest.mark.slow
def test_a_copy_that_finds_no_room_leaves_the_report_and_the_others(tmp_path, monkeypatch, capsys):
    keep = runner._keep

    def full(course, stem, executed):
        if stem == "00_a":
            raise OSError(f"{stem}.ipynb could not be written (No space left on device): make room on the disk")
        keep(course, stem, executed)

    monkeypatch.setattr(runner, "_keep", full)
    for stem in ("00_a", "01_b"):
        make_notebook(tmp_path / "nb" / f"{stem}.ipynb", "1")
    assert main(["--notebooks", str(tmp_path / "nb"), "--output", str(tmp_path / "out")]) == 1
    told, results = capsys.readouterr().out, state_of(tmp_path / "out")["results"]
    assert "00_a: FAILED 00_a.ipynb could not be written (No space left on device)" in told
    assert results["01_b"]["failure"] is None and (tmp_path / "out" / "executed" / "01_b.ipynb").exists()
    assert "00_a.ipynb could not be written" in (tmp_path / "out" / "report.html").read_text()


def test_a_verdict_that_worsens_fails_the_run_and_is_named(tmp_path, monkeypatch, capsys):
    notebooks = tmp_path / "nb"
    make_notebook(notebooks / "00_a.ipynb", claiming(0.03))
    monkeypatch.setattr("sdm_lite.reproduce.runner.NOTEBOOKS", notebooks.resolve())
    monkeypatch.setattr("sdm_lite.reproduce.runner.read_ledger", lambda: read_ledger(tmp_path / "committed.json"))
    monkeypatch.setattr("sdm_lite.reproduce.runner.stored_records", lambda: [])
    arguments = ["--notebooks", str(notebooks), "--output", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert f"ledger: {len(ROWS)} claims: 1 reproduced, {len(ROWS) - 1} not attempted" in capsys.readouterr().out
    (tmp_path / "out" / "ledger.json").rename(tmp_path / "committed.json")
    make_notebook(notebooks / "00_a.ipynb", claiming(-0.03))
    assert main(arguments) == 1
    assert "WORSE than the committed ledger: guidance-miou: was reproduced, is contradicted" in capsys.readouterr().out
    report = (tmp_path / "out" / "report.html").read_text()
    assert "The ledger: what the paper claims" in report and network_loads(report) == []
    assert main([*arguments, "--profile", "test"]) == 0  # too few samples to decide anything


def test_a_stored_run_that_cannot_be_read_is_told_before_any_work(tmp_path, monkeypatch, capsys):
    make_notebook(tmp_path / "nb" / "00_a.ipynb", "1")
    (tmp_path / "table4.json").write_text("{}")
    monkeypatch.setattr("sdm_lite.reproduce.runner.NOTEBOOKS", (tmp_path / "nb").resolve())
    monkeypatch.setattr("sdm_lite.reproduce.runner.stored_records", lambda: stored_records(tmp_path))
    assert main(["--notebooks", str(tmp_path / "nb"), "--output", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith("error: table4.json: expected a stored run, got KeyError")
    assert not (tmp_path / "out").exists()


def test_a_crate_holds_the_ledger_its_stored_runs_and_a_review_of_every_claim(tmp_path, capsys):
    rocrate = pytest.importorskip("rocrate.rocrate")
    assert main(["--output", str(tmp_path / "none"), "--crate", str(tmp_path / "crate")]) == 0
    assert capsys.readouterr().out.startswith(f"{len(ROWS)} claims: ")
    crate = rocrate.ROCrate(tmp_path / "crate")
    reviews = crate.get_by_type("ClaimReview")
    assert [one["name"] for one in reviews] == [row.id for row in ROWS]
    assert {one["itemReviewed"].id for one in reviews} == {"https://arxiv.org/abs/2207.00050v1"}
    (margins,) = [one for one in reviews if one["name"] == "margins"]
    assert margins["reviewRating"]["alternateName"] == "reproduced" and margins["reviewRating"]["ratingValue"] == 1
    for file in crate.get_by_type("File"):
        assert (tmp_path / "crate" / file.id).is_file()
    ledger = json.loads((tmp_path / "crate" / crate.mainEntity.id).read_text())
    assert [one["id"] for one in ledger["claims"]] == [row.id for row in ROWS]


def test_without_rocrate_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rocrate.rocrate", None)
    monkeypatch.setitem(sys.modules, "rocrate.model.contextentity", None)
    assert main(["--output", str(tmp_path), "--crate", str(tmp_path / "crate")]) == 2
    assert 'pip install "sdm_lite[crate]"' in capsys.readouterr().err and not (tmp_path / "crate").exists()
