"""What a run starts from: with `adapt` what fits of another class list, and a line of what is begun anew."""

from dataclasses import replace

import pytest
import torch
from networks import LEAST, randomised

from sdm_lite.checkpoints import save_model
from sdm_lite.diffusion import DiffusionConfig
from sdm_lite.train import LITE_DIFFUSION, RunConfig
from sdm_lite.train.start import READS_LABELS, find_start

LEAST_12 = replace(LEAST, num_classes=12)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "scenes.safetensors"
    save_model(path, randomised(LEAST), LITE_DIFFUSION, facts={"dataset": "scenes"})
    return str(path)


def test_layers_that_fit_another_class_list_are_taken_and_the_others_told(weights):
    start = find_start(RunConfig(dataset="camvid", root="x", start_from=weights, adapt=True), LEAST_12)
    own, source = randomised(LEAST_12, seed=1), randomised(LEAST).state_dict()
    before = {name: tensor.clone() for name, tensor in own.state_dict().items()}
    assert start.left and all(name.endswith(READS_LABELS) for name in start.left)
    assert set(start.left) == {name for name in before if name.endswith(READS_LABELS)}
    own.load_state_dict(start.tensors, strict=False)
    for name, tensor in own.state_dict().items():
        assert torch.equal(tensor, before[name] if name in start.left else source[name]), name
    taken = sum(tensor.numel() for name, tensor in before.items() if name not in start.left)
    assert start.share == pytest.approx(taken / sum(tensor.numel() for tensor in before.values()))
    told = start.told("mine")
    assert told.startswith("of mine, trained on scenes (11 classes, here 12): ")
    assert told.endswith(f"begun anew: {len(start.left)} shared.weight")


def test_as_many_classes_of_other_data_are_other_classes(weights):
    start = find_start(RunConfig(dataset="folder", root="x", start_from=weights, adapt=True), LEAST)
    assert start.left and all(name.endswith(READS_LABELS) for name in start.left)
    same = find_start(RunConfig(start_from=weights, adapt=True), LEAST)
    assert same.left == [] and same.share == 1.0


@pytest.mark.parametrize(
    ("options", "network", "message"),
    [
        ({}, LEAST_12, "11 classes .* has 12 classes .*; --adapt takes the layers that fit"),
        ({"adapt": True}, replace(LEAST_12, base_channels=16), r"fits \d+\.\d% of this network: adapt needs 50%"),
        ({"adapt": True, "diffusion": DiffusionConfig("linear", 1000, "v")}, LEAST, "trained with schedule cosine"),
    ],
)
def test_what_cannot_be_started_from_is_told(weights, options, network, message):
    with pytest.raises(ValueError, match=message):
        find_start(RunConfig(start_from=weights, **options), network)


def test_adapt_needs_weights():
    with pytest.raises(ValueError, match="adapt needs start_from"):
        RunConfig(adapt=True)
