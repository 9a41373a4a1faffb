"""Claims are recorded as measured, and answers are checked with a hint."""

import json

import pytest

from sdm_lite.reproduce import check, record


def test_record_prints_and_appends(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("SDM_LITE_CLAIMS", raising=False)
    record("Only shown", 1.23456, interval=(1, 2), unit="bits/dim")
    assert capsys.readouterr().out == "Only shown | 1.235 bits/dim [1, 2]\n"
    monkeypatch.setenv("SDM_LITE_CLAIMS", str(tmp_path / "a.jsonl"))
    record("One", True, holds=True)
    record("Two", "blue", holds=False)
    assert capsys.readouterr().out == "One | yes | holds\nTwo | blue | does not hold here\n"
    entries = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [(entry["claim"], entry["value"], entry["holds"]) for entry in entries] == [
        ("One", True, True),
        ("Two", "blue", False),
    ]


@pytest.mark.parametrize(
    "claim, value, interval, words",
    [
        (" ", 1, None, "claim"),
        ("a", float("nan"), None, "finite"),
        ("a", [1, 2], None, "got list"),
        ("a", 1, (2, 1), "low, high"),
        ("a", 1, (0, float("inf")), "finite"),
    ],
)
def test_record_refuses_what_is_no_measurement(claim, value, interval, words):
    with pytest.raises(ValueError, match=words):
        record(claim, value, interval=interval)


def test_record_takes_tensors_of_one_element(capsys):
    import torch

    record("Loss", torch.tensor(0.25), interval=(torch.tensor(0.0), 1), holds=torch.tensor(True))
    assert capsys.readouterr().out == "Loss | 0.25 [0, 1] | holds\n"


def test_check_hints_and_in_strict_mode_raises(capsys):
    check(None, lambda answer: 1 / 0, hint="look left")
    check(3, lambda answer: answer == 2, hint="look left")
    check("3", lambda answer: answer > 2, hint="look left")
    check(2, lambda answer: answer == 2, hint="look left")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Not answered yet. Hint: look left", "Not yet. Hint: look left"]
    assert lines[2].startswith("Not yet (TypeError:") and lines[3] == "Right."
    for answer in (None, 3):
        with pytest.raises(ValueError, match="solution"):
            check(answer, lambda answer: answer == 2, hint="", strict=True)
