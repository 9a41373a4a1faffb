"""From integer label maps to the condition that SPADE reads: one-hot, edges, the null label.

Apart from the network because the paper's condition is made of data alone, and because every data set shares it.
Wang et al. (2022), section 3.4 (null label) and section 4.1; edges as in Wang et al. (2018, pix2pixHD).

Shapes: B batch, K condition channels, H x W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor


def check_labels(label_map: Tensor, num_classes: int) -> None:
    """Reject a label map that cannot be encoded.

    Args:
        label_map: (B, H, W), an integer dtype.
        num_classes: how many classes there are; ids run from 0 to num_classes - 1.

    Raises:
        ValueError: naming the shape, the dtype or the ids that were not expected.
    """
    if label_map.ndim != 3:
        raise ValueError(f"label_map must have shape (B, H, W), got {tuple(label_map.shape)}: add a batch axis [None]")
    if label_map.is_floating_point() or label_map.is_complex() or label_map.dtype == torch.bool:
        raise ValueError(f"label_map must hold integer class ids, got dtype {label_map.dtype}")
    if label_map.numel() == 0:
        raise ValueError(f"label_map must not be empty, got shape {tuple(label_map.shape)}")
    if label_map.dtype in (torch.uint16, torch.uint32, torch.uint64):  # torch finds no least or largest of these
        label_map = label_map.long()
    low, high = int(label_map.min()), int(label_map.max())
    if low < 0 or high >= num_classes:
        bad = listed_ids(label_map[(label_map < 0) | (label_map >= num_classes)])
        raise ValueError(
            f"label ids must lie in 0..{num_classes - 1}, got {bad}: give unlabelled pixels a class of their own, as "
            "the data sets of this package do"
        )


def listed_ids(ids: Tensor) -> str:
    """The first few different ids and how many pixels have each, for an error: "77 (5 pixels), 255 (1 pixels)"."""
    values, counts = torch.unique(ids, return_counts=True)
    pairs = zip(values.tolist()[:5], counts.tolist()[:5], strict=True)
    more = f" and {len(values) - 5} more ids" if len(values) > 5 else ""
    return ", ".join(f"{value} ({count} pixels)" for value, count in pairs) + more


def instance_edges(instance_map: Tensor) -> Tensor:
    """Mark the pixels that touch another instance.

    A pixel is an edge if one of its four neighbours has another id, so both sides of a border are marked.

    Args:
        instance_map: (B, H, W), an integer dtype.

    Returns:
        (B, 1, H, W) float32, 1 on edges and 0 elsewhere.
    """
    edges = torch.zeros(instance_map.shape, dtype=torch.bool, device=instance_map.device)
    rows = instance_map[:, 1:, :] != instance_map[:, :-1, :]
    columns = instance_map[:, :, 1:] != instance_map[:, :, :-1]
    edges[:, 1:, :] |= rows
    edges[:, :-1, :] |= rows
    edges[:, :, 1:] |= columns
    edges[:, :, :-1] |= columns
    return edges[:, None].float()


def encode_labels(label_map: Tensor, num_classes: int, instance_map: Tensor | None = None) -> Tensor:
    """Encode a label map as the condition: one channel a class, and one of instance edges if instances are known.

    Args:
        label_map: (B, H, W), an integer dtype, ids in 0..num_classes - 1.
        num_classes: how many classes there are.
        instance_map: (B, H, W), an integer dtype, or None for a condition without an edge channel.

    Returns:
        (B, K, H, W) float32 of zeros and ones; K = num_classes, + 1 with instances.

    Raises:
        ValueError: if an id lies outside the classes, or the two maps differ in shape.
    """
    check_labels(label_map, num_classes)
    if instance_map is None:
        return encode_checked(label_map, num_classes)
    if instance_map.shape != label_map.shape:
        raise ValueError(
            f"instance_map must have the label map's shape {tuple(label_map.shape)}, got {tuple(instance_map.shape)}"
        )
    return encode_checked(label_map, num_classes, instance_edges(instance_map))


def encode_checked(label_map: Tensor, num_classes: int, edges: Tensor | None = None) -> Tensor:
    """`encode_labels` of ids that were checked already, at a step of training: a check makes a GPU wait for the CPU.

    Args:
        label_map: (B, H, W), an integer dtype, ids in 0..num_classes - 1.
        num_classes: how many classes there are.
        edges: (B, 1, H, W) of zeros and ones, or None for a condition without an edge channel.

    Returns:
        (B, K, H, W) float32; K = num_classes, + 1 with edges.
    """
    channels = num_classes + (edges is not None)
    shape = (len(label_map), channels, *label_map.shape[1:])
    condition = torch.zeros(shape, dtype=torch.float32, device=label_map.device)
    condition.scatter_(1, label_map[:, None].long(), 1.0)  # (B, K, H, W)
    if edges is not None:
        condition[:, -1:] = edges
    return condition


def null_like(condition: Tensor) -> Tensor:
    """The null label: no class and no edge anywhere, Wang et al. (2022), section 3.4.

    Args:
        condition: (B, K, H, W).

    Returns:
        Zeros, (B, K, H, W). Not the same as an "unknown" class, which has a channel of its own.
    """
    return torch.zeros_like(condition)


def drop_condition(condition: Tensor, probability: float, *, generator: torch.Generator | None = None) -> Tensor:
    """Replace some examples' condition by the null label, Wang et al. (2022), Algorithm 1, line 4.

    The whole condition goes, edges included; the choice is made for each example alone.

    Args:
        condition: (B, K, H, W).
        probability: of dropping, in [0, 1]; the paper's is 0.2.
        generator: a CPU random stream, or None for the global one.

    Returns:
        (B, K, H, W).

    Raises:
        ValueError: if the probability lies outside [0, 1].
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"the probability of dropping the condition must lie in [0, 1], got {probability}")
    drawn = torch.rand(condition.shape[0], 1, 1, 1, generator=generator, dtype=torch.float32, device="cpu")
    keep = drawn >= probability
    return condition * keep.to(condition)
