"""What a notebook says: of the paper's claims, of itself, the code it shows.

Apart because every notebook needs it: the standard library alone, nothing of the machinery that runs notebooks. A
record of the paper's claim names a row of the ledger and takes its words and its rule; one of the course's own brings
them.
"""

from __future__ import annotations

import ast
import inspect
import json
import math
import os
import re
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from sdm_lite.ledger.rows import find_rule
from sdm_lite.ledger.rules import format_value, in_range, range_in_words
from sdm_lite.ledger.verdicts import judge

# Names the file that `record` appends to, one JSON object a line. The runner sets it for each notebook; unset, nothing
# is written.
CLAIMS_VARIABLE = "SDM_LITE_CLAIMS"


def record_claim(
    id: str,
    value: bool | int | float,
    *,
    interval: Sequence[float | str] | None = None,
    scale: str = "",
) -> None:
    """Prints a measurement that decides a claim of the paper and, in a run, hands it to the ledger.

    The words, the rule and the unit are the ledger's: `sdm_lite/ledger/rows.py`.

    Args:
        id: of a row ("guidance-miou"), or of one of its parts ("margins/fid").
        value: of the quantity that the row names; a one-element tensor or array will do.
        interval: (low, high) or (low, high, kind), as for `record`.
        scale: at which scale, if not at the row's.

    Raises:
        ValueError: if the ledger has no such row, naming the nearest, or the row no rule; if the value or the interval
            is no measurement.
    """
    row, part, rule = find_rule(id)
    value, ends = _plain(value), None if interval is None else _ends(interval[:2])
    if isinstance(value, str):
        raise ValueError(f"value: expected a number for {id}, got {value!r}: the ledger's rules are ranges")
    kind = "" if interval is None else _kind(interval)
    entry = {
        "id": row.name(part),
        "claim": f"{row.claim.removesuffix('.')}: {rule.quantity}",
        "value": value,
        "interval": ends,
        "interval_kind": kind,
        "unit": rule.unit,
        "rule": rule.words,
        "holds": None,
        "verdict": judge(rule, ends, value, kind),
        "place": row.place,
        "scale": scale or row.scale,
    }
    _tell(entry)


def record(
    claim: str,
    value: bool | int | float | str,
    *,
    interval: Sequence[float | str] | None = None,
    unit: str = "",
    target: tuple[float | None, float | None] | None = None,
    holds: bool | None = None,
) -> None:
    """Prints a measurement of the course's own, about this package or this data, and, in a run, adds it to the report.

    What the paper claims is recorded by `record_claim`; the report keeps the two apart.

    Args:
        claim: one sentence, without the number that was measured.
        value: the number, truth value or short text computed; a one-element tensor or array will do.
        interval: (low, high) or (low, high, kind), where kind says what interval that is, for example "95 % percentile
            bootstrap over layouts"; `metrics.Interval` is one.
        unit: of value and interval.
        target: (low, high), the values of which the claim is true, None for no end: the rule that decides, fixed before
            anything is measured and printed beside the value. The claim holds if the whole interval lies inside, does
            not if it lies outside, and is undecided otherwise; without an interval the value decides.
        holds: whether the claim is true here, where it is no matter of a range; None (and no target) where nothing is
            claimed, only measured.

    Raises:
        ValueError: if the claim is empty or the id of a row of the ledger, the value or interval is not finite, the
            interval is upside down, or a target comes with a verdict.
    """
    if target is not None and holds is not None:
        raise ValueError(f"expected target or holds, got both, {target} and {holds}: the target decides")
    if not isinstance(claim, str) or not claim.strip():
        raise ValueError(f"claim: expected a sentence, got {claim!r}: say what the value is evidence of")
    if " " not in claim.strip():
        raise ValueError(f"claim: expected a sentence, got {claim!r}: a row of the ledger is recorded by record_claim")
    value, ends = _plain(value), None if interval is None else _ends(interval[:2])
    if target is not None:
        holds = in_range(ends or (value, value), *target)
    entry = {
        "id": "",
        "claim": claim.strip(),
        "value": value,
        "interval": ends,
        "interval_kind": "" if interval is None else _kind(interval),
        "unit": unit,
        "rule": "" if target is None and holds is None else "as stated" if target is None else range_in_words(*target),
        "holds": None if holds is None else bool(holds),
    }
    _tell(entry | {"verdict": _own_verdict(entry)})


def _tell(entry: dict) -> None:
    """Print a record and, in a run, append it to the notebook's file."""
    print(claim_line(entry))
    path = os.environ.get(CLAIMS_VARIABLE)
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")  # one write of one line: no reader ever sees half of it


def claim_line(entry: dict) -> str:
    """A record in one line: `[id] claim | value unit [low, high] (kind) | holds (rule: at least 1)`."""
    value = " ".join(part for part in (format_value(entry["value"]), entry["unit"]) if part)
    if entry["interval"] is not None:
        low, high = map(format_value, entry["interval"])
        kind = entry["interval_kind"]
        value += f" [{low}, {high}]" + (f" ({kind})" if kind else "")
    said = entry["verdict"].replace("not hold", "not hold here")
    claim = f"[{entry['id']}] {entry['claim']}" if entry["id"] else entry["claim"]
    return " | ".join([claim, value, *([f"{said} (rule: {entry['rule']})"] if said else [])])


