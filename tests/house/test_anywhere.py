"""Where the course runs and where it is had: one address, Binder, a dev container, the first cell of each notebook."""

import json
import os
import re
from pathlib import Path

import nbformat
import pytest
import yaml
from address import HOME, ROOT, main, moved, texts

from sdm_lite.reproduce import NOTEBOOKS
from sdm_lite.reproduce.course import REPOSITORY_URL

PATHS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
OWN = HOME.fullmatch(REPOSITORY_URL)[1]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_one_command_moves_every_address_of_the_package():
    for path, text in texts().items():
        there = moved(text, OWN, "someone/else")
        assert OWN not in there, f"{path} names the package in a way that `make address` does not know"
        if there != text:
            assert moved(there, "someone/else", OWN) == text, path


def test_only_whole_addresses_are_moved():
    text = "https://github.com/a/b, https://github.com/a/b.git https://github.com/a/bc a/b colab/github/a/b/blob"
    expected = "https://github.com/x/y, https://github.com/x/y.git https://github.com/a/bc a/b colab/github/x/y/blob"
    assert moved(text, "a/b", "x/y") == expected


@pytest.mark.parametrize(
    "words", [[], ["sdm_lite"], ["https://github.com/owner"], ["https://github.com/a/b/tree/main"]]
)
def test_what_is_no_address_is_told_in_one_line(words, capsys):
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("error: expected https://github.com/OWNER/NAME, got ")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_first_cell_is_the_same_everywhere(path):
    assert nbformat.read(path, as_version=4).cells[1].source == nbformat.read(PATHS[0], as_version=4).cells[1].source


@pytest.mark.parametrize(
    "wheels, package",
    [
        ([], f"sdm_lite[notebooks] @ git+{REPOSITORY_URL}"),
        (["sdm_lite-0.1.0-py3-none-any.whl"], "./sdm_lite-0.1.0-py3-none-any.whl[notebooks]"),
    ],
)
def test_a_wheel_beside_the_notebook_stands_in_for_an_address_that_is_not_public(
    tmp_path, monkeypatch, wheels, package
):
    for name in wheels:
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    source = nbformat.read(PATHS[0], as_version=4).cells[1].source
    asked = {"installed": []}
    exec(re.sub(r'%pip install -q "\{(.*)\}"', r"installed.append(\1)", source), asked)
    assert asked["installed"] == [package]


def test_binder_builds_with_a_cpu_torch_and_what_lab_needs():
    conda = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text(encoding="utf-8"))
    names = [re.split("[=<>]", line)[0] for line in conda["dependencies"]]
    assert names == ["python", "pip", "pytorch-cpu"] and conda["channels"] == ["conda-forge"]
    script = ROOT / ".binder" / "postBuild"
    assert '".[lab]"' in script.read_text(encoding="utf-8") and os.access(script, os.X_OK)


def test_the_dev_container_installs_as_everybody_does():
    settings = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert settings["postCreateCommand"] == "make install" and re.fullmatch(r"python:3\.1\d-\w+", settings["image"])
    assert settings["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"].endswith(
        "/.venv/bin/python"
    )


def test_the_pythons_that_are_named_are_those_that_are_tried():
    classifiers = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tried = re.search(r"^PYTHONS \?= (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1].split()
    assert classifiers == tried and Path(ROOT, "tests", "support", "anywhere.sh").exists()
