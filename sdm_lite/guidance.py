"""From network to denoiser: plain, or pushed away from what it would draw without labels.

Apart from the sampler, which sees a function (x_t, t) -> Prediction and nothing else. Ho & Salimans (2021,
classifier-free guidance); Wang et al. (2022), section 3.4, Algorithm 2.

The scale s here is that of Algorithm 2 and of the published code, eps = null + s (cond - null): 0 ignores the labels, 1
is the plain conditional network, and the paper's values 1.5 (CelebAMask-HQ), 2.0 (Cityscapes) and 1.5 (ADE20K) are on
this scale. Eq. 16 of the paper counts differently: its s is this one less 1.

Shapes: B batch, K condition channels, H x W pixels.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from sdm_lite.concat import ConcatUNet
from sdm_lite.diffusion import Denoiser, GaussianDiffusion, Prediction
from sdm_lite.modulation import Stacked, keep_modulation, keep_null_modulation
from sdm_lite.unet import Features, SDMUNet


def check_guidance_scale(guidance_scale: float) -> float:
    """The scale as a float.

    Raises:
        ValueError: unless it is a finite number of at least 0.
    """
    try:
        scale = float(guidance_scale)
    except (TypeError, ValueError):
        scale = math.nan
    if not math.isfinite(scale) or scale < 0:
        raise ValueError(
            f"guidance_scale must be a finite number >= 0, got {guidance_scale!r}: 0 ignores the labels, 1 is plain "
            "conditional sampling, the paper's values are 1.5 and 2"
        )
    return scale


def check_guidance_interval(interval: tuple[int, int], num_timesteps: int) -> tuple[int, int]:
    """The interval.

    Raises:
        ValueError: unless it is (first, last) with 1 <= first <= last <= T.
    """
    try:
        first, last = interval
        fits = 1 <= first <= last <= num_timesteps
    except (TypeError, ValueError):  # one number, three, or words
        fits = False
    if not fits:
        raise ValueError(
            f"guidance_interval must be (first, last) with 1 <= first <= last <= {num_timesteps}, got {interval!r}"
        )
    return interval


def guide(conditional: Tensor, null: Tensor, guidance_scale: float) -> Tensor:
    """Guide one network output by another: null + s (conditional - null), Wang et al. (2022), Algorithm 2, line 4.

    Only the first half of the channels, the noise, is guided; the variance is the conditional branch's. Whether those
    channels say eps or v makes no difference: x_t enters both branches alike, and the weights s and 1 - s sum to 1.

    Args:
        conditional: (B, 6, H, W), the output with labels.
        null: (B, 6, H, W), the output under the null label.
        guidance_scale: s >= 0.

    Returns:
        (B, 6, H, W).
    """
    mean, variance = conditional.chunk(2, dim=1)  # (B, 3, H, W) each
    guided = torch.lerp(null[:, : mean.shape[1]], mean, guidance_scale)  # (B, 3, H, W)
    return torch.cat([guided, variance], dim=1)  # (B, 6, H, W)


def decodes_faster_together(x_t: Tensor) -> bool:
    """Whether one decode of twice the batch is faster than two: on a CPU for small images; on a GPU, not yet measured.

    Measured on a CPU with two threads: 64 x 64 pixels gained nearly a tenth, 256 x 256 lost as much.
    """
    return x_t.device.type != "cpu" or x_t.shape[2] * x_t.shape[3] < 128 * 128


class Branches(Protocol):
    """The two outputs that guidance is made of, (B, 6, H, W) each, for one set of label maps."""

    def conditional(self, x_t: Tensor, t: Tensor) -> Tensor:
        """With labels."""

    def null(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Under the null label."""

    def both(self, x_t: Tensor, t: Tensor, *, together: bool) -> tuple[Tensor, Tensor]:
        """Conditional and null; together, in one batch twice as large: fewer and larger operations."""


