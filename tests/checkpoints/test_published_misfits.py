"""Tensors that do not make a network of the family are named, and do not mislead what is inferred from the rest."""

from dataclasses import replace

import pytest
import torch
from networks import SMALL, formula_weights

from sdm_lite.checkpoints import load_published
from sdm_lite.checkpoints.published import infer_config
from sdm_lite.checkpoints.published_names import published_shapes
from sdm_lite.unet import SDMUNet


@pytest.fixture
def small():
    return formula_weights(SMALL)


def test_no_single_missing_or_misshapen_tensor_changes_what_is_inferred():
    with torch.device("meta"):
        shapes = published_shapes(SDMUNet(SMALL))
    for name, shape in shapes.items():
        for wrong in ((shape[0] + 2, *shape[1:]), tuple(size + 2 for size in shape), ()):
            assert infer_config(shapes | {name: wrong}, channels_per_head=32) == SMALL
        without = {key: value for key, value in shapes.items() if key != name}
        assert infer_config(without, channels_per_head=32) == SMALL


@pytest.mark.parametrize(
    "name",
    ["time_embed.0.weight", "input_blocks.0.0.weight", "middle_block.0.in_norm.mlp_shared.0.weight"]
    + ["output_blocks.1.1.qkv.weight", "output_blocks.3.0.in_norm.mlp_beta.bias", "out.2.weight"],
)
def test_a_missing_or_misshapen_tensor_is_named(small, name):
    with pytest.raises(ValueError, match=rf"network: missing {name}$"):
        load_published({key: value for key, value in small.items() if key != name}, channels_per_head=32)
    shape = tuple(small[name].shape)
    with pytest.raises(ValueError) as told:
        load_published(small | {name: torch.zeros(shape[0] + 2, *shape[1:])}, channels_per_head=32)
    assert str(told.value).endswith(f"network: {name}: expected {shape}, got {(shape[0] + 2, *shape[1:])}")


def test_surplus_tensors_are_named(small):
    with pytest.raises(ValueError, match=r"^the mapping does not fit this network: not expected label_emb\.weight$"):
        load_published(small | {"label_emb.weight": torch.zeros(3, 3)}, channels_per_head=32)


@pytest.mark.parametrize("channels_per_head", [48, 0, -1, 128])
def test_a_head_width_that_does_not_divide_is_told(small, channels_per_head):
    with pytest.raises(ValueError, match="channels_per_head") as told:
        load_published(small, channels_per_head=channels_per_head)
    assert str(channels_per_head) in str(told.value) and "\n" not in str(told.value)


def plain_adm(weights):
    return {name: value for name, value in weights.items() if "_norm." not in name}


def convolutional_resampling(weights):
    return weights | {"input_blocks.2.0.op.weight": torch.zeros(32, 32, 3, 3)}


def half_a_level(weights):
    return {name: value for name, value in weights.items() if not name.startswith("output_blocks.3.")}


def of_other_width(weights):
    return weights | {name: torch.zeros(5, 77) for name in weights if name.endswith("emb_layers.1.weight")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (plain_adm, "116 tensors .* is a SPADE.s, .*; a plain ADM network takes no label map"),
        (convolutional_resampling, r"convolutions of their own \(input_blocks\.2\.0\.op\.weight\)"),
        (half_a_level, "expected levels of equally many"),
        (of_other_width, "expected a multiple of its 19 base channels"),
        (lambda weights: {}, "no SDM checkpoint"),
        (
            lambda weights: {"down_blocks.0.conv.weight": torch.zeros(1)},
            "no SDM checkpoint, as none of its 1 tensors .the first is down_blocks",
        ),
        (lambda weights: {"out.0.mlp_shared.0.weight": torch.zeros(4)}, "no whole SDM checkpoint"),
        (lambda weights: weights | {"step": 3}, "'step' of int, expected floating-point"),
        (lambda weights: weights | {"ids": torch.zeros(3, dtype=torch.int64)}, "'ids' of torch.int64"),
        (lambda weights: {"state": {}, "param_groups": []}, "state of an optimiser"),
        (lambda weights: {"model": weights, "ema": weights}, r"several networks \(model, ema\)"),
    ],
)
def test_tensors_of_another_network_are_told(small, change, message):
    with pytest.raises(ValueError, match=message) as told:
        load_published(change(small), channels_per_head=32)
    assert "\n" not in str(told.value)


def test_a_network_too_narrow_for_32_groups_is_told():
    config = replace(SMALL, base_channels=16, num_groups=16, channels_per_head=16)
    with torch.device("meta"):
        weights = {name: torch.empty(shape) for name, shape in published_shapes(SDMUNet(config)).items()}
    with pytest.raises(ValueError, match="level 0 has 16 channels, not divisible into 32 groups"):
        load_published(weights, channels_per_head=16)
