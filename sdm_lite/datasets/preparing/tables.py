"""What the values in label maps mean: tables from colours or ids to classes, out of text files or as they were found.

Apart because a colour and an id are read alike once a table is there: several values may be one class, and those that
are void go to a last class named unlabelled, as `datasets.Folder` has it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sdm_lite.datasets.class_names import COLOURED
from sdm_lite.datasets.colours import packed, unpacked
from sdm_lite.datasets.folder import UNLABELLED, UNLABELLED_ID
from sdm_lite.files import expanded
from sdm_lite.pictures import default_palette

VOID_NAMES = (UNLABELLED, "unlabeled", "void", "ignore")
NO_VOID = "none"
VOID_COLOUR = (20, 20, 24)
MOST_COLOURS = 256
MIN_SHARE = 1e-3  # of a colour among all pixels, for it to be a class of its own where many colours are found


class Table(NamedTuple):
    """What each value means.

    Attributes:
        values: (N,) int64, ids or packed colours (`packed`), all different.
        is_colours: which of the two.
        classes: (N,) int64, the class of each value.
        class_names: of the classes; void is the last one, where a value has it.
        palette: (num_classes, 3) uint8.
        where: the file it is from, or how it was found, in words.
    """

    values: np.ndarray
    is_colours: bool
    classes: np.ndarray
    class_names: tuple[str, ...]
    palette: np.ndarray
    where: str

    @property
    def void_id(self) -> int:
        """The class of void, whether a value has it or not: the last."""
        return len(self.class_names) - (self.class_names[-1] == UNLABELLED)

    def with_void(self) -> Table:
        """The same table with a class for void, if it had none."""
        if self.class_names[-1] == UNLABELLED:
            return self
        palette = np.concatenate([self.palette, np.array([VOID_COLOUR], dtype=np.uint8)])
        return self._replace(class_names=(*self.class_names, UNLABELLED), palette=palette)

    def told(self, index: int) -> str:
        """A value in words: "128 64 128", or an id."""
        return told_value(int(self.values[index]), self.is_colours)


def told_value(value: int, is_colour: bool) -> str:
    """A packed colour as "128 64 128", an id as it is."""
    return " ".join(map(str, unpacked(np.array([value]))[0])) if is_colour else str(value)


def no_void(void: Sequence[str]) -> bool:
    """Whether 255 and names like void are classes as others are."""
    return NO_VOID in {word.casefold() for word in void}


def make_table(entries: Sequence[tuple[int, str]], *, is_colours: bool, void: Sequence[str], where: str) -> Table:
    """A table from values and the names of their classes; equal names are one class.

    Args:
        entries: (value, name), in the order in which the classes are to be.
        is_colours: whether the values are packed colours.
        void: further names, or values as "255" and "128 64 128", that are void; "none" for nothing but these.
        where: the file it is from, in words.

    Raises:
        ValueError: if a value stands there twice, void names nothing, or there is but one class.
    """
    uses = Counter(value for value, _ in entries)
    if twice := [value for value, count in uses.items() if count > 1]:
        raise ValueError(f"expected every value once in {where}, got {told_value(twice[0], is_colours)} twice")
    asked = {word.casefold() for word in void if word.casefold() != NO_VOID}
    usual = {UNLABELLED} if no_void(void) else set(VOID_NAMES)
    if not no_void(void) and not is_colours:
        named = {value for value, name in entries if name != f"id {value}"}
        usual |= set() if UNLABELLED_ID in named else {str(UNLABELLED_ID)}
    words = [{name.casefold(), told_value(value, is_colours)} for value, name in entries]
    if lost := sorted(asked - set().union(*words)):
        raise ValueError(f"expected --void to name a class or a value of {where}, got {lost[0]!r}; {_some(entries)}")
    is_void = [bool(of & (asked | usual)) for of in words]
    names = list(dict.fromkeys(name for (_, name), void in zip(entries, is_void, strict=True) if not void))
    if len(names) < 2:
        raise ValueError(
            f"expected two classes or more in {where}, got {', '.join(names) or 'none'} beside "
            f"{sum(is_void)} void values; if one of these is a class: --void none"
        )
    classes = [len(names) if void else names.index(name) for (_, name), void in zip(entries, is_void, strict=True)]
    values = np.array([value for value, _ in entries], dtype=np.int64)
    first = [classes.index(k) for k in range(len(names))]
    palette = unpacked(values[first]).astype(np.uint8) if is_colours else default_palette(len(names))
    table = Table(values, is_colours, np.array(classes), tuple(names), palette, where)
    return table.with_void() if any(is_void) else table


def _some(entries: Sequence[tuple[int, str]]) -> str:
    names = list(dict.fromkeys(name for _, name in entries))
    return f"there is {', '.join(names[:12])}" + (" ..." if len(names) > 12 else "")


def read_colour_table(path: str | Path) -> list[tuple[int, str]]:
    """Packed colours and names out of a file of lines `r g b name`, or `name,r,g,b` under a heading.

    Empty lines and those that begin with # or // are passed over; what parts the fields is blanks, tabs or commas.

    Raises:
        ValueError: if a line is no such thing, naming it, or a number is above 255.
    """
    entries = []
    for number, line in _lines(path):
        fields = [field.strip() for field in line.split(",")]
        if len(fields) == 4 and all(field.isdecimal() for field in fields[1:]):  # name,r,g,b
            line = " ".join([*fields[1:], fields[0]])
        elif len(fields) == 4:
            line = " ".join(fields)
        found = COLOURED.fullmatch(line)
        if not found and not entries and re.fullmatch(r"name\W+r\W+g\W+b|r\W+g\W+b\W+name", line.lower()):
            continue
        if not found or max(int(found[k]) for k in (1, 2, 3)) > 255:
            raise ValueError(f"expected lines `r g b name`, numbers 0..255, in {path}, got {line!r} in line {number}")
        entries.append((int(packed(np.array([int(found[k]) for k in (1, 2, 3)]))), found[4].strip()))
    return _filled(entries, path, "r g b name")


def read_id_map(path: str | Path) -> list[tuple[int, str]]:
    """Ids and names out of a file of lines `id name`; equal names are one class.

    Raises:
        ValueError: if a line is no such thing, naming it.
    """
    entries = []
    for number, line in _lines(path):
        found = re.fullmatch(r"(\d+)[\s,:=]+(\S.*)", line)
        if not found:
            raise ValueError(f"expected lines `id name` in {path}, got {line!r} in line {number}")
        entries.append((int(found[1]), found[2].strip()))
    return _filled(entries, path, "id name")


def _lines(path: str | Path) -> list[tuple[int, str]]:
    """The lines of a text file that say something, with their numbers."""
    try:
        text = expanded(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"expected text in UTF-8 in {path}, got {error}") from None
    lines = enumerate((line.strip() for line in text.split("\n")), start=1)
    return [(number, line) for number, line in lines if line and not line.startswith(("#", "//"))]


def _filled(entries: list[tuple[int, str]], path: str | Path, form: str) -> list[tuple[int, str]]:
    if not entries:
        raise ValueError(f"expected lines `{form}` in {path}, got none")
    return entries


def found_entries(
    values: np.ndarray, counts: np.ndarray, *, is_colours: bool, tolerance: float
) -> list[tuple[int, str]]:
    """What stands in label maps, as entries of a table: each id, or each colour, most frequent first.

    Colours within the tolerance of a more frequent one are taken for it. Where there is a tolerance, or there are more
    than 256, those that come to less than 0.1 % of the pixels are left out: they are blur.

    Args:
        values: (N,) ids or packed colours, all different.
        counts: (N,) pixels of each.
        is_colours: which of the two.
        tolerance: greatest distance of colours that are one, in steps of 0..255.

    Raises:
        ValueError: if there are too many colours.
    """
    if not is_colours:
        return [(value, f"id {value}") for value in sorted(values.tolist())]
    many = len(values) > MOST_COLOURS or tolerance > 0
    least = MIN_SHARE * counts.sum() if many else 1
    colours, kept = unpacked(values).astype(np.float32), []
    left = counts.copy()  # pixels of the colours that are not yet taken for another
    for _ in range(4 * MOST_COLOURS):
        if left.sum() < least or (not tolerance and left.max() < least):
            break
        i = int(left.argmax())
        alike = np.linalg.norm(colours - colours[i], axis=1) <= tolerance
        if left[alike].sum() >= least:
            kept.append(i)
        left[alike] = 0
    if len(kept) > MOST_COLOURS or left.sum() > 0.5 * counts.sum():
        raise ValueError(
            f"expected label maps with at most {MOST_COLOURS} colours, got {len(values)}: photographs, or label maps "
            "with soft edges; give --tolerance 32, or a table of their colours, --colours FILE"
        )
    return [(int(values[i]), "#" + "".join(f"{part:02x}" for part in unpacked(values[i]).tolist())) for i in kept]
