"""Samples in files: what is read back is what was drawn, and of the layouts that it was drawn for."""

import pytest
import torch

from sdm_lite.checkpoints import load_tensors
from sdm_lite.evaluate import Sizes, evaluate_images, layout_diversity, measure_truth
from sdm_lite.evaluate.kept import keep_samples, measure_kept
from sdm_lite.judge import load_judge

SIZES = Sizes(num_layouts=4, num_renders=2, samples_per_layout=2, num_diversity_layouts=3)


@pytest.fixture(scope="module")
def judge():
    return load_judge("judge-32")


def groups(*numbers):
    g = torch.Generator().manual_seed(0)
    return [torch.rand(n, 3, 32, 32, generator=g) * 2 - 1 for n in numbers]


def test_what_is_read_are_the_first_samples_and_the_diversity_of_several(tmp_path, judge):
    drawn, truth = groups(*SIZES.samples_of), measure_truth(judge, SIZES)
    keep_samples(tmp_path / "samples.safetensors", drawn)
    measured, diversity = measure_kept(tmp_path / "samples.safetensors", judge, truth)
    maps, _ = SIZES.layouts(32)
    expected = evaluate_images(judge, torch.stack([group[:1] for group in drawn]), maps)
    assert all(torch.equal(*pair) for pair in zip(measured, expected, strict=True))
    assert torch.equal(diversity, layout_diversity(judge, torch.stack(drawn[:3])))
    other = truth._replace(sizes=SIZES._replace(num_diversity_layouts=2))
    with pytest.raises(ValueError, match=r"expected samples of 4 layouts, 2 of them with 2 each, got 4, 3 and 2: del"):
        measure_kept(tmp_path / "samples.safetensors", judge, other)


def test_one_sample_of_each_layout_has_no_diversity_to_keep(tmp_path, judge):
    keep_samples(tmp_path / "samples.safetensors", groups(1, 1, 1, 1))
    assert list(load_tensors(tmp_path / "samples.safetensors")[0]) == ["first"]
    with pytest.raises(ValueError, match="got 4, 0 and 0"):
        measure_kept(tmp_path / "samples.safetensors", judge, measure_truth(judge, SIZES))
