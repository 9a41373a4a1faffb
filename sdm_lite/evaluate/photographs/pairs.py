"""Different photographs of near-equal label maps: what diversity can be held against where a map has one photograph.

Apart from the measures because which pairs they are is a matter of maps alone. Near-equal is not equal: some of what
two such photographs differ in is that of their maps, so a diversity of theirs errs high. Where files lie side by side
they may be frames of one film, the same place a moment later; so only files some way apart are paired.

Shapes: L label maps, P pairs, H x W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sdm_lite.batches import Example

LEAST_AGREEMENT = 0.85  # of pixels
APART = 10  # places in the list of files
LEAST_PAIRS = 8  # fewer are no yardstick
COMPARED = 64  # pixels a side: maps are thinned to about so many before they are compared


def near_equal_pairs(label_maps: Tensor) -> Tensor:
    """Pairs of label maps that agree in at least LEAST_AGREEMENT of their pixels and stand APART places apart.

    The pairs that agree most come first, and no map is in two, so that pairs can be resampled.

    Args:
        label_maps: (L, H, W), an integer dtype, in the order of the files.

    Returns:
        (P, 2) int64 indices, P may be 0.
    """
    stride = max(1, min(label_maps.shape[1:]) // COMPARED)
    flat = label_maps[:, ::stride, ::stride].flatten(1)  # (L, pixels)
    agreement = torch.stack([(flat == one).float().mean(1) for one in flat])  # (L, L)
    agreement = agreement.triu(APART)
    found: list[list[int]] = []
    used: set[int] = set()
    for place in agreement.flatten().argsort(descending=True, stable=True).tolist():
        i, j = divmod(place, len(flat))
        if agreement[i, j] < LEAST_AGREEMENT:
            break
        if used.isdisjoint((i, j)):
            used |= {i, j}
            found.append([i, j])
    return torch.tensor(found, dtype=torch.long, device="cpu").reshape(-1, 2)


def different_photographs(held_out: Example) -> Tensor | None:
    """Two photographs for each pair of near-equal label maps, as two samples of one map would stand.

    Args:
        held_out: L photographs: (L, 3, H, W), (L, H, W), (L, H, W).

    Returns:
        (P, 2, 3, H, W), or None where there are fewer than LEAST_PAIRS.
    """
    pairs = near_equal_pairs(held_out.label_map)
    return held_out.image[pairs] if len(pairs) >= LEAST_PAIRS else None
