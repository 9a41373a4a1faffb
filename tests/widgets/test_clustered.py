"""The interval of a user study: quantile and ends against scipy, and studies without a preference that report none."""

import numpy as np
import pytest

from sdm_lite.widgets import clustered as c


@pytest.mark.parametrize("probability", [0.5, 0.9, 0.975, 0.995])
@pytest.mark.parametrize("degrees_of_freedom", [1, 2, 3, 6, 19, 200])
def test_the_quantile_is_that_of_scipy(probability, degrees_of_freedom):
    stats = pytest.importorskip("scipy.stats")
    expected = stats.t.ppf(probability, degrees_of_freedom)
    assert c.student_quantile(probability, degrees_of_freedom) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("wins, num_votes", [(0, 1), (1, 1), (3, 10), (10, 10), (57, 100), (1, 1000)])
def test_the_ends_are_those_of_scipy(wins, num_votes):
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(wins, num_votes).proportion_ci(0.95, method="wilson")
    assert c.wilson_ends(wins / num_votes, num_votes, stats.norm.ppf(0.975)) == pytest.approx(tuple(expected))


def reports(stream, num_pairs, num_voters, *, pairs, voters, share=0.5, seen=1.0):
    """Which side a study prefers, 0 if neither, whose pairs' and voters' shares lie so far above or below."""
    shares = share + pairs * stream.choice([-1, 1], (num_pairs, 1)) + voters * stream.choice([-1, 1], (1, num_voters))
    pair, voter = np.nonzero(stream.random(shares.shape) < seen)
    interval = c.share_interval(stream.random(len(pair)) < shares[pair, voter], pair, voter)
    return (interval.low > 0.5) - (interval.high < 0.5)


# Counted as so many independent votes, 20 to 70 % of these studies report a preference that is not there.
@pytest.mark.parametrize(
    "num_pairs, num_voters, pairs, voters, seen",
    [(20, 20, 0.3, 0.0, 1.0), (20, 20, 0.0, 0.3, 1.0), (20, 10, 0.2, 0.2, 1.0), (30, 12, 0.3, 0.1, 0.5)],
)
def test_studies_without_a_preference_report_one_in_about_a_twentieth(num_pairs, num_voters, pairs, voters, seen):
    stream = np.random.default_rng(1)
    found = [reports(stream, num_pairs, num_voters, pairs=pairs, voters=voters, seen=seen) for _ in range(300)]
    assert 0 < np.count_nonzero(found) <= 0.09 * len(found)  # 5 %, and three standard errors


@pytest.mark.parametrize("share", [0.6, 0.3])
def test_so_many_pairs_and_voters_show_a_preference_as_often_as_was_asked_for(share):
    stream, spread = np.random.default_rng(0), c.Spread(0.04, 0.01, share * (1 - share) - 0.05)
    size = c.study_size(share, spread, power=0.8)
    found = [reports(stream, *size, pairs=0.2, voters=0.1, share=share) for _ in range(300)]
    assert np.mean(np.equal(found, np.sign(share - 0.5))) == pytest.approx(0.8, abs=0.08)
    assert c.voters_needed(share, spread, size.num_pairs) == size.num_voters


def test_where_pairs_differ_no_number_of_voters_makes_up_for_pairs():
    spread = c.Spread(0.04, 0.01, 0.19)
    assert c.voters_needed(0.6, spread, 10) is None and c.voters_needed(0.6, spread, 100) < 30
    assert c.voters_needed(0.6, spread._replace(pairs=0.0), 10) is not None


def test_the_spread_of_a_study_is_found():
    stream, found = np.random.default_rng(0), []
    for _ in range(100):
        shares = 0.5 + 0.2 * stream.choice([-1, 1], (30, 1)) + 0.1 * stream.choice([-1, 1], (1, 40))
        votes = stream.random(shares.shape) < shares
        pairs, voters = np.indices(shares.shape)
        found.append(c.spread_of(votes.ravel(), pairs.ravel(), voters.ravel()))
    assert np.mean(found, axis=0) == pytest.approx((0.04, 0.01, 0.2), rel=0.08)
    assert c.spread_of([True, False], [0, 1], ["Ada", "Ada"]) is None


def test_a_voter_counts_once_and_a_pair_once():
    """Clusters are found by name, in any order, and votes that say the same again make nothing surer."""
    stream = np.random.default_rng(2)
    pairs, voters = (part.ravel() for part in np.indices((12, 9)))
    won = stream.random(pairs.size) < 0.6
    once = c.share_interval(won, pairs, [f"voter {v}" for v in voters])
    order = stream.permutation(pairs.size)
    assert c.share_interval(won[order], pairs[order], voters[order])[:2] == pytest.approx(once[:2])
    again = c.share_interval(np.tile(won, 5), np.tile(pairs, 5), np.tile(voters, 5))
    assert again.high - again.low > 0.9 * (once.high - once.low)


@pytest.mark.parametrize("bad", [{"share": 0.5}, {"share": 1.1}, {"power": 1.0}, {"confidence": 95}])
def test_no_size_shows_what_is_not_there(bad):
    with pytest.raises(ValueError, match="must lie in"):
        c.voters_needed(**({"share": 0.6, "spread": c.Spread(0.04, 0.01, 0.19), "num_pairs": 20} | bad))


def test_votes_that_are_none():
    with pytest.raises(ValueError, match="a pair and a voter for each vote, got 2, 1 and 2"):
        c.share_interval([True, False], [0], ["a", "b"])
    with pytest.raises(ValueError, match="confidence"):
        c.share_interval([True, False], [0, 1], ["a", "b"], confidence=95)
