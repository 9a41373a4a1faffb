"""A file alone is enough: what is saved is loaded, whole, by name or by path, and what is wrong is told in one line."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import memory
import pytest
import torch
from commands import refused
from networks import TINY, formula_weights, randomised, tiny_inputs
from safetensors import SafetensorError

from sdm_lite.checkpoints import (
    load_facts,
    load_model,
    load_published,
    load_tensors,
    save_model,
    save_tensors,
)
from sdm_lite.checkpoints.__main__ import main
from sdm_lite.diffusion import DiffusionConfig
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
    assert model.unet.config.condition_channels == TINY.condition_channels and not model.unet.training
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


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, -8])
def test_a_truncated_file_is_told(saved, keep):
    _, path = saved
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        load_model(path)


def test_a_file_of_a_run_that_diverged_is_refused(saved, tmp_path):
    unet, _ = saved
    unet.output.bias.data[0] = torch.nan
    unet.input.weight.data[0] = torch.inf
    save_model(tmp_path / "bad.safetensors", unet, PROCESS)
    message = r"bad.safetensors holds values that are nan or infinite \(input.weight and 1 more tensors\)"
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path / "bad.safetensors")


def test_of_a_folder_it_says_which_file_is_meant(saved, tmp_path, monkeypatch):
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    said = []
    for name in ("checkpoints/step-000000002.pt", "checkpoints/step-000000010.pt", "best.safetensors"):
        (run / name).touch()
        with pytest.raises(ValueError) as caught:
            load_model(run)
        said.append(str(caught.value))
    assert said[1].endswith(
        "has not finished: give " + str(run / "checkpoints/step-000000010.pt") + ", its averaged weights"
    )
    assert said[2] == f"{run} is the folder of a run: give {run / 'best.safetensors'}"
    unet, path = saved
    shutil.copy(path, run / "model.safetensors")
    same = zip(load_model(run).unet.parameters(), unet.parameters(), strict=True)
    assert all(torch.equal(*pair) for pair in same), "finished weights go before the best"
    assert load_facts(run) == load_facts(path)
    with pytest.raises(ValueError, match="is a folder: give a file of weights, such as .*tiny.safetensors"):
        load_model(tmp_path)
    (tmp_path / "scenes-32").mkdir()
    monkeypatch.chdir(tmp_path)
    load_model("scenes-32")  # a shipped name, whatever folder is called so


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


def test_a_full_disk_is_told_by_name(saved, monkeypatch):
    unet, path = saved
    before = path.read_bytes()

    def save_file(*_):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", save_file)
    with pytest.raises(OSError, match=f"{path.name} could not be written .*No space left on device"):
        save_model(path, unet, PROCESS)
    assert path.read_bytes() == before


def test_a_failed_write_leaves_the_old_file(saved, monkeypatch):
    unet, path = saved
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_model(path, unet, PROCESS)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@memory.counted
def test_a_file_is_mapped_and_not_read(tmp_path):
    path = tmp_path / "large.safetensors"
    save_tensors(path, {"a": torch.ones(10_000_000)}, {"made by": "me"})
    before = memory.held("RssAnon"), memory.held("RssFile")
    tensors, metadata = load_tensors(path)
    assert tensors["a"].nbytes == 40e6 and metadata == {"made by": "me"}
    for kind, held in zip(("RssAnon", "RssFile"), before, strict=True):
        assert memory.held(kind) - held < 10e6


def test_a_loaded_model_trains_and_is_saved_again(saved, tmp_path):
    _, path = saved
    before = path.read_bytes()
    unet = load_model(path).unet
    unet(*tiny_inputs()).square().mean().backward()
    with torch.no_grad():
        for parameter in unet.parameters():
            parameter -= 0.1 * parameter.grad
    save_model(tmp_path / "again.safetensors", unet, PROCESS)
    again = load_model(tmp_path / "again.safetensors").unet
    assert all(torch.equal(a, b) for a, b in zip(unet.parameters(), again.parameters(), strict=True))
    assert path.read_bytes() == before


PUBLISHED = replace(TINY, base_channels=32, channels_per_head=64, num_groups=32, spade_kernel_size=3)


@pytest.fixture
def published(tmp_path):
    path = tmp_path / "ema_0.9999_best.pt"
    unet = SDMUNet(PUBLISHED)
    torch.save(formula_weights(unet.config), path)
    return path


def test_convert_writes_what_load_published_reads(published, capsys):
    main(["convert", str(published)])
    written = published.with_suffix(".safetensors")
    model, expected = load_model(written), load_published(published)
    assert model.unet.config == expected.config and model.diffusion.prediction_type == "eps"
    trained_for = DiffusionConfig("linear", 1000, "eps").build()
    tables = zip(model.diffusion.buffers(), trained_for.buffers(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in tables) and model.diffusion.num_timesteps == 1000
    for ours, theirs in zip(model.unet.parameters(), expected.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert load_facts(written)["converted_from"] == "ema_0.9999_best.pt"
    told = capsys.readouterr().out
    count = sum(parameter.numel() for parameter in model.unet.parameters())
    assert f"{count:,}" in told and "linear schedule, T = 1000, predicts eps" in told and f"wrote {written}" in told


def test_convert_takes_a_type_a_size_and_a_process(published, tmp_path, capsys):
    output = tmp_path / "new" / "half.safetensors"
    options = ["--dtype", "float16", "--image-size", "32", "64", "--schedule", "cosine", "--num-timesteps", "50"]
    main(["convert", str(published), "--output", str(output), "--channels-per-head", "32", *options])
    model = load_model(output)
    assert model.unet.config.image_size == (32, 64) and model.unet.config.channels_per_head == 32
    assert model.unet.config.attention_resolutions == (16,)
    assert model.diffusion.num_timesteps == 50
    capsys.readouterr()
    main(["show", str(output)])
    told = capsys.readouterr().out
    assert "cosine schedule, T = 50" in told and "32 x 64" in told and "float16, " in told


def test_convert_says_that_half_precision_was_converted(published, capsys):
    torch.save({name: value.half() for name, value in torch.load(published).items()}, published)
    main(["convert", str(published)])
    assert "float16 weights: converted to float32" in capsys.readouterr().out


def test_convert_overwrites_only_when_told(published, capsys):
    written = published.with_suffix(".safetensors")
    written.write_text("mine")
    refused(capsys, main, ["convert", str(published)], "exists: give another --output, or --force")
    assert written.read_text() == "mine"
    main(["convert", str(published), "--force"])
    assert load_model(written).unet.config.condition_channels == TINY.condition_channels


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["convert", "none.pt"], "error: no file at none.pt"),
        (["convert", "FILE", "--output", "model.pt"], r"error: --output must end in .safetensors, got model.pt"),
        (
            ["convert", "FILE", "--output", "ema_0.9999_best.pt/x.safetensors"],
            "error: cannot write to --output .*best.pt",
        ),
        (["convert", "FILE", "--channels-per-head", "48"], "error: .*channels_per_head = 48"),
        (["convert", "FILE", "--num-timesteps", "1"], "error: num_timesteps must be at least 2, got 1"),
        (["convert", "FILE", "--image-size", "7", "8"], "error: .*must be divisible by 2"),
        (["show", "FILE"], "error: .*not a whole safetensors file"),
        (["show", "judge-32"], "error: .*is no sdm_lite model"),
        (["show", "nonsense"], "error: no weights called 'nonsense'"),
    ],
)
def test_commands_end_with_one_line(published, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(published.parent)
    refused(capsys, main, [str(published) if argument == "FILE" else argument for argument in arguments], message)
    assert [file.name for file in published.parent.iterdir()] == [published.name]


def test_a_failed_conversion_leaves_nothing(published, monkeypatch, capsys):
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    message = r"ema_0.9999_best.safetensors could not be written .disk full."
    refused(capsys, main, ["convert", str(published)], message)
    assert [file.name for file in published.parent.iterdir()] == [published.name]


@pytest.mark.parametrize(
    "channels, facts, num_classes, instance_edges",
    [
        (12, {"command": "--preset scenes-32", "dataset": "scenes"}, 11, True),
        (12, {"command": "--dataset camvid"}, 12, False),
        (12, {"command": "--recipe mine.yaml", "dataset": "camvid"}, 12, False),
        (151, {"command": "--recipe ade20k-256"}, 151, False),
        (8, {}, 7, True),
    ],
)
def test_a_file_of_before_classes_and_edges_were_told_apart_still_loads(
    tmp_path, channels, facts, num_classes, instance_edges
):
    config = replace(TINY, num_classes=channels)
    save_model(tmp_path / "new.safetensors", SDMUNet(config), DiffusionConfig(), facts=facts)
    tensors, metadata = load_tensors(tmp_path / "new.safetensors")
    values = json.loads(metadata["unet"])
    del values["num_classes"], values["instance_edges"]
    old = metadata | {"unet": json.dumps(values | {"condition_channels": channels})}
    save_tensors(tmp_path / "old.safetensors", tensors, old)
    found = load_model(tmp_path / "old.safetensors").unet.config
    assert (found.num_classes, found.instance_edges) == (num_classes, instance_edges)


def test_show_prints_a_shipped_model(capsys):
    main(["show", "scenes-32"])
    told = capsys.readouterr().out
    assert "scenes-32" in told and "11 classes and instance edges" in told and "train_config" in told


def test_the_command_runs_as_a_module_without_a_word_on_stderr(published):
    command = [sys.executable, "-W", "error", "-m", "sdm_lite.checkpoints", "show", "scenes-32"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0 and done.stderr == "" and "sdm_lite model" in done.stdout
