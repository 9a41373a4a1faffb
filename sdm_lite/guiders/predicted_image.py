"""What is done to the predicted clean image at every step, after guidance: clipped, thresholded, extrapolated.

Apart from the methods because these see one image and no scale, and any method can be followed by any of them.
Shapes: B batch, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from sdm_lite.guiders.memory import Memory

Finish = Callable[[Tensor, Tensor], Tensor]
"""(x0, t) to x0, (B, 3, H, W) each; t (B,) int64, one number for the whole batch."""


def clipped(*, below: int | None = None) -> Finish:
    """To [-1, 1], as the published code of SDM does, which the paper does not mention.

    Args:
        below: at timesteps below this alone; None = at all.
    """
    return lambda x0, t: x0.clamp(-1, 1) if below is None or int(t[0]) < below else x0


def dynamic_thresholding(*, quantile: float = 0.995) -> Finish:
    """Divided by a quantile of its own magnitude where that exceeds 1: Saharia et al. (2022, Imagen), section 2.3.

    m = max(1, quantile of |x0| over an image);    clip(x0, -m, m) / m
    """

    def finish(x0: Tensor, t: Tensor) -> Tensor:
        limit = x0.abs().flatten(1).quantile(quantile, dim=1).clamp(min=1).view(-1, 1, 1, 1)
        return x0.clamp(-limit, limit) / limit

    return finish


def extrapolation(*, strength: float = 0.8, quantile: float = 0.95) -> Finish:
    """The way from step to step walked on, as SCDM's code does: Ko et al. (2024).

        e = x0 + strength (x0 - e_before), and what is kept is e before its dynamic threshold; e = x0 at first

    Made for few ancestral steps: for an x0 that moves evenly it looks 0.444 of a step ahead, as DPM-Solver++(2M) looks
    half a step ahead, from the predicted image before.
    """
    before: Memory[Tensor] = Memory()
    threshold = dynamic_thresholding(quantile=quantile)

    def finish(x0: Tensor, t: Tensor) -> Tensor:
        last = before.recall(t)
        ahead = x0 if last is None else x0 + strength * (x0 - last)
        before.keep(t, ahead)
        return threshold(ahead, t)

    return finish
