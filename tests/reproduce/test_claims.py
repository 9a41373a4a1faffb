"""Claims are recorded as measured, and what is shown of the package is its idea."""

import ast
import json
import textwrap
from typing import NamedTuple

import pytest

from sdm_lite.diffusion import GaussianDiffusion
from sdm_lite.guidance import guide
from sdm_lite.reproduce import record, record_claim, show_source
from sdm_lite.reproduce.claims import formulas_and_shapes
from sdm_lite.sampling import sample_ddim
from sdm_lite.spade import SPADE


def test_record_prints_and_appends(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("SDM_LITE_CLAIMS", raising=False)
    record("Only shown", 1.23456, interval=(1, 2), unit="bits/dim")
    assert capsys.readouterr().out == "Only shown | 1.235 bits/dim [1, 2]\n"
    monkeypatch.setenv("SDM_LITE_CLAIMS", str(tmp_path / "a.jsonl"))
    record("One is so", True, holds=True)
    record("Two is not", "blue", holds=False)
    out = "One is so | yes | holds (rule: as stated)\nTwo is not | blue | does not hold here (rule: as stated)\n"
    assert capsys.readouterr().out == out
    entries = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [(entry["claim"], entry["value"], entry["holds"]) for entry in entries] == [
        ("One is so", True, True),
        ("Two is not", "blue", False),
    ]


@pytest.mark.parametrize(
    ("interval", "target", "said"),
    [
        ((0.95, 1.05), (0.9, 1.1), "holds (rule: from 0.9 to 1.1)"),
        ((0.95, 1.15), (0.9, 1.1), "undecided (rule: from 0.9 to 1.1)"),
        ((0.8, 1.2), (0.9, 1.1), "undecided (rule: from 0.9 to 1.1)"),
        ((1.2, 1.3), (0.9, 1.1), "does not hold here (rule: from 0.9 to 1.1)"),
        ((0.1, 0.3), (0, None), "holds (rule: at least 0)"),
        ((-0.1, 0.3), (0, None), "undecided (rule: at least 0)"),
        (None, (None, 1e-4), "does not hold here (rule: at most 0.0001)"),
        (None, (None, 1), "holds (rule: at most 1)"),
        (None, (1, 1), "holds (rule: exactly 1)"),
    ],
)
def test_the_interval_decides_by_the_rule_beside_it(monkeypatch, tmp_path, capsys, interval, target, said):
    monkeypatch.setenv("SDM_LITE_CLAIMS", str(tmp_path / "claims.jsonl"))
    record("It is right", 1.0, interval=interval, target=target)
    assert capsys.readouterr().out.rstrip().endswith(f"| {said}")
    entry = json.loads((tmp_path / "claims.jsonl").read_text())
    assert said.replace(" here", "") == f"{entry['verdict']} (rule: {entry['rule']})"


def test_a_rule_can_fail_and_decides_alone():
    with pytest.raises(ValueError, match="such a claim cannot fail"):
        record("a is one", 1, target=(None, None))
    with pytest.raises(ValueError, match="the target decides"):
        record("a is one", 1, target=(0, 2), holds=True)


@pytest.mark.parametrize(
    "claim, value, interval, words",
    [
        (" ", 1, None, "claim"),
        ("a is one", float("nan"), None, "finite"),
        ("a is one", [1, 2], None, "got list"),
        ("a is one", 1, (2, 1), "low, high"),
        ("a is one", 1, (0, float("inf")), "finite"),
        ("a is one", 1, (0,), "low, high"),
        ("a is one", 1, (0, 1, 2), "a text after"),
        ("a is one", 1, (0, 1, "kind", "more"), "a text after"),
    ],
)
def test_record_refuses_what_is_no_measurement(claim, value, interval, words):
    with pytest.raises(ValueError, match=words):
        record(claim, value, interval=interval)


def test_a_claim_of_the_paper_takes_its_words_and_its_rule_from_the_ledger(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SDM_LITE_CLAIMS", str(tmp_path / "a.jsonl"))
    record_claim("guidance-miou", 0.03, interval=(0.02, 0.04, "95 % over 20 layouts"))
    record_claim("learned-variance/lower", -0.2, interval=(-0.3, -0.1, "95 % over 32 pictures"), scale="elsewhere")
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        "[guidance-miou] Guidance raises mIoU: mIoU (Scenes judge) at s = 1.5 less s = 1 | 0.03 [0.02, 0.04] "
        "(95 % over 20 layouts) | reproduced (rule: at least 0)"
    )
    assert second.endswith("| -0.2 bits/dim [-0.3, -0.1] (95 % over 32 pictures) | contradicted (rule: at least 0)")
    entries = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [(one["id"], one["verdict"]) for one in entries] == [
        ("guidance-miou", "reproduced"),
        ("learned-variance/lower", "contradicted"),
    ]
    assert entries[0]["place"].startswith("Section 4.3") and entries[0]["scale"] and entries[1]["scale"] == "elsewhere"


@pytest.mark.parametrize(
    "id, value, words",
    [
        ("guidance-mou", 1, "got 'guidance-mou': did you mean guidance-miou"),
        ("learned-variance", 1, "expected one of learned-variance/lower, learned-variance/upper"),
        ("eq16-s", "one", "expected a number for eq16-s, got 'one'"),
        ("eq16-s", float("nan"), "finite"),
    ],
)
def test_a_claim_that_the_ledger_does_not_have_is_one_line(id, value, words, tmp_path, monkeypatch):
    monkeypatch.setenv("SDM_LITE_CLAIMS", str(tmp_path / "a.jsonl"))
    with pytest.raises(ValueError) as caught:
        record_claim(id, value)
    assert words in str(caught.value) and "\n" not in str(caught.value) and not (tmp_path / "a.jsonl").exists()


def test_a_row_s_id_given_as_a_sentence_is_refused():
    with pytest.raises(ValueError, match="got 'guidance-miou': a row of the ledger is recorded by record_claim"):
        record("guidance-miou", 1)


def test_record_takes_tensors_of_one_element(capsys):
    import torch

    record("The loss", torch.tensor(0.25), interval=(torch.tensor(0.0), 1), holds=torch.tensor(True))
    assert capsys.readouterr().out == "The loss | 0.25 [0, 1] | holds (rule: as stated)\n"


def test_an_interval_says_which_it_is(monkeypatch, tmp_path, capsys):
    class Triple(NamedTuple):
        low: float
        high: float
        kind: str

    monkeypatch.setenv("SDM_LITE_CLAIMS", str(tmp_path / "a.jsonl"))
    record("A kind", 1.5, interval=Triple(1.0, 2.0, "95 % Wilson"), unit="m", holds=True)
    record("No kind", 1.5, interval=[1, 2])
    record("No interval", 1.5)
    out = "A kind | 1.5 m [1, 2] (95 % Wilson) | holds (rule: as stated)\nNo kind | 1.5 [1, 2]\nNo interval | 1.5\n"
    assert capsys.readouterr().out == out
    entries = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [(entry["interval"], entry["interval_kind"]) for entry in entries] == [
        ([1.0, 2.0], "95 % Wilson"),
        ([1, 2], ""),
        (None, ""),
    ]


def documented(x, bound=1.0):
    """Bound a batch.

        y = min(x, bound)

    A long story about it, with an aside (Somebody, 1999).

    Args:
        x: (B, C, H, W), of any type that has an order, and the sentence goes on in the next
            line; then more follows.
        bound: the largest value that is let through.

    Returns:
        (B, C, H, W). And some more.

    Raises:
        ValueError: if x has no (B, C).
    """

    def clamp(value):  # (B, C, H, W)
        """A short one."""
        return min(value, bound)

    return clamp(x)


SHOWN = '''\
def documented(x, bound=1.0):
    """Bound a batch.

        y = min(x, bound)

    x: (B, C, H, W), of any type that has an order, and the sentence goes on in the next line.
    Returns: (B, C, H, W).
    """

    def clamp(value):  # (B, C, H, W)
        """A short one."""
        return min(value, bound)

    return clamp(x)
'''


def test_show_source_keeps_formulas_and_shapes_of_long_docstrings(capsys):
    show_source(documented)
    assert capsys.readouterr().out == SHOWN


def test_show_source_without_formulas_and_shapes_keeps_the_first_line():
    assert formulas_and_shapes("\nMore.\n\nArgs:\n    a: a number (0, 1).\n") == []
    assert formulas_and_shapes("\nShapes:\n    h: features (B, C)\n    more of it\n") == [
        "",
        "h: features (B, C)",
        "more of it",
    ]


@pytest.mark.parametrize(
    "function, kept, left_out",
    [
        (GaussianDiffusion.q_sample, ["sqrt(alpha_bar_t) x_0 +", "    t: (B,) int64 in 0..T.\n"], ["Ho et al."]),
        (guide, ["null + s (conditional - null)", "    Returns: (B, 6, H, W).\n"], ["Only the first half"]),
        (sample_ddim, ["        x_r = sqrt(alpha_bar_r) x_0", "  # (B, 3, H, W)\n"], ["Song", "Raises"]),
        (SPADE, ["        out = (1 + gamma(c)) GroupNorm(h) + beta(c)\n", "# (B, hidden, h, w)"], ["Park et al."]),
    ],
)
def test_what_notebooks_show_of_the_package_is_code_that_says_its_formula_and_shapes(function, kept, left_out, capsys):
    show_source(function)
    shown = capsys.readouterr().out
    ast.parse(shown)
    assert all(words in shown for words in kept) and not any(words in shown for words in left_out)
    assert isinstance(function, type) or len(shown.splitlines()) <= 30


def test_a_loop_is_shown_alone_and_checks_of_arguments_are_not(capsys):
    show_source(sample_ddim, inner="steps")
    loop = capsys.readouterr().out
    assert loop.startswith("def steps(x: Tensor)") and "return steps" not in loop and len(loop.splitlines()) <= 10
    show_source(GaussianDiffusion.predict)
    shown = capsys.readouterr().out
    assert "raise" not in shown and "chunk(2" in shown
    ast.parse(textwrap.dedent(shown))
    show_source(GaussianDiffusion.losses)
    signature = capsys.readouterr().out.partition('"""')[0]
    assert len(signature.splitlines()) <= 4 and "vlb_weight: float = 0.001," in signature
