import json
from pathlib import Path

import pytest
import torch
from test_unet import TINY, randomised, tiny_inputs

from sdm_lite.checkpoints import (
    from_published,
    load_facts,
    load_model,
    load_tensors,
    published_names,
    save_model,
    save_tensors,
)
from sdm_lite.diffusion import DiffusionConfig
from sdm_lite.presets import PRESETS
from sdm_lite.unet import SDMUNet

PROCESS = DiffusionConfig("cosine", 100, "v")


@pytest.fixture
def saved(tmp_path):
    unet = randomised(TINY)
    path = tmp_path / "tiny.safetensors"
    save_model(path, unet, PROCESS, facts={"steps": 3})
    return unet, path


def test_a_file_alone_rebuilds_network_and_process(saved):
    unet, path = saved
    model = load_model(path)
    assert model.unet.config == TINY and not model.unet.training
    assert model.diffusion.num_timesteps == 100 and model.diffusion.prediction_type == "v"
    with torch.no_grad():
        assert torch.equal(model.unet(*tiny_inputs()), unet(*tiny_inputs()))
    assert load_facts(path) == {"steps": 3}


def test_half_precision_is_stored_and_read_back_as_float32(tmp_path):
    unet = randomised(TINY)
    save_model(tmp_path / "half.safetensors", unet, PROCESS, dtype=torch.float16)
    tensors, _ = load_tensors(tmp_path / "half.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    loaded = load_model(tmp_path / "half.safetensors").unet
    for ours, theirs in zip(unet.parameters(), loaded.parameters(), strict=True):
        assert theirs.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_a_missing_file_lists_what_ships(tmp_path):
    with pytest.raises(FileNotFoundError, match="no weights called 'nonsense'.*shipped names"):
        load_model("nonsense")
    with pytest.raises(FileNotFoundError, match="no weights at"):
        load_tensors(tmp_path / "none.safetensors")


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5])
def test_a_truncated_file_is_told(saved, keep):
    _, path = saved
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        load_model(path)


def test_a_foreign_file_is_told(tmp_path):
    text = tmp_path / "text.safetensors"
    text.write_text("this is no tensor file, however long it may be " * 10)
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        load_model(text)
    foreign = tmp_path / "foreign.safetensors"
    save_tensors(foreign, {"a": torch.zeros(2)}, {"made by": "somebody"})
    with pytest.raises(ValueError, match="no sdm_lite model"):
        load_model(foreign)


def test_a_file_whose_config_does_not_fit_its_weights_is_told(saved):
    _, path = saved
    tensors, metadata = load_tensors(path)
    config = json.loads(metadata["unet"])
    save_tensors(path, tensors, metadata | {"unet": json.dumps(config | {"base_channels": 16})})
    with pytest.raises(ValueError, match=r"does not fit this network: .*expected \(.*got \("):
        load_model(path)
    save_tensors(path, tensors, metadata | {"unet": json.dumps(config | {"colour": "red"})})
    with pytest.raises(ValueError, match="UNetConfig"):
        load_model(path)


def test_a_failed_write_leaves_the_old_file(saved, monkeypatch):
    unet, path = saved
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_model(path, unet, PROCESS)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_published_names_cover_every_parameter_once():
    with torch.device("meta"):
        unet = SDMUNet(PRESETS["celebamask-hq-256"])
    ours, theirs = zip(*published_names(unet), strict=True)
    assert sorted(ours) == sorted(unet.state_dict())
    flat = [name for names in theirs for name in names]
    assert len(flat) == len(set(flat)) == 766  # as many tensors as the authors' CelebAMask-HQ file has


def test_missing_and_surplus_published_tensors_are_named():
    from dataclasses import replace

    unet = SDMUNet(replace(TINY, residual_resampling=True))
    state = unet.state_dict()
    tensors = {}
    for ours, theirs in published_names(unet):
        for part, name in zip(state[ours].chunk(len(theirs)), theirs, strict=True):
            tensors[name] = part
    assert from_published(unet, tensors).keys() == state.keys()
    with pytest.raises(ValueError, match=r"lacks out\.0\.weight"):
        from_published(unet, {name: value for name, value in tensors.items() if name != "out.0.weight"})
    with pytest.raises(ValueError, match=r"1 tensors that this network has no place for, such as label_emb"):
        from_published(unet, tensors | {"label_emb.weight": torch.zeros(1)})
