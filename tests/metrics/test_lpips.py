"""LPIPS, in a process of its own with a stand-in torchvision: the real one may be absent, broken or matching here."""

import os
import subprocess
import sys
import textwrap
from importlib.util import find_spec

import pytest

from sdm_lite import metrics

# LPIPS, in a process of its own with a stand-in torchvision: the real one may be absent, broken or matching here.

STAND_IN_TORCHVISION = """
import os
import torch
from torch import nn

def alexnet(pretrained=True):
    r, m = nn.ReLU, nn.MaxPool2d
    features = nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), r(), m(3, 2), nn.Conv2d(64, 192, 5, padding=2), r(), m(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), r(), nn.Conv2d(384, 256, 3, padding=1), r(),
        nn.Conv2d(256, 256, 3, padding=1), r(), m(3, 2))
    path = os.path.join(torch.hub.get_dir(), "checkpoints", os.environ["STAND_IN_BACKBONE"])
    if pretrained:
        if not os.path.exists(path):
            raise OSError("<urlopen error [Errno -2] Name or service not known>")
        features.load_state_dict(torch.load(path))
    network = nn.Module()
    network.features = features
    return network
"""

LPIPS_PRELUDE = """
import hashlib, os, sys
from pathlib import Path
import torch
from sdm_lite import metrics

def write_backbone(checkpoints):
    import torchvision.models as models
    torch.manual_seed(0)
    checkpoints.mkdir(parents=True)
    temporary = checkpoints / "temporary.pth"
    torch.save(models.alexnet(pretrained=False).features.state_dict(), temporary)
    digest = hashlib.sha256(temporary.read_bytes()).hexdigest()[:8]
    os.environ["STAND_IN_BACKBONE"] = f"alexnet-owt-{digest}.pth"
    return temporary.rename(checkpoints / os.environ["STAND_IN_BACKBONE"])

checkpoints = Path(torch.hub.get_dir()) / "checkpoints"
"""


def run_with_stand_in(tmp_path, code, torchvision=STAND_IN_TORCHVISION):
    for package, source in (("torchvision/models", torchvision), ("scipy/ndimage", "zoom = None")):
        folder = tmp_path / "stand_in" / package
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(source)
        (folder.parent / "__init__.py").write_text("")
    paths = [str(tmp_path / "stand_in"), os.getcwd()]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "TORCH_HOME": str(tmp_path / "home")}
    environment["STAND_IN_BACKBONE"] = metrics.LPIPS_BACKBONES["alex"]
    script = LPIPS_PRELUDE + textwrap.dedent(code)
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def error_of(tmp_path, preparation="", torchvision=STAND_IN_TORCHVISION):
    code = f"""
    {preparation}
    try:
        metrics.lpips_distance()
    except metrics.LpipsUnavailableError as error:
        print(error)
    """
    return run_with_stand_in(tmp_path, code, torchvision).strip()


needs_lpips = pytest.mark.skipif(find_spec("lpips") is None, reason="the lpips package is not installed")


@needs_lpips
def test_lpips_distance_is_the_lpips_package_on_a_checked_backbone(tmp_path):
    output = run_with_stand_in(
        tmp_path,
        """
        path = write_backbone(checkpoints)
        metrics.LPIPS_BACKBONES["alex"] = path.name
        distance = metrics.lpips_distance()
        a, b = torch.rand(2, 3, 3, 64, 64) * 2 - 1
        import lpips
        expected = lpips.LPIPS(net="alex", verbose=False)(a, b).flatten()
        torch.testing.assert_close(distance(a, b), expected)
        assert (distance(a, a) == 0).all() and (distance(a, b) > 0).all()
        assert not distance(a, b).requires_grad
        print("same")
        """,
    )
    assert output.strip() == "same"


@needs_lpips
def test_lpips_distance_never_runs_on_other_weights(tmp_path):
    message = error_of(
        tmp_path, 'path = write_backbone(checkpoints); path.rename(checkpoints / "alexnet-owt-7be5be79.pth")'
    )
    assert "sha256 7be5be79" in message and "delete the file" in message and "\n" not in message


@needs_lpips
def test_lpips_distance_says_where_the_backbone_belongs(tmp_path):
    message = error_of(tmp_path)
    assert str(tmp_path / "home" / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth") in message
    assert "Name or service not known" in message and "\n" not in message


def test_lpips_distance_says_what_is_broken_or_missing(tmp_path):
    message = error_of(tmp_path, torchvision="raise RuntimeError('operator torchvision::nms does not exist\\nmore')")
    assert "needs the packages lpips and torchvision" in message and "pip install lpips" in message
    assert "\n" not in message
    if find_spec("lpips"):
        assert "torchvision::nms does not exist" in message


def test_lpips_distance_rejects_an_unknown_backbone():
    with pytest.raises(ValueError, match="net must be one of alex, vgg, squeeze, got 'resnet'"):
        metrics.lpips_distance("resnet")
