"""Confusion matrices and mIoU."""

import pytest
import torch

from sdm_lite import metrics


def test_confusion_matrix_and_iou_of_a_hand_made_example():
    target = torch.tensor([[0, 0, 1], [1, 2, 255]])
    predicted = torch.tensor([[0, 1, 1], [1, 0, 2]])
    confusion = metrics.confusion_matrix(predicted, target, 4, ignore_label=255)
    assert confusion.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    iou = metrics.intersection_over_union(confusion)
    torch.testing.assert_close(iou[:3], torch.tensor([1 / 3, 2 / 3, 0.0], dtype=torch.float64))
    assert iou[3].isnan()  # class 3 is nowhere: neither right nor wrong
    miou = metrics.mean_iou(confusion)
    assert isinstance(miou, float) and miou == pytest.approx(1 / 3)


def test_a_class_predicted_where_it_is_not_counts_against_the_mean():
    confusion = metrics.confusion_matrix(torch.tensor([0, 2]), torch.tensor([0, 0]), 3)
    assert metrics.mean_iou(confusion) == pytest.approx((0.5 + 0.0) / 2)


def test_confusion_matrices_of_images_add_up():
    generator = torch.Generator().manual_seed(0)
    predicted, target = torch.randint(5, (2, 6, 8, 8), generator=generator)
    parts = [metrics.confusion_matrix(p, t, 5) for p, t in zip(predicted, target, strict=True)]
    whole = metrics.confusion_matrix(predicted, target, 5)
    assert torch.equal(sum(parts), whole)
    assert whole.sum() == predicted.numel()
    per_image = metrics.intersection_over_union(torch.stack(parts))
    torch.testing.assert_close(per_image[3], metrics.intersection_over_union(parts[3]))


def test_confusion_matrix_rejects_what_it_cannot_count():
    with pytest.raises(ValueError, match=r"got \(2,\) and \(3,\)"):
        metrics.confusion_matrix(torch.zeros(2), torch.zeros(3), 2)
    with pytest.raises(ValueError, match=r"target labels must be in 0..1, got \[255\]"):
        metrics.confusion_matrix(torch.tensor([0, 1]), torch.tensor([0, 255]), 2)
    with pytest.raises(ValueError, match=r"predicted labels must be in 0..1, got \[-1, 7\]"):
        metrics.confusion_matrix(torch.tensor([-1, 7]), torch.tensor([0, 1]), 2)