def _own_verdict(entry: dict) -> str:
    """What is said of a record of the course's own: "holds", "does not hold", "undecided"; "" if nothing is claimed."""
    if entry["holds"] is None:
        return "undecided" if entry["rule"] else ""
    return "holds" if entry["holds"] else "does not hold"


def _plain(value: Any) -> bool | int | float | str:
    """The value as a type that JSON has."""
    value = value.item() if hasattr(value, "item") else value
    if not isinstance(value, bool | int | float | str):
        raise ValueError(f"value: expected a number, a truth value or a text, got {type(value).__name__}: give one")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"value: expected a finite number, got {value}: find out what went wrong before recording it")
    return value


def _ends(ends: Sequence[Any]) -> list[float]:
    """Low and high of an interval."""
    ends = [_plain(end) for end in ends]
    if len(ends) != 2 or any(isinstance(end, str) for end in ends) or ends[0] > ends[1]:
        raise ValueError(f"interval: expected (low, high) with low <= high, got {tuple(ends)}: order them")
    return ends


def _kind(interval: Sequence[Any]) -> str:
    """What kind of interval it is; empty where that is not stated."""
    kind = [*interval[2:]] or [""]
    if len(kind) != 1 or not isinstance(kind[0], str):
        raise ValueError(f"interval: expected a text after (low, high), got {kind}: say there which interval it is")
    return kind[0].strip()


# In a docstring: the start of a section, and a shape, which begins with the name of a dimension: (B, 3, H, W), (T,).
SECTION = re.compile(r"^(\w+):\n", re.MULTILINE)
SHAPE = re.compile(r"\([A-Z]\w*,[^()]*\)")


def show_source(function: Callable[..., Any], *, inner: str = "") -> None:
    """Prints a function or class of the package as it is, but for what is no part of its idea.

    Of a docstring stay the first line, the formulas (what is indented before the arguments) and the shapes: the text
    beside it says the rest. A long signature takes as few lines as it can, and an `if` that only raises is left out.

    Args:
        function: anything whose source is a file.
        inner: name of a function that is defined in it, which alone is printed, such as the loop in a sampler.
    """
    source = textwrap.dedent(inspect.getsource(function))
    if inner:
        found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
        node = next(node for node in found if node.name == inner)
        source = textwrap.dedent("\n".join(source.splitlines()[node.lineno - 1 : node.end_lineno]))
    lines = source.splitlines()
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.If)]
    for node in sorted(nodes, key=lambda node: -node.lineno):  # from the end, so that the others stay in place
        if isinstance(node, ast.If):
            if isinstance(node.body[-1], ast.Raise) and not node.orelse:
                del lines[node.lineno - 1 : node.end_lineno]
            continue
        _shorten_docstring(lines, node)
        _shorten_signature(lines, node)
    print("\n".join(lines))


def _shorten_docstring(lines: list[str], node: ast.ClassDef | ast.FunctionDef) -> None:
    """Leave of a docstring, in the lines of a source, what `formulas_and_shapes` finds."""
    docstring = node.body[0]
    if ast.get_docstring(node) and docstring.end_lineno > docstring.lineno:
        rest = textwrap.dedent("\n".join(lines[docstring.lineno : docstring.end_lineno]))
        kept = [textwrap.indent(line, " " * docstring.col_offset) for line in formulas_and_shapes(rest)]
        closing = [*kept, " " * docstring.col_offset + '"""'] if kept else ['"""']
        head = lines[docstring.lineno - 1]
        lines[docstring.lineno - 1 : docstring.end_lineno] = [head, *closing] if kept else [head + '"""']


def _shorten_signature(lines: list[str], node: ast.ClassDef | ast.FunctionDef) -> None:
    """Wrap a signature of several lines anew, in the lines of a source."""
    start, end = node.lineno - 1, node.body[0].lineno - 1
    if isinstance(node, ast.FunctionDef) and end - start > 1:
        glue, indent = "\0", " " * node.col_offset  # a line breaks between arguments, not inside of one
        text = " ".join(line.strip().replace(" ", glue) for line in lines[start:end])
        text = text.replace("( ", "(").replace(", )", ")").replace(" )", ")")
        wrapped = textwrap.wrap(text, 100, initial_indent=indent, subsequent_indent=indent + " " * 8)
        lines[start:end] = [line.replace(glue, " ") for line in wrapped]


def formulas_and_shapes(text: str) -> list[str]:
    """The lines of a docstring, less its first, that hold a formula or a shape.

    Args:
        text: without the indentation that all of it has.

    Returns:
        The lines, with an empty one before the formulas and one before the shapes; none if there are neither.
    """
    prose, *sections = SECTION.split(text)
    formulas = [line for line in prose.splitlines() if line.startswith("    ")]
    shapes = []
    for name, body in zip(sections[::2], sections[1::2], strict=True):
        if name == "Shapes":
            shapes += textwrap.dedent(body).strip().splitlines()
        elif name in ("Args", "Returns", "Yields"):
            entries = re.split(r"\n(?=    \S)", body) if name == "Args" else [f"{name}: {body}"]
            sentences = [re.split(r"; |(?<!\.)\. ", " ".join(entry.split()))[0] for entry in entries]
            shapes += [sentence.rstrip(".") + "." for sentence in sentences if SHAPE.search(sentence)]
    return ["", *formulas] * bool(formulas) + ["", *shapes] * bool(shapes)
