"""The published layout: any member of the family loads, agrees with its names read literally, and misfits are named."""

import json
import math
import os
import pickle
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_unet import FIXTURE, formula_weights
from torch.nn import functional as F

from sdm_lite.checkpoints import load_published, save_tensors
from sdm_lite.labels import encode_labels, null_like
from sdm_lite.presets import PRESETS, UNetConfig
from sdm_lite.published import infer_config
from sdm_lite.published_file import open_checkpoint
from sdm_lite.published_layout import from_published, published_names, published_shapes
from sdm_lite.unet import SDMUNet

SMALL = UNetConfig(
    condition_channels=5,
    image_size=(16, 16),
    base_channels=32,
    channel_multipliers=(1, 2),
    num_res_blocks=1,
    attention_resolutions=(8,),
    channels_per_head=32,
    spade_hidden_channels=16,
)
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


def weights_of(config):
    with torch.device("meta"):
        unet = SDMUNet(config)
    return formula_weights(unet)


def inputs(config, batch=2):
    generator = torch.Generator().manual_seed(3)
    height, width = config.image_size
    label_map = torch.randint(0, config.condition_channels, (batch, height, width), generator=generator)
    x_t = torch.randn(batch, 3, height, width, generator=generator)
    return x_t, torch.tensor([999, 12])[:batch], encode_labels(label_map, config.condition_channels)


@pytest.fixture
def small():
    return weights_of(SMALL)


@pytest.fixture
def saved(small, tmp_path):
    torch.save(small, tmp_path / "ema_0.9999_best.pt")
    return tmp_path / "ema_0.9999_best.pt"


@pytest.mark.parametrize("config", FAMILY.values(), ids=FAMILY.keys())
def test_every_member_of_the_family_loads_and_agrees_with_its_names(config):
    weights = weights_of(config)
    unet = load_published(weights, channels_per_head=config.channels_per_head, image_size=config.image_size)
    assert unet.config == config and not unet.training
    x_t, index, condition = inputs(config)
    with torch.no_grad():
        for labels in (condition, null_like(condition)):
            expected = forward_by_name(weights, config, x_t, index, labels)
            torch.testing.assert_close(unet(x_t, index + 1, labels), expected, rtol=0, atol=1e-4)


def test_outputs_equal_the_stored_independent_ones(tmp_path):
    stored = np.load(FIXTURE)
    numbers = json.loads(str(stored["config"]))
    config = UNetConfig(
        condition_channels=numbers["condition_channels"],
        image_size=(numbers["height"], numbers["width"]),
        base_channels=numbers["num_channels"],
        channel_multipliers=numbers["channel_mult"],
        num_res_blocks=numbers["num_res_blocks"],
        attention_resolutions=numbers["attention_resolutions"],
        channels_per_head=numbers["num_head_channels"],
    )
    torch.save(weights_of(config), tmp_path / "small.pt")
    unet = load_published(tmp_path / "small.pt", channels_per_head=numbers["num_head_channels"])
    condition = encode_labels(torch.from_numpy(stored["label_map"]), config.condition_channels)
    x_t, t = torch.from_numpy(stored["x_t"]), torch.from_numpy(stored["t_index"]) + 1
    with torch.no_grad():
        for name, labels in (("conditional", condition), ("null", null_like(condition))):
            expected = torch.from_numpy(stored[f"output_{name}"])
            torch.testing.assert_close(unet(x_t, t, labels), expected, rtol=0, atol=1e-4)


