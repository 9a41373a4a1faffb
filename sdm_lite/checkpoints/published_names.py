"""The names and shapes of the published SDM checkpoints, and which of our parameters each of them is.

Apart from loading because the layout is the authors' and never changes: whatever a class of ours is called, this is the
one place that knows what they call it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from sdm_lite.spade import SPADE
from sdm_lite.unet import ResBlock, SDMUNet, Stage

Names = Iterator[tuple[str, tuple[str, ...]]]  # ours, and theirs: one, or two that are stacked


def published_names(unet: SDMUNet) -> Names:
    """Pair every parameter of the network with its name, or names, in the published checkpoints.

    Yields:
        (our name, published names). Two published names, gamma's and beta's, are stacked along the output channels.
    """
    for ours, theirs in _module_names(unet):
        for kind in ("weight", "bias"):
            yield f"{ours}.{kind}", tuple(f"{name}.{kind}" for name in theirs)


def _module_names(unet: SDMUNet) -> Names:
    yield "embed.0", ("time_embed.0",)
    yield "embed.2", ("time_embed.2",)
    yield "input", ("input_blocks.0.0",)
    for index, stage in enumerate(unet.encoder):
        yield from _stage_names(stage, f"encoder.{index}", f"input_blocks.{index + 1}")
    yield from _stage_names(unet.middle[0], "middle.0", "middle_block")
    yield from _stage_names(unet.middle[1], "middle.1", "middle_block", first=2)
    for index, stage in enumerate(unet.decoder):
        yield from _stage_names(stage, f"decoder.{index}", f"output_blocks.{index}")
    yield "output_norm", ("out.0",)
    yield "output", ("out.2",)


def _stage_names(stage: Stage, ours: str, theirs: str, *, first: int = 0) -> Names:
    # What a stage has is counted; what it may have and has not leaves no hole.
    for place, (part, layer) in enumerate(stage.named_children(), first):
        if isinstance(layer, ResBlock):
            yield from _block_names(layer, f"{ours}.{part}", f"{theirs}.{place}")
        elif part == "attention":
            for name, published in (("norm", "norm"), ("qkv", "qkv"), ("out", "proj_out")):
                yield f"{ours}.{part}.{name}", (f"{theirs}.{place}.{published}",)


def _block_names(block: ResBlock, ours: str, theirs: str) -> Names:
    # A plain norm is the first item of the published Sequential, a SPADE is none, and what follows it moves up by one.
    labelled = isinstance(block.in_norm, SPADE)
    yield f"{ours}.timestep", (f"{theirs}.emb_layers.1",)
    for norm, layers in (("in_norm", "in_layers"), ("out_norm", "out_layers")):
        if labelled:
            yield f"{ours}.{norm}.shared", (f"{theirs}.{norm}.mlp_shared.0",)
            yield f"{ours}.{norm}.gamma_beta", (f"{theirs}.{norm}.mlp_gamma", f"{theirs}.{norm}.mlp_beta")
        else:
            yield f"{ours}.{norm}", (f"{theirs}.{layers}.0",)
    yield f"{ours}.in_conv", (f"{theirs}.in_layers.{1 if labelled else 2}",)
    yield f"{ours}.out_conv", (f"{theirs}.out_layers.{2 if labelled else 3}",)
    if isinstance(block.skip, torch.nn.Conv2d):
        yield f"{ours}.skip", (f"{theirs}.skip_connection",)


def published_shapes(unet: SDMUNet) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor in a published checkpoint of this network, by published name."""
    state, shapes = unet.state_dict(), {}
    for ours, theirs in published_names(unet):
        first, *rest = state[ours].shape
        if re.search(r"\.(qkv|proj_out)\.weight$", theirs[0]):
            rest = [rest[0], 1]  # these convolutions over all pixels are published as one-dimensional ones
        shapes |= {name: (first // len(theirs), *rest) for name in theirs}
    return shapes


@torch.no_grad()
def copy_published(unet: SDMUNet, tensors: Mapping[str, Tensor]) -> None:
    """Copy published tensors, whose names and shapes are as they should be, into the parameters they are.

    Args:
        unet: to copy into, in its own memory layout and type.
        tensors: by published name.
    """
    parameters = unet.state_dict()
    for ours, theirs in published_names(unet):
        for part, name in zip(parameters[ours].chunk(len(theirs)), theirs, strict=True):
            part.copy_(tensors[name].reshape(part.shape))
