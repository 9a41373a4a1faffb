"""A head on frozen maps: only the head learns and is stored, and it is a judge as any other."""

import pytest
import torch
from commands import refused
from torch.utils.data import default_collate

from sdm_lite import checkpoints
from sdm_lite.datasets import open_dataset
from sdm_lite.datasets.export import render_scenes
from sdm_lite.evaluate.photographs.measures import judge_measures
from sdm_lite.judge import HeadConfig, HeadJudge, head, load_judge, save_judge
from sdm_lite.judge import __main__ as judge_command
from sdm_lite.judge import photographs as judge_photographs
from sdm_lite.judge.efficientnet import EfficientNetLite0, Shape, Stage
from sdm_lite.judge.photographs import own_head_config, read_photographs
from sdm_lite.judge.scores import score_judge
from sdm_lite.judge.training import train_judge
from sdm_lite.judge.weights import JudgeUnavailableError

pytest.importorskip("PIL.Image")
SIZE = (16, 24)


@pytest.fixture(autouse=True)
def backbone(monkeypatch):
    """What stands in for the published network: small and of random weights, the same each time it is loaded."""

    def load(*, device="cpu"):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            shape = Shape(stem=8, stages=(Stage(1, 3, 1, 1, 8), Stage(2, 3, 2, 2, 12)), head=20, num_classes=5)
            return EfficientNetLite0(shape).eval().requires_grad_(False).to(device)

    for module in (head, judge_photographs):
        monkeypatch.setattr(module, "load_efficientnet", load)
    return load()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return render_scenes(tmp_path_factory.mktemp("data") / "scenes", num_train=40, num_val=12, size=24)


@pytest.fixture(scope="module")
def training(root):
    return open_dataset("folder", root, "train", size=SIZE)


def test_the_head_alone_learns(training, root, backbone):
    config, data = own_head_config(training), read_photographs(training)
    *_, step = train_judge(config, data, num_steps=80, batch_size=8, learning_rate=1e-2)
    judge, held_out = step.judge, read_photographs(open_dataset("folder", root, "val", size=SIZE))
    assert score_judge(judge, held_out).miou > 2 * score_judge(config.build().eval(), held_out).miou
    for name, weights in judge.backbone.state_dict().items():
        assert torch.equal(weights, backbone.state_dict()[name]), name
    assert not any("backbone" in name or "blocks" in name for name in judge.state_dict())
    features = judge.features(data.x0)
    torch.testing.assert_close(features.mean(0), torch.zeros(12), atol=1e-3, rtol=0)


def test_on_the_published_network_it_has_few_weights():
    judge = HeadJudge(HeadConfig(12, (48, 64)), EfficientNetLite0())
    assert sum(parameter.numel() for parameter in judge.parameters()) == 22_020
    with torch.no_grad():
        assert judge(torch.zeros(1, 3, 48, 64)).shape == (1, 12, 48, 64)
        assert [layer.shape[2] for layer in judge.layers(torch.zeros(1, 3, 48, 64))] == [48, 24, 12, 6, 3]


def test_what_it_remembers_is_what_it_would_read(training, monkeypatch):
    judge, data = own_head_config(training).build(), read_photographs(training)
    chosen, flip = torch.tensor([3, 39, 3, 33]), torch.tensor([True, False, False, True])
    fresh = judge.layers(data.at(chosen).mirrored(flip).x0)
    for got, expected in zip(judge.remember(data)(chosen, flip), fresh, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)
    options = {"num_steps": 3, "batch_size": 4, "seed": 1}
    losses = [step.loss for step in train_judge(judge.config, data, **options)]
    monkeypatch.setattr(head, "MOST_BYTES", 40 * 2 * sum(layer[0].nbytes for layer in fresh) - 1)
    assert judge.remember(data) is None
    assert [step.loss for step in train_judge(judge.config, data, **options)] == pytest.approx(losses, rel=1e-4)


