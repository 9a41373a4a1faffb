"""Names of classes out of a text file, one a line, with a colour before each or none: the line's number is the id.

Apart because data sets and segmenters read the same file, and a line left out would give all below it another id.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from sdm_lite.files import expanded

COLOURED = re.compile(r"(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})\s+(\S.*)")  # 128 64 128 road


def read_class_names(path: str | Path) -> tuple[str, ...]:
    """The names in a file, in the order of their ids; see `read_classes`."""
    return read_classes(path)[0]


def read_classes(path: str | Path) -> tuple[tuple[str, ...], np.ndarray | None]:
    """The names in a file, in the order of their ids, and their colours; empty lines at its end are no classes.

    A line is a name or, if all lines are, `r g b name`, as `classes_text` makes it.

    Args:
        path: of a text file in UTF-8.

    Returns:
        The names, and their colours (num_classes, 3) uint8 or None.

    Raises:
        ValueError: if it is not UTF-8, names nothing, has an empty line before its last name, a name twice, or a number
            above 255 in a colour.
        OSError: if it cannot be read.
    """
    path = expanded(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"expected class names in UTF-8, one a line, in {path}, got {error}") from None
    names = [line.strip() for line in text.rstrip().split("\n")]  # not splitlines, which ends lines at a form feed too
    if names == [""]:
        raise ValueError(f"expected class names, one a line, in {path}, got an empty file")
    if "" in names:
        raise ValueError(
            f"expected a class name in every line of {path}, got none in line {names.index('') + 1} of {len(names)}: "
            "its number is the id, so write a name there, or take the line out if no id was left for it"
        )
    colours = None
    coloured = [COLOURED.fullmatch(name) for name in names]
    if all(coloured):
        colours = np.array([[int(found[k]) for k in (1, 2, 3)] for found in coloured])
        if colours.max() > 255:
            line = int(colours.max(axis=1).argmax())
            raise ValueError(f"expected colours 0..255 in {path}, got {names[line]!r} in line {line + 1}")
        names, colours = [found[4] for found in coloured], colours.astype(np.uint8)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"expected different class names in {path}, got {', '.join(twice)} more than once")
    return tuple(names), colours


def classes_text(class_names: tuple[str, ...], colours: np.ndarray) -> str:
    """What `read_classes` reads: `r g b name`, a class a line; colours are (num_classes, 3) uint8."""
    lines = [f"{r} {g} {b} {name}\n" for (r, g, b), name in zip(colours.tolist(), class_names, strict=True)]
    return "".join(lines)