class SharedEncoder:
    """Of a network whose encoder reads no label: one pass of it serves both branches, the label maps are read once.

    Args:
        unet: the network.
        condition: (B, K, H, W).
        guidance_scale: says which branches there will be.
        max_bytes: for the labels' scale and shift, see `keep_modulation`.
    """

    def __init__(self, unet: SDMUNet, condition: Tensor, guidance_scale: float, max_bytes: int | None):
        self.unet = unet
        self.modulation = None if guidance_scale == 0 else keep_modulation(unet, condition, max_bytes=max_bytes)
        self.null_modulation = None if guidance_scale == 1 else keep_null_modulation(unet, condition)

    def conditional(self, x_t: Tensor, t: Tensor) -> Tensor:
        """With labels."""
        return self.unet.decode(self.unet.encode(x_t, t), self.modulation)

    def null(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Under the null label."""
        return self.unet.decode(self.unet.encode(x_t, t), self.null_modulation)

    def both(self, x_t: Tensor, t: Tensor, *, together: bool) -> tuple[Tensor, Tensor]:
        """One encode, and one decode of twice the batch or two."""
        features = self.unet.encode(x_t, t)
        if not together:
            return self.unet.decode(features, self.modulation), self.unet.decode(features, self.null_modulation)
        h, skips, embedding = features
        doubled = Features(torch.cat([h, h]), tuple(torch.cat([s, s]) for s in skips), torch.cat([embedding] * 2))
        stacked = [Stacked(*pair) for pair in zip(self.modulation, self.null_modulation, strict=True)]
        return self.unet.decode(doubled, stacked).chunk(2)


class WholePasses:
    """Of a network whose encoder reads labels, `concat`: nothing can be shared, guidance takes two whole passes.

    Args:
        unet: the network.
        condition: (B, K, H, W).
    """

    def __init__(self, unet: ConcatUNet, condition: Tensor):
        unet.check_condition(condition)
        self.unet, self.condition, self.zeros = unet, condition, torch.zeros_like(condition)

    def conditional(self, x_t: Tensor, t: Tensor) -> Tensor:
        """With labels."""
        return self.unet(x_t, t, self.condition)

    def null(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Under the null label."""
        return self.unet(x_t, t, self.zeros)

    def both(self, x_t: Tensor, t: Tensor, *, together: bool) -> tuple[Tensor, Tensor]:
        """Two passes, or one of twice the batch."""
        if not together:
            return self.conditional(x_t, t), self.null(x_t, t)
        conditions = [of.expand(x_t.shape[0], -1, -1, -1) for of in (self.condition, self.zeros)]  # (B, K, H, W) each
        return self.unet(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat(conditions)).chunk(2)


def denoiser(
    unet: SDMUNet,
    diffusion: GaussianDiffusion,
    condition: Tensor,
    guidance_scale: float = 1.0,
    *,
    clip: bool = True,
    guidance_interval: tuple[int, int] | None = None,
    max_modulation_bytes: int | None = None,
    decode_together: bool | None = None,
) -> Denoiser:
    """A guided denoiser for one set of label maps.

    The label maps are read once, here, for the whole trajectory. Each step encodes x_t once and decodes it once (s = 0
    or 1) or twice. This is exact: the encoder has no label in it, and the labels' scale and shift no noisy image. A
    `ConcatUNet`, whose encoder reads labels, takes two whole passes a step instead.

    Args:
        unet: the network.
        diffusion: the process that it was trained for.
        condition: (B, K, H, W); with B = 1 one label map serves a batch of any size.
        guidance_scale: s >= 0. At s = 0 the variance is the null branch's, there being no other.
        clip: whether the predicted x0 is clamped to [-1, 1].
        guidance_interval: (first, last) timestep, both within 1..T, at which the scale is s; at all others it is
            min(s, 1), so that what is pushed beyond the plain prediction is pushed there alone, and s = 0 still ignores
            the labels everywhere. Kynkaanniemi et al. (2024), who have s > 1. None = s everywhere, as in the paper.
        max_modulation_bytes: how much memory the labels' scale and shift may take; what does not fit is read off the
            label maps at every step, largest resolution first, with the same result. None = as much as they need.
        decode_together: whether the two decodes are one of twice the batch: few large operations instead of many small
            ones. The last digits may differ, as torch chooses its way by the batch's size. None = what is faster
            (`decodes_faster_together`); False = bit for bit what two whole passes give.

    Returns:
        A function from x_t (B, 3, H, W) and t (B,) to a Prediction, without gradients. With an interval, t must be the
        same for the whole batch, as it is in every sampler here.

    Raises:
        ValueError: on a guidance scale below 0 or not finite, an interval that is none, a condition that does not fit
            the network, or a memory bound below 0.
    """
    scale = check_guidance_scale(guidance_scale)
    first, last = check_guidance_interval(guidance_interval or (1, diffusion.num_timesteps), diffusion.num_timesteps)
    if scale <= 1:
        guidance_interval = None  # outside of it the scale is min(s, 1), which is s
    branches: Branches
    with torch.no_grad():
        if isinstance(unet, ConcatUNet):
            branches = WholePasses(unet, condition)
        else:
            branches = SharedEncoder(unet, condition, scale, max_modulation_bytes)

    @torch.no_grad()
    def denoise(x_t: Tensor, t: Tensor) -> Prediction:
        if x_t.shape[2:] != condition.shape[2:] or condition.shape[0] not in (1, x_t.shape[0]):
            raise ValueError(
                f"noisy image and label map do not go together: {tuple(x_t.shape)} and {tuple(condition.shape)}"
            )
        inside = guidance_interval is None or first <= int(t[0]) <= last
        if scale == 1 or not inside:
            output = branches.conditional(x_t, t)
        elif scale == 0:
            output = branches.null(x_t, t)
        else:
            together = decodes_faster_together(x_t) if decode_together is None else decode_together
            output = guide(*branches.both(x_t, t, together=together), scale)
        return diffusion.predict(output, x_t, t, clip=clip)

    return denoise
