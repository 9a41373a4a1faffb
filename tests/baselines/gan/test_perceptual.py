"""The perceptual network: a distance, learned without the judge, and never the judge."""

import json

import pytest
import torch
from commands import refused

from sdm_lite.baselines import __main__ as command
from sdm_lite.baselines.gan.perceptual import (
    CARD_SEED,
    DATA_SEED,
    STAGE_WEIGHTS,
    FeatureNetwork,
    damage,
    load_features,
    perceptual_distance,
    train_features,
)
from sdm_lite.checkpoints import DATA_DIR, load_tensors
from sdm_lite.judge import load_judge
from sdm_lite.scenes import TEST_SEED, TRAIN_SEED, VALIDATION_SEED, Scenes


@pytest.fixture(scope="module")
def pictures():
    scenes = Scenes(32, length=6, seed=7)
    return torch.stack([scenes[i].image for i in range(6)])


@pytest.mark.parametrize("size", [32, 64])
def test_the_shipped_network_is_a_distance_and_small(size):
    scenes, network = Scenes(size, length=6, seed=7), load_features(f"perceptual-{size}")
    images = torch.stack([scenes[i].image for i in range(6)])
    features = network(images)
    assert [h.shape[2] for h in features] == [size // 2**k for k in range(5)] and len(STAGE_WEIGHTS) == 5
    assert perceptual_distance(features, features) == 0
    shifted = perceptual_distance(features, network(images.roll(1, 3)))
    assert 0 < shifted < perceptual_distance(features, network(images.roll(1, 0)))
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert (DATA_DIR / f"perceptual-{size}.safetensors").stat().st_size < 4e5


def test_stages_weigh_as_they_are_told_and_pass_gradients(pictures):
    network = load_features()
    of, other = network(pictures), network(pictures.flip(0))
    each = [perceptual_distance(of, other, [float(k == n) for n in range(5)]) for k in range(5)]
    whole = sum(weight * one for weight, one in zip(STAGE_WEIGHTS, each, strict=True))
    torch.testing.assert_close(perceptual_distance(of, other), whole)
    assert all(0.2 < one < 5 for one in each), "each in units of how far two pictures are apart"
    drawn = pictures.clone().requires_grad_()
    perceptual_distance(network(drawn), other).backward()
    assert drawn.grad.abs().sum() > 0


def test_it_is_not_the_judge():
    with pytest.raises(ValueError, match="judge-32.safetensors: expected features that score nothing, got a judge"):
        load_features("judge-32")
    with pytest.raises(ValueError, match="expected the format 'sdm_lite perceptual 1', got 'sdm_lite model 1'"):
        load_features("scenes-32")
    assert not {DATA_SEED, CARD_SEED} & {TRAIN_SEED, VALIDATION_SEED, TEST_SEED}
    shipped, judge = load_features(), load_judge()
    assert not set(shipped.channels[:-1]) & set(judge.config.channels)


def test_training_learns_from_pictures_alone_and_is_a_function_of_its_arguments():
    images = Scenes(32, length=8, seed=DATA_SEED).materialize(range(8)).images
    losses, networks = [], []
    for seed in (0, 0, 1):
        steps = list(train_features(images, num_steps=12, batch_size=4, seed=seed))
        losses.append([step.loss for step in steps])
        networks.append(steps[-1].network)
    assert losses[0] == losses[1] != losses[2] and losses[0][-1] < losses[0][0]
    some = images.float() / 127.5 - 1
    apart = [(a - b).abs().mean() for a, b in zip(networks[0](some), networks[0](some.roll(1, 0)), strict=True)]
    torch.testing.assert_close(torch.stack(apart), torch.ones(5), atol=1e-4, rtol=0)


def test_damage_is_noise_and_holes(pictures):
    damaged = damage(pictures, torch.Generator().manual_seed(0))
    holes = (damaged == 0).all(1)  # (B, H, W)
    assert all(64 <= count <= 3 * 64 for count in holes.sum((1, 2)).tolist())
    assert not torch.equal(damaged[~holes[:, None].expand_as(damaged)], pictures[~holes[:, None].expand_as(damaged)])


def test_the_command_writes_a_file_that_loads_and_its_card(tmp_path, capsys):
    output = tmp_path / "features.safetensors"
    words = ["perceptual", "--size", "32", "--num-steps", "2", "--num-images", "4", "--batch-size", "2"]
    assert command.main([*words, "--output", str(output)]) == 0
    facts = json.loads(load_tensors(output)[1]["facts"])
    card = output.with_suffix(".md").read_text()
    assert facts["command"] in card and facts["data_seed"] == DATA_SEED
    assert isinstance(load_features(output), FeatureNetwork)
    refused(capsys, command.main, [*words, "--output", str(tmp_path / "a.txt")], "--output must end in .safetensors")
    wrong = [*words[:1], "--size", "40", *words[3:], "--output", str(output)]
    refused(capsys, command.main, wrong, "expected size divisible by 16")
