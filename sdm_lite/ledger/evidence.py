"""Stored runs: what a measurement of hours found, and by which code and which weights.

Apart because whatever measures for long writes one (training, evaluation, other methods), and the ledger of the paper's
claims is joined with them all: files, the ledger's rows and the standard library alone, so that every room may use it.
A stored run is a JSON file under `data/evidence/`. It says what it found, the command that finds it again, and what
that depended on, so that a number is never shown as today's when today's code or weights would give another.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sdm_lite.files import DATA_DIR, to_json, write_whole
from sdm_lite.ledger.rows import find_rule

PACKAGE = Path(__file__).parents[1]
EVIDENCE_DIR = DATA_DIR / "evidence"
"""Where stored runs lie: one NAME.json each."""

INTERVAL_KINDS = ("layouts", "seeds", "layouts and seeds", "")
"""What an interval covers: the choice of layouts, of training seeds, or both; "" where there is none."""


@dataclass(frozen=True)
class StoredClaim:
    """One quantity of a stored run that decides a claim of the paper, or a part of one.

    Attributes:
        id: of a row of the ledger ("structure-fid"), or of one of its parts ("margins/fid").
        value: the quantity that the row names, in its unit.
        interval: (low, high) at 95 %, or None where nothing was drawn at random, as in arithmetic.
        interval_kind: one of INTERVAL_KINDS, "" with no interval alone.
        num_layouts: label maps that the value was measured on; 0 where none were.
        num_seeds: training runs that it was measured over; 0 where nothing was trained.
        scale: in words, at which scale: "Scenes 32 px, 1.1 M weights, equal parameters". Values of one row at several
            scales are several claims.
    """

    id: str
    value: float
    interval: tuple[float, float] | None = None
    interval_kind: str = ""
    num_layouts: int = 0
    num_seeds: int = 0
    scale: str = ""


@dataclass(frozen=True)
class Evidence:
    """A stored run, as `read_evidence` returns it.

    Attributes:
        name: of the file, without .json.
        command: the command line that makes it.
        code: from the name of a module, or of a folder of modules, to its fingerprint.
        weights: from the name of a file of shipped weights to its sha256.
        num_layouts: label maps that it was measured on.
        results: whatever else it found; anything that JSON has.
        claims: what it says of the paper's claims.
    """

    name: str
    command: str
    code: dict[str, str]
    weights: dict[str, str]
    num_layouts: int
    results: Any
    claims: tuple[StoredClaim, ...]


def write_evidence(
    name: str,
    *,
    command: str,
    modules: Sequence[str],
    weights: Sequence[str] = (),
    num_layouts: int = 0,
    results: Any,
    claims: Sequence[StoredClaim] = (),
    folder: Path = EVIDENCE_DIR,
) -> Path:
    """Write a stored run.

    Args:
        name: of the file, letters, digits, - and _.
        command: the command line that makes it, for instance "python -m sdm_lite.baselines table4".
        modules: full names of the modules, or of the folders of modules, whose code decided the numbers, for instance
            "sdm_lite.diffusion" or "sdm_lite.metrics". As few as are true: a change to one of them makes the run stale.
        weights: names of the shipped weights that it used, for instance "scenes-32". What a run trains itself is none.
        num_layouts: label maps that it was measured on; 0 where none were.
        results: whatever else it found; anything that JSON has. nan and infinity become null.
        claims: what it says of the paper's claims; `ledger.find_rule(id)` says before the work whether an id is one.
        folder: where to.

    Returns:
        The path of the file.

    Raises:
        ValueError: if a module or weights are not there, the ledger has no such claim, or a claim is no measurement.
        OSError: if it cannot be written.
    """
    if not name or not name.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"evidence: expected a name of letters, digits, - and _, got {name!r}: name it like table4")
    if not command.strip():
        raise ValueError("evidence: expected the command that makes it, got an empty one: say how to find it again")
    if not modules:
        raise ValueError(f"evidence {name}: expected modules that decided its numbers, got none: name them")
    told = [(claim.id, claim.scale) for claim in claims]
    for claim in claims:
        find_rule(claim.id)
        _check(claim)
        if told.count((claim.id, claim.scale)) > 1:
            raise ValueError(f"evidence {name}: expected one value of {claim.id} a scale, got several: say which scale")
    content = {
        "command": command,
        "code": {module: fingerprint(module) for module in sorted(modules)},
        "weights": {one: weights_digest(one) for one in sorted(weights)},
        "num_layouts": num_layouts,
        "claims": [asdict(claim) for claim in claims],
        "results": results,
    }
    return write_whole(folder / f"{name}.json", to_json(content, indent=1) + "\n")


def read_evidence(name: str, *, folder: Path = EVIDENCE_DIR) -> Evidence:
    """Read a stored run.

    Args:
        name: of its file, without .json.
        folder: where from.

    Returns:
        The run, stale or not: see `stale`.

    Raises:
        ValueError: if there is none of this name, naming those that there are, or it cannot be read as one.
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        known = ", ".join(evidence_names(folder=folder)) or "none"
        raise ValueError(f"evidence: expected one of {known}, got {name!r}: give the name of a stored run")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        claims = [
            StoredClaim(**one | {"interval": one["interval"] and tuple(one["interval"])}) for one in content["claims"]
        ]
        known = ("command", "code", "weights", "num_layouts", "results")
        run = Evidence(name=name, claims=tuple(claims), **{key: content[key] for key in known})
        for claim in claims:
            _check(claim)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name}: expected a stored run, got {_said(error)}: run its command again") from None
    return run


