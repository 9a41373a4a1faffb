"""A judge of one's own: it learns photographs, says what it knows, and is refused elsewhere."""

from types import SimpleNamespace

import pytest
import torch
from commands import refused

from sdm_lite import checkpoints
from sdm_lite.datasets import open_dataset
from sdm_lite.datasets.export import render_scenes
from sdm_lite.evaluate import SampleSettings, Sizes, evaluate_model
from sdm_lite.judge import Judge, JudgeConfig, load_judge, own_training
from sdm_lite.judge import __main__ as judge_command
from sdm_lite.judge.lovasz import lovasz_softmax
from sdm_lite.judge.photographs import check_own_judge, own_judge_config, own_judge_facts, read_photographs
from sdm_lite.judge.training import score_judge, train_judge

pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return render_scenes(tmp_path_factory.mktemp("data") / "scenes", num_train=40, num_val=12, size=16)


def test_it_learns_classes_from_photographs(root):
    training, val = (open_dataset("folder", root, split, size=(16, 16)) for split in ("train", "val"))
    config = own_judge_config(training, channels=(8, 16))
    data = read_photographs(training)
    *_, step = train_judge(config, data, num_steps=60, batch_size=8, learning_rate=1e-2)
    held_out = read_photographs(val)
    scores = score_judge(step.judge, held_out)
    assert scores.miou > 2 * score_judge(Judge(config).eval(), held_out).miou
    assert scores.time_of_day_accuracy == scores.season_accuracy == 1, "heads of one outcome cannot err"


def test_the_loss_is_of_labelled_pixels_by_number_and_by_class():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 3, 5, generator=generator)
    logits[:, 3] = -torch.inf  # void
    logits.requires_grad_()
    target = torch.randint(0, 4, (2, 3, 5), generator=generator)
    weights = torch.tensor([1.0, 5.0, 0.2, 0.0])
    labelled = target != 3
    pixels, labels = logits.movedim(1, -1)[labelled], target[labelled]
    by_number = -(weights[labels] * pixels.log_softmax(1)[torch.arange(len(labels)), labels]).sum()
    expected = by_number / weights[labels].sum() + lovasz_softmax(pixels.softmax(1), labels)
    found = own_training.pixel_loss(logits, target, weights, void_id=3)
    assert found.item() == pytest.approx(expected.item())
    nothing = own_training.pixel_loss(logits, torch.full_like(target, 3), weights, void_id=3)
    nothing.backward()
    assert nothing.item() == 0 and logits.grad.count_nonzero() == 0, "a batch without labels teaches nothing"


@pytest.mark.parametrize("best", [1, 2])
def test_the_weights_that_read_best_are_kept(root, monkeypatch, best):
    data = read_photographs(open_dataset("folder", root, "val", size=(16, 16)))
    config = own_judge_config(open_dataset("folder", root, "val", size=(16, 16)), channels=(8, 16))
    weights, asked = [], []

    def score(judge, pictures):
        assert not judge.training and pictures is data
        weights.append(judge.label_head.weight.clone())
        asked.append(len(asked) + 1)
        return SimpleNamespace(miou=0.3 + 0.1 * (len(asked) == best))

    monkeypatch.setattr(own_training, "CHOOSE_EVERY", 1)
    monkeypatch.setattr(own_training, "score_judge", score)
    *steps, last = own_training.train_own_judge(config, data, choose_by=data, num_steps=4, batch_size=4)
    assert asked == [1, 2, 3, 4] and (last.best_step, last.best_miou) == (best, pytest.approx(0.4))
    assert torch.equal(last.judge.label_head.weight, weights[best - 1]) and not last.judge.training
    assert len({tuple(w.flatten().tolist()) for w in weights}) == 3, "the last rate is 0"


