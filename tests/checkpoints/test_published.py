"""The published layout: any member of the family loads and agrees with its names read literally."""

import math
from dataclasses import replace

import pytest
import torch
from networks import SMALL, formula_weights, stored_example
from torch.nn import functional as F

from sdm_lite.checkpoints import load_published
from sdm_lite.checkpoints.published import infer_config
from sdm_lite.checkpoints.published_names import published_names, published_shapes
from sdm_lite.labels import encode_labels, null_like
from sdm_lite.presets import PRESETS
from sdm_lite.unet import SDMUNet

FAMILY = {
    "small": SMALL,
    "four levels, wide": replace(
        SMALL,
        image_size=(32, 64),
        channel_multipliers=(1, 2, 3, 4),
        attention_resolutions=(16, 4),
        channels_per_head=16,
    ),
    "no attention but the middle's, three blocks": replace(SMALL, attention_resolutions=(), num_res_blocks=3),
    "attention everywhere, tall": replace(
        SMALL, image_size=(24, 8), channel_multipliers=(1, 1, 2), attention_resolutions=(24, 12, 6), num_res_blocks=2
    ),
    "twice as wide from the start": replace(SMALL, channel_multipliers=(2, 4)),
    "64 channels, one level": replace(SMALL, base_channels=64, channel_multipliers=(1,), attention_resolutions=()),
    "narrower below, 1x1 modulation": replace(
        SMALL, channel_multipliers=(1, 3, 2), spade_kernel_size=1, attention_resolutions=(16,), channels_per_head=8
    ),
    "no weights for resampling": replace(
        SMALL, channel_multipliers=(1, 2, 2), residual_resampling=False, attention_resolutions=(4,)
    ),
}


