"""A finished GAN as whatever draws pictures for label maps: what `sdm_lite.evaluate` scores.

Apart from the command that trains because whoever scores or shows a GAN beside SDM needs no more than this function.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from sdm_lite.baselines.gan import SYSTEMS
from sdm_lite.baselines.gan.runs import Gan, load_gan
from sdm_lite.baselines.gan.system import layout_of
from sdm_lite.checkpoints import resolve
from sdm_lite.evaluate import Painter

SHIPPED = ("spade", "inade", "oasis")
"""Those of the paper's Table 2. Of INADE weights ship, at 32 pixels; of all three they would be twice the 3 MB they may
take, and the others are found where one puts them (`shipped_gans`)."""


def weights_of(run: str | Path) -> Path:
    """The weights that a folder of a run, or a file, means."""
    path = Path(run).expanduser()
    return path / "model.safetensors" if path.is_dir() else path


def shipped_gans(size: int = 32, *, device: str | torch.device = "cpu") -> dict[str, Gan]:
    """The GANs whose weights are in the package, by system, in the paper's order; fewer where some are not there.

    Args:
        size: of their pictures.
        device: where to draw.
    """
    found = {}
    for system in SHIPPED:
        with suppress(FileNotFoundError):
            found[system] = load_gan(resolve(f"gan-{system}-{size}"), SYSTEMS, device)
    return found


def painter_of(gan: Gan) -> Painter:
    """A GAN as (label maps, instance maps, seeds) -> pictures."""

    def paint(label_maps: Tensor, instance_maps: Tensor, seeds: Sequence[int]) -> Tensor:
        layout = layout_of(label_maps, gan.form.num_classes, instance_maps if gan.form.has_instances else None)
        return gan(layout, seeds).clamp(-1, 1)

    return paint


def load_painter(run: str | Path, *, device: str | torch.device = "cpu") -> Painter:
    """What draws with a run's weights.

    Args:
        run: its folder, a file of weights, or a shipped name.
        device: where to draw.

    Raises:
        FileNotFoundError: if there are no weights.
        ValueError: if it is no GAN of this package.
    """
    return painter_of(load_gan(weights_of(run), SYSTEMS, device))
