"""Votes and their count: what a study says and takes, order and sides of the pairs, a file that survives a crash."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from sdm_lite.widgets import preference as p

NAMES = ("guided", "unguided")
HEADER = ",".join(p.COLUMNS)


def crossed(table):
    """The votes of a table of pairs by voters, as `preference` takes them."""
    pairs, voters = np.indices(np.shape(table))
    return np.ravel(table), pairs.ravel(), voters.ravel()


def test_without_votes_nothing_is_known():
    found = p.preference([], [], [])
    assert np.isnan(found.share) and found.interval[:2] == (0, 1) and not found.decided and found.needed is None
    told = p.summary(found, NAMES)
    assert told.startswith("No votes yet. It takes at least 7 pairs and 7 voters")
    assert "11 pairs seen by 8 voters each (88 votes)" in told  # as docs/user_study.md has it


def test_a_settled_study_says_who_is_preferred_and_by_which_rule():
    won = p.preference(*crossed(np.ones((10, 8))))
    assert won.decided and won.needed == won.size == (10, 8)
    assert "It does: guided is preferred" in p.summary(won, NAMES)
    assert "It does: unguided is preferred" in p.summary(p.preference(*crossed(np.zeros((10, 8)))), NAMES)
    assert "leaves one half out, which takes at least 7 pairs and 7 voters" in p.summary(won, NAMES)
    assert "80 votes: 100%" in p.summary(won, NAMES) and "clustered by 10 pairs and 8 voters" in p.summary(won, NAMES)


@pytest.mark.parametrize("shape", [(100, 1), (1, 100), (100, 6), (6, 100)])
def test_however_many_votes_few_pairs_or_voters_decide_nothing(shape):
    found = p.preference(*crossed(np.ones(shape)))
    assert not found.decided and "Undecided" in p.summary(found, NAMES)


def test_an_undecided_study_says_how_many_pairs_and_voters_it_takes_and_so_many_do():
    stream = np.random.default_rng(0)
    table = stream.random((12, 9)) < 0.65 + 0.2 * stream.choice([-1, 1], (12, 1))
    found = p.preference(*crossed(table))
    assert not found.decided and found.needed.num_pairs > 12 and found.needed.num_voters >= 9
    assert f"about {found.needed.num_pairs} pairs seen by {found.needed.num_voters} voters" in p.summary(found, NAMES)
    repeats = 2 * np.ceil(np.divide(found.needed, table.shape)).astype(int)
    assert p.preference(*crossed(np.tile(table, repeats))).decided


def test_a_tie_is_settled_by_no_study():
    found = p.preference(*crossed(np.indices((8, 8)).sum(0) % 2))
    assert found.share == 0.5 and found.needed is None and "of no size" in p.summary(found, NAMES)


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


def test_the_votes_of_one_contest_are_no_votes_of_another(tmp_path):
    names = [("SDM", "SPADE"), ("SDM", "OASIS")] * 4
    study = p.PairStudy(8, names, tmp_path / "v.csv")
    assert study.contests == (("SDM", "SPADE"), ("SDM", "OASIS"))
    assert len(study.told()) == 1 and study.told()[0].startswith("No votes yet.")
    run(study, lambda pair, swapped: (pair % 2 == 0) != swapped)  # SDM against SPADE, OASIS against SDM
    assert [study.result(one).wins for one in study.contests] == [4, 0]
    assert [study.result(one).num_votes for one in study.contests] == [4, 4]
    assert "SDM and SPADE: SDM was preferred in 4 of 4 votes" in study.told()[0]
    with pytest.raises(ValueError, match="names must be one of SDM and SPADE, SDM and OASIS, got"):
        study.result(("SDM", "INADE"))


def test_votes_of_another_study_in_the_file_take_no_pair_away(tmp_path):
    run(p.PairStudy(4, NAMES, tmp_path / "v.csv"), lambda *_: True)
    assert p.PairStudy(4, ("SDM", "SPADE"), tmp_path / "v.csv").num_left == 4


@pytest.mark.parametrize(
    "num_pairs, names",
    [(0, NAMES), (3, ("a", "a")), (3, ("a", "")), (3, [NAMES]), (2, [NAMES, ("a", "a")]), (1, ("a", "b", "c"))],
)
def test_no_study(tmp_path, num_pairs, names):
    with pytest.raises(ValueError, match="expected"):
        p.PairStudy(num_pairs, names, tmp_path / "v.csv")


def test_votes_are_read_where_they_were_cast(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    cast = p.PairStudy(2, ("a", "b"), "~/v.csv").vote(left=True)
    assert p.read_votes("~/v.csv") == [cast]
