"""A training run as a live figure in a notebook: its losses as they fall, and pictures of what was learned.

Apart from the loop, which yields steps and draws nothing: this passes them on and looks at them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from sdm_lite.train.log import window_means
from sdm_lite.train.loop import TrainStep
from sdm_lite.viz import plot_lines
from sdm_lite.widgets.live_image import LiveImage

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def live_training(
    steps: Iterator[TrainStep], *, every: int = 50, draw: Callable[[], np.ndarray | Figure] | None = None
) -> Iterator[TrainStep]:
    """The steps of `train`, with their losses, and perhaps a picture, drawn anew every so often.

    Where pictures cannot move (SDM_LITE_STATIC=1) the last ones are shown at the end, after an interruption too.

    Args:
        steps: from `train`.
        every: steps between two drawings; each point of the curves is the mean of so many.
        draw: makes a picture of the network as it is, (H, W, 3) uint8 or a figure, such as `viz.show_grid` of
            `train.results.sample_rows` of the averaged weights.

    Yields:
        The steps, unchanged.

    Raises:
        ValueError: if `every` is below 1, at the first step.
    """
    if every < 1:
        raise ValueError(f"every must be at least 1, got {every}")
    means: list[dict[str, object]] = []
    window: list[TrainStep] = []
    # Where nothing moves they are shown as the blocks end, the inner one first: the loss above the pictures.
    with LiveImage() as gallery, LiveImage() as curves:
        for step in steps:
            window.append(step)
            if len(window) == every:
                means.append(window_means(window))
                window = []
                curves.update(loss_curves(means))
                if draw is not None:
                    gallery.update(draw())
            yield step


def loss_curves(means: list[dict[str, object]]) -> Figure:
    """The simple loss, in all and by quarter of the timesteps, and the vlb, from lines of `window_means`."""
    lines = {"simple": [one["simple"] for one in means]}
    for quarter in range(4):
        name = f"simple, t in quarter {quarter + 1} of T"
        lines[name] = [(one["simple_by_quartile"] or [float("nan")] * 4)[quarter] for one in means]
    lines["one term of the bound, bits/dim"] = [one["vlb"] for one in means]
    x = [one["step"] for one in means]
    return plot_lines(x, lines, xlabel="step", ylabel="loss", title="Training loss", log_y=True, markers=len(x) < 3)
