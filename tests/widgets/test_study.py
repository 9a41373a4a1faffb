"""The study as a widget: votes land in the file under the right name, whichever side it stood on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_world import tiny_model, tiny_scenes

from sdm_lite.pictures import to_uint8
from sdm_lite.viz import colorize
from sdm_lite.widgets import Pair, SampleSettings, UserStudy, paint_pairs, sample_pairs
from sdm_lite.widgets import study as widgets_study
from sdm_lite.widgets.base import picture_tag
from sdm_lite.widgets.drawing import condition_of, draw_sample
from sdm_lite.widgets.preference import read_votes

pytest.importorskip("ipywidgets")
pytest.importorskip("matplotlib")

NAMES = ("guided", "unguided")


def flat(value):
    return np.full((4, 4, 3), value, np.uint8)


PAIRS = [Pair(flat(0), flat(10 + n), flat(200 + n)) for n in range(5)]


@pytest.fixture
def live(monkeypatch):
    monkeypatch.delenv("SDM_LITE_STATIC", raising=False)


def guided_is_left(study):
    """Whether the picture on the left is the first of its pair, read off the page."""
    left = study._pictures.value.split("<figure")[2]
    return any(picture_tag(pair.first, "left", side=160) in left for pair in PAIRS)


def test_votes_are_counted_by_what_was_chosen_and_not_by_its_side(live, tmp_path):
    study = UserStudy(PAIRS, NAMES, tmp_path / "votes.csv", voter="Ada")
    sides = []
    for number in range(5):
        assert f"pair {number + 1} of 5" in study._line.value
        assert "guided" not in study._pictures.value + study._line.value  # blind
        sides.append(guided_is_left(study))
        (study._left if sides[-1] else study._right).click()
    assert len(set(sides)) == 2
    votes = read_votes(tmp_path / "votes.csv")
    assert [vote.chosen for vote in votes] == ["guided"] * 5 and {vote.voter for vote in votes} == {"Ada"}
    assert "All 5 pairs are done" in study._line.value and study._left.disabled and study._right.disabled
    study.vote(left=True)
    assert "all 5 pairs" in study._line.value and len(read_votes(tmp_path / "votes.csv")) == 5


def test_the_result_is_shown_when_asked_for_and_hidden_by_the_next_vote(live, tmp_path):
    study = UserStudy(PAIRS, NAMES, tmp_path / "votes.csv")
    study.vote(left=True)
    assert study._result.value == ""
    study._show_result()
    assert "of 1 vote" in study._result.value and "Undecided" in study._result.value
    study.vote(left=True)
    assert study._result.value == ""


def test_another_voter_starts_anew_and_the_first_may_come_back(live, tmp_path):
    study = UserStudy(PAIRS, NAMES, tmp_path / "votes.csv", voter="Ada")
    study.vote(left=True)
    study._voter.value = "Bob"
    assert "pair 1 of 5" in study._line.value and study.study.voter == "Bob"
    study.vote(left=False)
    study._voter.value = "Ada"
    assert "pair 2 of 5" in study._line.value
    assert study.study.result().num_votes == 2
    again = UserStudy(PAIRS, NAMES, tmp_path / "votes.csv", voter="Ada")  # a kernel that was restarted
    assert "pair 2 of 5" in again._line.value


def test_a_vote_that_cannot_be_kept_is_a_line_and_the_pair_stays(live, tmp_path):
    (tmp_path / "file").write_text("")
    study = UserStudy(PAIRS, NAMES, tmp_path / "votes.csv")
    study.study.votes_file = tmp_path / "file" / "votes.csv"
    before = study._pictures.value
    study.vote(left=True)
    assert 'role="alert"' in study._line.value and study._pictures.value == before


def test_a_file_that_goes_bad_meanwhile_is_a_line(live, tmp_path):
    study = UserStudy(PAIRS, NAMES, tmp_path / "votes.csv")
    (tmp_path / "votes.csv").write_text("something else\n")
    study._show_result()
    assert 'role="alert"' in study._line.value
    study._line.value = ""
    study._voter.value = "Bob"
    assert 'role="alert"' in study._line.value


def test_without_widgets_pairs_and_result_stand_in_a_figure(monkeypatch, tmp_path):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    study = UserStudy(PAIRS, NAMES, tmp_path / "votes.csv")
    shown = study.figures()
    study.vote(left=True)  # as any cell may
    assert study.study.result().num_votes == 1
    shown += study.figures()
    before, after = (" ".join(text.get_text() for text in figure.axes[0].texts) for figure in shown)
    assert "No votes yet" in before and "of 1 vote" in " ".join(after.split())


def test_without_widgets_sides_and_order_are_hidden_too(monkeypatch, tmp_path):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    monkeypatch.setattr(widgets_study, "show_grid", lambda rows, **words: (rows, words))
    studies = [UserStudy(PAIRS, NAMES, tmp_path / "votes.csv", voter=voter) for voter in ("Ada", "Bob", "Cy")]
    sides = []
    for study in studies:
        ((rows, words),) = study.figures()
        assert not any(name in repr(words) for name in NAMES)
        assert len(rows) == len(PAIRS)
        for (_, left, right), (pair, swapped) in zip(rows, study.study.coming(), strict=True):
            expected = (PAIRS[pair].first, PAIRS[pair].second)[:: -1 if swapped else 1]
            assert left is expected[0] and right is expected[1]
        sides.append([(rows[n][1].max(), rows[n][2].max()) for n in range(len(rows))])
    assert sides[0] != sides[1] != sides[2]  # of each voter's own
    for _ in PAIRS:
        studies[0].vote(left=True)
    ((rows, words),) = studies[0].figures()
    assert "done" in words["title"] and "of 5 votes" in words["caption"]


def test_pairs_are_samples_from_one_noise_at_two_scales(capsys, monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    settings = SampleSettings(num_steps=3, seed=5)
    pairs = sample_pairs(tiny_model(), tiny_scenes(), [3, 8], guidance_scales=(2.0, 1.0), settings=settings)
    model = tiny_model()
    for number, index in enumerate((3, 8)):
        condition = condition_of(model, tiny_scenes()[index])
        for scale, picture in ((2.0, pairs[number].first), (1.0, pairs[number].second)):
            expected = replace(settings, guidance_scale=scale, seed=5 + number)
            assert np.array_equal(picture, draw_sample(model, condition, expected, list).picture)
    assert pairs[0].label_map.shape == to_uint8(tiny_scenes()[3].image).shape
    assert "sampling pairs: 12 steps" in capsys.readouterr().out


def test_bad_arguments(live, tmp_path):
    with pytest.raises(ValueError, match="at least one pair"):
        UserStudy([], NAMES, tmp_path / "votes.csv")
    with pytest.raises(ValueError, match="guidance_scale"):
        sample_pairs(tiny_model(), tiny_scenes(), [1], guidance_scales=(1.0, -1.0))


def grey(value):
    """Whatever draws: pictures of one grey, told apart by their seeds."""
    return lambda label_maps, instance_maps, seeds: torch.stack(
        [torch.full((3, *label_maps.shape[1:]), value + 0.01 * seed) for seed in seeds]
    )


def test_pairs_are_painted_by_whatever_draws_from_one_seed_a_layout():
    scenes = tiny_scenes()
    pairs = paint_pairs(grey(0.0), grey(-0.5), scenes, [3, 8], seed=4)
    for number, index in enumerate((3, 8)):
        assert np.array_equal(pairs[number].label_map, colorize(scenes[index].label_map, scenes.palette))
        for value, picture in ((0.0, pairs[number].first), (-0.5, pairs[number].second)):
            expected = to_uint8(torch.full((3, 16, 16), value + 0.01 * (4 + number)))
            assert np.array_equal(picture, expected)
    with pytest.raises(ValueError, match="at least one layout"):
        paint_pairs(grey(0.0), grey(-0.5), scenes, [])


def test_against_several_rivals_pairs_come_mixed_and_each_has_a_result(live, tmp_path):
    names = [("SDM", rival) for rival in ("SPADE", "INADE", "OASIS") for _ in range(4)]
    pairs = [Pair(flat(0), flat(10), flat(200 + n)) for n in range(12)]
    study = UserStudy(pairs, names, tmp_path / "votes.csv")
    order = [names[pair][1] for pair, _ in study.study.coming()]
    assert order != sorted(order, key=["SPADE", "INADE", "OASIS"].index)
    while study.study.current() is not None:
        assert not any(name in study._pictures.value + study._line.value for name in ("SDM", "SPADE", "INADE", "OASIS"))
        pair, swapped = study.study.current()
        for_sdm = names[pair][1] != "OASIS"
        study.vote(left=for_sdm != swapped)
    wins = {contest[1]: study.study.result(contest).wins for contest in study.study.contests}
    assert wins == {"SPADE": 4, "INADE": 4, "OASIS": 0}
    study._show_result()
    for rival in wins:
        assert f"SDM and {rival}: " in study._result.value
    assert UserStudy(pairs, names, tmp_path / "votes.csv").study.num_left == 0  # a kernel that was restarted
