"""A published SDM checkpoint as `SDMUNet`: the network that its names and shapes describe, with its weights.

Apart from `checkpoints`, which knows our own files. Those hold their configuration; here it is inferred, and then every
tensor is checked against the network inferred, so that nothing is dropped and nothing left at random.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sdm_lite.checkpoints.fit import Shapes, check_finite, check_fit, shapes_of
from sdm_lite.checkpoints.published_file import find_weights, open_checkpoint
from sdm_lite.checkpoints.published_names import copy_published, published_shapes
from sdm_lite.presets import PRESETS, UNetConfig, classes_and_edges
from sdm_lite.unet import SDMUNet


def load_published(
    source: str | Path | Mapping[str, Tensor],
    *,
    channels_per_head: int = 64,
    image_size: tuple[int, int] | None = None,
) -> SDMUNet:
    """Build the network of a published checkpoint, or of any of the same family, with its weights.

    Every tensor is used exactly once. A file is mapped, not read: beside the network, memory holds only pages of the
    file, which the system may drop. Weights that are not float32 are converted, which is told in a warning.

    Args:
        source: the authors' `.pt` (EMA or not), or a mapping of published names to floating-point tensors. One in which
            another dict wraps the weights, or all names start with `module.`, will do.
        channels_per_head: of the attention, which weights do not tell: 64 in all of the authors' networks. Another
            number that divides the channels gives a network that runs and is wrong.
        image_size: (height, width) the network was trained at, which weights do not tell either. It is only noted down,
            for the network runs at any size. None for that of the preset with the same numbers, or else the square
            size at which the smallest features are 8 x 8.

    Returns:
        The network in evaluation mode, float32, on the device of the tensors.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is no checkpoint, or of another network: names what is missing, surplus or misshapen.
    """
    given = isinstance(source, Mapping)
    name = "the mapping" if given else str(source)
    tensors = find_weights(source, name) if given else open_checkpoint(source)
    shapes = shapes_of(tensors)
    try:
        config = infer_config(shapes, channels_per_head=channels_per_head, image_size=image_size)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    with torch.device("meta"):
        unet = SDMUNet(config).float()  # whatever torch's default is
    check_fit(published_shapes(unet), shapes, name)
    check_finite(tensors, name)
    others = sorted({str(value.dtype).removeprefix("torch.") for value in tensors.values()} - {"float32"})
    if others:
        warnings.warn(f"{name} holds {' and '.join(others)} weights: converted to float32", stacklevel=2)
    unet.to_empty(device=next(iter(tensors.values())).device)
    copy_published(unet, tensors)
    return unet.eval()


def infer_config(
    shapes: Shapes, *, channels_per_head: int = 64, image_size: tuple[int, int] | None = None
) -> UNetConfig:
    """Read the numbers of a network off the names and shapes of its published tensors.

    Each number is what most of the tensors that show it agree on, so that one that is missing or misshapen does not
    change the network but is found by comparing it with the network.

    Args:
        shapes: by published name.
        channels_per_head: as in `load_published`.
        image_size: as in `load_published`.

    Raises:
        ValueError: if no network of the family has such tensors.
    """
    _check_family(shapes)
    base = _most_common(shapes, r".*\.emb_layers\.1\.weight", 1) // 4
    num_res_blocks, levels = _decoder_levels(shapes)
    attending = [index for index, level in enumerate(levels) if _attends(shapes, level)]
    num_classes, instance_edges = classes_and_edges(_most_common(shapes, r".*\.mlp_shared\.0\.weight", 1))

    def config(size: tuple[int, int]) -> UNetConfig:
        return UNetConfig(
            num_classes=num_classes,
            instance_edges=instance_edges,
            image_size=size,
            base_channels=base,
            channel_multipliers=tuple(_multiplier(shapes, level, base) for level in levels),
            num_res_blocks=num_res_blocks,
            attention_resolutions=tuple(size[0] >> level for level in attending),
            channels_per_head=channels_per_head,
            spade_hidden_channels=_most_common(shapes, r".*\.mlp_shared\.0\.weight", 0),
            spade_kernel_size=_most_common(shapes, r".*\.mlp_gamma\.weight", 3),
            residual_resampling=len(levels) == 1 or bool(_up_blocks(shapes)),
        )

    found = config(image_size or (8 << (len(levels) - 1),) * 2)
    if image_size is None:
        alike = [p for p in PRESETS.values() if len(p.channel_multipliers) == len(levels)]
        return next((preset for preset in alike if config(preset.image_size) == preset), found)
    return found


def _check_family(shapes: Shapes) -> None:
    if not any(".mlp_shared." in name for name in shapes):
        first = f" (the first is {next(iter(shapes))})" if shapes else ""
        raise ValueError(
            f"no SDM checkpoint, as none of its {len(shapes)} tensors{first} is a SPADE's, such as "
            "middle_block.0.in_norm.mlp_shared.0.weight; a plain ADM network takes no label map"
        )
    convolutions = r"(input_blocks\.\d+\.0\.op|output_blocks\.\d+\.[12]\.conv)\."
    resampling = [name for name in shapes if re.match(convolutions, name)]
    if resampling:
        raise ValueError(
            f"the resolution changes by convolutions of their own ({resampling[0]}), "
            "expected a network that does so inside residual blocks (resblock_updown), as the published ones do"
        )


def _most_common(shapes: Shapes, pattern: str, axis: int) -> int:
    """The commonest size along an axis among the tensors whose whole names match."""
    sizes = Counter(shape[axis] for name, shape in shapes.items() if len(shape) > axis and re.fullmatch(pattern, name))
    if not sizes:
        name = pattern.replace("\\", "").replace(".*", "...")
        raise ValueError(f"no whole SDM checkpoint, as no tensor {name} has as many axes as it should")
    return sizes.most_common(1)[0][0]


def _up_blocks(shapes: Shapes) -> list[int]:
    """Which output blocks end in a second residual block: the one that doubles the resolution."""
    matches = (re.match(r"output_blocks\.(\d+)\.[12]\.emb_layers\.", name) for name in shapes)
    return sorted({int(match[1]) for match in matches if match})


def _decoder_levels(shapes: Shapes) -> tuple[int, list[range]]:
    """Number of blocks a level in the encoder, and the indices of each level's output blocks, full resolution first."""
    inputs = {int(m[1]) for name in shapes if (m := re.match(r"input_blocks\.(\d+)\.", name))}
    outputs = {int(m[1]) for name in shapes if (m := re.match(r"output_blocks\.(\d+)\.0\.emb_layers\.", name))}
    ups = _up_blocks(shapes)
    # Without residual blocks for it, halving the resolution has no weights: it is a hole in the count of input blocks.
    num_levels = 1 + (len(ups) or max(inputs, default=0) + 1 - len(inputs))
    size, rest = divmod(max(outputs, default=-1) + 1, num_levels)
    if rest or size < 2 or (ups and ups != [size * k - 1 for k in range(1, num_levels)]):
        raise ValueError(
            f"it has {len(outputs)} output blocks and doubles the resolution after those of index {ups}, "
            "expected levels of equally many, at least two"
        )
    return size - 1, [range(first, first + size) for first in range(0, size * num_levels, size)][::-1]


def _of_level(level: range) -> str:
    return rf"output_blocks\.({'|'.join(map(str, level))})\."


def _multiplier(shapes: Shapes, level: range, base: int) -> int:
    channels = _most_common(shapes, _of_level(level) + r"0\.(in_layers\.1|out_layers\.2)\.(weight|bias)", 0)
    if base == 0 or channels % base:
        raise ValueError(f"it has a level of {channels} channels, expected a multiple of its {base} base channels")
    return channels // base


def _attends(shapes: Shapes, level: range) -> bool:
    """Whether at least half of a level's blocks have attention."""
    pattern = _of_level(level) + r"1\.(norm|qkv|proj_out)\."
    return 2 * len({match[1] for name in shapes if (match := re.match(pattern, name))}) >= len(level)
