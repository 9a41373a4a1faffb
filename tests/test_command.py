"""Every command ends alike: done, refused in one line, or interrupted."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdm_lite.command import PACKAGES, check_device, check_packages, check_seed, default_device, run

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("returned, status", [(None, 0), (0, 0), (1, 1)])
def test_what_the_work_returns_is_the_status(returned, status, capsys):
    assert run(lambda: returned) == status and capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [ValueError("size must be 8, got 7"), FileNotFoundError("size must be 8, got 7")])
def test_bad_input_is_one_line_and_2(error, capsys):
    def work():
        raise error

    assert run(work) == 2 and capsys.readouterr().err == "error: size must be 8, got 7\n"


def test_a_mistake_of_ours_is_not_taken_for_one_of_the_user():
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 // 0)


def test_an_interruption_says_what_happens_next(capsys):
    def work():
        raise KeyboardInterrupt

    assert run(work, interrupted="interrupted; go on") == 130 and capsys.readouterr().err == "interrupted; go on\n"


def test_a_device_that_is_not_there_is_told():
    check_device(None)
    check_device(default_device())
    with pytest.raises(ValueError, match="device 'tpu9' cannot be used here .*: give --device cpu"):
        check_device("tpu9")


def test_an_error_of_many_lines_is_told_in_one(capsys):
    def work():
        raise ValueError("\n\\frac\n     ^\nexpected something else")

    assert run(work) == 2 and capsys.readouterr().err == "error: \\frac ^ expected something else\n"


def test_a_letter_that_the_terminal_does_not_have_ends_no_command(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
    assert run(lambda: print("tree \u6a39, caf\u00e9")) == 0
    assert written.getvalue().decode("cp1252").strip() == "tree \\u6a39, caf\u00e9"


@pytest.mark.skipif(os.name != "posix", reason="a pipe of POSIX")
def test_who_reads_may_leave_and_nothing_is_said_of_it():
    code = "from sdm_lite.command import run; raise SystemExit(run(lambda: print('word ' * 100_000)))"
    command = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    command.stdout.close()  # as `| head` does
    with command.stderr as said:
        assert said.read() == "" and command.wait(timeout=60) == 141


def test_a_package_that_is_not_installed_is_told_before_any_work(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ValueError, match=r'^packages: expected pillow, got none: pip install "sdm_lite\[train\]"$'):
        check_packages("PIL")

    def work():
        from PIL import Image

        Image.new("L", (1, 1))

    assert run(work) == 2 and 'pip install "sdm_lite[train]"' in capsys.readouterr().err


def test_a_module_of_ours_that_is_missing_is_no_package_of_the_users():
    def work():
        import sdm_lite.no_such_module  # noqa: F401

    with pytest.raises(ModuleNotFoundError):
        run(work)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_no_generator_takes_is_refused(seed):
    check_seed(0)
    check_seed(2**32 - 1)
    with pytest.raises(ValueError, match=f"--seed must be in 0..4294967295, got {seed}"):
        check_seed(seed)


# Every command, by a process in which nothing is installed that not every installation has.
WITHOUT = f"""
import sys
sys.modules.update(dict.fromkeys({list(PACKAGES)}))
import runpy
status = 0
for words in {{}}:
    sys.argv = words
    try:
        runpy.run_module("sdm_lite." + words[0], run_name="__main__", alter_sys=True)
    except SystemExit as exit:
        print("status of", " ".join(words), "is", exit.code)
"""


def ended(*commands: str, cwd: Path) -> dict[str, str]:
    """The status of each of some commands, by that process, and what they said on the error stream."""
    code = WITHOUT.format([command.split() for command in commands])
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, env=environment)
    found = {}
    for line in done.stdout.splitlines():
        if line.startswith("status of "):
            command, _, status = line.removeprefix("status of ").rpartition(" is ")
            found[command] = status
    assert done.returncode == 0, done.stderr
    return found | {"said": done.stderr}


def test_without_extras_every_help_is_shown(tmp_path):
    names = sorted(path.parent.name for path in (ROOT / "sdm_lite").glob("*/__main__.py"))
    commands = [f"{name} --help" for name in names] + ["evaluate folders --help", "datasets prepare folder --help"]
    found = ended(*commands, cwd=tmp_path)
    assert {command: found[command] for command in commands} == dict.fromkeys(commands, "0")


def test_without_extras_what_needs_one_is_refused_and_nothing_is_left(tmp_path):
    (tmp_path / "pictures").mkdir()
    commands = [
        "scenes --output a/grid.png",
        "train --num-steps 1 --output a/run",
        "train --recipe scenes-32 --output a/run",
        "datasets check folder pictures",
        "datasets render-scenes a/scenes",
        "datasets prepare celebamask-hq pictures a",
        "datasets prepare folder pictures a",
        "cache build folder pictures --folder a",
        "evaluate scenes-32 --dataset folder --root pictures --output a",
        "evaluate folders pictures pictures --output a",
        "judge train --dataset folder --root pictures --output a/judge.safetensors",
        "reproduce --output a",
        "app",
    ]
    found = ended(*commands, cwd=tmp_path)
    assert {command: found[command] for command in commands} == dict.fromkeys(commands, "2")
    told = found["said"].splitlines()
    assert len(told) == len(commands) and all(line.startswith("error: packages: expected ") for line in told)
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


@pytest.mark.skipif(os.name != "posix", reason="the status of a signal of POSIX")
def test_ctrl_c_while_a_command_is_imported_is_one_line(tmp_path):
    (tmp_path / "numpy.py").write_text("raise KeyboardInterrupt")
    command = [sys.executable, "-m", "sdm_lite.plan", "scenes-32"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.stderr == "interrupted\n" and done.returncode in (-2, 130)
