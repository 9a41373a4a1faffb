"""The command of the page: what it hands to Voila, and what it says where there is none."""

import os
import sys
from pathlib import Path

import pytest

from sdm_lite.app import __main__ as app_command


@pytest.fixture
def started(monkeypatch):
    """What was run in place of Voila, and the words that it would have found."""
    found = []
    monkeypatch.setattr(sys, "argv", ["sdm-lite", "--port=1"])
    monkeypatch.setattr(app_command, "check_packages", lambda *names: None)
    monkeypatch.setattr(app_command.runpy, "run_module", lambda name, **_: found.append([name, *sys.argv]))
    return found


def test_voila_gets_the_page_and_the_options(monkeypatch, started, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDM_LITE_VOTES", "")  # so that it is put back afterwards
    monkeypatch.delenv("SDM_LITE_VOTES")
    assert app_command.main() == 0
    assert started == [["voila", "voila", str(app_command.PAGE), "--port=1"]] and app_command.PAGE.exists()
    assert Path(os.environ["SDM_LITE_VOTES"]) == tmp_path / "votes.csv", "votes belong to who started it"


def test_votes_go_where_one_says(monkeypatch, started):
    monkeypatch.setenv("SDM_LITE_VOTES", "elsewhere.csv")
    assert app_command.main([]) == 0 and os.environ["SDM_LITE_VOTES"] == "elsewhere.csv"


def test_options_of_voila_are_handed_on(monkeypatch, started):
    monkeypatch.setenv("SDM_LITE_VOTES", "elsewhere.csv")
    assert app_command.main(["--Voila.ip=127.0.0.1", "--no-browser"]) == 0
    assert started[0][3:] == ["--no-browser", "--Voila.ip=127.0.0.1"]


@pytest.mark.parametrize("word", ["--nonsense", "--port1"])
def test_what_is_no_option_is_one_line_and_not_voilas_whole_usage(started, capsys, word):
    assert app_command.main([word]) == 2 and started == []
    told = capsys.readouterr().err
    assert told.startswith(f"error: unknown option {word}: ") and told.count("\n") == 1


def test_without_voila_it_says_what_to_install(monkeypatch, started, capsys):
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "voila", None)
    assert app_command.main([]) == 2 and started == []
    told = capsys.readouterr().err
    assert told == 'error: packages: expected voila, got none: pip install "sdm_lite[lab]"\n'
