"""One door: what it lists is what there is, and a command behind it is the command itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from sdm_lite import __version__
from sdm_lite.__main__ import COMMANDS, main, usage

ROOT = Path(__file__).resolve().parents[1]

# Every command's help, asked for at the door by a process that has none of them loaded.
ALL_HELP = """
import sys
from sdm_lite.__main__ import COMMANDS, main
sys.argv[1:] = ["words that are not for them"]
for name in COMMANDS.keys() - {"app"}:
    try:
        main([name, "--help"])
    except SystemExit as exit:
        print("status of", name, exit.code)
"""


def run(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_commands_are_the_folders_that_can_be_run():
    assert set(COMMANDS) == {path.parent.name for path in (ROOT / "sdm_lite").glob("*/__main__.py")}


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_it_lists_the_commands_with_a_line_each(capsys, words):
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed == usage() + "\n"
    for name, what in COMMANDS.items():
        (line,) = (line for line in printed.splitlines() if line.split()[:1] == [name])
        assert line.endswith(what) and len(line) <= 100


def test_it_says_which_version_it_is(capsys):
    assert main(["--version"]) == 0 and capsys.readouterr().out == f"sdm_lite {__version__}\n"


@pytest.mark.parametrize(
    "word, fix", [("evalute", "did you mean evaluate?"), ("zzz", "sdm-lite lists them"), ("-x", "sdm-lite lists them")]
)
def test_what_is_no_command_is_told_in_one_line(capsys, word, fix):
    assert main([word, "--help"]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err == f"error: expected a command of sdm-lite, got {word!r}: {fix}\n"


def test_every_command_shows_its_help_and_the_name_that_always_works():
    printed = run("-c", ALL_HELP).stdout
    for name in COMMANDS.keys() - {"app"}:
        assert f"usage: python -m sdm_lite.{name} " in printed and f"status of {name} 0\n" in printed


def test_a_mistake_ends_at_the_door_as_it_ends_without_it():
    direct, at_the_door = run("-m", "sdm_lite.plan", "no-preset"), run("-m", "sdm_lite", "plan", "no-preset")
    assert direct.returncode == at_the_door.returncode == 2
    assert direct.stderr == at_the_door.stderr and "no-preset" in direct.stderr


def test_a_command_gets_its_words_and_does_its_work(tmp_path):
    done = run("-m", "sdm_lite", "scenes", "--output", str(tmp_path / "grid.png"), "--size", "16", "--rows", "1")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")
