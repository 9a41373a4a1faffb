"""Votes and their count: the interval against scipy, order and sides of the pairs, a file that survives a crash."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from sdm_lite.progress import counted
from sdm_lite.widgets import preference as p

NAMES = ("guided", "unguided")
HEADER = ",".join(p.COLUMNS)


@pytest.mark.parametrize("wins, num_votes", [(0, 1), (1, 1), (3, 10), (10, 10), (57, 100), (1, 1000)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_the_interval_is_that_of_scipy(wins, num_votes, confidence):
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(wins, num_votes).proportion_ci(confidence, method="wilson")
    found = p.wilson_interval(wins, num_votes, confidence=confidence)
    assert found[:2] == pytest.approx(tuple(expected), abs=1e-12)
    assert found.kind == f"{100 * confidence:g} % Wilson over {counted(num_votes, 'vote')}"


def test_the_interval_covers_what_it_promises():
    # Averaged over probabilities: at a single one, coverage jumps with the whole number of votes.
    stream = np.random.default_rng(0)
    truth = stream.uniform(0.1, 0.9, size=4000)
    ends = np.array([p.wilson_interval(int(wins), 60)[:2] for wins in stream.binomial(60, truth)])
    covered = ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean()
    assert covered == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize("share, power", [(0.55, 0.8), (0.6, 0.8), (0.6, 0.95), (0.7, 0.8), (0.3, 0.8)])
def test_so_many_votes_show_a_preference_as_often_as_was_asked_for(share, power):
    num_votes = p.votes_to_show(share, power=power)
    wins = np.random.default_rng(0).binomial(num_votes, share, size=20_000)
    shown = np.array([p.preference(k, num_votes).votes_needed == 0 for k in range(num_votes + 1)])
    assert shown[wins].mean() == pytest.approx(power, abs=0.05)  # it jumps with the whole number of votes


@pytest.mark.parametrize("bad", [{"share": 0.5}, {"share": 1.0}, {"share": 0.6, "power": 1.0}])
def test_no_number_of_votes_shows_what_is_not_there(bad):
    with pytest.raises(ValueError, match="must lie in"):
        p.votes_to_show(**bad)


def test_without_votes_nothing_is_known():
    found = p.preference(0, 0)
    assert np.isnan(found.share) and found.interval[:2] == (0, 1) and found.votes_needed is None
    assert p.summary(found, NAMES) == "No votes yet."


@pytest.mark.parametrize("wins, num_votes", [(6, 10), (11, 20), (2, 5), (52, 100), (1, 1), (0, 3)])
def test_so_many_more_votes_settle_it_and_not_one_less(wins, num_votes):
    needed = p.preference(wins, num_votes).votes_needed
    assert needed > 0
    for more, settled in ((needed, True), (needed - 1, False)):
        low, high, _ = p.wilson_interval(wins / num_votes * (num_votes + more), num_votes + more)
        assert (low > 0.5 or high < 0.5) == settled


def test_a_settled_study_needs_no_more_votes_and_a_tie_none_would_settle():
    assert p.preference(90, 100).votes_needed == 0 and p.preference(10, 100).votes_needed == 0
    assert p.preference(50, 100).votes_needed is None
    assert "guided is preferred" in p.summary(p.preference(90, 100), NAMES)
    assert "unguided is preferred" in p.summary(p.preference(10, 100), NAMES)
    assert "more votes" in p.summary(p.preference(6, 10), NAMES)
    assert "31% to 83% (95 % Wilson over 10 votes)" in p.summary(p.preference(6, 10), NAMES)


@pytest.mark.parametrize("wins, num_votes", [(2, 1), (-1, 3)])
def test_impossible_counts(wins, num_votes):
    with pytest.raises(ValueError, match="0 <= wins <= num_votes"):
        p.wilson_interval(wins, num_votes)


def test_confidence_must_be_a_probability():
    with pytest.raises(ValueError, match="confidence"):
        p.wilson_interval(1, 2, confidence=95)


def run(study, choose):
    """Votes on everything that is left; returns the pairs and sides in the order in which they came."""
    seen = []
    while (current := study.current()) is not None:
        seen.append(current)
        study.vote(left=choose(*current))
    return seen


def test_every_pair_comes_once_in_an_order_and_on_sides_of_each_voter(tmp_path):
    runs = [run(p.PairStudy(40, NAMES, tmp_path / "v.csv", voter=f"v{i}"), lambda *_: True) for i in range(30)]
    for seen in runs:
        assert sorted(pair for pair, _ in seen) == list(range(40))
    assert len({tuple(pair for pair, _ in seen) for seen in runs}) == 30
    swapped = np.array([[side for _, side in sorted(seen)] for seen in runs])
    assert abs(swapped.mean() - 0.5) < 0.06  # 1200 coins: standard deviation 0.014
    assert 0.2 < swapped.mean(0).min() and swapped.mean(0).max() < 0.8
    # Always choosing the left is no preference.
    assert p.PairStudy(40, NAMES, tmp_path / "v.csv").result().share == pytest.approx(1 - swapped.mean())


def test_the_sides_are_taken_out_of_the_count(tmp_path):
    study = p.PairStudy(20, NAMES, tmp_path / "v.csv")
    run(study, lambda pair, swapped: not swapped)  # always the first name, wherever it stands
    assert study.result().wins == study.result().num_votes == 20


def test_a_voter_who_comes_back_goes_on(tmp_path):
    first = p.PairStudy(6, NAMES, tmp_path / "v.csv", voter="Ada, or somebody")
    order = []
    for _ in range(2):
        order.append(first.current())
        first.vote(left=True)
    again = p.PairStudy(6, NAMES, tmp_path / "v.csv", voter="Ada, or somebody")
    assert again.num_left == 4
    order += run(again, lambda *_: False)
    assert sorted(pair for pair, _ in order) == list(range(6)) and len(again.votes()) == 6
    with pytest.raises(ValueError, match="all 6 pairs"):
        again.vote(left=True)


def test_another_study_in_the_same_file_is_not_counted(tmp_path):
    p.PairStudy(3, ("ddim", "ddpm"), tmp_path / "v.csv").vote(left=True)
    study = p.PairStudy(3, NAMES, tmp_path / "v.csv")
    study.vote(left=True)
    assert len(study.votes()) == 1 and len(p.read_votes(tmp_path / "v.csv")) == 2


CRASH = """
import os, sys
from sdm_lite.widgets.preference import PairStudy
study = PairStudy(9, ("guided", "unguided"), sys.argv[1])
for _ in range(4):
    study.vote(left=True)
