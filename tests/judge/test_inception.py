"""Inception-v3 by torch-fidelity: the library's own features of a picture's bytes, from a file that was checked."""

from importlib.util import find_spec

import pytest
import torch
from stand_ins import run_with_torchvision
from torch import nn

from sdm_lite.judge.inception import Inception

needs_fidelity = pytest.mark.skipif(find_spec("torch_fidelity") is None, reason="torch-fidelity is not installed")

# A random network of the library's class, made without the download that its __init__ would start.
PUBLISH = """
from sdm_lite.judge import inception as door
from torch_fidelity import feature_extractor_inceptionv3 as library
torch.manual_seed(0)
library.load_state_dict_from_url = lambda *_, **__: {}
load = library.FeatureExtractorInceptionV3.load_state_dict
library.FeatureExtractorInceptionV3.load_state_dict = lambda *_: None
network = library.FeatureExtractorInceptionV3("library", ["2048"])
library.FeatureExtractorInceptionV3.load_state_dict = load
path = publish(network.state_dict(), "pt_inception-2015-12-05")
"""


@pytest.mark.slow
@needs_fidelity
def test_inception_is_the_library_s_network_on_the_bytes_of_a_picture(tmp_path):
    output = run_with_torchvision(
        tmp_path,
        PUBLISH
        + """
door.INCEPTION_WEIGHTS[:] = ["weights-inception-2015-12-05-00000000.pth", path.name]
judge = door.load_inception()
pictures = torch.randint(1, 255, (2, 3, 40, 56), dtype=torch.uint8)
pictures[1] = pictures[1] // 8 + 1  # another picture altogether: dark
(expected,) = network(pictures)
off = torch.tensor([0.3, -0.3]).view(2, 1, 1, 1)  # of a byte, rounded away
images = (pictures.float() + off) / 127.5 - 1
features = judge.features(images)
assert features.shape == (2, door.NUM_FEATURES) and expected.std() > 0 and not features.requires_grad
torch.testing.assert_close(features, expected, rtol=0, atol=0)
assert not torch.allclose(features[0], features[1], rtol=1e-2)
torch.testing.assert_close(door.load_inception(path.parent).features(images), expected, rtol=0, atol=0)
print(judge.name, judge.device)
""",
    )
    assert output == "Inception-v3 cpu"


LOAD = """
from sdm_lite.judge import inception as door
try:
    door.load_inception()
except ValueError as error:
    print(error)
"""


@needs_fidelity
def test_inception_says_where_its_weights_belong_and_fetches_nothing(tmp_path):
    message = run_with_torchvision(tmp_path, LOAD)
    assert str(tmp_path / "home" / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth") in message
    assert "github.com/toshas/torch-fidelity" in message and "--weights FOLDER" in message and "\n" not in message


def test_inception_says_what_is_broken_or_missing(tmp_path):
    message = run_with_torchvision(tmp_path, LOAD, "raise RuntimeError('operator does not exist\\nmore')")
    assert "needs the packages torch-fidelity and torchvision" in message and "sdm_lite[fid]" in message
    assert "\n" not in message


class Recorder(nn.Module):
    """Keeps what it is given."""

    def __init__(self):
        super().__init__()
        self.anything = nn.Parameter(torch.zeros(1))

    def forward(self, pictures):
        self.pictures = pictures
        return (pictures.float().mean((2, 3)),)


def test_squashed_pictures_are_256_pixels_square_whatever_their_shape():
    ramp = torch.linspace(-1, 1, 512).expand(1, 3, 64, 512)
    plain, squashed = Inception(Recorder()), Inception(Recorder(), squashed=True)
    plain.features(ramp), squashed.features(ramp)
    assert plain.network.pictures.shape == (1, 3, 64, 512)
    pictures = squashed.network.pictures
    assert pictures.shape == (1, 3, 256, 256) and pictures.dtype == torch.uint8
    assert pictures[0, 0, 0].diff().float().mean() == pytest.approx(1, abs=0.01) and "squashed" in squashed.name
