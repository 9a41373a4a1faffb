"""The Lovasz-Softmax loss is 1 - IoU at certain answers, convex between, and blind to how many pixels a class has."""

import pytest
import torch
from torch.nn import functional as F

from sdm_lite import metrics
from sdm_lite.judge.lovasz import lovasz_softmax


@pytest.mark.parametrize("seed", range(4))
def test_at_certain_answers_it_is_one_less_the_mean_iou_of_what_is_there(seed):
    generator = torch.Generator().manual_seed(seed)
    labels, read = (torch.randint(0, k, (60,), generator=generator) for k in (3, 4))  # class 3 is read and not there
    confusion = metrics.confusion_matrix(read[None, None], labels[None, None], 4)
    expected = 1 - metrics.intersection_over_union(confusion)[:3].mean()
    assert lovasz_softmax(F.one_hot(read, 4).double(), labels).item() == pytest.approx(expected.item())


def test_it_is_the_sum_over_levels_of_one_less_the_iou_above_each():
    """A Lovasz extension is the mean of the set function over thresholds: here by counting, level by level."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (20,), generator=generator)
    own = torch.rand(20, dtype=torch.float64, generator=generator)
    probabilities = torch.stack([1 - own, own], dim=1)
    expected = 0.0
    for label in (0, 1):
        of_class = labels == label
        error = torch.where(of_class, 1 - probabilities[:, label], probabilities[:, label])
        levels = torch.cat([torch.zeros(1).double(), error.sort().values])
        for low, high in zip(levels, levels[1:], strict=False):
            wrong = error > (low + high) / 2
            kept, union = (of_class & ~wrong).sum(), (of_class | wrong).sum()
            expected += (high - low) * (1 - kept / union) / 2
    assert lovasz_softmax(probabilities, labels).item() == pytest.approx(expected.item())


def test_its_gradient_raises_what_is_right():
    logits = torch.zeros(6, 3, requires_grad=True)
    labels = torch.tensor([0, 0, 0, 0, 1, 2])
    lovasz_softmax(logits.softmax(1), labels).backward()
    assert (logits.grad[torch.arange(6), labels] < 0).all()
    assert logits.grad[4, 1] < logits.grad[0, 0], "one pixel of a small class moves more than one of a large"