def forward_by_name(weights, config, x_t, index, condition):
    """The published network, written a second time straight from its names: nothing of sdm_lite in it."""

    def convolve(h, name):
        weight = weights[f"{name}.weight"]
        return F.conv2d(h, weight, weights[f"{name}.bias"], padding=weight.shape[-1] // 2)

    def norm(h, name="none"):
        return F.group_norm(h, 32, weights.get(f"{name}.weight"), weights.get(f"{name}.bias"))

    def spade(h, name):
        hidden = F.relu(convolve(F.interpolate(condition, h.shape[2:], mode="nearest"), f"{name}.mlp_shared.0"))
        return norm(h) * (1 + convolve(hidden, f"{name}.mlp_gamma")) + convolve(hidden, f"{name}.mlp_beta")

    def block(h, name, resample):
        labelled = f"{name}.in_norm.mlp_shared.0.weight" in weights
        out = F.silu(spade(h, f"{name}.in_norm") if labelled else norm(h, f"{name}.in_layers.0"))
        out = convolve(resample(out), f"{name}.in_layers.{1 if labelled else 2}")
        scale, shift = linear(F.silu(embedding), f"{name}.emb_layers.1")[:, :, None, None].chunk(2, dim=1)
        out = spade(out, f"{name}.out_norm") if labelled else norm(out, f"{name}.out_layers.0")
        out = convolve(F.silu(out * (1 + scale) + shift), f"{name}.out_layers.{2 if labelled else 3}")
        skip = resample(h)
        return out + (convolve(skip, f"{name}.skip_connection") if f"{name}.skip_connection.bias" in weights else skip)

    def attend(h, name):
        channels = config.channels_per_head
        rows = norm(h, f"{name}.norm").flatten(2)
        heads = F.conv1d(rows, weights[f"{name}.qkv.weight"], weights[f"{name}.qkv.bias"]).split(3 * channels, dim=1)
        mixed = []
        for head in heads:
            q, k, v = head.split(channels, dim=1)
            mixed.append(v @ (q.transpose(1, 2) @ k / math.sqrt(channels)).softmax(-1).transpose(1, 2))
        out = F.conv1d(torch.cat(mixed, 1), weights[f"{name}.proj_out.weight"], weights[f"{name}.proj_out.bias"])
        return h + out.view_as(h)

    def linear(h, name):
        return F.linear(h, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def halve(h):
        return F.avg_pool2d(h, 2)

    def double(h):
        return F.interpolate(h, scale_factor=2, mode="nearest")

    def same(h):
        return h

    def has(name):
        return any(key.startswith(f"{name}.") for key in weights)

    angles = index[:, None] * 10_000 ** -(torch.arange(config.base_channels // 2) / (config.base_channels // 2))
    embedding = linear(torch.cat([angles.cos(), angles.sin()], 1), "time_embed.0")
    embedding = linear(F.silu(embedding), "time_embed.2")
    num_levels, period = len(config.channel_multipliers), config.num_res_blocks + 1
    h = convolve(x_t, "input_blocks.0.0")
    skips = [h]
    for n in range(1, num_levels * period):
        resample = same if n % period else halve
        h = block(h, f"input_blocks.{n}.0", resample) if has(f"input_blocks.{n}.0") else resample(h)
        h = attend(h, f"input_blocks.{n}.1") if has(f"input_blocks.{n}.1") else h
        skips.append(h)
    h = attend(block(h, "middle_block.0", same), "middle_block.1")
    h = block(h, "middle_block.2", same)
    for n in range(num_levels * period):
        h = block(torch.cat([h, skips.pop()], 1), f"output_blocks.{n}.0", same)
        up = f"output_blocks.{n}.1"
        if has(f"{up}.qkv"):
            h, up = attend(h, up), f"output_blocks.{n}.2"
        if (n + 1) % period == 0 and n + 1 < num_levels * period:
            h = block(h, up, double) if has(up) else double(h)
    return convolve(F.silu(norm(h, "out.0")), "out.2")


def inputs(config, batch=2):
    generator = torch.Generator().manual_seed(3)
    height, width = config.image_size
    label_map = torch.randint(0, config.condition_channels, (batch, height, width), generator=generator)
    x_t = torch.randn(batch, 3, height, width, generator=generator)
    return x_t, torch.tensor([999, 12])[:batch], encode_labels(label_map, config.condition_channels)


@pytest.fixture
def small():
    return formula_weights(SMALL)


@pytest.fixture
def saved(small, tmp_path):
    torch.save(small, tmp_path / "ema_0.9999_best.pt")
    return tmp_path / "ema_0.9999_best.pt"


@pytest.mark.parametrize("config", FAMILY.values(), ids=FAMILY.keys())
def test_every_member_of_the_family_loads_and_agrees_with_its_names(config):
    weights = formula_weights(config)
    unet = load_published(weights, channels_per_head=config.channels_per_head, image_size=config.image_size)
    assert unet.config == config and not unet.training
    x_t, index, condition = inputs(config)
    with torch.no_grad():
        for labels in (condition, null_like(condition)):
            expected = forward_by_name(weights, config, x_t, index, labels)
            torch.testing.assert_close(unet(x_t, index + 1, labels), expected, rtol=0, atol=1e-4)


def test_a_file_gives_the_stored_outputs_of_an_independent_implementation(tmp_path):
    stored = stored_example()
    torch.save(formula_weights(stored.config), tmp_path / "small.pt")
    stored.check(load_published(tmp_path / "small.pt", channels_per_head=stored.config.channels_per_head))


def test_a_file_gives_what_a_mapping_gives_bit_for_bit(small, saved):
    of_file, of_mapping = (load_published(source, channels_per_head=32) for source in (saved, small))
    for ours, theirs in zip(of_file.parameters(), of_mapping.parameters(), strict=True):
        assert torch.equal(ours, theirs) and ours.requires_grad and theirs.requires_grad


@pytest.mark.parametrize("name", [name for name, config in PRESETS.items() if config.num_groups == 32])
def test_paper_presets_are_recognised_from_shapes_alone(name):
    with torch.device("meta"):
        unet = SDMUNet(PRESETS[name])
    assert infer_config(published_shapes(unet)) == PRESETS[name]


def test_published_names_cover_every_parameter_once():
    with torch.device("meta"):
        unet = SDMUNet(PRESETS["celebamask-hq-256"])
    ours, theirs = zip(*published_names(unet), strict=True)
    assert sorted(ours) == sorted(unet.state_dict())
    flat = [name for names in theirs for name in names]
    assert len(flat) == len(set(flat)) == 766  # as many tensors as the authors' CelebAMask-HQ file has
    assert published_shapes(unet)["input_blocks.10.1.qkv.weight"] == (1536, 512, 1)


def test_image_size_without_a_preset_keeps_attention_at_its_levels(small):
    unet = load_published(small, channels_per_head=32)
    assert unet.config.image_size == (16, 16) and unet.config.attention_resolutions == (8,)
    large = load_published(small, channels_per_head=32, image_size=(48, 32))
    assert large.config.attention_resolutions == (24,)
    x_t, index, condition = inputs(replace(SMALL, image_size=(24, 40)))
    with torch.no_grad():
        assert torch.equal(large(x_t, index + 1, condition), unet(x_t, index + 1, condition))
    with pytest.raises(ValueError, match=r"image_size \(15, 16\) must be divisible by 2"):
        load_published(small, channels_per_head=32, image_size=(15, 16))


def test_the_network_has_weights_of_its_own(small, saved):
    before, copies = saved.read_bytes(), {name: value.clone() for name, value in small.items()}
    for source in (small, saved):
        with torch.no_grad():
            for parameter in load_published(source, channels_per_head=32).parameters():
                parameter.zero_()
    assert saved.read_bytes() == before
    assert all(torch.equal(value, copies[name]) for name, value in small.items())
