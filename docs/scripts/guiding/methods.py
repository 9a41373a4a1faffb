"""The guidance methods that are compared: how each is asked for, and what a sample of it takes."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from sdm_lite.diffusion import DiffusionConfig
from sdm_lite.guiders import (
    annealed,
    apg,
    cfg_plus_plus,
    cfg_zero_star,
    clipped,
    dynamic_thresholding,
    extrapolation,
    rescale,
    tcfg,
)
from sdm_lite.timesteps import trailing

PROCESS = DiffusionConfig("cosine", 1000, "v").build()  # of scenes-32
PLAIN, PLAIN_ANCESTRAL = "plain", "plain, ancestral"  # what all others are held against, by the same sampler


class Method(NamedTuple):
    """A way to guide: keywords of `guiders.guided`, several where one is to be chosen, and what it is drawn with.

    Attributes:
        variants: by the words that tell them apart.
        ancestral: whether it is made for ancestral steps; all others are drawn by DDIM.
        weak: whether its second prediction is a weak network's.
    """

    variants: dict[str, dict[str, object]]
    ancestral: bool = False
    weak: bool = False


def methods(num_steps: int) -> dict[str, Method]:
    """All that are compared, by name."""
    plus_plus = partial(cfg_plus_plus, timesteps=trailing(PROCESS, num_steps))
    still = {"finish": partial(clipped, below=PROCESS.num_timesteps)}  # the first step of zero-init is no image
    thresholds = {f"quantile {q:g}": {"finish": partial(dynamic_thresholding, quantile=q)} for q in (0.995, 0.95)}
    return {
        PLAIN: Method({"": {}}),
        "interval, t <= 800": Method({"": {"guidance_interval": (1, 800)}}),
        "autoguidance": Method({"": {}}, weak=True),
        "APG": Method({f"r = {r:g}": {"method": partial(apg, norm_threshold=r)} for r in (6.0, 9.0, 12.0)}),
        "CFG++": Method({"": {"method": plus_plus}}),
        "CFG-Zero*": Method({"zero-init": {"method": cfg_zero_star, **still}, "none": {"method": zero_star_alone}}),
        "rescale": Method({f"share {q:g}": {"method": partial(rescale, share=q)} for q in (0.7, 0.3)}),
        "dynamic thresholding": Method(thresholds),
        "TCFG": Method({"": {"method": tcfg}}),
        "annealed": Method({"": {"method": annealed}}),
        PLAIN_ANCESTRAL: Method({"": {}}, ancestral=True),
        "extrapolation, ancestral": Method({"": {"finish": extrapolation}}, ancestral=True),
    }


zero_star_alone = partial(cfg_zero_star, zero_init_steps=0)


def operations(method: Method, num_steps: int) -> str:
    """Encodes and decodes of a sample: "15 + 30" is one encode and two decodes at each of 15 steps."""
    interval = next(iter(method.variants.values())).get("guidance_interval", (1, PROCESS.num_timesteps))
    inside = sum(interval[0] <= t <= interval[1] for t in trailing(PROCESS, num_steps))
    return f"{num_steps + inside * method.weak} + {num_steps + inside}"
