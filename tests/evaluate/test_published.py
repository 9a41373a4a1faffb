"""The paper's measures by networks whose answers are known: what is compared with what, and what is left out."""

import dataclasses
import json
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from commands import refused
from networks import LEAST, randomised

from sdm_lite import metrics
from sdm_lite.batches import Example
from sdm_lite.checkpoints import save_model
from sdm_lite.datasets.export import render_scenes
from sdm_lite.diffusion import DiffusionConfig
from sdm_lite.evaluate import __main__ as evaluate_command
from sdm_lite.evaluate import published
from sdm_lite.evaluate.published import PublishedJudges, inception_measures, load_diversity, segmenter_measures
from sdm_lite.judge.segmenter import NO_CLASS
from sdm_lite.judge.weights import JudgeUnavailableError


def pictures(number, seed, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(number, 3, 8, 8, generator=generator) * 0.3 + shift).clamp(-1, 1)


def pooled(name="pooled"):
    """Six features: mean and spread of each channel."""
    return SimpleNamespace(name=name, features=lambda x: torch.cat([x.mean((2, 3)), x.std((2, 3))], 1))


# FID.


def test_the_fid_is_of_all_samples_to_all_photographs_whatever_the_batch():
    samples, true = pictures(24, 0, 0.2), pictures(24, 1)
    judge = pooled()
    found = inception_measures(judge, samples, true, batch_size=5)
    fid = found["inception_fid"]
    assert fid.value == pytest.approx(metrics.frechet_distance(judge.features(samples), judge.features(true)))
    assert fid.interval.low < fid.value < fid.interval.high and "24 samples to 24 photographs (pooled)" in fid.name
    assert inception_measures(judge, samples, true) == found
    halves = found["inception_frechet"]
    assert halves.value > 3 * halves.yardstick.value, "shifted samples are further than photographs"
    same = inception_measures(judge, true, true)
    assert same["inception_fid"].value == pytest.approx(0, abs=1e-9)
    assert same["inception_frechet"].value == pytest.approx(same["inception_frechet"].yardstick.value) != 0
    assert set(inception_measures(judge, samples[:3], true[:3])) == {"inception_fid"}


@pytest.mark.slow
def test_the_interval_of_the_fid_is_as_wide_as_fids_of_new_pictures_spread():
    judge, number = pooled(), 60
    draws = [inception_measures(judge, pictures(number, 2 * i, 0.2), pictures(number, 2 * i + 1)) for i in range(40)]
    values = torch.tensor([found["inception_fid"].value for found in draws])
    intervals = torch.tensor([found["inception_fid"].interval[:2] for found in draws])
    half_widths = (intervals[:, 1] - intervals[:, 0]) / 2
    assert 0.6 < half_widths.mean() / (1.96 * values.std()) < 1.6


# MIoU.


def segmenter(read, ids):
    """A segmenter that knows these ids and reads the maps that are written in the pictures' first channel."""
    return SimpleNamespace(
        name="reader", known_ids=sorted(set(ids) - {NO_CLASS}), size_for=lambda size: (16, 16), predict=read
    )


def written(maps):
    return maps[:, None].expand(-1, 3, -1, -1) / 10


def read(images):
    return (images[:, 0] * 10).round().long()


def test_the_miou_is_over_what_the_segmenter_knows_and_true_pictures_are_its_yardstick():
    #            classes 0, 1, 2, and 3, which the segmenter does not know
    true = torch.tensor([[[0, 0, 1, 1], [2, 2, 3, 3]]]).repeat(3, 1, 1)
    drawn = torch.tensor([[[0, 1, 1, -1], [2, 2, 0, 1]]]).repeat(3, 1, 1)
    held_out = Example(written(true.where(true < 3, 0)), true, true)
    found = segmenter_measures(segmenter(read, [0, 1, 2, NO_CLASS]), written(drawn), held_out, batch_size=2)
    miou = found["segmenter_miou"]
    # 0: one of two, none too many. 1: one of two, one too many; -1 is a miss. 2: right. What is read at 3 is left out.
    assert miou.value == pytest.approx((1 / 2 + 1 / 3 + 1) / 3)
    assert miou.yardstick.value == 1 and miou.interval.kind == "95 % percentile bootstrap over 3 photographs"
    assert miou.name == "mIoU, 3 classes (reader, pictures brought to 16x16)"


# Diversity, and all together.


