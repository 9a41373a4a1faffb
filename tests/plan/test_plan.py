"""Counts agree with the network that is counted, and a plan with arithmetic."""

import math
import re
from pathlib import Path

import pytest
import torch
from commands import refused
from networks import LEAST

from sdm_lite.plan import Counts, count, make_plan
from sdm_lite.plan.__main__ import main, told_days
from sdm_lite.presets import PRESETS, preset
from sdm_lite.train.recipe import load_config
from sdm_lite.unet import SDMUNet

COUNTS = Counts(parameters=10**9, forward=10**12, training=3 * 10**12, activations=4 * 2**30, activations_16=2 * 2**30)


def test_the_counts_are_those_of_the_network():
    config = PRESETS["scenes-32"]
    counts = count(config)
    unet = SDMUNet(config)
    assert counts.parameters == sum(parameter.numel() for parameter in unet.parameters())
    # A convolution's backward pass is two of its forward pass, but for the first, whose input needs no gradient.
    assert 2.8 < counts.training / counts.forward < 3.0

    kept = {}
    weights = {parameter.data_ptr() for parameter in unet.parameters()}

    def keep(tensor):
        if tensor.ndim > 1 and tensor.data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = (tensor.untyped_storage().nbytes(), tensor)
        return tensor

    x_t, t = torch.randn(1, 3, 32, 32), torch.ones(1, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        unet(x_t, t, torch.zeros(1, config.condition_channels, 32, 32))
    # Counted without memory, a few more copies are kept: up to a fifth by torch 2.4, a tenth by later ones.
    assert 0.9 < counts.activations / sum(size for size, _ in kept.values()) < 1.2


def test_operations_grow_with_the_pixels():
    small, large = (count(preset("scenes-32", image_size=(size, size))) for size in (32, 64))
    assert large.forward / small.forward == pytest.approx(4, rel=0.15)  # attention makes it a little more
    assert large.activations / small.activations == pytest.approx(4, rel=0.15)


def test_a_plan_is_arithmetic():
    plan = make_plan(COUNTS, num_steps=1000, batch_size=32, gpus=8, teraflops=100, price=2)
    assert plan.images_per_second == pytest.approx(8 * 100e12 / 3e12)
    seconds = 1000 * 32 / plan.images_per_second
    assert plan.days == pytest.approx(seconds / 86400) and plan.cost == pytest.approx(seconds / 3600 * 8 * 2)
    assert plan.fixed == 5 * 4 * 10**9 and plan.activations == 4 * 2 * 2**30
    sparing = make_plan(COUNTS, num_steps=1000, gpus=8, accumulation_steps=4, mixed_precision=False)
    assert sparing.fixed == plan.fixed and sparing.activations == 4 * 2**30 and sparing.cost is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gpus": 0}, "gpus must be at least 1"),
        ({"gpus": 3}, "batch_size 32 cannot be shared evenly by 3 GPUs"),
        ({"teraflops": 0}, "teraflops must be above 0"),
        ({"teraflops": math.inf}, "teraflops must be above 0 and finite, got inf"),
        ({"teraflops": math.nan}, "teraflops must be above 0 and finite, got nan"),
        ({"price": math.nan}, "price must be at least 0 and finite, got nan"),
        ({"price": -1.0}, "price must be at least 0 and finite, got -1"),
    ],
)
def test_a_wrong_plan_is_told(options, message):
    with pytest.raises(ValueError, match=message):
        make_plan(COUNTS, num_steps=1, **options)


def test_the_command_prints_a_line_for_each_number_of_gpus(capsys):
    assert main(["scenes-32", "--gpus", "1", "8", "--price", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "scenes-32, 32 x 32, 12 condition channels"
    assert [line.split()[0] for line in lines[-4:-2]] == ["1", "8"]  # and below them what is true of small networks
    assert main(["scenes-33"]) == 2
    assert "preset must be one of" in capsys.readouterr().err


def test_no_number_is_told_as_nothing_or_without_end(capsys):
    assert main(["scenes-32", "--gpus", "1", "--num-steps", "100", "--price", "2"]) == 0
    told = capsys.readouterr().out
    assert " 0.0 " not in told and "0.000" not in told and "So small a network keeps no GPU busy" in told
    assert [told_days(days) for days in (0.0, 10 / 86400, 0.2, 3.0)] == ["under 1 s", "10 s", "4.8 h", "3.0 days"]


@pytest.mark.parametrize("version, told", [("2.4.1+cpu", True), ("2.13.0", False), ("3.0.0", False)])
def test_an_older_torch_is_told_to_count_memory_otherwise(version, told, monkeypatch, capsys):
    monkeypatch.setattr(torch, "__version__", version)
    assert main(["scenes-32"]) == 0
    assert (f"here {version}. It was checked on 2.13, and on 2.4" in capsys.readouterr().out) is told


PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8")
PLANS = re.findall(r"^\$ python -m sdm_lite.plan (photographs-.*)\n((?:(?!\$|```).*\n)*)", PAGE, re.MULTILINE)


def without_bytes(text):
    """Memory is counted by the torch that runs: see CHECKED_TORCH."""
    return [re.sub(r" *[\d.]+ [MG]iB", " BYTES", line) for line in text.splitlines() if line and "torch" not in line]


@pytest.mark.parametrize(("words", "printed"), PLANS)
def test_the_page_has_what_the_command_prints_for_the_recipe(words, printed, capsys):
    assert main(words.split()) == 0
    assert without_bytes(capsys.readouterr().out)[: len(without_bytes(printed))] == without_bytes(printed)
    recipe = load_config(words.split()[0])
    given = dict(zip(words.split()[1::2], words.split()[2::2], strict=True))
    assert int(given["--num-steps"]) == recipe.train.num_steps
    assert int(given.get("--batch-size", 32)) == recipe.train.batch_size
    assert int(given.get("--accumulation-steps", 1)) == recipe.accumulation_steps
    assert len(PLANS) == 3 and printed.startswith(recipe.preset)


def test_a_run_is_measured_by_its_own_steps_and_nothing_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(PRESETS, "tiny", LEAST)
    words = "--dataset scenes --preset tiny --num-images 700 --batch-size 4 --num-steps 5000 --device cpu".split()
    assert main(words) == 0
    first, paced, data, whole = capsys.readouterr().out.splitlines()
    assert first.startswith("scenes, 16 x 16, preset tiny: 0.1 M weights, 12 condition channels")
    took = re.match(r"20 steps of 4 images took (\d+) ms each here \(\d+ threads?, ([\d.]+) images/s\)", paced)
    assert 4000 / int(took[1]) == pytest.approx(float(took[2]), rel=0.2)
    assert data.startswith("rendering 700 examples takes ") and data.endswith("at every start")
    assert whole.startswith("5,000 steps: ") and list(tmp_path.iterdir()) == []
    assert main([*words, "--minutes", "1"]) == 0
    steps = re.search(r"1 minutes of training: ([\d,]+) steps", capsys.readouterr().out)
    assert int(steps[1].replace(",", "")) > 20
    refused(capsys, main, ["--dataset", "camvid"], "needs root, its folder")
    refused(capsys, main, ["--recipe", "camvdi"], "no recipe called 'camvdi'")
