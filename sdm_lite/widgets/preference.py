"""A vote between two pictures, counted: which is liked better, how sure that is, how large a study it would take.

Apart from the widget that shows the pairs, so that votes can be counted, and a study continued, with no browser. Wang
et al. (2022), section 4.2, report such a study (Table 2) by 20 volunteers; they give shares only, here each has its
interval, over pairs and voters (clustered.py).

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
from typing import NamedTuple

from sdm_lite.files import expanded, hold, write_whole
from sdm_lite.metrics import Interval
from sdm_lite.progress import counted
from sdm_lite.widgets.clustered import FEWEST, Spread, StudySize, share_interval, spread_of, study_size

COLUMNS = ("time", "voter", "pair", "left", "right", "chosen")

# Before there are votes: shares of pairs and of voters scattered by 0.2 and 0.1, as in docs/user_study.md; made up.
TYPICAL = Spread(0.2**2, 0.1**2, 0.8 * 0.2 - 0.2**2 - 0.1**2)


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
        interval: of the share, over pairs and voters like these, see `clustered.share_interval`.
        size: how many pairs were voted on, by how many voters.
        needed: the size at which the interval would leave 1/2 out, if share and spread stay: `size` if it does already,
            None if no size would (the share is 1/2) or so few votes cannot say.
    """

    wins: int
    num_votes: int
    share: float
    interval: Interval
    size: StudySize
    needed: StudySize | None

    @property
    def decided(self) -> bool:
        """Whether a preference is shown: the interval leaves 1/2 out."""
        return self.interval.low > 0.5 or self.interval.high < 0.5


def preference(
    won: Sequence[bool], pairs: Sequence[object], voters: Sequence[object], *, confidence: float = 0.95
) -> Preference:
    """Counts a study: the share that prefers the first, its interval, and what size of study is missing.

    Args:
        won: for each vote, whether it went to the first, (n,).
        pairs: which pair each vote is about, (n,).
        voters: who cast it, (n,).
        confidence: of the interval, in (0, 1).

    Raises:
        ValueError: as for `clustered.share_interval`.
    """
    interval = share_interval(won, pairs, voters, confidence=confidence)
    wins, num_votes, size = int(sum(won)), len(won), StudySize(len({*pairs}), len({*voters}))
    share = wins / num_votes if num_votes else math.nan
    found = Preference(wins, num_votes, share, interval, size, size)
    if not found.decided:
        spread, needed = spread_of(won, pairs, voters), None
        if spread is not None and share != 0.5:
            least = {"num_pairs": size.num_pairs, "num_voters": size.num_voters}
            needed = study_size(share, spread, **least, power=0.5, confidence=confidence)
        found = found._replace(needed=needed)
    return found


Names = tuple[str, str]
"""What the first and the second of a pair are, such as ("guided", "unguided")."""