def test_asked_for_together_each_is_measured_on_its_own_pictures(monkeypatch):
    samples = torch.stack([pictures(6, 0), pictures(6, 1)], 1)  # (6, 2, 3, 8, 8)
    maps = torch.zeros(6, 8, 8, dtype=torch.long)
    held_out = Example(pictures(6, 2), maps, maps)
    judge = SimpleNamespace(name="LPIPS, AlexNet", perceptual_distance=lambda a, b: (a - b).abs().mean((1, 2, 3)))
    monkeypatch.setattr(published, "load_lpips", lambda net, folder, device: judge if net == "alex" else None)
    diversity = dict(load_diversity(net, None, device="cpu") for net in ("alex", "published-script"))
    reader = segmenter(lambda x: torch.zeros(len(x), 8, 8, dtype=torch.long), [0])
    found = PublishedJudges(pooled(), diversity, reader)(samples, held_out)
    assert list(found) == [
        "inception_fid",
        "inception_frechet",
        "diversity, LPIPS, AlexNet",
        "diversity, LPIPS, AlexNet, of pictures normalised twice",
        "segmenter_miou",
    ]
    once, twice = (found[key].value for key in list(found)[2:4])
    assert once == pytest.approx((samples[:, 0] - samples[:, 1]).abs().mean().item(), rel=1e-5)
    assert 1.5 < twice / once < 2.3, "the contrast grows by 1 / (2 std), enlarging smooths"
    of_first = inception_measures(pooled(), samples[:, 0], held_out.image)
    assert found["inception_fid"].value == pytest.approx(of_first["inception_fid"].value)
    assert PublishedJudges()(samples, held_out) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--inception"], "no Inception here"),
        (["--lpips", "vgg", "published-script"], "no vgg here"),
        (["--segmenter", "FOLDER"], "--segmenter-ids must say which classes are which"),
        (["--segmenter", "FOLDER", "--segmenter-ids", "names"], "no segmenter FOLDER without 7"),
    ],
)
def test_what_cannot_be_asked_is_told_before_anything_is_drawn(monkeypatch, tmp_path, capsys, options, message):
    def missing(what, *_, **__):
        raise JudgeUnavailableError(f"no {what} here")

    dataset = SimpleNamespace(
        class_names=("sky",), void_id=7, guidance_scale=1.0, thinned=lambda _: pytest.fail("work had begun")
    )
    model = SimpleNamespace(unet=SimpleNamespace(config=SimpleNamespace(image_size=(16, 16))))
    for name, value in (
        ("load_model", lambda *_, **__: model),
        ("load_facts", lambda *_: {}),
        ("open_asked", lambda *_: dataset),
        ("load_inception", partial(missing, "Inception")),
        ("load_diversity", lambda net, *_, **__: missing(net)),
        ("load_segmenter", lambda folder, *_, void_id, **__: missing(f"segmenter {folder} without {void_id}")),
    ):
        monkeypatch.setattr(evaluate_command, name, value)
    command = ["model", "--dataset", "folder", "--root", str(tmp_path), *options]
    refused(capsys, evaluate_command.main, command, message)


@pytest.mark.slow
def test_the_command_scores_a_model_by_a_saved_segmenter(tmp_path, capsys, monkeypatch):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed (sdm_lite[segmenters])")
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    root = render_scenes(tmp_path / "scenes", num_train=3, num_val=4, size=24)
    unet = dataclasses.replace(LEAST, image_size=(16, 24))
    diffusion = DiffusionConfig(prediction_type="v")
    save_model(tmp_path / "model.safetensors", randomised(unet), diffusion)
    names = dict(enumerate(("Sky", "grass", "zebra")))
    config = transformers.SegformerConfig(
        num_encoder_blocks=1, depths=[1], sr_ratios=[1], hidden_sizes=[8], num_attention_heads=[1], patch_sizes=[3],
        strides=[2], mlp_ratios=[2], decoder_hidden_size=8, id2label=names, label2id={n: i for i, n in names.items()},
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(tmp_path / "segmenter")
    command = [str(tmp_path / "model.safetensors"), "--dataset", "folder", "--root", str(root), "--device", "cpu"]
    command += ["--num-steps", "2", "--samples-per-layout", "2", "--num-bound", "2", "--output", str(tmp_path / "out")]
    asked = ["--segmenter", str(tmp_path / "segmenter"), "--segmenter-ids", "names", "--segmenter-size", "32", "48"]
    assert evaluate_command.main([*command, *asked]) == 0
    printed = capsys.readouterr().out
    assert "classes of segmenter: Sky = sky, grass = grass, zebra = none" in printed
    measure = json.loads((tmp_path / "out" / "scores.json").read_text())["measures"]["segmenter_miou"]
    assert measure["name"] == "mIoU, 2 classes (segmenter, pictures brought to 32x48)"
    assert 0 <= measure["interval"][0] <= measure["value"] <= measure["interval"][1] <= 1
    assert measure["name"] in printed and "of the held-out photographs" in printed
