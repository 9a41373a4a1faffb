"""A stored run says what it was made of, and is stale when that is no longer here."""

import json
import shutil

import pytest

from sdm_lite.files import DATA_DIR
from sdm_lite.ledger.evidence import (
    PACKAGE,
    StoredClaim,
    evidence_names,
    fingerprint,
    read_evidence,
    stale,
    weights_digest,
    write_evidence,
)

CLAIM = StoredClaim("structure-fid", -1.5, (-2.0, -1.0), "layouts and seeds", 512, 3, "Scenes 32 px")
CODE = '''"""A module."""
import math


class Square:
    """A square."""

    def area(self, side):
        """Of a side."""
        return side**2  # a comment


def half(x, *, by=2):
    "In one line."
    return x / by if f"{x:.2f}{x:<{by}}" else [y for y in (1, 2)]
'''


@pytest.fixture
def made(tmp_path):
    """A package of one module, weights, and a folder for stored runs."""
    package, weights = tmp_path / "sdm_lite", tmp_path / "data"
    (package / "inner").mkdir(parents=True)
    weights.mkdir()
    (package / "squares.py").write_text(CODE)
    (package / "inner" / "deep.py").write_text("x = 1\n")
    (weights / "w.safetensors").write_bytes(b"weights")
    return package, weights


def stored(folder, **changes):
    given = {"command": "python -m sdm_lite.x", "modules": ["sdm_lite.progress"], "results": {}, "claims": [CLAIM]}
    return write_evidence("table4", folder=folder, **given | changes)


def test_a_run_is_read_as_it_was_written(tmp_path):
    path = stored(tmp_path, weights=["judge-32"], num_layouts=512, results={"nan": float("nan"), "rows": [1, 2]})
    assert path == tmp_path / "table4.json" and evidence_names(folder=tmp_path) == ["table4"]
    run = read_evidence("table4", folder=tmp_path)
    assert run.claims == (CLAIM,) and run.results == {"nan": None, "rows": [1, 2]}
    assert (run.command, run.num_layouts) == ("python -m sdm_lite.x", 512)
    assert run.code == {"sdm_lite.progress": fingerprint("sdm_lite.progress")}
    assert run.weights == {"judge-32": weights_digest("judge-32")}
    assert stale(run) is None


@pytest.mark.parametrize(
    "old, new, changes",
    [
        ('"""A module."""\n', "", False),
        ("# a comment", "# another", False),
        ('"""Of a side."""\n        ', "", False),
        ('"""A square."""', '"""Another."""', False),
        ("\n\n\n", "\n\n\n\n", False),
        ("side**2", "side**3", True),
        ("by=2", "by=3", True),
        ("{x:.2f}", "{x:.3f}", True),
        ("import math", "import cmath", True),
        ("class Square:", "class Square(dict):", True),
    ],
)
def test_only_what_is_computed_makes_a_run_stale(made, old, new, changes):
    package, _ = made
    before = fingerprint("sdm_lite.squares", package)
    changed = CODE.replace(old, new)
    assert changed != CODE
    (package / "squares.py").write_text(changed)
    assert (fingerprint("sdm_lite.squares", package) != before) == changes


def test_a_fingerprint_does_not_depend_on_the_version_of_python(made):
    """Computed once by 3.10, 3.11, 3.12 and 3.13, all alike."""
    assert fingerprint("sdm_lite.squares", made[0]).startswith("60b8664c4d0f17e9")


def test_a_folder_stands_for_all_its_modules(made):
    package, _ = made
    before = fingerprint("sdm_lite.inner", package)
    (package / "inner" / "more.py").write_text("y = 2\n")
    assert fingerprint("sdm_lite.inner", package) != before
    (package / "inner" / "more.py").rename(package / "inner" / "renamed.py")
    renamed = fingerprint("sdm_lite.inner", package)
    (package / "inner" / "renamed.py").rename(package / "inner" / "more.py")
    assert fingerprint("sdm_lite.inner", package) != renamed


def test_a_stale_run_says_in_one_line_what_changed_and_what_to_run(tmp_path):
    package, weights = tmp_path / "sdm_lite", tmp_path / "data"
    package.mkdir()
    weights.mkdir()
    shutil.copy(PACKAGE / "progress.py", package)
    shutil.copy(DATA_DIR / "judge-32.safetensors", weights)
    stored(tmp_path, weights=["judge-32"])
    run = read_evidence("table4", folder=tmp_path)
    assert stale(run, package=package, weights_folder=weights) is None
    (weights / "judge-32.safetensors").write_bytes(b"other")
    told = stale(run, package=package, weights_folder=weights)
    assert told == "table4 is stale, made by other weights judge-32: run python -m sdm_lite.x"
    (package / "progress.py").unlink()
    told = stale(run, package=package, weights_folder=weights)
    assert told.startswith("table4 is stale, made by other code of sdm_lite.progress, weights judge-32: run python")


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"modules": []}, "expected modules that decided its numbers"),
        ({"modules": ["sdm_lite.nothing"]}, "module: expected one of sdm_lite, got 'sdm_lite.nothing'"),
        ({"modules": ["torch.nn"]}, "got 'torch.nn'"),
        ({"modules": ["sdm_lite"]}, "got 'sdm_lite'"),
        ({"weights": ["nothing"]}, "weights: expected one of gan-inade-32, judge-32"),
        ({"claims": [StoredClaim("structure-fld", 1.0)]}, "did you mean structure-fid"),
        ({"claims": [StoredClaim("margins", 1.0)]}, "expected one of margins/fid, margins/lpips, margins/miou"),
        ({"command": " "}, "the command that makes it"),
        ({"claims": [CLAIM, CLAIM]}, "one value of structure-fid a scale"),
        ({"claims": [StoredClaim("eq16-s", float("nan"))]}, "eq16-s: expected finite numbers"),
        ({"claims": [StoredClaim("eq16-s", 1.0, (2.0, 1.0), "seeds")]}, "an interval (low, high)"),
        ({"claims": [StoredClaim("eq16-s", 1.0, (0.0, 2.0), "votes")]}, "got 'votes' with (0.0, 2.0)"),
        ({"claims": [StoredClaim("eq16-s", 1.0, (0.0, 2.0))]}, "say what the interval covers"),
        ({"claims": [StoredClaim("eq16-s", 1.0, None, "seeds")]}, "say what the interval covers"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(tmp_path, changes, words):
    with pytest.raises(ValueError) as caught:
        stored(tmp_path / "new", **changes)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_two_scales_of_one_claim_are_two_claims(tmp_path):
    other = StoredClaim("structure-fid", 1.0, scale="Scenes 64 px")
    stored(tmp_path, claims=[CLAIM, other])
    assert read_evidence("table4", folder=tmp_path).claims == (CLAIM, other)


@pytest.mark.parametrize("text", ["", "[]", '{"command": "x"}', '{"claims": [{"id": "a", "interval": null}]}'])
def test_what_is_no_stored_run_is_told_in_one_line(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match="^a.json: expected a stored run, got .*: run its command again$"):
        read_evidence("a", folder=tmp_path)


def test_a_run_that_is_not_there_is_told_with_those_that_are(tmp_path):
    stored(tmp_path)
    with pytest.raises(ValueError, match="expected one of table4, got 'table5'"):
        read_evidence("table5", folder=tmp_path)


def test_a_value_changed_by_hand_into_no_number_is_refused(tmp_path):
    path = stored(tmp_path)
    content = json.loads(path.read_text())
    content["claims"][0]["value"] = None
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="a stored run, got"):
        read_evidence("table4", folder=tmp_path)
