"""A vote between two pictures, counted: which is liked better, how sure that is, how many more votes it would take.

Apart from the widget that shows the pairs, so that votes can be counted, and a study continued, with no browser. Wang
et al. (2022), section 4.3, report such a study (Table 2); they give shares only, here each has its interval.

Votes lie in a CSV file, a line each. The file is written whole as a vote is cast, by one voter at a time: after a crash
every vote that was counted is still there.
"""

from __future__ import annotations

import csv
import io
import math
import random
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

from sdm_lite.files import expanded, hold, write_whole
from sdm_lite.metrics import Interval
from sdm_lite.progress import counted

COLUMNS = ("time", "voter", "pair", "left", "right", "chosen")


class Vote(NamedTuple):
    """One line of the file: when, who, which pair, what stood on either side, and what was chosen."""

    time: str
    voter: str
    pair: int
    left: str
    right: str
    chosen: str


class Preference(NamedTuple):
    """How often the first of two was preferred.

    Attributes:
        wins: votes for the first.
        num_votes: all votes.
        share: wins / num_votes; NaN without votes.
        interval: of the share, see `wilson_interval`.
        votes_needed: further votes until the interval leaves 1/2 out, if the share stays; 0 if it does already, None if
            it never would (the share is 1/2, or there are no votes).
    """

    wins: int
    num_votes: int
    share: float
    interval: Interval
    votes_needed: int | None


def wilson_interval(wins: float, num_votes: int, *, confidence: float = 0.95) -> Interval:
    """The interval of a binomial probability p. Wilson (1927).

        (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    Args:
        wins: in 0..num_votes.
        num_votes: n, at least 0; without votes the interval is [0, 1].
        confidence: in (0, 1).

    Raises:
        ValueError: if there are more wins than votes, or the confidence lies outside (0, 1).
    """
    if not 0 <= wins <= num_votes:
        raise ValueError(f"expected 0 <= wins <= num_votes, got {wins} of {num_votes}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie in (0, 1), got {confidence}")
    kind = f"{100 * confidence:g} % Wilson over {counted(num_votes, 'vote')}"
    if not num_votes:
        return Interval(0.0, 1.0, kind)
    share, z = wins / num_votes, NormalDist().inv_cdf((1 + confidence) / 2)
    spread = z * math.sqrt(share * (1 - share) / num_votes + (z / (2 * num_votes)) ** 2)
    centre = share + z * z / (2 * num_votes)
    scale = 1 + z * z / num_votes
    return Interval(max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale), kind)


def preference(wins: int, num_votes: int, *, confidence: float = 0.95) -> Preference:
    """Counts a study: the share that prefers the first, its interval, and how many votes are missing.

    Args:
        wins: votes for the first.
        num_votes: all votes.
        confidence: of the interval, in (0, 1).

    Raises:
        ValueError: as for `wilson_interval`.
    """
    interval = wilson_interval(wins, num_votes, confidence=confidence)
    if not num_votes:
        return Preference(0, 0, math.nan, interval, None)
    share, needed = wins / num_votes, None
    if share != 0.5:  # n > z^2 / (4 (p - 1/2)^2) leaves 1/2 out, as the interval inverts the score test
        z = NormalDist().inv_cdf((1 + confidence) / 2)
        needed = max(0, math.floor((z / (2 * share - 1)) ** 2) + 1 - num_votes)
    return Preference(wins, num_votes, share, interval, needed)


def votes_to_show(share: float, *, power: float = 0.8, confidence: float = 0.95) -> int:
    """How many votes a study needs, before the first is cast, to show a preference of a given size. Fleiss (1981).

        n = ((z_c / 2 + z_p sqrt(p (1 - p))) / (p - 1/2))^2

    z_c and z_p are the normal quantiles of (1 + confidence) / 2 and of the power, p is the share.

    Args:
        share: of all votes that could be cast, how many would be for one of the two; in (0, 1), not 1/2.
        power: how probable it is that the interval of so many votes leaves 1/2 out; in (0, 1).
        confidence: of that interval, in (0, 1).

    Raises:
        ValueError: if one of them lies outside.
    """
    if not 0 < share < 1 or share == 0.5:
        raise ValueError(f"share must lie in (0, 1) and not be 1/2, which no number of votes can show, got {share}")
    if not 0 < power < 1 or not 0 < confidence < 1:
        raise ValueError(f"power and confidence must lie in (0, 1), got {power} and {confidence}")
    z_c, z_p = NormalDist().inv_cdf((1 + confidence) / 2), NormalDist().inv_cdf(power)
    return math.ceil(((z_c / 2 + z_p * math.sqrt(share * (1 - share))) / (share - 0.5)) ** 2)


