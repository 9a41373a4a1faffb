"""No label map is counted or learned without a word on void."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "sdm_lite"


def called(name: str) -> list[tuple[Path, ast.Call]]:
    """Every call of a function of this name in the package."""
    return [
        (path.relative_to(PACKAGE), node)
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", None)) == name
    ]


def test_every_confusion_matrix_is_told_which_pixels_to_ignore():
    calls = called("confusion_matrix")
    assert len(calls) >= 2
    silent = [f"{path}:{call.lineno}" for path, call in calls if "ignore_label" not in {k.arg for k in call.keywords}]
    assert not silent, "mIoU here counts void: give ignore_label, None where a data set has no void"
