"""The user study as a widget: two pictures at a time, a button under each, and what the votes say so far.

Apart from preference.py, which counts and keeps the votes and knows no widget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from sdm_lite.checkpoints import Model
from sdm_lite.evaluate.drawing import Painter, SampleSettings
from sdm_lite.viz import colorize, show_grid, to_uint8
from sdm_lite.widgets.base import Shown, Tile, find_ipywidgets, message_html, sized, tiles_html
from sdm_lite.widgets.drawing import DEFAULT, draw_now, examples_of
from sdm_lite.widgets.preference import Names, PairStudy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# One question, as the paper put one: "select the more high-fidelity generated results" (section 4.2).
QUESTION = "Which picture looks more real?"
NUM_SHOWN = 6  # pairs in the figure


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
    settings: SampleSettings = DEFAULT,
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
    examples = list(examples_of(model, dataset, indices).values())
    both = [replace(settings, guidance_scale=scale).check(model) for scale in guidance_scales]
    asked = [(example, replace(one, seed=settings.seed + n)) for n, example in enumerate(examples) for one in both]
    pictures = [drawing.picture for drawing in draw_now(model, asked, "sampling pairs")]
    maps = [colorize(example.label_map, dataset.palette) for example in examples]
    return [Pair(*three) for three in zip(maps, pictures[::2], pictures[1::2], strict=True)]


def paint_pairs(first: Painter, second: Painter, dataset: Any, indices: Sequence[int], *, seed: int = 0) -> list[Pair]:
    """Draws pairs for a study of whatever draws: SDM and a GAN, say.

    Args:
        first: from label maps, instance maps and seeds to pictures, such as `evaluate.drawing.painter` and
            `baselines.gan.painting.painter_of` make them.
        second: likewise.
        dataset: the data set that both read.
        indices: the layouts, by their number in the data set.
        seed: of the first pair; each further one has the next.

    Returns:
        A pair for each index.

    Raises:
        ValueError: if there is no index, or a painter does not take the maps.
    """
    if not len(indices):
        raise ValueError("expected at least one layout, got no indices")
    examples = [dataset[index] for index in indices]
    maps = [torch.stack([one.label_map for one in examples]), torch.stack([one.instance_map for one in examples])]
    seeds = [seed + n for n in range(len(examples))]
    pictures = [[to_uint8(image) for image in paint(*maps, seeds).cpu()] for paint in (first, second)]
    coloured = [colorize(one.label_map, dataset.palette) for one in examples]
    return [Pair(*three) for three in zip(coloured, *pictures, strict=True)]


class UserStudy(Shown):
    """A study of pairs: asks which of two pictures is better, and counts. After Wang et al. (2022), Table 2.

    Without widgets it shows the voter's next pairs, on the sides and in the order that the voter would see, unnamed,
    and what the votes in the file say; `vote` casts votes there too.

    Args:
        pairs: what to vote on, as `sample_pairs` and `paint_pairs` draw them.
        names: what the first and the second are, of all pairs or of each; not shown while voting.
        votes_file: CSV file, to which each vote is added at once; see `preference.PairStudy`.
        voter: who votes; can be changed in the widget.
        seed: of order and sides.
        question: what is asked.

    Attributes:
        study: the `PairStudy` of the voter of the moment; its `result()` can be used in any other cell.
        widget: the ipywidgets box; None without widgets.

    Raises:
        ValueError: in one line, if there are no pairs or the file holds no votes.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        names: Names | Sequence[Names],
        votes_file: str | Path,
        *,
        voter: str = "anonymous",
        seed: int = 0,
        question: str = QUESTION,
    ):
        self._pairs, self._question = list(pairs), question
        self._study_of = partial(PairStudy, len(self._pairs), names, votes_file, seed=seed)
        self.study = self._study_of(voter=voter)
        widgets = find_ipywidgets()
        if widgets is not None:
            self.widget = self._built(widgets)
            self._show()

    def figures(self) -> list[Figure]:
        """The next pairs, left and right as the voter is to see them, and the votes so far."""
        told = "\n".join(self.study.told())
        coming = self.study.coming()[:NUM_SHOWN]
        if not coming:
            rows = [[pair.label_map] for pair in self._pairs[:1]]
            return [show_grid(rows, column_labels=["label map"], title="All pairs are done.", caption=told)]
        done = self.study.num_pairs - self.study.num_left
        figure = show_grid(
            [list(self._sides(*one)) for one in coming],
            row_labels=[f"pair {done + n + 1} of {self.study.num_pairs}" for n in range(len(coming))],
            column_labels=["label map", "left", "right"],
            title=self._question,
            caption=told,
        )
        return [figure]

    def vote(self, *, left: bool) -> None:
        """Votes for the left or the right picture of the pair that is shown, and shows the next.

        Raises:
            ValueError: as for `PairStudy.vote`, where there is no widget to tell it.
        """
        with self._telling(self._alert):
            self.study.vote(left=left)
            self._show()

    def _built(self, widgets: Any) -> Any:
        voter = widgets.Text(description="Your name", value=self.study.voter, continuous_update=False)
        self._voter = sized(voter, 260)
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

    def _alert(self, text: str) -> None:
        self._line.value = message_html(text, alert=True)

    def _change_voter(self) -> None:
        with self._telling(self._alert):
            self.study = self._study_of(voter=self._voter.value.strip() or "anonymous")
            self._show()

    def _show(self) -> None:
        if self.widget is None:
            return
        self._result.value, current = "", self.study.current()
        self._left.disabled = self._right.disabled = current is None
        tiles, line = [], f"All {self.study.num_pairs} pairs are done. Thank you!"
        if current is not None:
            number, swapped = current
            label_map, left, right = self._sides(number, swapped)
            tiles = [Tile(label_map, "label map"), Tile(left, "left"), Tile(right, "right")]
            line = f"pair {self.study.num_pairs - self.study.num_left + 1} of {self.study.num_pairs}"
        self._pictures.value, self._line.value = tiles_html(tiles), message_html(line)

    def _sides(self, number: int, swapped: bool) -> Pair:
        """A pair as it stands on the page: label map, left, right."""
        pair = self._pairs[number]
        return Pair(pair.label_map, pair.second, pair.first) if swapped else pair

    def _show_result(self) -> None:
        with self._telling(self._alert):
            self._result.value = "".join(map(message_html, self.study.told()))
