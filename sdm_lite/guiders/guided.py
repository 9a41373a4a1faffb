"""A denoiser guided by any method: two predictions, what a method makes of them, and how the image is finished.

Apart from the methods, which are functions of two predictions and know no network; and from `guidance.denoiser`, which
is the paper's. `partial(guided, method=apg)` stands wherever `guidance.denoiser` does, for instance as
`SampleSettings.make_denoiser`.

The guidance scale s is that of `guidance.py`: 1 is the plain conditional network, and s - 1 the excess, how far beyond
it a method goes. Shapes: B batch, K condition channels, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from sdm_lite.concat import ConcatUNet
from sdm_lite.diffusion import Denoiser, GaussianDiffusion, Prediction
from sdm_lite.guidance import (
    Branches,
    SharedEncoder,
    WholePasses,
    check_guidance_interval,
    check_guidance_scale,
    decodes_faster_together,
)
from sdm_lite.guiders.methods import Guide, Pair, cfg
from sdm_lite.guiders.predicted_image import Finish, clipped
from sdm_lite.unet import SDMUNet


class WeakBranch:
    """The branches of autoguidance, Karras et al. (2024): a network, and a weak one in the place of the null label.

    Both read the label. There are two encoders, and two label maps are read: about two plain steps a step.

    Args:
        unet: the network.
        weak: trained less or narrower, on the same data, for the same process and the same kind of output.
        condition: (B, K, H, W).
        max_bytes: for each network's scale and shift, see `modulation.keep_modulation`.
    """

    def __init__(self, unet: SDMUNet, weak: SDMUNet, condition: Tensor, max_bytes: int | None):
        self.main, self.weak = (branches_of(one, condition, 1.0, max_bytes) for one in (unet, weak))

    def conditional(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Of the network."""
        return self.main.conditional(x_t, t)

    def null(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Of the weak network, with labels."""
        return self.weak.conditional(x_t, t)

    def both(self, x_t: Tensor, t: Tensor, *, together: bool) -> tuple[Tensor, Tensor]:
        """Two whole steps; nothing is shared."""
        return self.conditional(x_t, t), self.null(x_t, t)


def branches_of(unet: SDMUNet, condition: Tensor, guidance_scale: float, max_bytes: int | None) -> Branches:
    """What `guidance.denoiser` takes its two outputs from."""
    if isinstance(unet, ConcatUNet):
        return WholePasses(unet, condition)
    return SharedEncoder(unet, condition, guidance_scale, max_bytes)


class Excess(NamedTuple):
    """How far beyond the plain prediction a step went, in units of the difference of the two predictions.

    Attributes:
        t: the timestep.
        mean: over the batch, of <x0 - x0_c, x0_c - x0_n> / |x0_c - x0_n|^2: s - 1 for plain guidance, 0 outside of the
            interval.
    """

    t: int
    mean: float


def excess_of(x0: Tensor, pair: Pair) -> float:
    """Of a guided image (B, 3, H, W), not yet clipped: see `Excess`."""
    push = (pair.conditional.x0 - pair.other.x0).double().flatten(1)
    gone = (x0 - pair.conditional.x0).double().flatten(1)
    return ((gone * push).sum(1) / (push * push).sum(1).clamp(min=1e-12)).mean().item()


def guided(
    unet: SDMUNet,
    diffusion: GaussianDiffusion,
    condition: Tensor,
    guidance_scale: float = 1.0,
    *,
    method: Callable[[GaussianDiffusion], Guide] = cfg,
    finish: Callable[[], Finish] = clipped,
    weak: SDMUNet | None = None,
    guidance_interval: tuple[int, int] | None = None,
    max_modulation_bytes: int | None = None,
    on_excess: Callable[[Excess], object] | None = None,
) -> Denoiser:
    """A denoiser for one set of label maps, guided by a method; with `cfg` that of `guidance.denoiser`.

    Args:
        unet: the network.
        diffusion: the process that it was trained for.
        condition: (B, K, H, W); with B = 1 one label map serves a batch of any size.
        guidance_scale: s >= 1.
        method: from the process to what is made of two predictions, of `guiders.methods`; called once, here, so that
            what it remembers is of this denoiser. What else it takes, a functools.partial gives it.
        finish: what is done to the predicted image at every step, of `guiders.predicted_image`.
        weak: another network, whose prediction with labels stands in the place of that under the null label:
            autoguidance, of which any method can be made. It must read the same condition.
        guidance_interval: (first, last) timestep, both within 1..T, at which the method is asked; at all others the
            prediction is the plain conditional one. None = everywhere.
        max_modulation_bytes: see `guidance.denoiser`.
        on_excess: called at every step with how far beyond the plain prediction it went.

    Returns:
        A function from x_t (B, 3, H, W) and t (B,), one t for the whole batch, to a Prediction, without gradients; eps
        is that of the image before it is finished, the variance the conditional branch's.

    Raises:
        ValueError: on a guidance scale below 1 or not finite, an interval that is none, a condition that does not fit
            the network, or a memory bound below 0.
    """
    scale = check_guidance_scale(guidance_scale)
    if scale < 1:
        raise ValueError(f"guidance_scale must be at least 1 here, got {scale:g}: take guidance.denoiser below 1")
    first, last = check_guidance_interval(guidance_interval or (1, diffusion.num_timesteps), diffusion.num_timesteps)
    guide, finished = method(diffusion), finish()
    with torch.no_grad():
        branches = (
            branches_of(unet, condition, 2.0, max_modulation_bytes)  # 2 is any scale that asks for both branches
            if weak is None
            else WeakBranch(unet, weak, condition, max_modulation_bytes)
        )

    @torch.no_grad()
    def denoise(x_t: Tensor, t: Tensor) -> Prediction:
        if x_t.shape[2:] != condition.shape[2:] or condition.shape[0] not in (1, x_t.shape[0]):
            raise ValueError(
                f"noisy image and label map do not go together: {tuple(x_t.shape)} and {tuple(condition.shape)}"
            )
        if first <= int(t[0]) <= last:
            outputs = branches.both(x_t, t, together=decodes_faster_together(x_t))
            plain, other = (diffusion.predict(output, x_t, t, clip=False) for output in outputs)
            pair = Pair(plain, other, x_t, t)
            x0 = guide(pair, scale)  # (B, 3, H, W)
            excess = excess_of(x0, pair) if on_excess else 0.0
        else:
            plain = diffusion.predict(branches.conditional(x_t, t), x_t, t, clip=False)
            x0, excess = plain.x0, 0.0
        if on_excess:
            on_excess(Excess(int(t[0]), excess))
        return Prediction(diffusion.eps_from_x0(x0, x_t, t), finished(x0, t), plain.variance_fraction)

    return denoise
