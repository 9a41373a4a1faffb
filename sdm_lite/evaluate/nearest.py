"""The nearest of many references: which picture of a training set is most like a sample, and how far it is away.

Apart because it knows no picture: it compares vectors, pixels or features of a network, and says by its argument which.
Copies would be nearer to the training set than true pictures that were never trained on; so a distance alone says
nothing, and the one to compare it with is theirs.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Nearest(NamedTuple):
    """The nearest references of each query, nearest first.

    Attributes:
        distance: (N, num_nearest), root mean square difference over dimensions: in units of what was compared.
        index: (N, num_nearest) int64, which references.
    """

    distance: Tensor
    index: Tensor


def nearest(queries: Tensor, references: Tensor, *, num_nearest: int = 1, chunk_size: int = 2048) -> Nearest:
    """The nearest references of each query by root mean square difference.

        d(q, r) = sqrt(mean_i (q_i - r_i)^2)

    Args:
        queries: (N, ...) float.
        references: (M, ...) of any dtype, the rest of the shape as that of the queries.
        num_nearest: how many of them, in 1..M.
        chunk_size: references compared at once, which bounds the memory.

    Returns:
        Distances and indices. A reference that equals a query is at distance 0 exactly.

    Raises:
        ValueError: if the shapes do not go together or there are fewer references than asked for.
    """
    if queries.shape[1:] != references.shape[1:] or queries.dim() < 2:
        raise ValueError(
            f"queries and references must be (N, ...) and (M, ...) of one shape, got {tuple(queries.shape)} and "
            f"{tuple(references.shape)}"
        )
    if not 1 <= num_nearest <= len(references):
        raise ValueError(f"num_nearest must be in 1..{len(references)} (the references), got {num_nearest}")
    flat = queries.flatten(1).float()
    centre = flat.mean(0)  # small numbers keep more digits
    centred, squared = flat - centre, []
    for chunk in references.split(chunk_size):
        other = chunk.flatten(1).to(flat) - centre
        squared.append(other.square().sum(1) - 2 * centred @ other.T)  # less |q|^2, which orders nothing
    candidates = torch.cat(squared, dim=1).topk(min(num_nearest + 4, len(references)), largest=False).indices
    # The short form above loses digits where two vectors are alike: the few nearest are compared again in full.
    exact = torch.stack([_rms(flat, references[column].flatten(1).to(flat)) for column in candidates.T], dim=1)
    distance, order = exact.sort(dim=1, stable=True)
    return Nearest(distance[:, :num_nearest], candidates.gather(1, order)[:, :num_nearest])


def _rms(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().mean(1).sqrt()
