"""Segmenters of transformers: small random networks of its classes, saved as published ones are."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sdm_lite.datasets.cityscapes import Cityscapes
from sdm_lite.judge.segmenter import NO_CLASS, Segmenter, load_segmenter, segmenter_ids
from sdm_lite.judge.weights import JudgeUnavailableError

STREET = ("sky", "road", "tree", "car", "void")
CLASSES = ("road", "Car ", "boat", "sky")


# The protocol, by networks whose answer is known.


class Output:
    """What transformers' networks return, as far as it is read."""

    def __init__(self, logits):
        self.logits = logits


class Brightest(nn.Module):
    """Logits (B, 3, h / 4, w / 4): the channels of the picture, so that its class is its brightest channel."""

    def __init__(self):
        super().__init__()
        self.anything = nn.Parameter(torch.zeros(1))
        self.seen = []

    def forward(self, pictures):
        self.seen.append(pictures)
        return Output(F.avg_pool2d(pictures, 4))


def picture_of(classes, scale):
    """One-hot colours of a map of 0..2, each cell so many pixels wide, (1, 3, H, W) in [-1, 1]."""
    hot = F.one_hot(torch.tensor(classes), 3).movedim(-1, 0)[None].float() * 2 - 1
    return F.interpolate(hot, scale_factor=scale, mode="nearest")


@pytest.mark.parametrize("input_size, expected", [((64, 128), (64, 128)), (48, (48, 72)), ((8, 16), (8, 16))])
def test_pictures_are_brought_to_the_segmenter_s_size_and_maps_back_to_theirs(input_size, expected):
    segmenter = Segmenter(Brightest(), "brightest", "abc", (4, 0, 2), input_size, mean=(0.5,) * 3, std=(0.25,) * 3)
    classes = np.repeat(np.repeat([[0, 1, 2], [2, 2, 0]], 2, 0), 2, 1)
    pictures = picture_of(classes, 8)  # 32 x 48
    predicted = segmenter.predict(pictures)
    (seen,) = segmenter.network.seen
    assert seen.shape[-2:] == expected and predicted.shape == (1, 32, 48) and predicted.dtype == torch.int64
    inside = np.s_[:, 6:10, 6:10]  # the middle of the first cell of 16 pixels
    assert set(predicted.unique().tolist()) == {4, 0, 2} and (predicted[inside] == 4).all()
    if input_size != (8, 16):  # enlarged, hardly a pixel is lost
        truth = torch.tensor([4, 0, 2])[F.one_hot(torch.tensor(classes), 3).argmax(-1)].repeat_interleave(8, 0)
        assert (predicted[0] == truth.repeat_interleave(8, 1)).float().mean() > 0.85
    assert seen.max().item() == pytest.approx((1 - 0.5) / 0.25, abs=0.2)


# Which class is which.


def test_ids_by_names_are_those_of_equal_names_and_the_others_have_none():
    assert segmenter_ids("names", CLASSES, STREET) == [1, 3, NO_CLASS, 0]
    train_ids = ("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation")
    found = segmenter_ids("names", train_ids, Cityscapes.class_names)
    assert found == [7, 8, 11, 12, 13, 17, 19, 20, 21], "Cityscapes' own table of train ids"
    with pytest.raises(ValueError, match=r"no class of the segmenter \(LABEL_0, LABEL_1, \.\.\.\)"):
        segmenter_ids("names", ["LABEL_0", "LABEL_1"], STREET)


def test_the_same_ids_are_the_same_and_must_fit():
    assert segmenter_ids("same", CLASSES, STREET) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="it has 6, the data 5"):
        segmenter_ids("same", [*CLASSES, "a", "b"], STREET)


def test_ids_from_a_file_by_name_or_number(tmp_path):
    path = tmp_path / "ids.json"
    path.write_text(json.dumps({"road": "road", "1": 3, "3": None}))
    assert segmenter_ids(path, CLASSES, STREET) == [1, 3, NO_CLASS, NO_CLASS]
    for table, expected in (
        ({"rode": "road"}, "the segmenter's classes .* got 'rode'"),
        ({"road": 5}, r"the data set's classes \(a name, or a number in 0\.\.4\) .* got 5"),
        ([1, 2], "expected {"),
    ):
        path.write_text(json.dumps(table))
        with pytest.raises(ValueError, match=expected):
            segmenter_ids(path, CLASSES, STREET)
    with pytest.raises(ValueError, match="must be same, names or a JSON file"):
        segmenter_ids("by-name", CLASSES, STREET)