class PairStudy:
    """A study of pairs for one voter: in an order and on sides of the voter's own, a vote a pair, kept in a file.

    A voter who comes back goes on where they were. Several may write to one file at the same time.

    Args:
        num_pairs: how many pairs there are, at least 1.
        names: what the first and the second of each pair are, such as ("guided", "unguided").
        votes_file: the CSV file; it and its folder are made with the first vote.
        voter: who votes; order and sides are drawn from this name and the seed.
        seed: of order and sides.

    Raises:
        ValueError: if there is no pair, the names are alike, or the file holds something else than votes.
    """

    def __init__(
        self, num_pairs: int, names: tuple[str, str], votes_file: str | Path, *, voter: str = "anonymous", seed: int = 0
    ):
        if num_pairs < 1:
            raise ValueError(f"expected at least one pair, got {num_pairs}")
        if len(names) != 2 or names[0] == names[1] or not all(names):
            raise ValueError(f"expected two different names, got {names!r}")
        self.num_pairs, self.names, self.voter = num_pairs, tuple(names), voter
        self.votes_file = expanded(votes_file)
        stream = random.Random(f"{seed}/{voter}")
        order = stream.sample(range(num_pairs), num_pairs)
        swapped = [stream.random() < 0.5 for _ in range(num_pairs)]
        voted = {vote.pair for vote in self.votes() if vote.voter == voter}
        self._left = [(pair, swapped[pair]) for pair in order if pair not in voted]

    @property
    def num_left(self) -> int:
        """How many pairs this voter has not voted on."""
        return len(self._left)

    def current(self) -> tuple[int, bool] | None:
        """The pair to vote on now and whether its second stands on the left; None when all are done."""
        return self._left[0] if self._left else None

    def vote(self, *, left: bool) -> Vote:
        """Casts this voter's vote on the current pair: for the left picture, or for the right one.

        The vote is on the disk when this returns.

        Raises:
            ValueError: if all pairs are done, or the file cannot be written.
        """
        if not self._left:
            raise ValueError(f"{self.voter!r} has voted on all {self.num_pairs} pairs: take another voter name")
        pair, swapped = self._left[0]
        sides = self.names[::-1] if swapped else self.names
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        cast = Vote(now, self.voter, pair, *sides, sides[0] if left else sides[1])
        lock = self.votes_file.with_name(f".{self.votes_file.name}.lock")
        try:
            with hold(lock, tell=lambda _: None):  # another voter's vote takes a moment
                write_whole(self.votes_file, _as_text([*read_votes(self.votes_file), cast]))
        except OSError as error:
            raise ValueError(f"the vote could not be written: {error}") from None
        self._left.pop(0)
        return cast

    def votes(self) -> list[Vote]:
        """All votes of the file that are about these two names, by any voter; none if there is no file."""
        return [vote for vote in read_votes(self.votes_file) if {vote.left, vote.right} == set(self.names)]

    def result(self, *, confidence: float = 0.95) -> Preference:
        """How often the first name was preferred by all voters so far."""
        chosen = [vote.chosen for vote in self.votes()]
        return preference(chosen.count(self.names[0]), len(chosen), confidence=confidence)


def read_votes(votes_file: str | Path) -> list[Vote]:
    """The votes in a file, in the order in which they were cast; none if there is no file.

    Raises:
        ValueError: naming the line that is no vote.
    """
    path = expanded(votes_file)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as votes: {error}") from None
    rows = list(csv.reader(io.StringIO(text)))
    if rows and tuple(rows[0]) != COLUMNS:
        raise ValueError(f"{path} holds no votes: its first line must be {','.join(COLUMNS)}; give another file")
    return [_vote(path, number, row) for number, row in enumerate(rows[1:], start=2) if row]


def summary(found: Preference, names: Sequence[str]) -> str:
    """A sentence on how a study stands."""
    if not found.num_votes:
        return "No votes yet."
    low, high, kind = found.interval
    text = (
        f"{names[0]} was preferred in {found.wins} of {counted(found.num_votes, 'vote')}: {found.share:.0%}, "
        f"interval {low:.0%} to {high:.0%} ({kind})."
    )
    if found.votes_needed is None:
        return f"{text} At exactly one half, no number of votes would show a preference."
    if found.votes_needed == 0:
        return f"{text} The interval leaves one half out: {names[found.share < 0.5]} is preferred."
    return f"{text} About {counted(found.votes_needed, 'more vote')} like these would settle it."


def _vote(path: Path, number: int, row: list[str]) -> Vote:
    try:
        time, voter, pair, left, right, chosen = row
        if chosen not in (left, right):
            raise ValueError
        return Vote(time, voter, int(pair), left, right, chosen)
    except ValueError:
        raise ValueError(f"{path}, line {number} is no vote: {','.join(row)[:80]}; remove the line") from None


def _as_text(votes: Sequence[Vote]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *votes])
    return text.getvalue()
