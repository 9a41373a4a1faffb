"""The ruler's ruler in small: every corruption of true pictures is seen by the scores that claim to see it."""

import pytest
import torch

from sdm_lite import evaluate, metrics
from sdm_lite.evaluate import Sizes, corruptions
from sdm_lite.evaluate.corruptions import CORRUPTIONS, TruePictures
from sdm_lite.judge import load_judge
from sdm_lite.scenes import VALIDATION_SEED, Scenes

SIZES = Sizes(40, num_renders=4, samples_per_layout=3, num_diversity_layouts=16, scenes_seed=VALIDATION_SEED)


@pytest.fixture(scope="module")
def tried():
    judge = load_judge("judge-32")
    return corruptions.spoiled_and_clean(judge, evaluate.measure_truth(judge, SIZES))


@pytest.fixture(scope="module")
def true():
    scenes = Scenes(32, length=5, seed=3)
    pictures = torch.stack([scenes.render(1, seed) for seed in range(2, 4)])
    return TruePictures(scenes, 1, range(2, 4), pictures, *scenes.layout(1))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_seen_by_the_scores_that_claim_to_see_it(tried, name):
    found = corruptions.differences(tried[name], tried["clean"], num_resamples=100)
    blind = [key for key in CORRUPTIONS[name].seen_by if not corruptions.sees(found[key])]
    assert not blind, {key: (found[key].value, found[key].interval[:2]) for key in blind}


def test_an_hour_that_is_held_fixed_is_not_seen(tried):
    found = corruptions.differences(tried["always day"], tried["clean"], num_resamples=100)
    assert found["frechet"].value > 10 * found["frechet_within"].value


def test_clean_pictures_are_no_farther_from_the_truth_than_themselves(tried):
    found = corruptions.differences(tried["clean"], tried["clean"], num_resamples=5)
    assert all(measure.value == 0 and not corruptions.sees(measure) for measure in found.values())


def test_flat_colours_are_one_colour_an_object(true):
    spoiled = corruptions.flat_colours(true)
    for instance in true.instance_map.unique():
        where = true.instance_map == instance
        torch.testing.assert_close(spoiled[..., where].mean(2), true.pictures[..., where].mean(2))
        assert spoiled[..., where].std(2).max() < 1e-5 or where.sum() == 1


def test_blur_and_noise_are_as_large_as_they_say(true):
    spoiled = corruptions.blurred(true)
    torch.testing.assert_close(spoiled[1, :, 4, 7], true.pictures[1, :, 3:6, 6:9].mean((1, 2)))
    noise = corruptions.noisy(true) - true.pictures
    inner = true.pictures.abs() < 0.8  # where nothing is cut off
    assert noise[inner].std().item() == pytest.approx(0.05, rel=0.05)
    assert torch.equal(corruptions.noisy(true), corruptions.noisy(true))


def test_hard_edges_change_edges_alone_and_take_colours_from_inside_the_object(true):
    spoiled, edges = corruptions.hard_edges(true), metrics.edge_pixels(true.label_map)
    assert torch.equal(spoiled[..., ~edges], true.pictures[..., ~edges])
    assert (spoiled[..., edges] != true.pictures[..., edges]).float().mean() > 0.5
    maps = true.label_map.expand(2, -1, -1)
    assert (metrics.edge_sharpness(spoiled, maps) > metrics.edge_sharpness(true.pictures, maps)).all()


def test_the_others_are_true_pictures_at_the_wrong_place(true):
    assert torch.equal(corruptions.other_layout(true)[1], true.scenes.render(2, 3))
    assert torch.equal(corruptions.duplicates(true)[1], true.pictures[0])
    day = true.scenes.appearance(1, 3)._replace(time_of_day=0)
    assert torch.equal(corruptions.always_day(true)[1], true.scenes.render_as(1, day))