def test_a_mapping_gives_what_direct_construction_gives_bit_for_bit(small):
    direct = SDMUNet(SMALL).eval()
    direct.load_state_dict(from_published(direct, small))
    loaded = load_published(small, channels_per_head=32)
    x_t, index, condition = inputs(SMALL)
    with torch.no_grad():
        assert torch.equal(loaded(x_t, index + 1, condition), direct(x_t, index + 1, condition))
    assert all(parameter.requires_grad for parameter in loaded.parameters())


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


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's count of mapped memory")
def test_a_file_is_never_held_beside_the_network(tmp_path, monkeypatch):
    def mapped():
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssFile"))
        return int(line.split()[1]) * 1024

    def open_and_measure(path):
        measured.append(mapped())
        return open_checkpoint(path)

    path, measured = tmp_path / "wide.pt", []
    with torch.device("meta"):
        unet = SDMUNet(replace(SMALL, base_channels=128))
    torch.save({name: torch.ones(shape) for name, shape in published_shapes(unet).items()}, path)
    size = path.stat().st_size
    monkeypatch.setattr("sdm_lite.published.MAPPED_BYTES", size // 10)
    monkeypatch.setattr("sdm_lite.published.open_checkpoint", open_and_measure)
    loaded = load_published(path)
    assert all((parameter == 1).all() for parameter in loaded.parameters())
    assert size > 50e6 and len(measured) > 5
    assert max(measured) - measured[0] < size / 4 and mapped() - measured[0] < size / 4


def test_the_network_has_weights_of_its_own(small, saved):
    before, copies = saved.read_bytes(), {name: value.clone() for name, value in small.items()}
    for source in (small, saved):
        with torch.no_grad():
            for parameter in load_published(source, channels_per_head=32).parameters():
                parameter.zero_()
    assert saved.read_bytes() == before
    assert all(torch.equal(value, copies[name]) for name, value in small.items())


@pytest.mark.parametrize("wrap", ["module.", "state_dict", "model", "both", "old format"])
def test_wrapped_weights_are_found(small, tmp_path, wrap):
    content = {f"module.{name}": value for name, value in small.items()} if wrap in ("module.", "both") else small
    content = {wrap: content, "epoch": 3} if wrap in ("state_dict", "model") else content
    content = {"ema": content, "step": 7} if wrap == "both" else content
    torch.save(content, tmp_path / "it.pt", _use_new_zipfile_serialization=wrap != "old format")
    loaded = load_published(tmp_path / "it.pt", channels_per_head=32)
    expected = load_published(small, channels_per_head=32).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in loaded.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32_and_that_is_told(small, tmp_path, dtype):
    torch.save({name: value.to(dtype) for name, value in small.items()}, tmp_path / "other.pt")
    with pytest.warns(UserWarning, match=f"holds {str(dtype)[6:]} weights: converted to float32"):
        unet = load_published(tmp_path / "other.pt", channels_per_head=32)
    assert {parameter.dtype for parameter in unet.parameters()} == {torch.float32}
    expected = load_published(small, channels_per_head=32)
    for ours, theirs in zip(unet.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-3)


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
    with pytest.raises(ValueError, match=r"not expected label_emb\.weight"):
        from_published(SDMUNet(SMALL), small | {"label_emb.weight": torch.zeros(3, 3)})


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
        (plain_adm, "plain ADM network, which takes no label map"),
        (convolutional_resampling, r"convolutions of their own \(input_blocks\.2\.0\.op\.weight\)"),
        (half_a_level, "expected levels of equally many"),
        (of_other_width, "expected a multiple of its 19 base channels"),
        (lambda weights: {}, "no SDM checkpoint"),
        (
            lambda weights: {"down_blocks.0.conv.weight": torch.zeros(1)},
            "no SDM checkpoint: none of its 1 tensors .the first is down_blocks",
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


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("new_format", [True, False])
def test_code_in_a_file_is_never_run(small, tmp_path, new_format):
    mark = tmp_path / "run"
    torch.save(small | {"a": Evil(mark)}, tmp_path / "evil.pt", _use_new_zipfile_serialization=new_format)
    with pytest.raises(ValueError, match=r"more than tensors \(posix.mkdir\)|more than tensors \(nt.mkdir\)") as told:
        load_published(tmp_path / "evil.pt")
    assert not mark.exists() and "\n" not in str(told.value)


def write_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights.bin", b"1234")


def write_script(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is on its way out, the files are not
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), str(path))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("\n<!DOCTYPE html><html>Quota exceeded"), "web page"),
        (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99)), "HDF5"),
        (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1"), "Git LFS"),
        (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00" + bytes(99)), "NumPy"),
        (lambda path: path.write_bytes(b"\x08\x07\x12\x07pytorch"), "ONNX"),
        (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "a pickle of something else"),
        (lambda path: save_tensors(path, {"down_blocks.0.weight": torch.zeros(3)}, {}), "safetensors"),
        (write_zip, "zip archive of something else"),
        (write_script, "TorchScript"),
        (lambda path: torch.save(torch.zeros(3), path), "holds a Tensor, expected tensors by name"),
        (lambda path: torch.save([1, 2], path), "holds a list, expected tensors by name"),
        (lambda path: torch.save(torch.nn.Linear(2, 2), path), "more than tensors"),
    ],
)
def test_another_file_is_told_in_one_line(tmp_path, write, message):
    path = tmp_path / "model.pt"
    write(path)
    with pytest.raises(ValueError, match=message) as told:
        load_published(path)
    assert str(path) in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("keep", [0.999, 0.5, 3000, 150])
def test_a_truncated_file_is_told(small, tmp_path, keep, new_format):
    path = tmp_path / "short.pt"
    torch.save(small, path, _use_new_zipfile_serialization=new_format)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep) if keep < 1 else keep])
    with pytest.raises(ValueError, match="truncated") as told:
        load_published(path)
    assert "\n" not in str(told.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file at"):
        load_published(tmp_path / "none.pt")
