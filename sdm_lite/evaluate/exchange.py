"""Is a model the truth? An exact test beside the intervals: the sample of each layout exchanged with true pictures.

If the model is the truth, the sample and the N true pictures of a layout are N + 1 independent draws of one
distribution, so that given all pictures each of the N + 1 is equally likely to be the one called the sample, whatever
the choices of other layouts. A statistic here depends on nothing but those choices, as its reference is always all
pictures that are not samples and what is held fixed is taken of all N + 1: so the observed value is one more draw of
the same distribution as its exchanged values, and p <= a has a probability of at most a, of a itself where (R + 1) a is
whole and no values tie.

An interval answers another question: how far off. That of a squared distance is too wide where the model is the truth.

Phipson & Smyth (2010) for the 1 in numerator and denominator; Lehmann & Romano (2005), section 15.2, for the exactness.

Shapes: L layouts, N true pictures and one sample of each, M = N + 1, R exchanges, B choices, C features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from sdm_lite import metrics
from sdm_lite.evaluate.measurements import Measurements, held_fixed

LEVEL, NUM_EXCHANGES = 0.05, 999
OfChoices = Callable[[Tensor], Tensor]  # which picture of each layout is called the sample, (B, L) -> (B,)


@dataclass(frozen=True)
class ExchangeTest:
    """What exchanging samples and true pictures says.

    Attributes:
        p_value: (1 + number of exchanges whose distance is at least the observed one) / (1 + num_exchanges).
        num_exchanges: R.
        level: of the rule.
        verdict: "not the truth" where p_value <= level, else "cannot be told from the truth".
        of: what was exchanged.
    """

    p_value: float
    num_exchanges: int
    level: float
    verdict: str
    of: str

    def __str__(self) -> str:
        return f"p = {self.p_value:.3f} ({self.num_exchanges} exchanges): {self.verdict}"


def exchange_test(
    statistic: OfChoices, num_layouts: int, num_pictures: int, *, num_exchanges: int = NUM_EXCHANGES, seed: int = 0
) -> ExchangeTest:
    """Compare a distance with what it would be if another picture of each layout had been called the sample.

    In every exchange each layout draws by itself which of its M pictures is the sample, the sample included.

    Args:
        statistic: choices (B, L) int64 in 0..M - 1 -> distances (B,) of the chosen pictures to all others; that of all
            0 is the observed one.
        num_layouts: L.
        num_pictures: M, the sample and the true pictures of each layout.
        num_exchanges: R.
        seed: of the exchanges.

    Returns:
        The test. A distance that cannot be compared (nan) counts as one that is reached.

    Raises:
        ValueError: if there are no layouts, fewer than 2 pictures or no exchanges.
    """
    if num_layouts < 1 or num_pictures < 2 or num_exchanges < 1:
        raise ValueError(
            "num_layouts, num_pictures and num_exchanges must be at least 1, 2 and 1, "
            f"got {num_layouts}, {num_pictures} and {num_exchanges}"
        )
    generator = torch.Generator("cpu").manual_seed(seed)
    drawn = torch.randint(num_pictures, (num_exchanges, num_layouts), generator=generator, device="cpu")
    observed, exchanged = statistic(torch.cat([torch.zeros_like(drawn[:1]), drawn])).split([1, num_exchanges])
    p_value = (1 + (~(exchanged < observed)).sum().item()) / (1 + num_exchanges)
    verdict = "not the truth" if p_value <= LEVEL else "cannot be told from the truth"
    of = f"the sample of each of {num_layouts} layouts exchanged with its {num_pictures - 1} true pictures"
    return ExchangeTest(p_value, num_exchanges, LEVEL, verdict, of)


def exchange_tests(
    generated: Measurements, reference: Measurements, *, num_exchanges: int = NUM_EXCHANGES, seed: int = 0
) -> dict[str, ExchangeTest]:
    """A test for every distance of `scene_scores.statistics`, all by the same exchanges, each at its own 5 %.

    Args:
        generated: of one sample a layout.
        reference: of N true pictures of the same layouts.
        num_exchanges: R.
        seed: of the exchanges.

    Returns:
        Tests by the names of the scores: of distances to all N true pictures.
    """
    pooled = reference._replace(
        **{
            part: torch.cat([getattr(generated, part), getattr(reference, part)], 1)
            for part in ("features", "levels", "time_of_day", "season")
        }
    )
    fixed = held_fixed(pooled, pooled)  # of all M: who is called the sample changes nothing of it
    statistics = {
        "frechet": frechet_of_choices(pooled.features),
        "frechet_within": frechet_of_choices(fixed.features),
        "kernel_within": kernel_of_choices(fixed.levels),
        "time_of_day_tv": variation_of_choices(pooled.time_of_day),
        "season_tv": variation_of_choices(pooled.season),
    }
    num_layouts, num_pictures = pooled.season.shape
    return {
        key: exchange_test(statistic, num_layouts, num_pictures, num_exchanges=num_exchanges, seed=seed)
        for key, statistic in statistics.items()
    }


def frechet_of_choices(pictures: Tensor) -> OfChoices:
    """Frechet distance of the chosen pictures to all others, from sums that the two share.

    Args:
        pictures: (L, M, C) features.
    """
    centred = pictures.double() - pictures.double().mean((0, 1))  # or the sums of squares would lose digits
    num_layouts, num_pictures = centred.shape[:2]
    everything = centred.flatten(0, 1)
    all_sums, all_squares = everything.sum(0), everything.mT @ everything

    def statistic(choices: Tensor) -> Tensor:
        found = []
        for some in choices.split(50):  # which bounds the memory
            chosen = centred[torch.arange(num_layouts, device="cpu"), some]  # (B, L, C)
            sums, squares = chosen.sum(1), chosen.mT @ chosen  # (B, C) and (B, C, C)
            samples = metrics.moments_of_sums(sums, squares, num_layouts)
            rest = metrics.moments_of_sums(all_sums - sums, all_squares - squares, num_layouts * (num_pictures - 1))
            found.append(metrics.frechet_distance_of_moments(samples, rest))
        return torch.cat(found)

    return statistic


def variation_of_choices(read: Tensor) -> OfChoices:
    """Total variation distance of the outcomes of the chosen pictures to those of all others.

    Args:
        read: (L, M) int64, what a head read.
    """
    outcomes = F.one_hot(read)  # (L, M, outcomes)
    num_layouts, num_pictures = read.shape
    everything = outcomes.sum((0, 1))

    def statistic(choices: Tensor) -> Tensor:
        chosen = outcomes[torch.arange(num_layouts, device="cpu"), choices].sum(1)  # (B, outcomes)
        # In whole numbers, or values that tie would differ in their last digit.
        apart = ((num_pictures - 1) * chosen - (everything - chosen)).abs().sum(-1)
        return apart.double() / (2 * num_layouts * (num_pictures - 1))

    return statistic


def kernel_of_choices(pictures: Tensor) -> OfChoices:
    """Kernel distance, that of `metrics.pair_kernel`, of the chosen pictures to all others, over pairs of layouts.

    Its sums over pairs follow from the kernel among the chosen ones and from what each picture sums to with all
    pictures of other layouts, which no choice changes.

    Args:
        pictures: (L, M, D) features, L >= 2; in single precision, as there are (L M)^2 pairs.
    """
    pictures = pictures.float()
    num_layouts, num_pictures, num_features = pictures.shape
    others = pictures.flatten(0, 1)

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.mT / num_features + 1) ** 3

    sums = torch.stack(  # (L, M): of each picture, with all of other layouts
        [(kernel(x, others).sum(1, dtype=torch.float64) - kernel(x, x).sum(1, dtype=torch.float64)) for x in pictures]
    )

    def statistic(choices: Tensor) -> Tensor:
        layouts, found = torch.arange(num_layouts, device="cpu"), []
        for one in choices:
            gram = kernel(pictures[layouts, one], pictures[layouts, one])
            among = gram.sum(dtype=torch.float64) - gram.diagonal().sum(dtype=torch.float64)
            across = sums[layouts, one].sum() - among
            rest = sums.sum() - 2 * across - among
            found.append(among + rest / (num_pictures - 1) ** 2 - 2 * across / (num_pictures - 1))
        return torch.stack(found) / (num_layouts * (num_layouts - 1))

    return statistic
