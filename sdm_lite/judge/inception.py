"""Inception-v3, the network of FID: the 2048 numbers of its last pooling layer, by torch-fidelity.

Apart from the other judges because it is the one that published FIDs were measured with: the network of 2015, ported
from TensorFlow to the last digit, which torchvision's Inception is not. Obukhov et al. (2020), torch-fidelity; Szegedy
et al. (2016); Heusel et al. (2017, FID).

Shapes: B batch, H x W pixels.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdm_lite.judge.weights import find_weights, missing_package
from sdm_lite.pictures import check_range, to_uint8

# One file under two names: torch-fidelity's and pytorch-fid's. Whoever has used one of them has it.
INCEPTION_WEIGHTS = ["weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth"]
INCEPTION_SOURCE = f"github.com/toshas/torch-fidelity/releases/download/v0.2.0/{INCEPTION_WEIGHTS[0]}"
NUM_FEATURES = 2048
SQUASHED_SIDE = 256  # of the published FID script


class Inception:
    """Inception-v3 as a judge: features alone.

    Args:
        network: (B, 3, H, W) uint8 -> a tuple of one (B, 2048), as torch-fidelity's with the feature "2048".
        squashed: whether pictures are first brought to 256 x 256, whatever their shape.
    """

    def __init__(self, network: nn.Module, *, squashed: bool = False):
        self.network, self.squashed = network.eval().requires_grad_(False), squashed
        self.name = "Inception-v3, squashed" if squashed else "Inception-v3"

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.network.parameters()).device

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """The last pooling layer, of which FID takes mean and covariance.

        Pictures are rounded to bytes, as if they had been written to files, and brought to 299 x 299 as TensorFlow 1
        did. The paper's published script squashes them to 256 x 256 before, so that Cityscapes loses its shape
        (`squashed`; it filters with scikit-image, this with torch's bilinear filter, so the last digits differ).

        Args:
            images: (B, 3, H, W) in [-1, 1].

        Returns:
            (B, 2048) float32, >= 0.
        """
        check_range(images)
        if self.squashed:
            images = F.interpolate(images, (SQUASHED_SIDE, SQUASHED_SIDE), mode="bilinear", antialias=True)
        pictures = torch.from_numpy(to_uint8(images)).movedim(-1, 1)  # (B, 3, H, W)
        (features,) = self.network(pictures.to(self.device))
        return features


def load_inception(
    folder: str | Path | None = None, *, squashed: bool = False, device: str | torch.device = "cpu"
) -> Inception:
    """Inception-v3 with the weights that FID is defined by; nothing is downloaded.

    Args:
        folder: that has the file of `INCEPTION_WEIGHTS`; None = torch's cache.
        squashed: see `Inception.features`.
        device: where to compute.

    Raises:
        JudgeUnavailableError: if torch-fidelity or its torchvision cannot be imported, or the weights are not there.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except Exception as error:
        needs = "the packages torch-fidelity and torchvision, the latter built for this torch"
        raise missing_package("FID by Inception-v3", needs, "fid", error) from error
    path = find_weights(INCEPTION_WEIGHTS, INCEPTION_SOURCE, folder)
    torch.load(path, map_location="cpu", weights_only=True)  # torch-fidelity unpickles anything: here only tensors
    with torch.device("cpu"):  # whatever torch's defaults are
        network = FeatureExtractorInceptionV3(
            "inception-v3-compat", [str(NUM_FEATURES)], feature_extractor_weights_path=str(path)
        ).float()
    return Inception(network.to(device), squashed=squashed)
