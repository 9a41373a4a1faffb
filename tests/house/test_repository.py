"""What stands around the package says what is so: the workflow, the citation, the list of make's commands."""

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


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_lists_every_command_with_a_line():
    (targets,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert sorted(re.findall(r"^  (\S+) +\S", listed, re.MULTILINE)) == sorted(targets.split())