os._exit(9)  # no buffer is flushed, nothing is closed
"""


def test_votes_are_in_the_file_when_the_process_dies(tmp_path):
    command = [sys.executable, "-c", CRASH, str(tmp_path / "new" / "v.csv")]
    done = subprocess.run(command, cwd=Path(__file__).resolve().parents[2], check=False)
    assert done.returncode == 9 and len(p.read_votes(tmp_path / "new" / "v.csv")) == 4


def test_each_vote_waits_for_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    study = p.PairStudy(2, NAMES, tmp_path / "v.csv")
    study.vote(left=True)
    assert (tmp_path / "v.csv").stat().st_size in synced


def test_a_vote_that_dies_on_its_way_leaves_the_votes_before_it(tmp_path, monkeypatch):
    study = p.PairStudy(3, NAMES, tmp_path / "v.csv")
    study.vote(left=True)
    before = (tmp_path / "v.csv").read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValueError, match="No space left on device"):
        study.vote(left=True)
    assert (tmp_path / "v.csv").read_bytes() == before and study.num_left == 2


def test_a_whole_class_may_vote_into_one_file(tmp_path):
    def vote(voter):
        run(p.PairStudy(12, NAMES, tmp_path / "v.csv", voter=voter), lambda *_: True)

    threads = [threading.Thread(target=vote, args=(f"v{i}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    votes = p.read_votes(tmp_path / "v.csv")
    assert len({(vote.voter, vote.pair) for vote in votes}) == len(votes) == 72


@pytest.mark.parametrize(
    "text, message",
    [
        ("a,b\n", "holds no votes"),
        (f"{HEADER}\nnow,me,0,guided,unguided,neither\n", "line 2 is no vote"),
        (f"{HEADER}\nnow,me,first,guided,unguided,guided\n", "line 2 is no vote"),
        (f"{HEADER}\nnow,me,0,guided\n", "line 2 is no vote"),
    ],
)
def test_a_file_that_holds_something_else(tmp_path, text, message):
    (tmp_path / "v.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        p.PairStudy(3, NAMES, tmp_path / "v.csv")


def test_a_picture_is_no_file_of_votes_and_a_folder_neither(tmp_path):
    (tmp_path / "v.png").write_bytes(b"\x89PNG\xff\xfe")
    for path in (tmp_path / "v.png", tmp_path):
        with pytest.raises(ValueError, match="cannot be read as votes"):
            p.read_votes(path)


def test_a_vote_that_cannot_be_written_is_not_counted(tmp_path):
    (tmp_path / "file").write_text("")
    study = p.PairStudy(2, NAMES, tmp_path / "v.csv")
    study.votes_file = tmp_path / "file" / "v.csv"
    with pytest.raises(ValueError, match="could not be written"):
        study.vote(left=True)
    assert study.num_left == 2


@pytest.mark.parametrize("num_pairs, names", [(0, NAMES), (3, ("a", "a")), (3, ("a", ""))])
def test_no_study(tmp_path, num_pairs, names):
    with pytest.raises(ValueError, match="expected"):
        p.PairStudy(num_pairs, names, tmp_path / "v.csv")


def test_votes_are_read_where_they_were_cast(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    cast = p.PairStudy(2, ("a", "b"), "~/v.csv").vote(left=True)
    assert p.read_votes("~/v.csv") == [cast]
