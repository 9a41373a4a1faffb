"""A new best has to be better by something, and held-out figures depend on the weights alone."""

from dataclasses import replace

import pytest
import torch
from networks import LEAST

from sdm_lite.checkpoints import Model
from sdm_lite.scenes import TEST_SEED, VALIDATION_SEED, Scenes
from sdm_lite.train.config import LITE_DIFFUSION, RunConfig, TrainConfig
from sdm_lite.train.data import open_data, open_splits
from sdm_lite.train.held_out import FID, HELD_OUT_LOSS, Evaluation, Evaluator, held_out_loss, judge_progress
from sdm_lite.train.processes import Processes
from sdm_lite.unet import SDMUNet


def evaluations(*values):
    return [Evaluation(100 * n, {"loss": value}, "loss") for n, value in enumerate(values, 1)]


@pytest.mark.parametrize(
    ("values", "best", "without"),
    [
        ((1.0,), 100, 0),
        ((1.0, 0.5), 200, 0),
        ((1.0, 0.995), 200, 1),  # the best, and too little to go on for
        ((1.0, 0.995, 0.985), 300, 0),  # but small steps add up
        ((1.0, 0.5, 0.7, 0.6), 200, 2),
        ((0.08, 0.07579, 0.07507), 300, 1),  # the end of a cosine schedule on photographs: the last are the best
        ((1.0, 0.995, 1.0), 200, 2),
    ],
)
def test_still_improving(values, best, without):
    verdict = judge_progress(evaluations(*values))
    is_best = best == 100 * len(values)
    assert (verdict.best.step, verdict.num_without_improvement, verdict.is_best) == (best, without, is_best)
    assert ("still improving" in verdict.line) == (without == 0)
    assert ("the best so far" in verdict.line) == is_best


def data(num=4):
    config = RunConfig(num_samples=num, num_images=8)
    return open_data(config, *open_splits(config), Processes())


def tiny_model(seed):
    torch.manual_seed(seed)
    unet = SDMUNet(replace(LEAST, image_size=(32, 32)))
    torch.nn.init.normal_(unet.output.weight)
    return Model(unet.eval(), LITE_DIFFUSION.build())


def test_held_out_examples_are_of_the_next_seed():
    for i, example in enumerate(data().held_out):
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(example, Scenes(32, seed=1)[i], strict=True))


def test_the_held_out_loss_depends_on_the_weights_alone():
    config = RunConfig(evaluate_images=4, train=TrainConfig(null_probability=0.5))
    model, held_out = tiny_model(0), data()
    first = held_out_loss(model, held_out, config)
    torch.manual_seed(5)
    assert held_out_loss(model, held_out, config) == first
    assert held_out_loss(model, held_out, config, batch_size=3) == pytest.approx(first, rel=1e-5)
    assert held_out_loss(tiny_model(1), held_out, config) != first


def test_scenes_are_judged_on_validation_layouts_and_never_trained_on_held_out_ones():
    held_out = data()
    evaluator = Evaluator(held_out, RunConfig(evaluate_images=4), torch.device("cpu"))
    judged = evaluator(tiny_model(0), 7)
    assert judged.decides == FID and judged.step == 7 and {FID, HELD_OUT_LOSS} < set(judged.figures)
    assert evaluator.truth.sizes.scenes_seed == VALIDATION_SEED
    for seed in (VALIDATION_SEED, TEST_SEED):
        with pytest.raises(ValueError, match=f"data_seed {seed} gives the scenes that models are chosen or scored on"):
            open_splits(RunConfig(data_seed=seed))
    assert [split.seed for split in open_splits(RunConfig(data_seed=5))] == [5, VALIDATION_SEED]
    assert Evaluator(held_out, RunConfig(size=(48, 48)), torch.device("cpu")).judge is None


def test_another_label_set_is_trained_and_held_out_and_is_of_scenes_alone():
    config = RunConfig(label_set="fine", evaluate_steps=1)
    assert [split.num_classes for split in open_splits(config)] == [23, 23]
    assert Evaluator(None, config, torch.device("cpu")).judge is None, "the judge's sizes ask for the 11 classes"
    with pytest.raises(ValueError, match="label_set is of Scenes alone: expected standard for camvid, got 'coarse'"):
        open_splits(RunConfig(dataset="camvid", root="photographs", label_set="coarse"))
