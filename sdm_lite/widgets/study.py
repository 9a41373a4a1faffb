"""The user study as a widget: two pictures at a time, a button under each, and what the votes say so far.

Apart from preference.py, which counts and keeps the votes and knows no widget.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sdm_lite.checkpoints import Model
from sdm_lite.progress import Progress
from sdm_lite.viz import colorize, show_grid
from sdm_lite.widgets.base import Live, Static, Tile, find_ipywidgets, message_html, one_line, tiles_html
from sdm_lite.widgets.drawing import DEFAULT, Settings, World, draw_sample
from sdm_lite.widgets.preference import PairStudy, summary

QUESTION = "Which picture looks more real and shows what the label map asks for?"


class Pair(NamedTuple):
    """What one vote is about, each uint8 (H, W, 3): a label map in colours, and two pictures of it."""

    label_map: np.ndarray
    first: np.ndarray
    second: np.ndarray


def sample_pairs(
    model: Model,
    dataset: Any,
    indices: Sequence[int],
    *,
    guidance_scales: tuple[float, float] = (1.5, 1.0),
    settings: Settings = DEFAULT,
) -> list[Pair]:
    """Draws pairs for a study: each layout at two guidance scales, from the same noise.

    Args:
        model: network and process.
        dataset: the data set that the network reads.
        indices: the layouts, by their number in the data set.
        guidance_scales: of the first and of the second picture; 1 is unguided.
        settings: seed of the first pair (each further one has the next), steps and sampler.

    Returns:
        A pair for each index.

    Raises:
        ValueError: before anything is drawn, if network, data set, layouts, scales or settings do not fit.
    """
    world, pairs = World(model, dataset), []
    layouts = list(world.layouts(indices).values())
    for scale in guidance_scales:
        world.check(settings._replace(guidance_scale=scale))
    with Progress("sampling pairs", total=2 * len(layouts) * settings.num_steps) as count:
        for number, layout in enumerate(layouts):
            condition, own = world.condition(layout), settings._replace(seed=settings.seed + number)
            first, second = (
                draw_sample(world, condition, own._replace(guidance_scale=float(scale)), count.update).picture
                for scale in guidance_scales
            )
            pairs.append(Pair(colorize(layout.label_map, dataset.palette), first, second))
    return pairs


def user_study(
    pairs: Sequence[Pair],
    names: tuple[str, str],
    votes_file: str | Path,
    *,
    voter: str = "anonymous",
    seed: int = 0,
    question: str = QUESTION,
) -> UserStudy:
    """A study of pairs: asks which of two pictures is better, and counts. After Wang et al. (2022), Table 2.

    Args:
        pairs: what to vote on, as `sample_pairs` draws them.
        names: what the first and the second of each pair are; not shown while voting.
        votes_file: CSV file, to which each vote is added at once; see `preference.PairStudy`.
        voter: who votes; can be changed in the widget.
        seed: of order and sides.
        question: what is asked.

    Returns:
        Something a notebook shows as the last expression of a cell. Without widgets: some of the pairs side by side,
        and what the votes in the file say.

    Raises:
        ValueError: in one line, if there are no pairs or the file holds no votes.
    """
    pairs = list(pairs)
    study = PairStudy(len(pairs), names, votes_file, voter=voter, seed=seed)
    return UserStudy(find_ipywidgets(), pairs, study, seed, question)


class UserStudy(Live):
    """The study as it lives in a notebook; made by `user_study`.

    Attributes:
        study: the `PairStudy` of the voter of the moment; its `result()` can be used in any other cell.
        widget: what is shown; None without widgets.
    """

    def __init__(self, widgets: Any, pairs: list[Pair], study: PairStudy, seed: int, question: str):
        self.study, self._pairs, self._seed, self._question = study, pairs, seed, question
        self.widget = None if widgets is None else self._built(widgets)
        if widgets is not None:
            self._show()

    def _ipython_display_(self) -> None:
        if self.widget is None:
            Static([self._figure()])._ipython_display_()
        else:
            super()._ipython_display_()

    def _figure(self) -> Any:
        shown = self._pairs[:6]
        return show_grid(
            [list(pair) for pair in shown],
            row_labels=[f"pair {number + 1} of {len(self._pairs)}" for number in range(len(shown))],
            column_labels=["label map", *self.study.names],
            title=self._question,
            caption=summary(self.study.result(), self.study.names),
        )

    def _built(self, widgets: Any) -> Any:
        study = self.study
        self._voter = widgets.Text(
            value=study.voter, description="Your name", continuous_update=False, layout={"width": "260px"}
        )
        self._voter.observe(lambda _: self._change_voter(), names="value")
        self._pictures, self._line, self._result = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._left = widgets.Button(description="Left is better", layout={"width": "150px"})
        self._right = widgets.Button(description="Right is better", layout={"width": "150px"})
        self._left.on_click(lambda _: self.vote(left=True))
        self._right.on_click(lambda _: self.vote(left=False))
        # What others chose would sway a voter: results are shown when asked for.
        show = widgets.Button(description="Show result", tooltip="Best after your last vote", layout={"width": "110px"})
        show.on_click(lambda _: self._show_result())
        asked = widgets.HTML(message_html(self._question))
        buttons = widgets.HBox([self._left, self._right, show], layout={"flex_flow": "row wrap"})
        return widgets.VBox([self._voter, asked, self._pictures, buttons, self._line, self._result])

    def vote(self, *, left: bool) -> None:
        """Votes for the left or the right picture of the pair that is shown, and shows the next.

        Raises:
            ValueError: as for `PairStudy.vote`, where there is no widget to tell it.
        """
        if self.widget is None:
            self.study.vote(left=left)
            return
        try:
            self.study.vote(left=left)
        except ValueError as error:
            self._line.value = message_html(one_line(error), alert=True)
            return
        self._result.value = ""
        self._show()

    def _change_voter(self) -> None:
        before = self.study
        try:
            name = self._voter.value.strip() or "anonymous"
            self.study = PairStudy(before.num_pairs, before.names, before.votes_file, voter=name, seed=self._seed)
        except ValueError as error:
            self._line.value = message_html(one_line(error), alert=True)
            return
        self._result.value = ""
        self._show()

    def _show(self) -> None:
        current = self.study.current()
        self._left.disabled = self._right.disabled = current is None
        if current is None:
            self._pictures.value = ""
            self._line.value = message_html(f"All {self.study.num_pairs} pairs are done. Thank you!")
            return
        number, swapped = current
        pair = self._pairs[number]
        sides = (pair.second, pair.first) if swapped else (pair.first, pair.second)
        self._pictures.value = tiles_html(
            [Tile(pair.label_map, "label map"), Tile(sides[0], "left"), Tile(sides[1], "right")]
        )
        done = self.study.num_pairs - self.study.num_left
        self._line.value = message_html(f"pair {done + 1} of {self.study.num_pairs}")

    def _show_result(self) -> None:
        try:
            self._result.value = message_html(summary(self.study.result(), self.study.names))
        except ValueError as error:
            self._result.value = message_html(one_line(error), alert=True)
