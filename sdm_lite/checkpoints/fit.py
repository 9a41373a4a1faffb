"""Whether tensors of a file fit a network: every misfit by name, in one line.

Apart because each reader of weights asks it before it changes anything: our own files, the judge's, the published
checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor, by its name: of a state dict, or of a file."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def check_finite(tensors: Mapping[str, Tensor], source: object) -> None:
    """Raise ValueError, naming the first of them, if tensors by name hold nan or infinity: all they give is nan."""
    bad = [name for name, tensor in tensors.items() if not (tensor.is_meta or torch.isfinite(tensor).all())]
    if bad:
        more = f" and {len(bad) - 1} more tensors" if len(bad) > 1 else ""
        raise ValueError(
            f"{source} holds values that are nan or infinite ({bad[0]}{more}): its training has diverged, "
            "give a file of before"
        )


def check_fit(expected: Shapes, got: Shapes, source: object) -> None:
    """Compare names and shapes of what a network needs with those of what is there.

    Args:
        expected: shapes by name.
        got: shapes by name.
        source: where `got` is from, for the message.

    Raises:
        ValueError: naming missing, surplus and misshapen tensors, the first three of them.
    """
    wrong = [f"missing {name}" for name in sorted(expected.keys() - got.keys())]
    wrong += [f"not expected {name}" for name in sorted(got.keys() - expected.keys())]
    wrong += [
        f"{name}: expected {tuple(expected[name])}, got {tuple(got[name])}"
        for name in sorted(expected.keys() & got.keys())
        if tuple(expected[name]) != tuple(got[name])
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ValueError(f"{source} does not fit this network: {'; '.join(wrong[:3])}{more}")
