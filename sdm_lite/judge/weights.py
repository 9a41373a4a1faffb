"""Published weights of judges of photographs: where they are looked for, and that they are the published ones.

Apart because Inception and the trunks of LPIPS come alike: as files that libraries load from torch's cache without
looking at them, and that nothing here downloads unasked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch


class JudgeUnavailableError(ValueError):
    """A judge of photographs cannot be asked here; the message says in one line what is missing and what to do."""


def torch_cache() -> Path:
    """Where torch keeps weights that it fetched: `checkpoints` in `torch.hub.get_dir()`, which TORCH_HOME moves."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def find_weights(names: Sequence[str], source: str, folder: str | Path | None = None) -> Path:
    """The file of published weights, after a look at what is in it.

    Args:
        names: that the file goes by, most usual first; each ends in the first eight digits of the file's sha256, as
            torch names weights.
        source: the address that it is published at, for the message.
        folder: where to look; None = `torch_cache()`.

    Returns:
        The first of them that is there.

    Raises:
        JudgeUnavailableError: if none is there, or it is another file than the published one.
    """
    places = [Path(torch_cache() if folder is None else folder).expanduser() / name for name in names]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise JudgeUnavailableError(
            f"no weights {names[0]}: expected {places[0]}; get the file from {source} and put it there, or give the "
            "folder that has it (--weights FOLDER)"
        )
    expected = found.stem.rsplit("-", 1)[1]
    got = hashlib.sha256(found.read_bytes()).hexdigest()
    if not got.startswith(expected):
        raise JudgeUnavailableError(
            f"expected the published weights, sha256 {expected}..., in {found}, got {got[: len(expected)]}...: delete "
            f"the file, or put that from {source} there"
        )
    return found


def missing_package(judge: str, packages: str, extra: str, error: Exception) -> JudgeUnavailableError:
    """The error of a judge whose library cannot be imported.

    Args:
        judge: what cannot be asked.
        packages: that it needs, in words.
        extra: of this package, which brings them.
        error: that the import raised; torchvision beside another build of torch raises RuntimeError.
    """
    return JudgeUnavailableError(
        f"{judge} needs {packages} (torch here is {torch.__version__}): pip install 'sdm_lite[{extra}]'; got "
        f"{type(error).__name__}: {first_line(error)}"
    )


def first_line(error: Exception) -> str:
    """The first line of what an error says."""
    return (str(error).splitlines() or [""])[0]