def test_a_map_of_one_pixel_has_a_mean_and_no_spread():
    shape = Shape(stem=8, stages=(Stage(1, 3, 1, 1, 8), *(Stage(1, 3, 2, 2, 12),) * 4), head=20, num_classes=5)
    judge = HeadJudge(HeadConfig(3, (16, 16)), EfficientNetLite0(shape)).eval()
    layers = judge.layers(torch.rand(2, 3, 16, 16) * 2 - 1)
    assert layers[-1].shape[-2:] == (1, 1)
    levels = judge.reading(layers).levels
    assert levels.isfinite().all()
    assert levels.shape == judge.reading(judge.layers(torch.rand(2, 3, 32, 32) * 2 - 1)).levels.shape


def test_it_comes_back_from_its_file_and_goes_where_it_is_put(tmp_path, monkeypatch):
    judge = HeadConfig(3, SIZE, void_id=2).build().eval()
    images = torch.rand(2, 3, *SIZE) * 2 - 1
    path = tmp_path / "head.safetensors"
    save_judge(path, judge, facts={"steps": 1})
    back = load_judge(path)
    assert isinstance(back, HeadJudge) and back.config == judge.config and not back.training
    torch.testing.assert_close(back(images), judge(images))
    assert back.read(images).logits[:, 2].max() == -torch.inf and back.read(images).season.shape == (2, 1)
    assert back.double().read(images.double()).features.dtype == torch.float64, "the backbone goes along"

    def missing():
        raise JudgeUnavailableError("EfficientNet-Lite0 needs its weights")

    monkeypatch.setattr(head, "load_efficientnet", missing)
    with pytest.raises(ValueError, match="needs its weights"):
        load_judge(path)


def test_the_numbers_of_a_head_are_checked():
    for wrong, message in ({"width": 30}, "multiple of num_groups = 4, got 30"), ({"void_id": 3}, r"in 0\.\.2, got 3"):
        with pytest.raises(ValueError, match=message):
            HeadConfig(3, SIZE, **wrong)
    with pytest.raises(ValueError, match=r"images must be \(B, 3, H, W\), got \(3, 16, 24\)"):
        HeadConfig(3, SIZE).build().layers(torch.zeros(3, *SIZE))


def test_of_a_head_evaluate_takes_label_maps_alone(training):
    """Its features are the frozen network's, whose FID stands under that name."""
    judge, held_out = own_head_config(training).build().eval(), default_collate(list(training.thinned(5).read_all()))
    with torch.no_grad():
        found = judge_measures(judge, held_out.image[:, None].expand(-1, 2, -1, -1, -1), held_out)
    assert set(found) == {"miou"} and found["miou"].value == found["miou"].yardstick.value


def test_the_command_trains_a_head_and_measures_it_again(root, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    output, where = tmp_path / "head.safetensors", ["--dataset", "folder", "--root", str(root)]
    options = ["--size", "16", "24", "--num-steps", "3", "--backbone", "efficientnet-lite0"]
    assert judge_command.main(["train", *where, *options, "--output", str(output)]) == 0
    capsys.readouterr()
    facts, card = checkpoints.load_facts(output), output.with_suffix(".md").read_text()
    assert "--backbone efficientnet-lite0" in facts["command"] and facts["command"] in card
    assert "parameters on the frozen maps of EfficientNet-Lite0" in card and "FID (" not in card
    assert judge_command.main(["evaluate", str(output), *where]) == 0
    assert f"mIoU {facts['scores']['miou']:.3f}" in capsys.readouterr().out
    wrong = ["train", "--backbone", "efficientnet-lite0", "--output", str(tmp_path / "other.safetensors")]
    refused(capsys, judge_command.main, wrong, "--backbone is for photographs, and --dataset is scenes")


@pytest.mark.parametrize(("installed", "expected"), [(True, "efficientnet-lite0 --crops 1"), (False, "none --crops 4")])
def test_a_head_is_what_is_trained_where_its_maps_are_installed(
    root, tmp_path, capsys, monkeypatch, installed, expected
):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    monkeypatch.setattr(judge_command, "find_weights", lambda: tmp_path if installed else None)
    output = tmp_path / "mine.safetensors"
    options = ["--dataset", "folder", "--root", str(root), "--size", "16", "--num-steps", "1", "--output", str(output)]
    assert judge_command.main(["train", *options]) == 0
    assert f"--backbone auto is {expected.split()[0]} here" in capsys.readouterr().out
    assert f"--backbone {expected}" in checkpoints.load_facts(output)["command"]
    assert isinstance(load_judge(output), HeadJudge) == installed
