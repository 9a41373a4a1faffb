"""A judge of one's own: it learns photographs, says what it knows, and is refused elsewhere."""

from types import SimpleNamespace

import pytest
import torch
from commands import refused

from sdm_lite import checkpoints
from sdm_lite.datasets import open_dataset
from sdm_lite.datasets.export import render_scenes
from sdm_lite.evaluate import SampleSettings, Sizes, evaluate_model
from sdm_lite.judge import Judge, JudgeConfig, load_judge, training
from sdm_lite.judge import __main__ as judge_command
from sdm_lite.judge.losses import by_pixel_and_by_class
from sdm_lite.judge.lovasz import lovasz_softmax
from sdm_lite.judge.photographs import check_own_judge, own_judge_config, own_judge_facts, read_photographs
from sdm_lite.judge.scores import score_judge
from sdm_lite.judge.training import train_judge

pytest.importorskip("PIL.Image")


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch):
    """Whatever is installed here: judges are whole networks. A head has its own tests."""
    monkeypatch.setattr(judge_command, "find_weights", lambda: None)


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
    reading, nobody = SimpleNamespace(logits=logits), torch.zeros(2, 2, dtype=torch.int64)
    found = by_pixel_and_by_class(reading, target, nobody, weights, 3)
    assert found.item() == pytest.approx(expected.item())
    nothing = by_pixel_and_by_class(reading, torch.full_like(target, 3), nobody, weights, 3)
    nothing.backward()
    assert nothing.item() == 0 and logits.grad.count_nonzero() == 0, "a batch without labels teaches nothing"


def test_of_one_photograph_features_are_numbers_though_they_have_no_spread(root):
    dataset = open_dataset("folder", root, "val", size=(16, 16))
    one = read_photographs(dataset).at(slice(0, 1))
    *_, step = train_judge(own_judge_config(dataset, channels=(8, 16)), one, num_steps=1, batch_size=1)
    assert step.judge.features(one.x0).isfinite().all() and torch.equal(step.judge.feature_std, torch.ones(16))


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

    monkeypatch.setattr(training, "LOOK_EVERY", 1)
    monkeypatch.setattr(training, "score_judge", score)
    *steps, last = train_judge(config, data, choose_by=data, num_steps=4, batch_size=4)
    assert asked == [1, 2, 3, 4] and (last.best_step, last.best_miou) == (best, pytest.approx(0.4))
    assert torch.equal(last.judge.label_head.weight, weights[best - 1]) and not last.judge.training
    assert len({tuple(w.flatten().tolist()) for w in weights}) == 3, "the last rate is 0"


@pytest.fixture
def stopping(root, monkeypatch):
    """Arguments of a training that looks every second step, and what it gives when nobody stops it."""
    monkeypatch.setattr(training, "LOOK_EVERY", 2)
    data = read_photographs(open_dataset("folder", root, "val", size=(16, 16)))
    config = own_judge_config(open_dataset("folder", root, "val", size=(16, 16)), channels=(8, 16))
    options = {"loss": by_pixel_and_by_class, "choose_by": data, "num_steps": 6, "batch_size": 4}
    *_, last = train_judge(config, data, **options)
    return config, data, options, last


@pytest.mark.parametrize("stop_after", [1, 4, 5, 6])
def test_a_training_that_was_stopped_goes_on_as_if_it_had_not(stopping, tmp_path, stop_after):
    config, data, options, expected = stopping
    keep = tmp_path / "judge.unfinished.pt"
    for step in train_judge(config, data, keep=keep, **options):
        if step.number == stop_after:
            break
    steps = list(train_judge(config, data, keep=keep, **options))
    assert steps[0].number == (5 if stop_after >= 4 else 1), "the last step is never kept: somebody keeps the judge"
    last = steps[-1]
    assert (last.loss, last.best_step, last.best_miou) == (expected.loss, expected.best_step, expected.best_miou)
    for name, tensor in expected.judge.state_dict().items():
        assert torch.equal(last.judge.state_dict()[name], tensor), name


def test_a_training_goes_on_with_its_own_file_alone(stopping, tmp_path):
    config, data, options, _ = stopping
    keep = tmp_path / "judge.unfinished.pt"
    list(train_judge(config, data, keep=keep, **options))
    with pytest.raises(ValueError, match=r"unfinished.pt is of another training: num_steps was 6, now 8. Use the same"):
        train_judge(config, data, keep=keep, **options | {"num_steps": 8})
    data.label_map[0, 0, 0] += 1
    with pytest.raises(ValueError, match="another training: pictures was .*; pictures to choose by was .*, now"):
        train_judge(config, data, keep=keep, **options)
    data.label_map[0, 0, 0] -= 1
    keep.write_bytes(keep.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"unfinished.pt is not a whole unfinished training of a judge .*: delete it"):
        train_judge(config, data, keep=keep, **options)


def test_the_command_goes_on_where_it_was_stopped(root, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    monkeypatch.setattr(training, "LOOK_EVERY", 2)
    output, stopped = tmp_path / "mine.safetensors", tmp_path / "stopped.safetensors"
    words = ["train", "--dataset", "folder", "--root", str(root), "--size", "16", "--num-steps", "5", "--output"]
    assert judge_command.main([*words, str(output)]) == 0
    finish = training._finish

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "_finish", stop)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        raise SystemExit(judge_command.main([*words, str(stopped)]))
    assert [path.name for path in tmp_path.glob("stopped*")] == ["stopped.unfinished.pt"]
    monkeypatch.setattr(training, "_finish", finish)
    capsys.readouterr()
    assert judge_command.main([*words, str(stopped)]) == 0
    assert "goes on from step 4 of 5, kept in" in capsys.readouterr().out
    assert (
        not stopped.with_suffix(".unfinished.pt").exists()
        and "went on at step 5" in stopped.with_suffix(".md").read_text()
    )
    tensors = [checkpoints.load_tensors(path)[0] for path in (output, stopped)]
    assert all(torch.equal(tensors[0][name], tensors[1][name]) for name in tensors[0])


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
