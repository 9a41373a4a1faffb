"""evaluate.py: true pictures score as the truth, wrong ones do not, and samples depend on their seeds alone."""

import dataclasses
import json
import re
from functools import partial

import pytest
import torch
from commands import refused
from networks import LEAST, randomised

from sdm_lite import evaluate, metrics
from sdm_lite.checkpoints import Model, load_tensors, save_model
from sdm_lite.diffusion import DiffusionConfig
from sdm_lite.evaluate import SampleSettings, Sizes
from sdm_lite.evaluate import __main__ as evaluate_command
from sdm_lite.evaluate.drawing import painter
from sdm_lite.judge import Judge, JudgeConfig, save_judge
from sdm_lite.sampling import sample_ddim, sample_ddpm
from sdm_lite.scenes import TEST_SEED, VALIDATION_SEED, Scenes
from sdm_lite.student import Student
from sdm_lite.unet import SDMUNet

UNET = LEAST
SIZES = Sizes(num_layouts=6, num_renders=3, samples_per_layout=2, num_diversity_layouts=4)


@pytest.fixture(scope="module")
def judge():
    torch.manual_seed(0)
    return Judge(JudgeConfig(channels=(8, 16), image_size=16)).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model():
    return Model(
        randomised(UNET), DiffusionConfig(prediction_type="v").build()
    )  # x0 from eps would be clipped to -1 and 1


# Measuring.


def test_laplacian_of_known_pictures():
    ramp = torch.arange(8.0).expand(1, 3, 8, 8)
    assert evaluate.mean_absolute_laplacian(ramp).item() == 0
    checkerboard = ((torch.arange(8)[:, None] + torch.arange(8)) % 2 * 2 - 1).float().expand(1, 3, 8, 8)
    assert evaluate.mean_absolute_laplacian(checkerboard).item() == 8
    assert evaluate.mean_absolute_laplacian(torch.cat([ramp, checkerboard])).tolist() == [0, 8]


def test_evaluate_images_reads_every_picture_once_whatever_the_batch(judge):
    scenes = Scenes(16, length=3, seed=5)
    label_maps = torch.stack([scenes.layout(i)[0] for i in range(3)])
    images = torch.stack([torch.stack([scenes.render(i, s) for s in range(4)]) for i in range(3)])
    whole = evaluate.evaluate_images(judge, images, label_maps)
    for column, same in zip(whole, evaluate.evaluate_images(judge, images, label_maps, batch_size=5), strict=True):
        torch.testing.assert_close(column, same)
    torch.testing.assert_close(whole.features[1, 2], judge.features(images[1, 2][None])[0])
    assert whole.season[2, 3] == judge.read(images[2, 3][None]).season.argmax()
    assert torch.equal(whole.confusion.sum((1, 2)), torch.full((3,), 4 * 16 * 16))
    counts = torch.bincount(label_maps[0].flatten(), minlength=11)
    assert torch.equal(whole.confusion[0].sum(1), 4 * counts)  # rows are the label map's classes
    torch.testing.assert_close(whole.levels[1, 2], judge.read(images[1, 2][None]).levels[0])
    at_edges, read = metrics.edge_pixels(label_maps[2]), judge.predict(images[2])
    by_hand = sum(metrics.confusion_matrix(one[at_edges], label_maps[2][at_edges], 11) for one in read)
    assert torch.equal(whole.edge_confusion[2], by_hand)
    torch.testing.assert_close(whole.edge_sharpness[2, 3], metrics.edge_sharpness(images[2, 3:], label_maps[2:])[0])
    with pytest.raises(ValueError, match=r"images must be \(L, N, 3, H, W\)"):
        evaluate.evaluate_images(judge, images[:2], label_maps)


