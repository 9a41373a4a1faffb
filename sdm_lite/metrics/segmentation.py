"""Agreement of two label maps: confusion matrix, intersection over union, mIoU.

Shapes: K classes.
"""

import torch
from torch import Tensor


def confusion_matrix(predicted: Tensor, target: Tensor, num_classes: int, *, ignore_label: int | None = None) -> Tensor:
    """How many pixels of each true class were predicted as each class.

    Args:
        predicted: any shape, int64 in 0..K-1.
        target: the same shape, int64 in 0..K-1, or ignore_label.
        num_classes: K.
        ignore_label: pixels whose target is this are left out. None = every pixel counts.

    Returns:
        (K, K) int64: row = true class, column = predicted class. Matrices of several images add up.

    Raises:
        ValueError: if the shapes differ or a counted label is not in 0..K-1.
    """
    if predicted.shape != target.shape:
        raise ValueError(
            f"predicted and target must have one shape, got {tuple(predicted.shape)} and {tuple(target.shape)}"
        )
    counted = target != ignore_label if ignore_label is not None else torch.ones_like(target, dtype=torch.bool)
    predicted, target = predicted[counted].long(), target[counted].long()
    for name, labels in (("predicted", predicted), ("target", target)):
        if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
            found = sorted(set(labels.unique().tolist()) - set(range(num_classes)))
            raise ValueError(
                f"{name} labels must be in 0..{num_classes - 1}, got {found}; pass ignore_label to skip one"
            )
    counts = torch.bincount(target * num_classes + predicted, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def intersection_over_union(confusion: Tensor) -> Tensor:
    """Intersection over union of every class.

    Args:
        confusion: (..., K, K) from `confusion_matrix`, summed over images first where one number for all is wanted.

    Returns:
        (..., K) float64 in [0, 1]; nan for a class that is neither in the target nor in the prediction.
    """
    confusion = confusion.double()
    intersection = confusion.diagonal(dim1=-2, dim2=-1)
    return intersection / (confusion.sum(-1) + confusion.sum(-2) - intersection)  # 0 / 0 is nan


def mean_iou(confusion: Tensor) -> float:
    """Mean over the classes present of the intersection over union of all pixels (mIoU).

    Args:
        confusion: (K, K) from `confusion_matrix`, summed over the images.

    Returns:
        In [0, 1], or nan if no pixel was counted.
    """
    return intersection_over_union(confusion).nanmean().item()
