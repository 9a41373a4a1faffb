"""A judge of one's own: it learns photographs, says what it knows, and is refused elsewhere."""

import pytest
from commands import refused

from sdm_lite import checkpoints
from sdm_lite.datasets import open_dataset
from sdm_lite.datasets.export import render_scenes
from sdm_lite.evaluate import SampleSettings, Sizes, evaluate_model
from sdm_lite.judge import Judge, JudgeConfig, load_judge
from sdm_lite.judge import __main__ as judge_command
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
        (["--dataset", "folder", "--root", "ROOT", "--batch-size", "60"], r"batch_size in 1\.\.40"),
    ],
)
def test_the_command_refuses_in_one_line(root, tmp_path, capsys, options, message):
    options = [str(root) if option == "ROOT" else option for option in options]
    refused(capsys, judge_command.main, ["train", "--output", str(tmp_path / "judge.safetensors"), *options], message)
    assert list(tmp_path.iterdir()) == []