def evidence_names(*, folder: Path = EVIDENCE_DIR) -> list[str]:
    """The names of the stored runs that there are, sorted."""
    return sorted(path.stem for path in folder.glob("*.json"))


def stale(run: Evidence, *, package: Path = PACKAGE, weights_folder: Path = DATA_DIR) -> str | None:
    """Why a stored run is not one of the code and weights that are here now.

    Args:
        run: from `read_evidence`.
        package: folder of the package whose code is asked.
        weights_folder: folder of the weights.

    Returns:
        One line that says what changed and which command runs it again, or None if nothing did.
    """
    changed = [
        *(f"code of {name}" for name, was in run.code.items() if _now(fingerprint, name, package) != was),
        *(f"weights {name}" for name, was in run.weights.items() if _now(weights_digest, name, weights_folder) != was),
    ]
    if not changed:
        return None
    return f"{run.name} is stale, made by other {', '.join(changed)}: run {run.command}"


def fingerprint(module: str, package: Path = PACKAGE) -> str:
    """What a module computes, in short: comments, docstrings and layout do not change it, whatever else does.

    Args:
        module: full name of a module, or of a folder of modules, which stands for all that is in it.
        package: folder of the package.

    Returns:
        sha256 in hexadecimal, the same in every version of Python that reads the code.

    Raises:
        ValueError: if there is no such module.
    """
    first, *parts = module.split(".")
    path = package.joinpath(*parts)
    files = [path.with_suffix(".py")] if path.with_suffix(".py").is_file() else sorted(path.rglob("*.py"))
    if first != package.name or not parts or not files:
        raise ValueError(f"module: expected one of {package.name}, got {module!r}: give its full name")
    digest = hashlib.sha256()
    for file in files:
        told = [file.relative_to(package).as_posix(), _tree(ast.parse(file.read_text(encoding="utf-8")))]
        digest.update(json.dumps(told).encode())
    return digest.hexdigest()


def weights_digest(name: str, folder: Path = DATA_DIR) -> str:
    """sha256 of a file of shipped weights, in hexadecimal.

    Raises:
        ValueError: if there is none of this name.
    """
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in folder.glob("*.safetensors"))) or "none"
        raise ValueError(f"weights: expected one of {known}, got {name!r}: give the name of shipped weights")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _now(ask: Any, name: str, folder: Path) -> str | None:
    """A digest as it is now; None where what it is of has gone."""
    try:
        return ask(name, folder)
    except ValueError:
        return None


def _tree(node: Any) -> Any:
    """A syntax tree as lists, without docstrings and without the fields that only some versions of Python fill in."""
    if isinstance(node, list):
        return [_tree(one) for one in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {}
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            value = value[1:] if ast.get_docstring(node, clean=False) is not None else value
        if isinstance(node, ast.JoinedStr):  # 3.12.1 ends a nested format with an empty text
            value = [one for one in value if not (isinstance(one, ast.Constant) and one.value == "")]
        if value not in (None, []) and name not in ("kind", "type_comment", "ctx"):
            fields[name] = _tree(value)
    return [type(node).__name__, fields]


def _check(claim: StoredClaim) -> None:
    """Raise unless a claim is a measurement: a finite value, an interval in order, of a kind that is known."""
    numbers = (claim.value, *(claim.interval or ()))
    if not all(isinstance(one, int | float) and math.isfinite(one) for one in numbers):
        raise ValueError(f"{claim.id}: expected finite numbers, got {numbers}: find out what went wrong")
    if claim.interval is not None and (len(claim.interval) != 2 or claim.interval[0] > claim.interval[1]):
        raise ValueError(f"{claim.id}: expected an interval (low, high), got {claim.interval}: order them")
    if claim.interval_kind not in INTERVAL_KINDS or (claim.interval is None) != (claim.interval_kind == ""):
        known = ", ".join(repr(kind) for kind in INTERVAL_KINDS)
        raise ValueError(
            f"{claim.id}: expected interval_kind of {known}, the last where there is no interval, got "
            f"{claim.interval_kind!r} with {claim.interval}: say what the interval covers"
        )


def _said(error: Exception) -> str:
    """An error in one line."""
    return f"{type(error).__name__} {error}".splitlines()[0]
