"""Votes on pairs by voters: how sure their share is when both differ, and what size of study shows a preference.

Apart from preference.py, which keeps the votes: here they are numbers. Twenty voters who all see one lucky pair are no
twenty witnesses of the method, and one voter on a hundred pairs is one taste. So the variance of the share is that of
pairs and voters, both taken as drawn at random: Clark (1973) for why, Cameron, Gelbach & Miller (2011) for the formula.
`docs/user_study.md` has the share of studies without a preference in which each rule reports one.

Shapes: n votes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from sdm_lite.metrics import Interval
from sdm_lite.progress import counted

# Six who each like one side only all agree by chance in 2 / 2^6 = 3 % of studies, but five in 6 %; t then widens that.
FEWEST = 7
MOST = 10_000  # pairs or voters: no larger study is proposed


class Spread(NamedTuple):
    """The variance of a vote for the first side, share (1 - share), by where it is from; each >= 0.

    Attributes:
        pairs: variance between the pairs' own shares.
        voters: variance between the voters' own shares.
        votes: what is left, of one vote of one voter on one pair.
    """

    pairs: float
    voters: float
    votes: float


class StudySize(NamedTuple):
    """So many pairs, each seen by so many voters."""

    num_pairs: int
    num_voters: int


@cache
def student_quantile(probability: float, degrees_of_freedom: int) -> float:
    """The quantile of Student's t, from its finite series. Abramowitz & Stegun (1964), 26.7.3 and 26.7.4.

    Args:
        probability: in [1/2, 1).
        degrees_of_freedom: at least 1; beyond 1000 the normal quantile is given, 0.12 % less for 0.975.

    Raises:
        ValueError: if one of them lies outside.
    """
    if not 0.5 <= probability < 1 or degrees_of_freedom < 1:
        raise ValueError(
            f"expected a probability in [1/2, 1) and at least 1 degree of freedom, got {probability} and "
            f"{degrees_of_freedom}"
        )
    if degrees_of_freedom > 1000:
        return NormalDist().inv_cdf(probability)
    low, high = 0.0, math.pi / 2  # of theta = arctan(t / sqrt(degrees of freedom))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(middle, degrees_of_freedom) < 2 * probability - 1 else (low, middle)
    return math.sqrt(degrees_of_freedom) * math.tan(low)


def _inside(theta: float, degrees_of_freedom: int) -> float:
    """The probability of |T| < sqrt(degrees of freedom) tan(theta)."""
    odd = degrees_of_freedom % 2
    term, total = (math.cos(theta), 0.0) if odd else (1.0, 0.0)
    for k in range(1 + odd, degrees_of_freedom, 2):
        total += term
        term *= math.cos(theta) ** 2 * k / (k + 1)
    return 2 / math.pi * (theta + math.sin(theta) * total) if odd else math.sin(theta) * total


def wilson_ends(share: float, num_votes: float, quantile: float) -> tuple[float, float]:
    """The ends of the score interval of a probability p. Wilson (1927).

        (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    Args:
        share: p, in [0, 1].
        num_votes: n, of votes or of what they are worth (need not be whole); above 0.
        quantile: z.
    """
    spread = quantile * math.sqrt(share * (1 - share) / num_votes + (quantile / (2 * num_votes)) ** 2)
    centre, scale = share + quantile**2 / (2 * num_votes), 1 + quantile**2 / num_votes
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def share_interval(
    won: Sequence[bool], pairs: Sequence[object], voters: Sequence[object], *, confidence: float = 0.95
) -> Interval:
    """The interval of the share of votes for the first side, over pairs and voters like these.

        V = max(V_pairs + V_voters - V_votes, V_pairs, V_voters)

    V_c = G / (G - 1) sum_g (sum_{i in g} (won_i - p))^2 / n^2 over the G clusters of kind c (a vote by itself has no
    factor): Cameron, Gelbach & Miller (2011), equation 2.11, and the t distribution with min(G) - 1 degrees of freedom,
    as they advise; the maximum keeps V from falling below either alone. The ends are those of `wilson_ends` for the
    p (1 - p) / V votes that these are worth (Korn & Graubard 1998), at most n. Of fewer than 7 pairs or voters the
    votes are worth no more than their number: then the interval always holds 1/2.

    Args:
        won: for each vote, whether it went to the first side, (n,).
        pairs: which pair each vote is about, (n,).
        voters: who cast it, (n,).
        confidence: in (0, 1).

    Returns:
        [0, 1] without votes, or from one pair or one voter alone, who say nothing of others.

    Raises:
        ValueError: if the three differ in length, or the confidence lies outside (0, 1).
    """
    won, sums, sizes = _checked(won, pairs, voters)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie in (0, 1), got {confidence}")
    kind = f"{100 * confidence:g} % Wilson, clustered by {counted(sizes[0], 'pair')} and {counted(sizes[1], 'voter')}"
    fewest = min(sizes)
    if fewest < 2:
        return Interval(0.0, 1.0, kind)
    share = won.mean()
    of_pairs, of_voters, of_votes = _variances(won, sums)
    variance = max(of_pairs + of_voters - of_votes, of_pairs, of_voters)
    worth = min(len(won), share * (1 - share) / variance) if variance > 0 else fewest  # 0: all votes are alike
    worth = min(worth, fewest) if fewest < FEWEST else worth
    ends = wilson_ends(float(share), float(worth), student_quantile((1 + confidence) / 2, fewest - 1))
    return Interval(*ends, kind)


def spread_of(won: Sequence[bool], pairs: Sequence[object], voters: Sequence[object]) -> Spread | None:
    """How much pairs, voters and votes differ, by the moments of a two-way table. Searle et al. (1992), chapter 4.

    Exact in the mean where every voter saw every pair, nearly so where some are missing.

    Args:
        won: for each vote, whether it went to the first side, (n,).
        pairs: which pair each vote is about, (n,).
        voters: who cast it, (n,).

    Returns:
        None where the votes cannot tell them apart: no more votes than pairs and voters.

    Raises:
        ValueError: if the three differ in length.
    """
    won, sums, sizes = _checked(won, pairs, voters)
    n, (num_pairs, num_voters) = len(won), sizes
    if min(sizes) < 2 or n <= num_pairs + num_voters:
        return None
    total = won.var()
    of_pairs, of_voters, _ = _variances(won, sums)
    left = (total - num_pairs * of_pairs - num_voters * of_voters) / (1 - (num_pairs + num_voters) / n)
    left = float(np.clip(left, 0, total))
    found = (max(0.0, float(size * (of - left / n))) for size, of in zip(sizes, (of_pairs, of_voters), strict=True))
    return Spread(*found, left)


def voters_needed(
    share: float, spread: Spread, num_pairs: int, *, power: float = 0.8, confidence: float = 0.95
) -> int | None:
    """How many voters must see so many pairs for the interval to leave 1/2 out with a given probability.

        |p - 1/2| >= t sqrt(V / (4 p (1 - p))) + z sqrt(V),   V = S_pairs / a + S_voters / b + S_votes / (a b)

    with a pairs and b voters, t Student's quantile for min(a, b) - 1 degrees of freedom, z the normal quantile of the
    power: Fleiss (1981) for the form, with V in the place of p (1 - p) / n.

    Args:
        share: p, of all votes that could be cast, how many would be for one of the two; in [0, 1], not 1/2.
        spread: how much pairs, voters and votes differ, see `spread_of`.
        num_pairs: a.
        power: in (0, 1); 1/2 is what is just enough on the average.
        confidence: of the interval, in (0, 1).

    Returns:
        None where no number of voters up to 10,000 is enough: the pairs are too few.

    Raises:
        ValueError: if share, power or confidence lies outside.
    """
    if not 0 <= share <= 1 or share == 0.5:
        raise ValueError(f"share must lie in [0, 1] and not be 1/2, which no number of votes can show, got {share}")
    if not 0 < power < 1 or not 0 < confidence < 1:
        raise ValueError(f"power and confidence must lie in (0, 1), got {power} and {confidence}")
    z_p, of_vote = NormalDist().inv_cdf(power), share * (1 - share)

    def enough(num_voters: int) -> bool:
        fewest = min(num_pairs, num_voters)
        variance = spread.pairs / num_pairs + spread.voters / num_voters + spread.votes / (num_pairs * num_voters)
        if fewest < FEWEST or variance == 0:
            return fewest >= FEWEST
        t = student_quantile((1 + confidence) / 2, fewest - 1)
        return abs(share - 0.5) >= t * math.sqrt(variance / (4 * of_vote)) + z_p * math.sqrt(variance)

    if not enough(MOST):
        return None
    low, high = 0, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def study_size(
    share: float,
    spread: Spread,
    *,
    num_pairs: int = FEWEST,
    num_voters: int = FEWEST,
    power: float = 0.8,
    confidence: float = 0.95,
) -> StudySize | None:
    """The study of fewest votes that shows a preference, see `voters_needed`, each voter on every pair.

    Args:
        share: of all votes that could be cast, how many would be for one of the two; in [0, 1], not 1/2.
        spread: how much pairs, voters and votes differ.
        num_pairs: at least so many.
        num_voters: at least so many.
        power: in (0, 1).
        confidence: of the interval, in (0, 1).

    Returns:
        Numbers of pairs (tried in steps of 2 % where there are many) and of voters; None beyond 10,000 of either.

    Raises:
        ValueError: as for `voters_needed`.
    """
    best, pairs = None, max(num_pairs, FEWEST)
    while pairs <= MOST and (best is None or pairs * max(num_voters, FEWEST) < math.prod(best)):
        voters = voters_needed(share, spread, pairs, power=power, confidence=confidence)
        if voters is not None:
            size = StudySize(pairs, max(voters, num_voters))
            best = size if best is None or math.prod(size) < math.prod(best) else best
        pairs = max(pairs + 1, int(1.02 * pairs))
    return best


def _checked(
    won: Sequence[bool], pairs: Sequence[object], voters: Sequence[object]
) -> tuple[np.ndarray, list[np.ndarray], tuple[int, int]]:
    """Votes as float64 (n,), their deviations summed by pair and by voter, and how many of each there are."""
    won = np.asarray(won, dtype=np.float64)
    if not len(won) == len(pairs) == len(voters):
        raise ValueError(f"expected a pair and a voter for each vote, got {len(won)}, {len(pairs)} and {len(voters)}")
    if not len(won):
        return won, [], (0, 0)
    sums, sizes = [], []
    for of in (pairs, voters):
        names, index = np.unique(np.asarray(of), return_inverse=True)
        sums.append(np.bincount(index, won - won.mean(), minlength=len(names)))
        sizes.append(len(names))
    return won, sums, (sizes[0], sizes[1])


def _variances(won: np.ndarray, sums: list[np.ndarray]) -> tuple[float, float, float]:
    """Of the share, clustered by pair, by voter, and not at all."""
    by_pair, by_voter = (np.square(s).sum() * len(s) / (len(s) - 1) / len(won) ** 2 for s in sums)
    return by_pair, by_voter, won.var() / len(won)
