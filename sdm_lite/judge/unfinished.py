"""A judge's training that may be stopped: what it must keep to go on as if it had not, in one file.

Apart from the loop because it asks other things: is the file whole, and is it of the same training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sdm_lite.batches import Batch
from sdm_lite.checkpoints.unfinished import read_checkpoint
from sdm_lite.files import write_whole

FORMAT = "sdm_lite judge training 1"


class Unfinished:
    """The file of one training.

    Args:
        path: of it.
        numbers: what the training must have in common with the one that was stopped, by name.
        pictures: what it sees, by name: pictures or None, and their appearances or None.
    """

    def __init__(
        self,
        path: Path,
        numbers: Mapping[str, object],
        pictures: Mapping[str, tuple[Batch | None, Tensor | None]],
    ):
        self.path = path
        self.recipe = dict(numbers) | {name: fingerprint(*seen) for name, seen in pictures.items()}

    def write(self, state: dict[str, object]) -> None:
        """Keep a state, whole or not at all."""
        state = state | {"format": FORMAT, "recipe": self.recipe}
        write_whole(self.path, lambda file: torch.save(state, file))

    def read(self) -> dict[str, object] | None:
        """The state that was kept, or None where there is none.

        Raises:
            ValueError: if the file is damaged, or of another training; it names what differs.
        """
        if not self.path.exists():
            return None
        try:
            state = read_checkpoint(self.path, FORMAT, what="unfinished training of a judge")
        except ValueError as error:
            raise ValueError(f"{error}: delete it to start afresh") from None
        was = state["recipe"]
        different = [
            f"{name} was {was.get(name)}, now {now}" for name, now in self.recipe.items() if was.get(name) != now
        ]
        if different:
            raise ValueError(
                f"{self.path} is of another training: {'; '.join(different)}. "
                "Use the same options and data to go on with it, or delete it"
            )
        return state


def fingerprint(pictures: Batch | None, appearances: Tensor | None = None) -> str:
    """Of pictures with their label maps and appearances: the same only where all are."""
    digest = hashlib.sha256()
    for tensor in (None, appearances) if pictures is None else (pictures.images, pictures.label_map, appearances):
        if tensor is not None:
            digest.update(str(tuple(tensor.shape)).encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]
