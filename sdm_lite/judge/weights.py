"""Published weights of judges of photographs: where they are looked for, and that they are the published ones.

Apart because Inception and the trunks of LPIPS come alike: as files that libraries load from torch's cache without
looking at them, and that nothing here downloads unasked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import torch

from sdm_lite.files import expanded

NEEDS_TORCHVISION = ("lpips", "fid")  # extras


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
    places = [expanded(torch_cache() if folder is None else folder) / name for name in names]
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
        f"{judge} needs {packages} (torch here is {torch.__version__}): {_how_to_get(extra)}; got "
        f"{type(error).__name__}: {first_line(error)}"
    )


def _how_to_get(extra: str) -> str:
    """What to do about packages of an extra that are missing, so that torch stays the one that is here."""
    fix = f"pip install 'sdm_lite[{extra}]'"
    if extra not in NEEDS_TORCHVISION or _torchvision_loads():
        return fix
    release = re.match(r"2\.(\d+)\.", torch.__version__)
    which = f"torchvision 0.{int(release[1]) + 15}" if release else "the torchvision made for it"  # 2.4 has 0.19
    return f"{which} first, from the index that torch is from, as pip may else bring another torch; then {fix}"


def _torchvision_loads() -> bool:
    try:
        import torchvision  # noqa: F401
    except Exception:  # beside another build of torch a RuntimeError, and others
        return False
    return True


def first_line(error: Exception) -> str:
    """The first line of what an error says."""
    return (str(error).splitlines() or [""])[0]
