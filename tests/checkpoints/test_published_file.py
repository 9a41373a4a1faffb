"""A file of published weights is found in its wrappings, read without running code, and told if it is another."""

import os
import pickle
import warnings
import zipfile
from dataclasses import replace

import memory
import pytest
import torch
from networks import SMALL, formula_weights

from sdm_lite.checkpoints import load_published, save_tensors
from sdm_lite.checkpoints.published_file import open_checkpoint
from sdm_lite.checkpoints.published_names import published_shapes
from sdm_lite.unet import SDMUNet


@pytest.fixture
def small():
    return formula_weights(SMALL)


@memory.counted
def test_a_file_is_mapped_and_not_read_into_memory(tmp_path):
    path = tmp_path / "wide.pt"
    with torch.device("meta"):
        unet = SDMUNet(replace(SMALL, base_channels=128))
    torch.save({name: torch.ones(shape) for name, shape in published_shapes(unet).items()}, path)
    size, before = path.stat().st_size, memory.held("RssAnon")
    tensors = open_checkpoint(path)
    assert len(tensors) > 100 and size > 50e6 and memory.held("RssAnon") - before < size / 4
    loaded = load_published(path)
    assert all((parameter == 1).all() for parameter in loaded.parameters())
    assert memory.held("RssAnon") - before < 1.5 * size


@pytest.mark.parametrize("wrap", ["module.", "state_dict", "model", "both"])
def test_wrapped_weights_are_found(small, tmp_path, wrap):
    content = {f"module.{name}": value for name, value in small.items()} if wrap in ("module.", "both") else small
    content = {wrap: content, "epoch": 3} if wrap in ("state_dict", "model") else content
    content = {"ema": content, "step": 7} if wrap == "both" else content
    torch.save(content, tmp_path / "it.pt")
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


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    ("new_format", "message"),
    [(True, r"evil.pt holds more than tensors \((posix|nt).mkdir\)"), (False, "evil.pt is of torch before 1.6")],
)
def test_code_in_a_file_is_never_run(small, tmp_path, new_format, message):
    mark = tmp_path / "run"
    torch.save(small | {"a": Evil(mark)}, tmp_path / "evil.pt", _use_new_zipfile_serialization=new_format)
    with pytest.raises(ValueError, match=message) as told:
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
        (lambda path: path.write_bytes(b""), "not of torch: expected the authors' .pt"),
        (
            lambda path: path.write_text("\n<!DOCTYPE html><html>Quota exceeded"),
            "a web page .* has to be fetched again",
        ),
        (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "not of torch"),
        (lambda path: save_tensors(path, {"down_blocks.0.weight": torch.zeros(3)}, {}), "not of torch"),
        (lambda path: torch.save({}, path, _use_new_zipfile_serialization=False), "saved again with a newer torch"),
        (write_zip, r"cannot be read \(.*weights.bin\): expected the authors' .pt"),
        (write_script, r"cannot be read \(.*TorchScript archive"),
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


@pytest.mark.parametrize("keep", [0.999, 0.5, 3000, 150])
def test_a_truncated_file_is_told(small, tmp_path, keep):
    path = tmp_path / "short.pt"
    torch.save(small, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep) if keep < 1 else keep])
    with pytest.raises(ValueError, match=r"short.pt cannot be read \(.*truncated or damaged, fetch or copy it") as told:
        load_published(path)
    assert "\n" not in str(told.value)


def test_a_damaged_pickle_is_told(small, tmp_path):
    path = tmp_path / "damaged.pt"
    torch.save(small, path)
    content = bytearray(path.read_bytes())
    start = content.find(b"data.pkl") + 80
    content[start : start + 120] = b"z" * 120
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged.pt cannot be read \(.*\): expected the authors' .pt") as told:
        load_published(path)
    assert "\n" not in str(told.value) and len(str(told.value)) < 400


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file at"):
        load_published(tmp_path / "none.pt")
