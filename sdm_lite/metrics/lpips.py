"""LPIPS, Zhang et al. (2018): the one door to the lpips package.

Shapes: P pairs, H x W pixels.
"""

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from sdm_lite.metrics.diversity import Distance

# The files that torchvision publishes: eight digits of the file's sha256 are in its name.
LPIPS_BACKBONES = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}


class LpipsUnavailableError(RuntimeError):
    """LPIPS cannot be computed here; the message says what is missing and what to do."""


def lpips_distance(net: str = "alex", *, device: str | torch.device = "cpu") -> Distance:
    """The LPIPS distance of Zhang et al. (2018), by the authors' package and weights.

    Args:
        net: the backbone: "alex" (the usual one for diversity), "vgg" or "squeeze".
        device: where to compute; images are moved there.

    Returns:
        A function of two batches (P, 3, H, W) in [-1, 1] that returns (P,) distances.

    Raises:
        ValueError: if there is no such backbone.
        LpipsUnavailableError: if lpips or torchvision is missing or broken, or the backbone's weights can be neither
            found nor downloaded, or are not the published ones. Never a random backbone.
    """
    if net not in LPIPS_BACKBONES:
        raise ValueError(f"net must be one of {', '.join(LPIPS_BACKBONES)}, got {net!r}")
    weights_file = Path(torch.hub.get_dir()) / "checkpoints" / LPIPS_BACKBONES[net]
    model = _load_lpips(net, weights_file).to(device).eval().requires_grad_(False)

    @torch.no_grad()
    def distance(a: Tensor, b: Tensor) -> Tensor:
        return model(a.to(device), b.to(device)).flatten()

    return distance


def _load_lpips(net: str, weights_file: Path) -> torch.nn.Module:
    """The lpips package's network on a backbone whose file was checked, or LpipsUnavailableError."""
    try:
        import lpips
    except Exception as error:  # torchvision beside another build of torch raises RuntimeError at import
        raise LpipsUnavailableError(
            "LPIPS needs the packages lpips and torchvision, the latter built for this torch "
            f"({torch.__version__}): pip install lpips; got {type(error).__name__}: {_first_line(error)}"
        ) from error
    if weights_file.exists():  # torch.hub uses what lies there unchecked
        _check_published(weights_file)
    try:
        model = lpips.LPIPS(net=net, verbose=False)
    except Exception as error:
        raise LpipsUnavailableError(
            f"LPIPS could not load its {net} backbone: expected {weights_file}; get it from "
            f"download.pytorch.org/models/{weights_file.name}; got {type(error).__name__}: {_first_line(error)}"
        ) from error
    _check_published(weights_file)
    return model


def _check_published(weights_file: Path) -> None:
    """Raise unless the file is there and its sha256 begins as its name says."""
    expected = weights_file.stem.rsplit("-", 1)[1]
    if not weights_file.exists():
        raise LpipsUnavailableError(f"LPIPS needs the published backbone weights in {weights_file}, which is not there")
    got = hashlib.sha256(weights_file.read_bytes()).hexdigest()
    if not got.startswith(expected):
        raise LpipsUnavailableError(
            f"LPIPS needs the published backbone weights, sha256 {expected}...; got {got[:8]}... in {weights_file}: "
            "delete the file, or put the published one there"
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
