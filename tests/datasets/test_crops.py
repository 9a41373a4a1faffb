"""Which part of a picture is kept: nothing is squashed unless asked, and photograph and labels stay in step."""

import random

import numpy as np
import pytest
import torch

from sdm_lite.datasets import CamVid, Cityscapes
from sdm_lite.datasets.crops import LARGEST_ZOOM, centre_box, random_box
from sdm_lite.datasets.image_files import resample, resample_ids
from sdm_lite.pictures import to_uint8

Image = pytest.importorskip("PIL.Image")
SHAPES = [((100, 300), (64, 64)), ((300, 100), (64, 64)), ((192, 256), (48, 64)), ((10, 10), (256, 512))]


def shape_of(box, shape):
    top, left, bottom, right = box
    return (bottom - top) * shape[0], (right - left) * shape[1]


@pytest.mark.parametrize("shape, size", SHAPES)
def test_the_centre_is_the_largest_part_of_the_right_shape(shape, size):
    box = centre_box(shape, size)
    height, width = shape_of(box, shape)
    assert height / width == pytest.approx(size[0] / size[1])
    assert max(height / shape[0], width / shape[1]) == pytest.approx(1)
    np.testing.assert_allclose(np.add(box[:2], box[2:]), 1)  # As much is cut off on either side.


@pytest.mark.parametrize("shape, size", SHAPES)
def test_random_parts_have_the_right_shape_and_lie_inside(shape, size):
    largest = shape_of(centre_box(shape, size), shape)
    chance = random.Random(0)
    zooms = []
    for _ in range(500):
        box = random_box(shape, size, chance)
        height, width = shape_of(box, shape)
        assert height / width == pytest.approx(size[0] / size[1])
        assert min(box) >= 0 and max(box) <= 1 + 1e-12
        zooms.append(largest[0] / height)
    assert 1 <= min(zooms) < 1.01 and LARGEST_ZOOM - 0.01 < max(zooms) <= LARGEST_ZOOM + 1e-9


COLOURS = np.array([(250, 20, 20), (20, 250, 20), (20, 20, 250), (240, 240, 240)], dtype=np.uint8)


@pytest.fixture
def bands(tmp_path):
    """Four upright bands, each a class with a colour of its own, in a picture of 96 x 256, in both splits."""
    ids = np.repeat(np.arange(4, dtype=np.uint8), 64)[None].repeat(96, axis=0)
    for split in ("train", "val"):
        for kind, array in (("images", COLOURS[ids]), ("labels", ids)):
            (tmp_path / kind / split).mkdir(parents=True)
            Image.fromarray(array).save(tmp_path / kind / split / "bands.png")
    return tmp_path


def in_step(example):
    """Whether photograph and label map show the same, away from the borders, where colours are blended."""
    label_map, photograph = example.label_map.numpy(), to_uint8(example.image)
    inside = np.ones(label_map.shape, dtype=bool)
    inside[:, 1:] &= label_map[:, 1:] == label_map[:, :-1]
    inside[:, :-1] &= inside[:, 1:]
    inside[:, 2:] &= inside[:, :-2]
    near = np.abs(photograph.astype(int) - COLOURS[label_map]).max(axis=-1) < 60
    return near[inside].all() and inside.mean() > 0.5


def test_nothing_is_squashed_unless_asked(bands):
    for split in ("train", "val"):
        example = CamVid(bands, split, (96, 96))[0]
        assert in_step(example)
        _, counts = np.unique(example.label_map, return_counts=True)
        np.testing.assert_array_equal(counts, [48 * 96, 48 * 96])  # The middle: the bands keep their width.


def test_the_reference_squashes_the_whole_picture_at_test_time(bands):
    example = CamVid(bands, "val", (96, 96), protocol="reference")[0]
    assert in_step(example)
    _, counts = np.unique(example.label_map, return_counts=True)
    np.testing.assert_array_equal(counts, [24 * 96] * 4)


def test_the_reference_crops_at_random_in_training_and_squashes_nothing_there(bands):
    examples = CamVid(bands, "train", (96, 96), protocol="reference", crops=20)
    assert all(in_step(example) for example in examples)
    shown = [set(np.unique(example.label_map)) for example in examples]
    assert all(len(classes) < 4 for classes in shown) and len({frozenset(classes) for classes in shown}) > 1


def test_the_reference_says_so(bands):
    assert CamVid(bands, "val", (96, 96)).note == ""
    assert "squashed" in CamVid(bands, "val", (96, 96), protocol="reference").note


def test_further_crops_are_random_parts_and_always_the_same_ones(bands):
    once, more = CamVid(bands, "train", (96, 96)), CamVid(bands, "train", (96, 96), crops=6)
    assert more.names == ["bands", *(f"bands#{k}" for k in range(1, 6))] and len(more) == 6
    assert torch.equal(more[0].image, once[0].image)
    assert all(in_step(example) for example in more)
    assert len({example.label_map.numpy().tobytes() for example in more}) == 6
    again = CamVid(bands, "train", (96, 96), crops=3)
    assert torch.equal(again[2].image, more[2].image)


def test_cityscapes_keeps_its_pictures_whole_in_both_protocols(tmp_path):
    """1024 x 2048 has the shape of 256 x 512, so all that differs is how it is averaged down."""
    ids = np.zeros((64, 128), dtype=np.uint8)
    ids[:, 64:] = 23
    for kind, ending in (("labelIds", "gtFine"), ("instanceIds", "gtFine"), ("", "leftImg8bit")):
        for split in ("train", "val"):
            folder = tmp_path / (ending if kind else "leftImg8bit") / split / "aachen"
            folder.mkdir(parents=True, exist_ok=True)
            array = ids if kind else COLOURS[(ids > 0).astype(int)]
            Image.fromarray(array).save(folder / f"a_0_0_{ending}{'_' + kind if kind else ''}.png")
    for split in ("train", "val"):
        for protocol in ("sdm_lite", "reference"):
            example = Cityscapes(tmp_path, split, (16, 32), protocol=protocol)[0]
            np.testing.assert_array_equal(example.label_map, ids[::4, ::4])


def test_any_part_of_any_picture_can_be_kept():
    """Rounding must not put a part beyond the edge: Pillow refuses that, and an id map would be read out of bounds."""
    chance = random.Random(0)
    for _ in range(300):
        shape, size = ((chance.randrange(8, 90), chance.randrange(8, 90)) for _ in range(2))
        for box in (centre_box(shape, size), random_box(shape, size, chance)):
            photograph = resample(Image.new("RGB", shape[::-1]), box, size)
            assert photograph.shape == (*resample_ids(np.zeros(shape, np.uint8), box, size).shape, 3) == (*size, 3)
