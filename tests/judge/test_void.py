"""Void: pixels that nobody labelled teach a judge nothing, are never predicted, and count in no mIoU."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils.data import default_collate

from sdm_lite import checkpoints
from sdm_lite.batches import Batch, Example
from sdm_lite.datasets import open_dataset
from sdm_lite.datasets.export import export_folder
from sdm_lite.evaluate import SampleSettings, evaluate_images
from sdm_lite.evaluate.photographs import PhotographSizes, evaluate_photographs
from sdm_lite.evaluate.photographs.measures import judge_measures, void_counts
from sdm_lite.judge import Judge, JudgeConfig, load_judge, save_judge
from sdm_lite.judge import __main__ as judge_command
from sdm_lite.judge import training as judge_training
from sdm_lite.judge.losses import pixels_and_heads
from sdm_lite.judge.photographs import load_own_judge, own_judge_config, own_judge_facts, read_photographs
from sdm_lite.judge.scores import score_judge
from sdm_lite.metrics import edge_pixels

pytest.importorskip("PIL.Image")

VOID = 2
CONFIG = JudgeConfig(
    num_classes=4, num_times_of_day=1, num_seasons=1, channels=(8, 16), num_groups=4, image_size=16, void_id=VOID
)


def noise(num_images: int, seed: int = 0) -> Batch:
    """Pictures of noise, of four classes in blocks, of which one is void."""
    generator = torch.Generator().manual_seed(seed)
    label_map = torch.randint(4, (num_images, 4, 4), generator=generator, dtype=torch.uint8)
    images = torch.randint(256, (num_images, 3, 16, 16), generator=generator, dtype=torch.uint8)
    return Batch(images, label_map.repeat_interleave(4, 1).repeat_interleave(4, 2), None, 4)


def keen(void_id: int | None = VOID) -> Judge:
    """A judge whose weights say void everywhere, as those of a judge that was taught it may."""
    torch.manual_seed(0)
    judge = Judge(dataclasses.replace(CONFIG, void_id=void_id)).eval().requires_grad_(False)
    judge.label_head.bias[VOID] = 100
    return judge


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Photographs of a folder of one's own with a class named unlabelled."""
    pictures = noise(12)
    examples = [Example(x0, m, m) for x0, m in zip(pictures.x0, pictures.label_map.long(), strict=True)]
    names = ["ground", "sky", "unlabelled", "water"]
    root = tmp_path_factory.mktemp("data") / "own"
    return export_folder(root, {"train": examples[:8], "val": examples[8:]}, names)


def opened(root, split):
    return open_dataset("folder", root, split, size=(16, 16))


# Training.


def loss_of(judge, pictures, appearances, weights):
    return pixels_and_heads(judge.read(pictures.x0), pictures.label_map.long(), appearances, weights, VOID)


def test_the_loss_is_the_mean_over_labelled_pixels_and_classes():
    """Of the first batch, by hand: void has no pixel, no weight and no share of the softmax."""
    pictures, judge = noise(6), keen()
    weights = judge_training.class_weights_of(pictures.label_map, 4, VOID)
    assert weights[VOID] == 0
    loss = loss_of(judge, pictures, torch.zeros(6, 2, dtype=torch.int64), weights)
    classes = [0, 1, 3]
    logits = keen(void_id=None)(pictures.x0)[:, classes].movedim(1, -1)  # (B, H, W, 3)
    labelled = pictures.label_map != VOID
    target = torch.tensor([0, 1, -1, 2])[pictures.label_map[labelled].long()]
    torch.testing.assert_close(loss, F.cross_entropy(logits[labelled], target, weight=weights[classes]))


def test_class_weights_are_of_labelled_pixels():
    label_maps = torch.full((1, 10, 10), VOID, dtype=torch.uint8)
    label_maps[0, 0], label_maps[0, 1, :4] = 0, 1  # 10 and 4 of 14 labelled pixels
    weights = judge_training.class_weights_of(label_maps, 4, VOID)
    alone = judge_training.class_weights_of(label_maps[label_maps != VOID], 4)
    assert torch.equal(weights[[0, 1, 3]], alone[[0, 1, 3]])


def test_what_is_written_on_void_pixels_is_not_learned():
    """A void pixel's label gives no gradient: a judge taught void as any other class would get another loss."""
    pictures, appearances = noise(2), torch.zeros(2, 2, dtype=torch.int64)
    judge = keen().requires_grad_(True)
    pictures.label_map[1] = VOID
    weights = torch.ones(4)
    both = loss_of(judge, pictures, appearances, weights)
    first = loss_of(judge, pictures.at(slice(0, 1)), appearances[:1], weights)
    torch.testing.assert_close(both, first)
    both.backward()
    assert judge.label_head.bias.grad[VOID] == 0 and all(p.grad.isfinite().all() for p in judge.parameters())
    nothing = loss_of(judge, pictures.at(slice(1, 2)), appearances[1:], weights)
    assert nothing == 0, "a batch without a labelled pixel must not be nan"


def test_pictures_without_a_labelled_pixel_are_refused():
    pictures = noise(4)
    pictures.label_map[:] = VOID
    with pytest.raises(ValueError, match=r"got void \(class 2\) in all of them"):
        judge_training.train_judge(CONFIG, pictures, num_steps=1, batch_size=2)