def test_layout_diversity_is_that_of_each_layout_alone(judge):
    images = torch.rand(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    images[1] = images[1, :1]
    diversity = evaluate.layout_diversity(judge, images)
    a, b, c = images[0]
    pairs = [judge.perceptual_distance(x[None], y[None]).item() for x, y in ((a, b), (a, c), (b, c))]
    assert diversity[0].item() == pytest.approx(sum(pairs) / 3, rel=1e-5)
    assert diversity[1] == 0


@pytest.mark.parametrize("seed", [VALIDATION_SEED, TEST_SEED])
def test_truth_is_of_the_layouts_asked_for(judge, seed):
    sizes = SIZES._replace(scenes_seed=seed)
    truth, scenes = evaluate.measure_truth(judge, sizes), Scenes(16, length=6, seed=seed)
    assert truth.sizes == sizes and truth.reference.season.shape == (6, 3) and truth.diversity.shape == (4,)
    torch.testing.assert_close(truth.reference.features[4, 2], judge.features(scenes.render(4, 2)[None])[0])
    assert truth.diversity[3] == evaluate.layout_diversity(
        judge, torch.stack([scenes.render(3, n) for n in (0, 1)])[None]
    )


# The model.


@pytest.mark.parametrize("sampler", [sample_ddim, sample_ddpm])
def test_samples_depend_on_their_seeds_and_not_on_the_batch(model, judge, sampler):
    settings = SampleSettings(num_steps=2, sampler=sampler, batch_size=4)
    larger = dataclasses.replace(settings, batch_size=7)
    evaluated = partial(
        evaluate.evaluate_model, model, judge, sizes=SIZES, num_resamples=5, truth=evaluate.measure_truth(judge, SIZES)
    )
    first, again, other = map(evaluated, (settings, larger, dataclasses.replace(larger, seed=1)))
    for name, measure in first.measures.items():
        assert again.measures[name].value == pytest.approx(measure.value, rel=1e-3, nan_ok=True), name
    assert other.measures["frechet"].value != pytest.approx(first.measures["frechet"].value, rel=1e-3)
    assert first.num_images == 6 + 4
    assert first.settings["sampler"] == sampler.__name__ and first.settings["num_steps"] == 2
    assert first.seconds_per_image > 0


@pytest.mark.parametrize("seed", [VALIDATION_SEED, TEST_SEED])
def test_samples_are_asked_for_the_held_out_layouts(model, judge, monkeypatch, seed):
    """A model that answers with true pictures of the maps it is given scores as the judge reads those pictures."""
    held_out = Scenes(16, length=6, seed=seed)
    pictures = [torch.stack([held_out.render(i, seed) for seed in range(9, 11)]) for i in range(6)]

    def answer(_, label_maps, instance_maps, samples_of, *, seed, batch_size, progress):
        for i in range(6):
            assert torch.equal(label_maps[i], held_out.layout(i)[0])
            assert torch.equal(instance_maps[i], held_out.layout(i)[1])
        return [group[:number] for group, number in zip(pictures, samples_of, strict=True)]

    kept = []
    monkeypatch.setattr("sdm_lite.evaluate.scenes.paint_groups", answer)
    scores = evaluate.evaluate_model(
        model, judge, SampleSettings(), SIZES._replace(scenes_seed=seed), num_resamples=5, keep=kept.append
    )
    confusion = metrics.confusion_matrix(
        judge.predict(torch.stack([group[0] for group in pictures])),
        torch.stack([held_out.layout(i)[0] for i in range(6)]),
        Scenes.num_classes,
    )
    assert scores.measures["miou"].value == pytest.approx(metrics.mean_iou(confusion))
    assert scores.settings["scenes_seed"] == seed and torch.equal(kept[0][5], pictures[5][:1])


def test_whatever_draws_is_scored_as_a_model_is(model, judge):
    """A painter that is the model scores what the model scores; one that copies the truth, what the truth does."""
    settings, truth = SampleSettings(num_steps=2, seed=4), evaluate.measure_truth(judge, SIZES)
    as_model = evaluate.evaluate_model(model, judge, settings, SIZES, num_resamples=3, truth=truth)
    as_painter = evaluate.evaluate_painter(
        painter(model, settings),
        judge,
        SIZES,
        seed=4,
        settings=settings.told(),
        num_resamples=3,
        truth=truth,
    )
    same = {"seconds_per_image": 0.0}
    assert str(dataclasses.replace(as_painter, **same)) == str(dataclasses.replace(as_model, **same))
    maps = SIZES.layouts(16)[0]
    copied = Scenes(16, length=6, seed=TEST_SEED)

    def copy(label_maps, instance_maps, seeds):
        which = [(maps == one).all((1, 2)).nonzero()[0].item() for one in label_maps]
        return torch.stack([copied.render(i, 0) for i in which])

    scores = evaluate.evaluate_painter(copy, judge, SIZES, num_resamples=3, truth=truth)
    assert scores.measures["diversity"].value == 0, "one picture a layout, however often it is asked for"
    read = torch.stack([judge.predict(copied.render(i, 0)[None])[0] for i in range(6)])
    confusion = metrics.confusion_matrix(read, maps, Scenes.num_classes)
    assert scores.measures["miou"].value == pytest.approx(metrics.mean_iou(confusion))
    with pytest.raises(ValueError, match="groups: expected 10 pictures of .*, got 6"):
        evaluate.score_samples([maps[:1]] * 6, judge, truth, seconds=1.0, settings={})


def test_sizes_say_which_layouts_and_how_many_pictures_of_each():
    sizes, scenes = SIZES._replace(scenes_seed=VALIDATION_SEED), Scenes(32, length=6, seed=VALIDATION_SEED)
    assert sizes.samples_of == [2, 2, 2, 2, 1, 1]
    label_maps, instance_maps = sizes.layouts(32)
    assert torch.equal(label_maps[5], scenes.layout(5)[0]) and torch.equal(instance_maps[5], scenes.layout(5)[1])


def test_a_guidance_interval_reaches_the_samples(model, judge):
    everywhere = SampleSettings(guidance_scale=4.0, num_steps=2)
    truth, drawn = evaluate.measure_truth(judge, SIZES), []
    for settings in (everywhere, dataclasses.replace(everywhere, guidance_interval=(1, 300))):
        evaluate.evaluate_model(model, judge, settings, SIZES, num_resamples=2, truth=truth, keep=drawn.append)
    assert not torch.allclose(drawn[0][0], drawn[1][0])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"guidance_scale": -1.0}, "guidance_scale must be"),
        ({"num_steps": 1001}, "num_steps must be"),
        ({"batch_size": 0}, "batch_size must be a whole number, at least 1, got 0"),
        ({"num_layouts": 1}, "num_layouts, num_renders and samples_per_layout must be at least 2, got 1, 3 and 2$"),
        ({"samples_per_layout": 1}, "must be at least 2, got 6, 3 and 1$"),
        ({"samples_per_layout": 4}, "samples_per_layout must be at most num_renders, which is 3, got 4$"),
        ({"num_diversity_layouts": 7}, r"num_diversity_layouts must be in 1..6 \(num_layouts\), got 7$"),
    ],
)
def test_bad_numbers_are_met_before_any_work(model, judge, monkeypatch, wrong, message):
    monkeypatch.setattr(Scenes, "layout", lambda *_: pytest.fail("work had begun"))
    settings = dataclasses.replace(SampleSettings(), **{k: v for k, v in wrong.items() if k not in Sizes._fields})
    sizes = SIZES._replace(**{k: v for k, v in wrong.items() if k in Sizes._fields})
    with pytest.raises(ValueError, match=message):
        evaluate.evaluate_model(model, judge, settings, sizes)


