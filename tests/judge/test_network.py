"""The judge: it learns what it is shown, its distance is the formula it says, and its files come back whole."""

import io
import json
import math
import re
import sys

import pytest
import torch
from commands import refused

from sdm_lite import checkpoints
from sdm_lite.batches import Batch
from sdm_lite.judge import Judge, JudgeConfig
from sdm_lite.judge import __main__ as judge_command
from sdm_lite.judge import network as judge
from sdm_lite.judge import training as judge_training
from sdm_lite.judge.scores import score_judge
from sdm_lite.scenes import VALIDATION_SEED, Scenes

TINY = JudgeConfig(num_classes=3, num_times_of_day=2, num_seasons=2, channels=(8, 16), num_groups=4, image_size=16)


def coloured_blocks(num_images: int, seed: int) -> tuple[Batch, torch.Tensor]:
    """Pictures whose classes are colours in noise; dark ones are of time 1, and season 1 has the colours reversed."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(3, (num_images, 4, 4), generator=generator)
    label_maps = coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)
    times, seasons = torch.randint(2, (2, num_images), generator=generator)
    colours = torch.tensor([[200, 60, 60], [60, 200, 60], [60, 60, 200]])
    images = colours[label_maps].permute(0, 3, 1, 2)
    images = torch.where(seasons[:, None, None, None] == 1, images.flip(1), images)
    images = torch.where(times[:, None, None, None] == 1, images // 2, images)
    images = images + torch.randint(-20, 21, images.shape, generator=generator)
    label_maps = torch.where(seasons[:, None, None] == 1, 2 - label_maps, label_maps)
    pictures = Batch(images.clamp(0, 255).to(torch.uint8), label_maps.to(torch.uint8), None, 3)
    return pictures, torch.stack([times, seasons], dim=1)


def trained(num_steps: int = 100, seed: int = 0) -> Judge:
    options = {"num_steps": num_steps, "batch_size": 16, "learning_rate": 1e-2, "seed": seed}
    *_, step = judge_training.train_judge(TINY, *coloured_blocks(200, seed=0), **options)
    return step.judge


@pytest.fixture(scope="module")
def tiny_judge():
    return trained()


def test_training_teaches_classes_and_reports_what_is_measured(tiny_judge):
    held_out, appearances = coloured_blocks(100, seed=1)
    untrained = score_judge(Judge(TINY).eval(), held_out, appearances)
    scores = score_judge(tiny_judge, held_out, appearances, batch_size=32)
    assert untrained.miou < 0.5
    assert scores.miou > 0.9
    assert scores.num_images == 100 and scores.time_of_day_accuracy > 0.9
    predicted = tiny_judge.predict(held_out.x0)
    target = held_out.label_map.long()
    by_hand = [((predicted == k) & (target == k)).sum() / ((predicted == k) | (target == k)).sum() for k in range(3)]
    assert scores.iou == pytest.approx([iou.item() for iou in by_hand], abs=1e-6)
    reading = tiny_judge.read(held_out.x0)
    for column, (head, accuracy) in enumerate(
        ((reading.time_of_day, scores.time_of_day_accuracy), (reading.season, scores.season_accuracy))
    ):
        right = head.argmax(1) == appearances[:, column]
        assert accuracy == pytest.approx(right.float().mean().item(), abs=1e-6)


def test_a_step_learns_from_mirrored_pictures_rare_classes_and_both_heads():
    """The loss of the first batch, by hand."""
    pictures, appearances = coloured_blocks(20, seed=0)
    pictures.label_map[pictures.label_map == 2] = 0  # so that classes are not equally frequent
    first = next(judge_training.train_judge(TINY, pictures, appearances, num_steps=2, batch_size=6, seed=4))
    torch.manual_seed(4)
    untrained, generator = Judge(TINY), torch.Generator().manual_seed(4)
    chosen = torch.randint(20, (6,), generator=generator)
    mirrored = torch.rand(6, generator=generator) < 0.5
    images, target = pictures.x0[chosen], pictures.label_map[chosen].long()
    images[mirrored], target[mirrored] = images[mirrored].flip(-1), target[mirrored].flip(-1)
    reading, cross_entropy = untrained.read(images), torch.nn.functional.cross_entropy
    weights = judge_training.class_weights_of(pictures.label_map, 3)
    heads = zip((reading.time_of_day, reading.season), appearances[chosen].T, strict=True)
    expected = cross_entropy(reading.logits, target, weight=weights) + 0.1 * sum(cross_entropy(*head) for head in heads)
    assert mirrored.any() and first.loss == pytest.approx(expected.item(), rel=1e-5)


def test_training_is_a_function_of_its_seed_and_leaves_the_global_stream_alone():
    torch.manual_seed(5)
    first = trained(num_steps=3)
    drawn_after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), drawn_after)
    again, other = trained(num_steps=3), trained(num_steps=3, seed=1)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
    assert not torch.equal(first.label_head.weight, other.label_head.weight)


def test_features_are_in_units_of_their_spread_over_true_pictures(tiny_judge):
    features = tiny_judge.features(coloured_blocks(200, seed=0)[0].x0)
    assert features.shape == (200, 16)
    torch.testing.assert_close(features.mean(0), torch.zeros(16), atol=1e-4, rtol=0)
    spread = features.std(0)  # a feature that is constant stays constant
    torch.testing.assert_close(spread[spread > 1e-3], torch.ones_like(spread[spread > 1e-3]), atol=1e-3, rtol=0)


def test_one_reading_says_what_the_single_questions_say(tiny_judge):
    images = coloured_blocks(5, seed=2)[0].x0
    reading = tiny_judge.read(images)
    torch.testing.assert_close(reading.logits, tiny_judge(images))
    torch.testing.assert_close(reading.features, tiny_judge.features(images))
    predicted = tiny_judge.predict(images)
    assert predicted.dtype == torch.int64 and torch.equal(predicted, reading.logits.argmax(1))


@torch.no_grad()
def test_perceptual_distance_is_the_formula_pixel_by_pixel(tiny_judge):
    a, b = coloured_blocks(6, seed=3)[0].x0.split(3)
    expected = []
    for n in range(3):
        total = 0.0
        for layer_a, layer_b in zip(tiny_judge.layers(a), tiny_judge.layers(b), strict=True):
            _, _, height, width = layer_a.shape
            for y in range(height):
                for x in range(width):
                    u, v = layer_a[n, :, y, x], layer_b[n, :, y, x]
                    total += float((u / u.norm() - v / v.norm()).square().sum()) / (height * width)
        expected.append(total)
    got = tiny_judge.perceptual_distance(a, b)
    assert got.tolist() == pytest.approx(expected, rel=1e-4)
    assert torch.equal(got, tiny_judge.perceptual_distance(b, a))
    assert tiny_judge.perceptual_distance(a, a).abs().max() == 0
    assert 0 < got.min() and got.max() <= 4 * len(TINY.channels)


def test_class_weights_favour_rare_classes_and_average_to_one():
    label_maps = torch.zeros(1, 10, 10, dtype=torch.uint8)
    label_maps[0, 0, :4] = 1
    weights = judge_training.class_weights_of(label_maps, 3)
    assert weights[1] / weights[0] == pytest.approx(math.sqrt(0.96 / 0.04), rel=1e-5)
    assert 0.96 * weights[0] + 0.04 * weights[1] == pytest.approx(1, abs=1e-3)
    assert weights[2].isfinite()  # a class that is nowhere


def test_learning_rate_rises_and_falls_to_zero():
    factors = [judge_training.rate_at(i / 100) for i in range(101)]
    assert max(factors) == factors[10] == 1
    assert factors[5] == pytest.approx(0.5) and factors[100] == pytest.approx(0, abs=1e-12)
    assert all(later < earlier for earlier, later in zip(factors[10:], factors[11:], strict=False))


def test_judge_reads_other_sizes_and_rejects_those_it_cannot_halve(tiny_judge):
    assert tiny_judge(torch.zeros(1, 3, 24, 40)).shape == (1, 3, 24, 40)
    with pytest.raises(ValueError, match=r"divisible by 2, got \(1, 3, 15, 16\)"):
        tiny_judge(torch.zeros(1, 3, 15, 16))
    with pytest.raises(ValueError, match=r"got \(3, 16, 16\)"):
        tiny_judge(torch.zeros(3, 16, 16))


def test_the_shipped_configuration_is_small():
    assert 150_000 <= sum(parameter.numel() for parameter in Judge(JudgeConfig()).parameters()) <= 400_000


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"channels": (24,)}, "two or more multiples of num_groups"),
        ({"channels": (24, 30)}, "two or more multiples of num_groups"),
        ({"image_size": 30}, "divisible by 4, one halving a level, got .30, 30."),
    ],
)
def test_config_rejects_what_cannot_be_built(wrong, message):
    with pytest.raises(ValueError, match=message):
        JudgeConfig(**wrong)


@pytest.mark.parametrize("wrong", [{"num_steps": 0}, {"batch_size": 0}, {"batch_size": 21}, {"learning_rate": 0.0}])
def test_training_rejects_numbers_out_of_range_at_the_call(wrong):
    with pytest.raises(ValueError, match="batch_size in 1..20"):
        judge_training.train_judge(TINY, *coloured_blocks(20, seed=0), **wrong)


# Files.


def test_a_saved_judge_comes_back_the_same(tmp_path, tiny_judge):
    path = tmp_path / "tiny.safetensors"
    judge.save_judge(path, tiny_judge, facts={"steps": 60})
    back = judge.load_judge(path)
    images = coloured_blocks(4, seed=4)[0].x0
    assert back.config == tiny_judge.config
    assert torch.equal(back(images), tiny_judge(images))
    assert torch.equal(back.features(images), tiny_judge.features(images))
    assert not back.training and not any(parameter.requires_grad for parameter in back.parameters())
    assert checkpoints.load_facts(path) == {"steps": 60}


def test_files_that_are_no_judge_are_told_apart(tmp_path, tiny_judge):
    path = tmp_path / "tiny.safetensors"
    judge.save_judge(path, tiny_judge)
    (tmp_path / "cut.safetensors").write_bytes(path.read_bytes()[:-100])
    checkpoints.save_tensors(tmp_path / "other.safetensors", {"a": torch.zeros(1)}, {"format": "sdm_lite model 1"})
    tensors, metadata = checkpoints.load_tensors(path)
    metadata["config"] = json.dumps(json.loads(metadata["config"]) | {"channels": [8, 32]})
    checkpoints.save_tensors(tmp_path / "wrong.safetensors", tensors, metadata)
    metadata["config"] = "{"
    checkpoints.save_tensors(tmp_path / "garbled.safetensors", tensors, metadata)
    for name, message in (
        ("cut", "not a whole safetensors file"),
        ("other", "is no judge: its format is 'sdm_lite model 1'"),
        ("wrong", "does not fit this network"),
        ("garbled", "no JudgeConfig that this version understands"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            judge.load_judge(tmp_path / f"{name}.safetensors")
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match="no weights called 'judge-7'"):
        judge.load_judge("judge-7")


def test_the_command_trains_measures_and_writes_weights_with_a_card(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    output = tmp_path / "new" / "judge-16.safetensors"
    options = "--size 16 --steps 4 --num-images 24 --batch-size 8 --num-held-out 12 --seed 3".split()
    judge_command.main(["train", "--output", str(output), *options])
    printed = capsys.readouterr().out
    facts, held_out = checkpoints.load_facts(output), Scenes(16, length=12, seed=VALIDATION_SEED)
    assert facts["scores"]["num_images"] == 12
    again = score_judge(judge.load_judge(output), *judge_training.read_scenes(held_out))
    assert again.miou == pytest.approx(facts["scores"]["miou"])
    card = output.with_suffix(".md").read_text()
    assert facts["command"] in card and "--num-steps 4" in card and "--seed 3" in card and str(tmp_path) not in card
    for text in (card, printed):
        assert f"mIoU {again.miou:.3f}" in text and "| mountain |" in text
    capsys.readouterr()
    judge_command.main(["evaluate", str(output), "--num-held-out", "12"])
    assert f"mIoU {again.miou:.3f}" in capsys.readouterr().out


def test_the_judge_is_on_the_disk_before_it_is_told_of(tmp_path, monkeypatch, capsys):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError("no space left where this is printed to")

    output = tmp_path / "judge.safetensors"
    options = "--size 16 --steps 2 --num-images 16 --num-held-out 8".split()
    monkeypatch.setattr(sys, "stdout", Full())
    assert judge_command.main(["train", "--output", str(output), *options]) == 2
    monkeypatch.undo()
    assert judge.load_judge(output).config.image_size == (16, 16) and output.with_suffix(".md").exists()


def test_what_is_held_out_is_read_before_the_training(tmp_path, monkeypatch, capsys):
    def read(dataset):
        if dataset.seed == VALIDATION_SEED:
            raise ValueError("001.png is damaged")
        return judge_training.read_scenes(dataset)

    monkeypatch.setattr(judge_command, "read", read)
    monkeypatch.setattr(judge_command, "progress", lambda *_, **__: pytest.fail("training had begun"))
    options = ["--num-images", "16", "--output", str(tmp_path / "judge.safetensors")]
    assert judge_command.main(["train", *options]) == 2
    assert capsys.readouterr().err.endswith("error: 001.png is damaged\n")


def test_pictures_in_0_to_1_are_not_read_in_silence(tiny_judge):
    with pytest.warns(UserWarning, match="give 2 x - 1"):
        tiny_judge.predict(torch.rand(1, 3, 16, 16))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "judge.pt"], "must end in .safetensors"),
        (["--output", "judge.safetensors", "--num-steps", "0"], "num_steps >= 1"),
        (["--output", "judge.safetensors", "--num-held-out", "0"], "--num-held-out must be at least 1"),
        (["--output", "judge.safetensors", "--size", "30"], "size: expected a multiple of 8"),
        (["--output", "file/judge.safetensors"], "cannot write to --output"),
        (["--output", "card.safetensors"], "cannot write --output card.md: it is a folder"),
        (["--output", "new/judge.safetensors", "--learning-rate", "0"], "learning_rate > 0"),
        (["--output", "judge.safetensors", "--device", "tpu9"], "device 'tpu9' cannot be used here"),
        (["--output", "judge.safetensors", "--seed", "-1"], "--seed must be in 0..4294967295, got -1"),
    ],
)
def test_the_command_refuses_in_one_line_before_any_work(tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("in the way of a folder")
    (tmp_path / "card.md").mkdir()
    monkeypatch.setattr(judge_command, "read", lambda *_: pytest.fail("work had begun"))
    refused(capsys, judge_command.main, ["train", *options], re.escape(message))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.md", "file"]


@pytest.mark.skipif(not (checkpoints.DATA_DIR / "judge-32.safetensors").exists(), reason="no judge-32 in data/ yet")
def test_the_shipped_judge_reaches_what_its_card_says():
    facts = checkpoints.load_facts("judge-32")
    assert facts["scores"]["miou"] >= 0.90
    shipped = judge.load_judge()
    pictures = judge_training.read_scenes(Scenes(32, length=150, seed=VALIDATION_SEED))
    scores = score_judge(shipped, *pictures)
    assert scores.miou == pytest.approx(facts["scores"]["miou"], abs=0.02)
    assert scores.time_of_day_accuracy > 0.97 and scores.season_accuracy > 0.95


def test_pooled_levels_are_means_and_standard_deviations_of_every_level():
    fine, coarse = torch.rand(2, 2, 3, 4, 6, generator=torch.Generator().manual_seed(0))[:, :, :, ::2].unbind(0)
    coarse = 5 * coarse[..., :3]
    pooled = judge.pool_levels([fine, coarse])
    expected = [fine.mean((2, 3)), fine.std((2, 3)), coarse.mean((2, 3)), coarse.std((2, 3))]
    torch.testing.assert_close(pooled, torch.cat(expected, 1))