class PairStudy:
    """A study of pairs for one voter: in an order and on sides of the voter's own, a vote a pair, kept in a file.

    A voter who comes back goes on where they were. Several may write to one file at the same time.

    Args:
        num_pairs: how many pairs there are, at least 1.
        names: what the first and the second are, of all pairs or, one after the other, of each: pairs of one against
            several rivals come mixed.
        votes_file: the CSV file; it and its folder are made with the first vote.
        voter: who votes; order and sides are drawn from this name and the seed.
        seed: of order and sides.

    Attributes:
        contests: the different names, in the order in which they come first: what there is a result of.

    Raises:
        ValueError: if there is no pair, the names are alike or not as many as pairs, or the file holds something else
            than votes.
    """

    def __init__(
        self,
        num_pairs: int,
        names: Names | Sequence[Names],
        votes_file: str | Path,
        *,
        voter: str = "anonymous",
        seed: int = 0,
    ):
        if num_pairs < 1:
            raise ValueError(f"expected at least one pair, got {num_pairs}")
        self.num_pairs, self._names, self.voter = num_pairs, _names_of_pairs(names, num_pairs), voter
        self.contests = tuple(dict.fromkeys(self._names))
        self.votes_file = expanded(votes_file)
        stream = random.Random(f"{seed}/{voter}")
        order = stream.sample(range(num_pairs), num_pairs)
        swapped = [stream.random() < 0.5 for _ in range(num_pairs)]
        votes = [vote for names in self.contests for vote in self.votes(names)]
        voted = {vote.pair for vote in votes if vote.voter == voter}
        self._left = [(pair, swapped[pair]) for pair in order if pair not in voted]

    @property
    def num_left(self) -> int:
        """How many pairs this voter has not voted on."""
        return len(self._left)

    def current(self) -> tuple[int, bool] | None:
        """The pair to vote on now and whether its second stands on the left; None when all are done."""
        return self._left[0] if self._left else None

    def coming(self) -> list[tuple[int, bool]]:
        """The pairs that this voter has not voted on, in their order: as for `current`."""
        return list(self._left)

    def vote(self, *, left: bool) -> Vote:
        """Casts this voter's vote on the current pair: for the left picture, or for the right one.

        The vote is on the disk when this returns.

        Raises:
            ValueError: if all pairs are done, or the file cannot be written.
        """
        if not self._left:
            raise ValueError(f"{self.voter!r} has voted on all {self.num_pairs} pairs: take another voter name")
        pair, swapped = self._left[0]
        names = self._names[pair]
        sides = names[::-1] if swapped else names
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

    def votes(self, names: Names | None = None) -> list[Vote]:
        """All votes of the file that are about two names, those of the first contest if None, by any voter."""
        asked = set(self.contests[0] if names is None else names)
        return [vote for vote in read_votes(self.votes_file) if {vote.left, vote.right} == asked]

    def result(self, names: Names | None = None, *, confidence: float = 0.95) -> Preference:
        """How often the first of two names, those of the first contest if None, was preferred by all voters so far.

        Raises:
            ValueError: if no pair is about these names.
        """
        asked = self.contests[0] if names is None else tuple(names)
        if asked not in self.contests:
            known = ", ".join(" and ".join(one) for one in self.contests)
            raise ValueError(f"names must be one of {known}, got {asked!r}")
        votes = self.votes(asked)
        won = [vote.chosen == asked[0] for vote in votes]
        return preference(won, [v.pair for v in votes], [v.voter for v in votes], confidence=confidence)

    def told(self) -> list[str]:
        """How the study stands: a few sentences for each contest, for all at once before the first vote."""
        results = {names: self.result(names) for names in self.contests}
        if len(results) == 1 or not any(one.num_votes for one in results.values()):
            return [summary(one, names) for names, one in results.items()][:1]
        return [f"{' and '.join(names)}: {summary(one, names)}" for names, one in results.items()]


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
    try:
        rows = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        raise ValueError(f"{path} cannot be read as votes: {error}") from None
    if rows and tuple(rows[0]) != COLUMNS:
        raise ValueError(f"{path} holds no votes: its first line must be {','.join(COLUMNS)}; give another file")
    return [_vote(path, number, row) for number, row in enumerate(rows[1:], start=2) if row]


def summary(found: Preference, names: Sequence[str]) -> str:
    """A few sentences on how a study stands, with the rule that decides."""
    if not found.num_votes:
        size = study_size(0.8, TYPICAL)
        return (
            f"No votes yet. It takes at least {FEWEST} pairs and {FEWEST} voters; if four of five votes are for one "
            f"side, {size.num_pairs} pairs seen by {size.num_voters} voters each ({size.num_pairs * size.num_voters} "
            "votes) show it in four of five studies."
        )
    low, high, kind = found.interval
    text = (
        f"{names[0]} was preferred in {found.wins} of {counted(found.num_votes, 'vote')}: {found.share:.0%}, "
        f"interval {low:.0%} to {high:.0%} ({kind}). "
        f"Rule: a side is preferred where the interval leaves one half out, which takes at least {FEWEST} pairs and "
        f"{FEWEST} voters."
    )
    if found.decided:
        return f"{text} It does: {names[found.share < 0.5]} is preferred."
    if found.share == 0.5:
        return f"{text} Undecided: at exactly one half, a study of no size would show a preference."
    if found.needed is None:
        return f"{text} Undecided, and so few votes cannot say how large a study is needed."
    pairs, voters = counted(found.needed.num_pairs, "pair"), counted(found.needed.num_voters, "voter")
    return f"{text} Undecided: if others vote like these, about {pairs} seen by {voters} each would settle it."


def _names_of_pairs(names: Names | Sequence[Names], num_pairs: int) -> list[Names]:
    """The names of each pair; ValueError unless they are two different ones, for all pairs or for each."""
    of_each = not all(isinstance(one, str) for one in names)
    if of_each and len(names) != num_pairs:
        raise ValueError(f"expected names of each of {num_pairs} pairs, got {len(names)}")
    each = [tuple(one) for one in names] if of_each else [tuple(names)] * num_pairs
    for one in each:
        if len(one) != 2 or one[0] == one[1] or not all(one):
            raise ValueError(f"expected two different names, got {one!r}")
    return each


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