@pytest.mark.parametrize("void_id", [-1, 4])
def test_void_is_one_of_the_classes(void_id):
    with pytest.raises(ValueError, match=rf"void_id must be None or a class id in 0\.\.3, got {void_id}"):
        dataclasses.replace(CONFIG, void_id=void_id)


# Scores.


def by_hand(predicted, target):
    """IoU of the three classes over labelled pixels."""
    labelled = target != VOID
    predicted, target = predicted[labelled], target[labelled]
    return [
        ((predicted == k) & (target == k)).sum().item() / ((predicted == k) | (target == k)).sum().item()
        for k in (0, 1, 3)
    ]


def test_void_is_never_predicted():
    assert (keen(void_id=None).predict(noise(3).x0) == VOID).all()
    judge = keen()
    assert not (judge.predict(noise(3).x0) == VOID).any()
    assert (judge.read(noise(3).x0).logits[:, VOID] == -torch.inf).all()


def test_scores_are_of_labelled_pixels_and_say_how_many_are_not():
    pictures, judge = noise(5), keen()
    target = pictures.label_map.long()
    scores = score_judge(judge, pictures, batch_size=2)
    expected = by_hand(judge.predict(pictures.x0), target)
    assert [scores.iou[k] for k in (0, 1, 3)] == pytest.approx(expected) and np.isnan(scores.iou[VOID])
    assert scores.miou == pytest.approx(np.mean(expected))
    assert scores.num_ignored == (target == VOID).sum() > 0 and scores.num_pixels == 5 * 16 * 16


def test_miou_of_samples_and_its_ceiling_are_of_labelled_pixels(root):
    held_out = default_collate(list(opened(root, "val").read_all()))
    judge = keen()
    images = torch.stack([held_out.image.flip(0), held_out.image], dim=1)  # (L, N, 3, H, W)
    measured, labelled = evaluate_images(judge, images, held_out.label_map), held_out.label_map != VOID
    at_edges = torch.stack([edge_pixels(label_map) for label_map in held_out.label_map]) & labelled
    for confusion, counted in ((measured.confusion, labelled), (measured.edge_confusion, at_edges)):
        assert confusion.sum() == 2 * counted.sum()
        assert (confusion[..., VOID, :] == 0).all() and (confusion[..., VOID] == 0).all()
    found = judge_measures(judge, images, held_out)["miou"]
    for measure, pictures in ((found, images[:, 0]), (found.yardstick, held_out.image)):
        assert measure.value == pytest.approx(np.mean(by_hand(judge.predict(pictures), held_out.label_map)))


def test_a_data_set_counts_its_void_pixels(root):
    val = opened(root, "val")
    label_maps = default_collate(list(val.read_all())).label_map
    assert void_counts(val, label_maps) == {
        "num_void_pixels": int((label_maps == VOID).sum()),
        "num_pixels": 4 * 16 * 16,
    }
    val.void_id = None
    assert void_counts(val, label_maps) == {}


# Files and commands.


def test_a_judge_of_before_loads_with_its_void_class_masked(root, tmp_path):
    val, path = opened(root, "val"), tmp_path / "old.safetensors"
    save_judge(path, keen(void_id=None), facts=own_judge_facts(val))
    tensors, metadata = checkpoints.load_tensors(path)
    metadata["config"] = metadata["config"].replace(', "void_id": null', "")
    assert "void" not in metadata["config"]
    checkpoints.save_tensors(path, tensors, metadata)
    judge, note = load_own_judge(path, val)
    pictures = read_photographs(val)
    assert judge.config.void_id == VOID and not (judge.predict(pictures.x0) == VOID).any()
    assert "old.safetensors has learned unlabelled as a class, which is masked here" in note
    assert score_judge(judge, pictures).num_ignored > 0
    save_judge(path, keen(), facts=own_judge_facts(val))
    assert load_own_judge(path, val)[1] == "" and load_judge(path).config.void_id == VOID


def test_a_judge_that_predicts_void_scores_no_photographs(root):
    model = checkpoints.load_model("scenes-32")
    unet = type(model.unet)(dataclasses.replace(model.unet.config, num_classes=4, image_size=(16, 16)))
    sets = opened(root, "val"), opened(root, "train")
    with pytest.raises(ValueError, match="expected a judge with void_id 2, that of folder, got None"):
        evaluate_photographs(
            model._replace(unet=unet), *sets, SampleSettings(), PhotographSizes(), judge=keen(void_id=None)
        )


def test_the_commands_leave_void_out_of_the_table_and_count_it(root, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    assert own_judge_config(opened(root, "train")).void_id == VOID
    output, where = tmp_path / "mine.safetensors", ["--dataset", "folder", "--root", str(root)]
    options = ["--size", "16", "--num-steps", "2", "--batch-size", "4", "--output", str(output)]
    judge_command.main(["train", *where, "--backbone", "none", *options])
    trained, card = capsys.readouterr().out, output.with_suffix(".md").read_text()
    judge_command.main(["evaluate", str(output), *where])
    ignored = int((read_photographs(opened(root, "val")).label_map == VOID).sum())
    told = f"ignored as void (unlabelled): {ignored} of 1,024 pixels, {100 * ignored / 1024:.1f} %"
    for text in (trained, card, capsys.readouterr().out):
        assert told in text and "| sky |" in text
        assert not re.search(r"^\| unlabelled", text, re.M) and "neither there nor read" not in text
