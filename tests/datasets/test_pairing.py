"""The folder of a data set: found where it is or told where it would be, each file with its partner."""

import os
import sys
from unicodedata import normalize

import numpy as np
import pytest
import torch
from photograph_files import Image, save, write_camvid

from sdm_lite.cache import open_cache
from sdm_lite.datasets import CamVid, open_dataset


@pytest.fixture
def root(tmp_path):
    return write_camvid(tmp_path / "camvid")


def test_the_folder_of_another_data_set_is_recognised(root):
    with pytest.raises(ValueError, match="leftImg8bit.*it looks like.* camvid"):
        open_dataset("cityscapes", root, "train")


def test_a_root_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="no such folder"):
        CamVid(tmp_path / "nowhere", "train")


def test_a_root_that_is_a_file(tmp_path):
    (tmp_path / "camvid.zip").touch()
    with pytest.raises(ValueError, match=r"camvid\.zip, got a file"):
        CamVid(tmp_path / "camvid.zip", "train")


@pytest.mark.parametrize("step", ["..", "images", "images/train"])
def test_a_root_one_level_off_is_told_the_right_one(root, step):
    with pytest.raises(ValueError, match="did you mean") as caught:
        CamVid((root / step).resolve(), "train")
    assert str(caught.value).endswith(f"did you mean {root}?")


def test_a_root_two_levels_up_is_told_the_right_one(root, tmp_path):
    (tmp_path / "unzipped").mkdir()
    inside = root.rename(tmp_path / "unzipped" / "camvid")
    with pytest.raises(ValueError, match="did you mean") as caught:
        CamVid(tmp_path, "train")
    assert str(caught.value).endswith(f"did you mean {inside}?")


def test_an_unknown_split_is_told_what_there_is(root):
    with pytest.raises(ValueError, match="there is train"):
        CamVid(root, "test")


def test_an_empty_split(root):
    for kind in ("images", "labels"):
        (root / kind / "val").mkdir()
    with pytest.raises(ValueError, match="photographs and label maps in .*camvid, split val, got none"):
        CamVid(root, "val")


def test_files_without_a_partner(root):
    (root / "labels/train/b.png").unlink()
    with pytest.raises(ValueError, match=r"b\.jpg: no label map for it; .*--skip-bad"):
        CamVid(root, "train")
    (root / "images/train/b.jpg").unlink()
    (root / "images/train/a.jpg").rename(root / "images/train/c.jpg")
    with pytest.raises(ValueError, match=r"a\.png: no photograph for it \(and 1 more"):
        CamVid(root, "train")


def test_two_photographs_of_one_name(root):
    save(root / "images/train/a.png", np.zeros((32, 48, 3), np.uint8))
    with pytest.raises(ValueError, match=r"one file named a in .*a\.jpg and .*a\.png"):
        CamVid(root, "train")


def test_other_files_are_no_photographs(root):
    for name in (".DS_Store", "._a.jpg", "Thumbs.db", "read me.txt"):
        (root / "images/train" / name).touch()
    assert CamVid(root, "train").names == ["a", "b"]


# What a file is, its name does not decide.


@pytest.mark.parametrize("suffix", [".webp", ".tif", ".tiff", ".bmp", ".TIF"])
def test_photographs_of_other_suffixes_are_read(root, suffix):
    for name in ("a", "b"):
        with Image.open(root / f"images/train/{name}.jpg") as photograph:
            photograph.save(root / f"images/train/{name}{suffix}")
        (root / f"images/train/{name}.jpg").unlink()
    camvid = CamVid(root, "train", (32, 48))
    assert camvid.names == ["a", "b"] and camvid.sources(0)[0].suffix == suffix
    assert camvid[0].image[:, :, :16].max() < -0.9 and camvid[0].image[:, :, 32:].min() > 0.9


def test_label_maps_in_tiff_are_read(root):
    with Image.open(root / "labels/train/b.png") as ids:
        ids.save(root / "labels/train/b.tif")
    expected = CamVid(root, "train", (32, 48))[1].label_map
    (root / "labels/train/b.png").unlink()
    assert torch.equal(CamVid(root, "train", (32, 48))[1].label_map, expected)


def test_a_jpeg_label_map_is_named_and_told_why_it_will_not_do(root):
    for name in ("a", "b"):
        with Image.open(root / f"labels/train/{name}.png") as ids:
            ids.save(root / f"labels/train/{name}.jpg")
        (root / f"labels/train/{name}.png").unlink()
        with pytest.raises(ValueError, match=rf"label ids .* in .*{name}\.jpg, got JPEG, .*: give the PNG file"):
            CamVid(root, "train", (32, 48))
        (root / f"labels/train/{name}.jpg").rename(root / f"labels/train/{name}.png")
        with pytest.raises(ValueError, match=rf"label ids .* in .*{name}\.png, got JPEG"):
            CamVid(root, "train", (32, 48))
        (root / f"labels/train/{name}.png").unlink()
        save(root / f"labels/train/{name}.png", np.zeros((32, 48), np.uint8))


def test_a_suffix_that_is_unusual_stands_back_behind_the_usual_one(root):
    """A scan beside the JPEG made of it, a preview beside the ids: neither is an example of its own."""
    save(root / "images/train/a.tif", np.zeros((5, 5, 3), np.uint8))
    save(root / "labels/train/a.jpg", np.zeros((32, 48, 3), np.uint8))
    save(root / "labels/train/a_overlay.jpg", np.zeros((32, 48, 3), np.uint8))
    camvid = CamVid(root, "train", (32, 48))
    assert camvid.names == ["a", "b"] and [path.name for path in camvid.sources(0)] == ["a.jpg", "a.png"]


def test_what_pillow_cannot_read_is_named(root):
    (root / "images/train/b.jpg").rename(root / "images/train/b.heic")
    (root / "images/train/b.heic").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(ValueError, match=r"readable image, got .*b\.heic: cannot identify"):
        CamVid(root, "train", (32, 48))


def test_names_are_the_same_in_either_form_of_unicode(root):
    composed, decomposed = (normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))
    assert composed != decomposed
    (root / "images/train/b.jpg").rename(root / f"images/train/{decomposed}.jpg")
    (root / "labels/train/b.png").rename(root / f"labels/train/{composed}.png")
    assert CamVid(root, "train", (32, 48)).names == ["a", composed]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_no_utf8_are_read_cropped_and_cached(root, tmp_path):
    name = os.fsdecode(b"caf\xe9")
    (root / "images/train/b.jpg").rename(root / f"images/train/{name}.jpg")
    (root / "labels/train/b.png").rename(root / f"labels/train/{name}.png")
    camvid = CamVid(root, "train", (16, 24), crops=2)
    cache = open_cache(camvid, tmp_path / "caches")
    assert cache.names == camvid.names == ["a", name, "a#1", f"{name}#1"]
    assert open_cache(camvid, tmp_path / "caches").fingerprint() == cache.fingerprint()
