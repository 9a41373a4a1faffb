"""What a notebook says of itself: claims with measured values, whether an exercise is solved, the code it shows.

Apart because every notebook needs it: the standard library alone, nothing of the machinery that runs notebooks.
"""

from __future__ import annotations

import ast
import inspect
import json
import math
import os
import textwrap
from collections.abc import Callable
from typing import Any

# Names the file that `record` appends to, one JSON object a line. The runner sets it for each notebook; unset, nothing
# is written.
CLAIMS_VARIABLE = "SDM_LITE_CLAIMS"


def record(
    claim: str,
    value: bool | int | float | str,
    *,
    interval: tuple[float, float] | None = None,
    unit: str = "",
    holds: bool | None = None,
    paper: str = "",
) -> None:
    """Prints a claim with its measured value and, in a run, adds it to the report.

    Args:
        claim: one sentence, without the number that was measured.
        value: the number, truth value or short text computed; a one-element tensor or array will do.
        interval: (low, high), for example the 95 % interval of a bootstrap.
        unit: of value and interval.
        holds: whether the claim is true here; None where nothing is claimed, only measured.
        paper: where the paper makes it, for example "Table 4"; empty for a claim of the course's own.

    Raises:
        ValueError: if the claim is empty, the value or interval is not finite, or the interval is upside down.
    """
    if not isinstance(claim, str) or not claim.strip():
        raise ValueError(f"claim: expected a sentence, got {claim!r}: say what the value is evidence of")
    entry = {
        "claim": claim.strip(),
        "value": _plain(value),
        "interval": None if interval is None else _interval(interval),
        "unit": unit,
        "holds": None if holds is None else bool(holds),
        "paper": paper,
    }
    print(claim_line(entry))
    path = os.environ.get(CLAIMS_VARIABLE)
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")  # one write of one line: no reader ever sees half of it


def check(answer: Any, passes: Callable[[Any], Any], *, hint: str, strict: bool = False) -> None:
    """Says whether the answer to an exercise is right: "Right.", "Not yet." or "Not answered yet.", with a hint.

    Args:
        answer: what the reader found; None where they have not begun.
        passes: from the answer to whether it is right. An error it raises counts as not right.
        hint: where to look, said as long as the answer is missing or wrong.
        strict: raise instead of hinting. For solutions, so that running the notebook proves them.

    Raises:
        ValueError: in strict mode, if the answer is missing or wrong.
    """
    verdict = "Not answered yet."
    if answer is not None:
        try:
            verdict = "Right." if bool(passes(answer)) else "Not yet."
        except Exception as error:
            verdict = f"Not yet ({type(error).__name__}: {error})."
    if verdict == "Right.":
        print(verdict)
    elif strict:
        raise ValueError(f"solution: expected one that passes its check, got: {verdict} Correct one of the two")
    else:
        print(f"{verdict} Hint: {hint}")


def claim_line(entry: dict) -> str:
    """A recorded claim in one line: `claim | value unit [low, high] | holds`."""
    value = " ".join(part for part in (format_value(entry["value"]), entry["unit"]) if part)
    if entry["interval"] is not None:
        low, high = entry["interval"]
        value += f" [{format_value(low)}, {format_value(high)}]"
    verdict = {None: [], True: ["holds"], False: ["does not hold here"]}[entry["holds"]]
    return " | ".join([entry["claim"], value, *verdict])


def format_value(value: bool | int | float | str) -> str:
    """A value as text: yes or no, whole numbers whole, others to four significant digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> bool | int | float | str:
    """The value as a type that JSON has."""
    value = value.item() if hasattr(value, "item") else value
    if not isinstance(value, bool | int | float | str):
        raise ValueError(f"value: expected a number, a truth value or a text, got {type(value).__name__}: give one")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"value: expected a finite number, got {value}: find out what went wrong before recording it")
    return value


def _interval(interval: tuple[float, float]) -> list[float]:
    ends = [_plain(end) for end in interval]
    if len(ends) != 2 or any(isinstance(end, str) for end in ends) or ends[0] > ends[1]:
        raise ValueError(f"interval: expected (low, high) with low <= high, got {tuple(ends)}: order them")
    return ends


def show_source(function: Callable[..., Any]) -> None:
    """Prints a function or class of the package as it is, without its docstring: the text beside it says the same.

    Args:
        function: anything whose source is a file.
    """
    source = textwrap.dedent(inspect.getsource(function))
    definition = ast.parse(source).body[0]
    lines = source.splitlines()
    if ast.get_docstring(definition):
        docstring = definition.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    print("\n".join(lines))