def test_a_model_that_does_not_go_with_scenes_or_the_judge_is_refused(model, judge):
    other = SDMUNet(dataclasses.replace(UNET, num_classes=5))
    with pytest.raises(ValueError, match="reads 5 classes and instance edges, Scenes has 11 classes"):
        evaluate.evaluate_model(Model(other, model.diffusion), judge, SampleSettings(), SIZES)
    larger = Judge(JudgeConfig(channels=(8, 16), image_size=32))
    with pytest.raises(ValueError, match=re.escape("draws (16, 16) pixels and the judge reads (32, 32)")):
        evaluate.evaluate_model(model, larger, SampleSettings(), SIZES)


def test_a_truth_of_other_sizes_is_refused(model, judge):
    truth = evaluate.measure_truth(judge, SIZES._replace(num_renders=2))
    with pytest.raises(ValueError, match="num_renders=3.*num_renders=2"):
        evaluate.evaluate_model(model, judge, SampleSettings(), SIZES, truth=truth)


def test_the_command_prints_every_score_and_writes_json(tmp_path, model, judge, capsys, monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    save_model(tmp_path / "model.safetensors", model.unet, DiffusionConfig())
    save_judge(tmp_path / "judge.safetensors", judge)
    options = "--num-layouts 6 --num-renders 3 --samples-per-layout 2 --num-diversity-layouts 4 --num-steps 2".split()
    files = [str(tmp_path / "model.safetensors"), "--judge", str(tmp_path / "judge.safetensors"), "--device", "cpu"]
    evaluate_command.main([*files, *options, "--json", str(tmp_path / "out" / "scores.json")])
    printed = capsys.readouterr().out
    written = json.loads((tmp_path / "out" / "scores.json").read_text())
    for measure in written["measures"].values():
        for told in filter(None, (measure, measure["yardstick"], measure["ratio"], measure["difference"])):
            low, high, kind = told["interval"]
            assert f"{told['value']:.3f}   [{low:.3f}, {high:.3f}]" in printed and told["name"] in printed
            assert f": {kind}\n" in printed
    assert written["measures"]["miou"]["ratio"] and written["measures"]["season_tv"]["difference"]
    test = written["measures"]["frechet"]["exchange"]
    assert f"  p = {test['p_value']:.3f} (999 exchanges): {test['verdict']}\n" in printed
    assert (
        "_tv: the sample of each of 6 layouts exchanged with its 3 true pictures; p <= 0.05: not the truth" in printed
    )
    assert "FID (Scenes judge)" in printed and set(written["class_iou"]) == set(Scenes.class_names)
    assert written["settings"]["guidance_scale"] == 1.5
    few = "--num-layouts 3 --num-renders 3 --samples-per-layout 2 --num-steps 2".split()
    assert evaluate_command.main([*files, *few]) == 0, "of as many layouts as there are for diversity, unless asked"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["scores.json"]
    save_model(tmp_path / "student.safetensors", Student(UNET), DiffusionConfig(), facts={"teacher": "model"})
    files[0], result = str(tmp_path / "student.safetensors"), tmp_path / "student.json"
    assert evaluate_command.main([*files, *few[:-2], "--json", str(result)]) == 0
    assert (
        json.loads(result.read_text())["settings"] | {"num_steps": 4, "guidance_scale": 1.5}
        == json.loads(result.read_text())["settings"]
    ), "as a student is drawn with, unless asked"
    refused(capsys, evaluate_command.main, ["nowhere", *options], "error: no weights called 'nowhere'")
    card = [*files, *options, "--card", str(tmp_path / "model.safetensors" / "card.md")]
    refused(capsys, evaluate_command.main, card, "cannot write to --card .*model.safetensors .*: give another folder")
    device = ["scenes-32", *options, "--device", "tpu9"]
    refused(capsys, evaluate_command.main, device, "error: device 'tpu9' cannot be used here")


def test_a_card_says_how_the_model_was_made_and_what_it_scores(tmp_path, model, judge, capsys, monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    made = {"command": "train it", "steps": 1234, "images": 9872, "seconds": 5.5, "device": "cpu", "threads": 2}
    made |= {"torch": "2", "data_seed": 0, "train_config": {"batch_size": 8, "null_probability": 0.2}}
    save_model(tmp_path / "made.safetensors", model.unet, DiffusionConfig(), facts=made)
    save_model(tmp_path / "found.safetensors", model.unet, DiffusionConfig())
    before = made | {"data_seed": TEST_SEED}
    save_model(tmp_path / "seen.safetensors", model.unet, DiffusionConfig(), facts=made | {"before": [before]})
    save_judge(tmp_path / "judge.safetensors", judge)
    options = "--num-layouts 6 --num-renders 3 --samples-per-layout 2 --num-diversity-layouts 4 --num-steps 2".split()
    options += [
        "--judge",
        str(tmp_path / "judge.safetensors"),
        "--device",
        "cpu",
        "--card",
        str(tmp_path / "new" / "card.md"),
    ]
    options += ["--guidance-interval", "1", "800", "--seed", "3"]
    found = [str(tmp_path / "found.safetensors"), *options]
    refused(capsys, evaluate_command.main, found, "does not say how it was made")
    assert not (tmp_path / "new").exists(), "a refused command left a folder"
    seen = [str(tmp_path / "seen.safetensors"), *options]
    refused(capsys, evaluate_command.main, seen, r"trained on Scenes\(seed=2\), the layouts .* --layouts validation")
    kept_file = tmp_path / "kept.safetensors"
    evaluate_command.main([*seen, "--layouts", "validation", "--samples", str(kept_file)])
    kept, facts = load_tensors(kept_file)
    assert kept["first"].shape == (6, 3, 16, 16) and kept["several"].shape == (4, 2, 3, 16, 16)
    assert torch.equal(kept["several"][:, 0], kept["first"][:4]) and facts["format"] == "sdm_lite samples 1"
    assert "scenes_seed 1" in capsys.readouterr().out
    evaluate_command.main([str(tmp_path / "made.safetensors"), *options, "--num-repeats", "1"])
    card = (tmp_path / "new" / "card.md").read_text()
    assert "train it" in card and "1,234 steps of 8 images" in card
    asked = f"--guidance-scale 1.5 --guidance-interval 1 800 --judge {tmp_path / 'judge.safetensors'} --num-steps 2"
    assert f"{asked} --samples-per-layout 2 --seed 3 --num-layouts 6" in card and "--num-repeats 1" in card
    table = capsys.readouterr().out.strip()
    told = re.sub(", [0-9]+ ms each", "", table[table.rindex("\nmIoU (") + 1 :])
    assert told in card and " ms each" not in card, "a card is of the model, not of the machine"
    moved = card[card.index("How much that moves") :].splitlines()
    assert moved[3].split() == ["as", "above", "seed", "4", "validation", "layouts"]
    values = next(line for line in moved if line.startswith("FID (Scenes judge): less the floor")).split()[-3:]
    assert len(set(values)) == 3