# The library.


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers", reason="transformers is not installed (sdm_lite[segmenters])")


def segformer(library, names):
    torch.manual_seed(0)
    config = library.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], num_attention_heads=[1, 2],
        patch_sizes=[7, 3], strides=[4, 2], mlp_ratios=[2, 2], decoder_hidden_size=16,
        id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)},
    )  # fmt: skip
    return library.SegformerForSemanticSegmentation(config)


def upernet(library, names):
    torch.manual_seed(0)
    stages = [f"stage{i}" for i in (1, 2, 3, 4)]
    backbone = library.ConvNextConfig(num_stages=4, hidden_sizes=[8] * 4, depths=[1] * 4, out_features=stages)
    config = library.UperNetConfig(
        backbone_config=backbone, hidden_size=8, auxiliary_channels=8, auxiliary_in_channels=8,
        id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)},
    )  # fmt: skip
    return library.UperNetForSemanticSegmentation(config)


@pytest.mark.parametrize("make", [segformer, upernet])
def test_a_saved_segmenter_reads_what_the_library_s_network_reads(transformers, tmp_path, make):
    network = make(transformers, CLASSES).eval()
    network.save_pretrained(tmp_path / "small")
    preprocessor = {"size": {"height": 96, "width": 64}, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.6, 0.7]}
    (tmp_path / "small" / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    segmenter = load_segmenter(tmp_path / "small", STREET, "names")
    assert (segmenter.name, segmenter.known_ids) == ("small", [0, 1, 3])
    assert segmenter.told_ids(STREET) == "road = road, Car  = car, boat = none, sky = sky"
    images = torch.rand(2, 3, 48, 32) * 2 - 1
    predicted = segmenter.predict(images)
    # By hand: enlarged twice, normalised, the largest logit at the pictures' size, and its name among the data set's.
    pixels = F.interpolate((images + 1) / 2, (96, 64), mode="bilinear")
    shift, scale = (torch.tensor(preprocessor[key])[:, None, None] for key in ("image_mean", "image_std"))
    logits = network((pixels - shift) / scale).logits
    largest = F.interpolate(logits, (48, 32), mode="bilinear").argmax(1)
    expected = torch.tensor([1, 3, -1, 0])[largest]
    assert (predicted == expected).float().mean() > 0.999 and len(largest.unique()) > 1
    without = load_segmenter(tmp_path / "small", STREET, "names", void_id=3, input_size=(32, 32))
    assert without.input_size == (32, 32) and without.known_ids == [0, 1]


IN_THE_CACHE = """
from sdm_lite.judge.segmenter import load_segmenter
print(load_segmenter("group/small", ("road", "car", "boat", "sky"), "same", input_size=(32, 32)).name)
"""


@pytest.mark.slow
def test_a_segmenter_is_found_by_name_in_hugging_face_s_cache(transformers, tmp_path):
    cached = tmp_path / "hub" / "models--group--small"
    segformer(transformers, CLASSES).save_pretrained(cached / "snapshots" / "0123")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("0123")
    environment = os.environ | {"HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", IN_THE_CACHE], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "group/small", done.stderr


def test_a_segmenter_is_refused_that_is_missing_cut_short_or_of_no_known_size(transformers, tmp_path):
    with pytest.raises(JudgeUnavailableError, match="no segmenter .*none: expected a folder .* --segmenter") as refused:
        load_segmenter(tmp_path / "none", STREET, "same")
    assert "\n" not in str(refused.value)
    network = segformer(transformers, CLASSES)
    network.save_pretrained(tmp_path / "small")
    with pytest.raises(ValueError, match="give --segmenter-size H W"):
        load_segmenter(tmp_path / "small", STREET, "same")
    tensors = {name: tensor for name, tensor in network.state_dict().items() if "classifier" not in name}
    network.save_pretrained(tmp_path / "headless", state_dict=tensors)
    with pytest.raises(JudgeUnavailableError, match="lack 2 tensors, decode_head.classifier.bias among them"):
        load_segmenter(tmp_path / "headless", STREET, "same", input_size=(32, 32))
