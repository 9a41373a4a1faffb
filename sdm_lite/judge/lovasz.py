"""The Lovasz-Softmax loss: what rises with every pixel that costs intersection over union, of small classes too.

Apart because it knows no judge: probabilities and label maps. Cross-entropy counts pixels, so a class that covers one
in a hundred is cheap to leave out; here every class in the batch counts alike, as in mIoU.

Berman, Triki & Blaschko (2018, The Lovasz-Softmax loss), Eqs. 8, 9 and 11, classes that are present.

Shapes: N pixels, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def lovasz_softmax(probabilities: Tensor, labels: Tensor) -> Tensor:
    """The mean over the classes in the labels of the Lovasz extension of 1 - IoU at the errors of their pixels.

        error_i = 1 - p_i for pixels of the class, p_i for all others, sorted from the largest
        loss = sum_i error_i (J(first i wrong) - J(first i - 1 wrong)),    J(wrong) = 1 - (|class| - missed) / |union|

    At probabilities of 0 and 1 it is 1 - IoU.

    Args:
        probabilities: (N, K) in [0, 1].
        labels: (N,) int64, N >= 1.

    Returns:
        A number in [0, 1].
    """
    losses = []
    for label in labels.unique().tolist():
        of_class = (labels == label).to(probabilities)  # (N,)
        error, order = (of_class - probabilities[:, label]).abs().sort(descending=True)
        own = of_class[order]
        missed, added = own.cumsum(0), (1 - own).cumsum(0)
        jaccard = 1 - (own.sum() - missed) / (own.sum() + added)  # (N,), of the first i pixels wrong
        losses.append((error * jaccard.diff(prepend=jaccard.new_zeros(1))).sum())
    return torch.stack(losses).mean()
