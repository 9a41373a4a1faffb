"""Names of classes out of a text file, one a line: the line's number is the class's id.

Apart because data sets and segmenters read the same file, and a line left out would give all below it another id.
"""

from __future__ import annotations

from pathlib import Path

from sdm_lite.files import expanded


def read_class_names(path: str | Path) -> tuple[str, ...]:
    """The names in a file, in the order of their ids; empty lines at its end are no classes.

    Args:
        path: of a text file in UTF-8.

    Raises:
        ValueError: if it is not UTF-8, names nothing, has an empty line before its last name, or a name twice.
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
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"expected different class names in {path}, got {', '.join(twice)} more than once")
    return tuple(names)
