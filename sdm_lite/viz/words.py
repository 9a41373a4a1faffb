"""Words on figures: what must not be wrapped, what is no equation, and names in letters that a font may lack."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any


def held(text: str) -> str:
    """A text that is not wrapped beside a sign: `s = 1.5` stays in one line."""
    return re.sub(r" (=|<=|>=) ", "\xa0\\1\xa0", text)


def drawable(text: str) -> str:
    """A text as matplotlib can draw it: with its dollar signs as such where what is between them is no equation."""
    from matplotlib.mathtext import MathTextParser

    if text.count("$") - text.count(r"\$") >= 2:
        try:
            MathTextParser("path").parse(text)
        except ValueError:
            return re.sub(r"(?<!\\)\$", r"\\$", text)
    return text


@lru_cache
def _font_with(letters: frozenset[str]) -> str | None:
    """An installed font that has some letters, by the name of its family; None if there is none."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

    usual = get_font(findfont(FontProperties(family=["sans-serif"])))
    # matplotlib's own "Last Resort" has every letter, and draws it as a box.
    others = [font for font in fontManager.ttflist if not font.name.startswith("Last Resort")]
    others.sort(key=lambda font: (font.style != "normal", font.weight != 400, font.name))
    for name, load in [("sans-serif", lambda: usual), *((f.name, lambda f=f: get_font(f.fname)) for f in others)]:
        try:
            if all(load().get_char_index(ord(letter)) for letter in letters):
                return name
        except (OSError, RuntimeError):  # a font file that cannot be read is no font
            continue
    return None


def write_name(text: Any, name: str) -> None:
    """Set a name that comes from data: no equation whatever is in it, and no letter as an empty box.

    Letters that no installed font has are written by their numbers, as "u5929", and as on a terminal without them.
    """
    family = _font_with(frozenset(name) - {" "})
    text.set_parse_math(False)
    text.set_text(name if family else name.encode("ascii", "backslashreplace").decode())
    text.set_fontfamily(["sans-serif", family] if family not in (None, "sans-serif") else "sans-serif")
