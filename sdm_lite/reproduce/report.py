"""The report of a run: one HTML file with the claims measured, the key pictures, the times and the failures.

Apart because it only reads what a run has left (run.json's content, recorded claims, executed notebooks), so it can be
written at any moment: after each notebook, an interruption or a failure. It holds all it shows, and no script.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

from sdm_lite.files import write_whole
from sdm_lite.ledger import RowVerdict, verdict_of
from sdm_lite.reproduce.committed import tags
from sdm_lite.reproduce.pages import fill


def write_course_report(output: Path, state: dict[str, Any], ledger: Sequence[RowVerdict] = ()) -> Path:
    """Writes report.html into a run's folder.

    Args:
        output: the folder, with executed/ and claims/ in it.
        state: the content of run.json: profile, parameters, started, finished, machine, notebooks and results.
        ledger: the verdict of every claim of the paper; empty where the run decides none.

    Returns:
        The path of the report.
    """
    results = state["results"]
    notebooks = []
    for stem in state["notebooks"]:
        notebooks.append({"stem": stem, "result": results.get(stem), "claims": [], "pictures": []})
        if stem in results:
            copy = output / "executed" / f"{stem}.ipynb"  # missing where the disk was full
            pictures = report_pictures(nbformat.read(copy, as_version=4)) if copy.exists() else []
            notebooks[-1] |= {"claims": read_claims(output, stem), "pictures": pictures}
    failed = sum(result["failure"] is not None for result in results.values())
    seconds = [result["seconds"] for result in results.values()]
    page = fill(
        "report.html",
        {
            "title": "sdm_lite: what was measured",
            "state": state,
            "notebooks": notebooks,
            "failed": failed,
            "missing": len(notebooks) - len(results),
            "ran": len(results) - failed,
            "holding": Counter(one["verdict"] for notebook in notebooks for one in notebook["claims"] if not one["id"]),
            "ledger": ledger,
            "decided": Counter(one.verdict for one in ledger),
            "verdict_of": verdict_of,
            "seconds": sum(seconds),
            "longest": max(seconds, default=0) or 1,
            "site": (output / "site" / "index.html").exists(),
        },
    )
    return write_whole(output / "report.html", page)


def read_claims(output: Path, stem: str) -> list[dict[str, Any]]:
    """What a notebook recorded in its last run, in order: of the paper's claims, with an id, and of our own."""
    path = output / "claims" / f"{stem}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def report_pictures(notebook) -> list[tuple[str, str]]:
    """The pictures of the cells tagged `report`: base64 PNG and caption of each."""
    return [
        ("".join(output.data["image/png"].split()), cell.metadata.get("caption", ""))
        for cell in notebook.cells
        if "report" in tags(cell)
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
