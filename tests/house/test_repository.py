"""What stands around the package says what is so: the workflow, the citation, the list of make's commands."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import sdm_lite

ROOT = Path(__file__).resolve().parents[2]


def test_the_workflow_runs_ci_on_a_python_that_make_takes():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["test"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["bash .ci/run"] and (ROOT / ".ci" / "run").exists()
    (python,) = (step["with"]["python-version"] for step in steps if "setup-python" in step.get("uses", ""))
    lowest = re.search(r"sys.version_info < \((\d+), (\d+), \d+\)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert [int(part) for part in python.split(".")] >= [int(part) for part in lowest.groups()]


def test_the_citation_names_this_version_and_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0" and citation["message"] and citation["authors"]
    assert citation["title"] == "sdm_lite" and citation["version"] == sdm_lite.__version__
    (paper,) = citation["references"]
    assert paper["title"] == "Semantic Image Synthesis via Diffusion Models" and paper["year"] == 2022
    assert paper["identifiers"][0]["value"] == "arXiv:2207.00050"
    assert len(paper["authors"]) == 7 and paper["authors"][0] == {"family-names": "Wang", "given-names": "Weilun"}


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="not a clone")
@pytest.mark.parametrize("path", ["notebooks/output/x.png", "output/x.png", "runs/x", "reports/x"])
def test_what_notebooks_and_runs_write_is_no_part_of_the_repository(path):
    assert subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode == 0


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
@pytest.mark.parametrize("user, option", [("0", True), ("1000", False)])
def test_jupyterlab_is_told_of_root_in_a_container_and_nowhere_else(tmp_path, user, option):
    (tmp_path / "id").write_text(f"#!/bin/sh\necho {user}\n")
    (tmp_path / "id").chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    command = ["make", "--dry-run", "--old-file=.venv/.installed", "lab"]
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert ("--allow-root" in said) is option


def test_ci_says_why_tests_are_skipped():
    assert "-ra" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_lists_every_command_with_a_line():
    (targets,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert sorted(re.findall(r"^  (\S+) +\S", listed, re.MULTILINE)) == sorted(targets.split())
