"""What a judge learns from: the losses of one batch.

Apart from the loop, which takes either: Scenes has time of day and season to read and pictures without end; photographs
are few, and a judge of them leaves out what is small unless a small class counts as much as a large one.

Shapes: B batch, K classes, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from sdm_lite.judge.lovasz import lovasz_softmax
from sdm_lite.judge.network import Reading

HEAD_WEIGHT = 0.1  # of each head's loss, next to that of the pixels
LOVASZ_WEIGHT = 1.0  # of that loss, next to the cross-entropy of the pixels

# Of what was read, label maps (B, H, W) int64, appearances (B, 2) int64, weights of classes (K,), and the void class.
JudgeLoss = Callable[[Reading, Tensor, Tensor, Tensor, int | None], Tensor]


def pixels_and_heads(
    reading: Reading, target: Tensor, appearances: Tensor, class_weights: Tensor, void_id: int | None = None
) -> Tensor:
    """Weighted cross-entropy of the labelled pixels, plus that of time of day and season; the Scenes judges'.

    Args:
        reading: of B pictures; its logits -inf for void.
        target: (B, H, W) int64.
        appearances: (B, 2) int64, time of day and season.
        class_weights: (K,).
        void_id: the class of pixels that nobody labelled, or None.
    """
    if void_id is None:
        pixels = F.cross_entropy(reading.logits, target, weight=class_weights)
    elif (target == void_id).all():  # the mean over no pixel would be nan
        pixels = 0.0
    else:
        pixels = F.cross_entropy(reading.logits, target, weight=class_weights, ignore_index=void_id)
    return (
        pixels
        + HEAD_WEIGHT * F.cross_entropy(reading.time_of_day, appearances[:, 0])
        + HEAD_WEIGHT * F.cross_entropy(reading.season, appearances[:, 1])
    )


def by_pixel_and_by_class(
    reading: Reading, target: Tensor, appearances: Tensor, class_weights: Tensor, void_id: int | None = None
) -> Tensor:
    """Weighted cross-entropy and `lovasz_softmax` over the labelled pixels, 0 where there are none; of photographs.

    Args: as for `pixels_and_heads`; photographs have no appearances.
    """
    of_pixels, labels = reading.logits.movedim(1, -1).flatten(0, -2), target.flatten()  # (B H W, K), (B H W,)
    if void_id is not None:
        labelled = labels != void_id
        of_pixels, labels = of_pixels[labelled], labels[labelled]
    if not len(labels):
        return 0.0 * reading.logits.nan_to_num(neginf=0.0).sum()
    entropy = F.cross_entropy(of_pixels, labels, weight=class_weights)
    return entropy + LOVASZ_WEIGHT * lovasz_softmax(of_pixels.softmax(1), labels)
