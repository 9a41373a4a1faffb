"""Markdown as pages and cards have it: a table as lines, and a number with its interval.

Apart because baselines, the catalogue of the course and the scripts of docs/ all write such tables: a rule of dashes
that is counted by hand is counted wrong the day a column is added, and then no table is shown at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of Markdown, a string a line.

    Args:
        heads: of the columns, "" for none.
        rows: their cells, one for each head; a | in one must be escaped.

    Returns:
        The line of heads, the rule below it, and a line for each row.

    Raises:
        ValueError: if a row has more or fewer cells than there are heads.

    >>> table(["", "FID"], [["SDM", "0.3"]])
    ['| | FID |', '|---|---|', '| SDM | 0.3 |']
    """
    lines = [_line(heads), "|---" * len(heads) + "|"]
    for cells in rows:
        if len(cells) != len(heads):
            raise ValueError(f"table: expected {len(heads)} cells, one for each of {list(heads)}, got {list(cells)}")
        lines.append(_line(cells))
    return lines


def number(value: float, interval: Sequence[float], spec: str = ".3f") -> str:
    """A number with its interval.

    Args:
        value: the number.
        interval: (low, high), or a `metrics.Interval`, whose words are left out.
        spec: the format of all three, for instance "+.3f" of a difference.

    >>> number(0.25, (0.125, 0.5), "+.2f")
    '+0.25 [+0.12, +0.50]'
    """
    low, high = interval[:2]
    return f"{value:{spec}} [{low:{spec}}, {high:{spec}}]"


def _line(cells: Sequence[str]) -> str:
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)
