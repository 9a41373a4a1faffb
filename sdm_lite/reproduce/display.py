"""How far a run of notebooks is: two bars with the time left for somebody who watches, a line a notebook for a log.

Apart from progress.py, which shows one loop inside a notebook: here a step is a notebook or a cell, of very unequal
length, so time left is reckoned from times measured before, and a log must stay readable after the fact.
"""

from __future__ import annotations

import sys
import time
from typing import TypeAlias

# Name of a notebook, its measured seconds if known, and its number of code cells.
Weight: TypeAlias = tuple[str, float | None, int]


class Display:
    """Shows the notebooks of a run as they start, go from cell to cell, and end.

    Args:
        weights: the notebooks in order. Where the seconds of all are known, they tell how much of the run each is;
            otherwise the numbers of cells do.
        watched: draw bars; None looks whether the standard error is a terminal.
    """

    def __init__(self, weights: list[Weight], *, watched: bool | None = None):
        timed = all(seconds is not None for _, seconds, _ in weights)
        self._names = [name for name, _, _ in weights]
        self._weight = {name: float(seconds if timed else num_cells) for name, seconds, num_cells in weights}
        self._watched = sys.stderr.isatty() if watched is None else watched
        self._done = 0.0
        self._last_tick = 0.0
        self._outer = self._inner = None

    def __enter__(self) -> Display:
        """Draws the bar over all notebooks."""
        if self._watched:
            from tqdm import tqdm

            shape = "{desc} |{bar}| {percentage:3.0f}% {elapsed} gone, {remaining} left"
            total = sum(self._weight.values()) or 1.0
            self._outer = tqdm(total=total, desc="notebooks", bar_format=shape, smoothing=0, leave=False)
        return self

    def __exit__(self, *_: object) -> None:
        """Takes the bars away."""
        for bar in (self._inner, self._outer):
            if bar is not None:
                bar.close()

    def start(self, name: str, num_cells: int) -> None:
        """A notebook starts."""
        if self._outer is None:
            self._line(f"{self._place(name)}: running")
            return
        from tqdm import tqdm

        self._outer.set_description(self._place(name), refresh=False)
        shape = "  cell {n_fmt} of {total_fmt} |{bar}| {elapsed} {desc}"
        self._inner = tqdm(total=num_cells, bar_format=shape, position=1, leave=False)

    def cell(self, name: str, index: int, source: str) -> None:
        """A code cell starts, `index` code cells into its notebook."""
        if self._outer is None:
            return
        first_line = next((line.strip() for line in source.splitlines() if line.strip()), "")
        self._inner.n = index + 1
        self._inner.set_description_str(first_line[:40])
        self._advance(self._done + self._weight[name] * index / max(self._inner.total, 1))

    def tick(self) -> None:
        """Nothing new: redraws the clocks, once a second."""
        if self._outer is not None and time.monotonic() - self._last_tick >= 1.0:
            self._last_tick = time.monotonic()
            self._outer.refresh()
            if self._inner is not None:
                self._inner.refresh()

    def end(self, name: str, told: str) -> None:
        """A notebook has ended, with this to tell of it."""
        if self._inner is not None:
            self._inner.close()
            self._inner = None
        self._done += self._weight[name]
        self._advance(self._done)
        self._line(f"{self._place(name)}: {told}")

    def skip(self, name: str) -> None:
        """A notebook that need not be run again; it no longer counts for the time left."""
        if self._outer is not None:
            self._outer.total = max(self._outer.total - self._weight[name], self._done, 1e-9)
            self._outer.refresh()
        self._line(f"{self._place(name)}: done before")

    def _place(self, name: str) -> str:
        return f"[{self._names.index(name) + 1}/{len(self._names)}] {name}"

    def _advance(self, amount: float) -> None:
        if self._outer is not None:
            self._outer.n = amount
            self._outer.refresh()

    def _line(self, text: str) -> None:
        if self._outer is None:
            print(text, flush=True)
        else:
            self._outer.write(text)