def test_the_command_chooses_by_every_second_photograph_and_measures_on_the_others(root, tmp_path, monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    monkeypatch.setattr(judge_command, "LEAST_TO_CHOOSE", 12)
    output = tmp_path / "mine.safetensors"
    words = ["train", "--dataset", "folder", "--root", str(root), "--size", "16", "--num-steps", "2", "--crops", "2"]
    assert judge_command.main([*words, "--output", str(output)]) == 0
    facts, card = checkpoints.load_facts(output), output.with_suffix(".md").read_text()
    assert facts["scores"]["num_images"] == facts["chosen"]["num_images"] == 6
    assert "--crops 2" in facts["command"] and "--num-images 80" in facts["command"]
    assert f"those of step {facts['chosen']['step']}" in card and "the table is of the others" in card


def test_it_is_refused_where_it_knows_nothing(root):
    dataset = open_dataset("folder", root, "val", size=(16, 16))
    facts = own_judge_facts(dataset)
    check_own_judge(facts, dataset, "mine")
    for wrong, message in (
        ({}, "got mine, trained on Scenes"),
        (facts | {"size": [32, 32]}, r"at 16 x 16, got mine, trained on folder at \[32, 32\]"),
        (facts | {"dataset": "camvid"}, "trained on camvid"),
        (facts | {"class_names": ["sky"]}, "with other classes"),
    ):
        with pytest.raises(ValueError, match=message):
            check_own_judge(wrong, dataset, "mine")


def test_it_does_not_score_scenes():
    model = checkpoints.load_model("scenes-32")
    with pytest.raises(ValueError, match="the judge reads no seasons, so it was not trained on Scenes"):
        evaluate_model(model, Judge(JudgeConfig(num_times_of_day=1, num_seasons=1)), SampleSettings(), Sizes())


def test_sizes_that_are_no_squares_are_kept_and_checked():
    assert JudgeConfig(image_size=[16, 24]).image_size == (16, 24)
    for wrong in ((16, 30), (16, 24, 8)):
        with pytest.raises(ValueError, match="image_size must be divisible by 4"):
            JudgeConfig(image_size=wrong)


def test_the_command_trains_on_a_data_set_and_measures_again(root, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    output = tmp_path / "mine.safetensors"
    where = ["--dataset", "folder", "--root", str(root)]
    judge_command.main(
        ["train", *where, "--size", "16", "24", "--num-steps", "3", "--num-images", "20", "--output", str(output)]
    )
    assert "true pictures of the val split of folder: mIoU" in capsys.readouterr().out
    facts, card = checkpoints.load_facts(output), output.with_suffix(".md").read_text()
    assert facts["size"] == [16, 24] and facts["scores"]["num_images"] == 12
    assert load_judge(output).config.image_size == (16, 24)
    assert "# mine: a judge of folder at 16 x 24" in card and "FID (own judge, trained on this data set's" in card
    assert facts["command"] in card and str(tmp_path) not in card
    assert "--size 16 24 --num-steps 3 --num-images 20" in card
    judge_command.main(["evaluate", str(output), *where])
    assert f"mIoU {facts['scores']['miou']:.3f}" in capsys.readouterr().out
    message = "mine.safetensors is a judge of folder: give --dataset and --root"
    refused(capsys, judge_command.main, ["evaluate", str(output)], message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "folder"], "--dataset folder needs --root"),
        (["--dataset", "foldr", "--root", "ROOT"], "did you mean folder"),
        (["--dataset", "folder", "--root", "ROOT", "--size", "16", "16", "16"], "one number or two, got 3"),
        (["--size", "16", "24"], "Scenes are square"),
        (
            ["--dataset", "folder", "--root", "ROOT", "--batch-size", "200"],
            r"batch_size in 1\.\.160",
        ),  # four parts of 40
        (["--crops", "2"], "--crops is for photographs, and --dataset is scenes"),
    ],
)
def test_the_command_refuses_in_one_line(root, tmp_path, capsys, options, message):
    options = [str(root) if option == "ROOT" else option for option in options]
    refused(capsys, judge_command.main, ["train", "--output", str(tmp_path / "judge.safetensors"), *options], message)
    assert list(tmp_path.iterdir()) == []
