"""LPIPS against the lpips package itself, on a trunk that was saved as torchvision saves its own; and its twin."""

from importlib.util import find_spec

import pytest
import torch
from stand_ins import run_with_torchvision

from sdm_lite.judge.lpips import Lpips, load_lpips, normalised_twice

needs_lpips = pytest.mark.skipif(find_spec("lpips") is None, reason="the lpips package is not installed")

PUBLISH = """
import warnings
import torchvision
from sdm_lite.judge import lpips as door
torch.manual_seed(0)
alexnet = torchvision.models.alexnet()
path = publish(alexnet.state_dict(), "alexnet-owt")
"""

LOAD = """
try:
    door.load_lpips()
except ValueError as error:
    print(error)
"""


@needs_lpips
def test_lpips_is_the_lpips_package_on_a_checked_trunk(tmp_path):
    output = run_with_torchvision(
        tmp_path,
        PUBLISH
        + """
door.LPIPS_BACKBONES["alex"] = path.name
judge = door.load_lpips()
a, b = torch.rand(2, 3, 3, 64, 64) * 2 - 1
import lpips
torchvision.models.alexnet = lambda pretrained: alexnet
expected = lpips.LPIPS(net="alex", verbose=False, pnet_rand=True)(a, b).flatten()
distance = judge.perceptual_distance(a, b)
torch.testing.assert_close(distance, expected)
assert (judge.perceptual_distance(a, a) == 0).all() and (distance > 0).all() and not distance.requires_grad
torch.testing.assert_close(door.load_lpips("alex", path.parent).perceptual_distance(a, b), expected)
print(judge.name, judge.device)
""",
    )
    assert output == "LPIPS, AlexNet cpu"


@needs_lpips
def test_lpips_never_runs_on_other_weights(tmp_path):
    message = run_with_torchvision(tmp_path, PUBLISH + 'path.rename(path.parent / "alexnet-owt-7be5be79.pth")\n' + LOAD)
    assert "sha256 7be5be79" in message and "delete the file" in message and "\n" not in message


@needs_lpips
def test_lpips_says_where_the_trunk_belongs_and_fetches_nothing(tmp_path):
    message = run_with_torchvision(tmp_path, "from sdm_lite.judge import lpips as door\n" + LOAD)
    assert str(tmp_path / "home" / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth") in message
    assert "download.pytorch.org/models/alexnet-owt-7be5be79.pth" in message and "--weights FOLDER" in message
    assert "\n" not in message


def test_lpips_says_what_is_broken_or_missing(tmp_path):
    broken = "raise RuntimeError('operator torchvision::nms does not exist\\nmore')"
    message = run_with_torchvision(tmp_path, "from sdm_lite.judge import lpips as door\n" + LOAD, broken)
    assert "needs the packages lpips and torchvision" in message and "sdm_lite[lpips]" in message
    assert "\n" not in message
    if find_spec("lpips"):
        assert "torchvision::nms does not exist" in message


def test_lpips_rejects_an_unknown_trunk_and_pictures_that_are_too_small():
    with pytest.raises(ValueError, match="net must be one of alex, vgg, squeeze, got 'resnet'"):
        load_lpips("resnet")
    small = torch.zeros(1, 3, 31, 64)
    with pytest.raises(ValueError, match=r"at least 32 pixels, got \(31, 64\)"):
        Lpips(torch.nn.Identity(), "LPIPS").perceptual_distance(small, small)


def test_normalised_twice_hands_on_what_the_published_script_does():
    seen = []

    def distance(a, b):
        seen.extend((a, b))
        return (a - b).abs().mean((1, 2, 3))

    grey = torch.full((1, 3, 8, 8), 2 * 0.5 - 1)  # 0.5 of 0..1
    white = torch.ones(1, 3, 8, 8)
    value = normalised_twice(distance)(grey, white)
    red, blue = seen[0][0, 0], seen[1][0, 2]
    assert red.shape == (299, 299)
    torch.testing.assert_close(red, torch.full_like(red, (0.5 - 0.485) / 0.229))
    torch.testing.assert_close(blue, torch.full_like(blue, (1 - 0.406) / 0.225))
    # A difference of 0.5 in [0, 1], 1 in [-1, 1], has become 0.5 / 0.226: what a right script hands on, times 2.2.
    assert value.item() == pytest.approx(sum(0.5 / s for s in (0.229, 0.224, 0.225)) / 3)
    assert normalised_twice(distance, side=None)(grey, white).item() == pytest.approx(value.item())
    assert seen[2].shape == grey.shape
