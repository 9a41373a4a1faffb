"""The folders as their owners publish them, in small: every layout read, every number in it given its meaning."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sdm_lite.datasets import ADE20K, CelebAMaskHQ, Cityscapes, COCOStuff, open_dataset
from sdm_lite.labels import encode_labels, instance_edges

Image = pytest.importorskip("PIL.Image")
REAL_COCO = Path(__file__).resolve().parents[3] / "shared" / "data" / "coco_stuff_samples"


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def grey(height, width):
    return np.full((height, width, 3), 128, dtype=np.uint8)


# Cityscapes.


def write_cityscapes(root, split, city, name, labels, instances):
    save(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", grey(*labels.shape))
    save(root / "gtFine" / split / city / f"{name}_gtFine_labelIds.png", labels)
    save(root / "gtFine" / split / city / f"{name}_gtFine_instanceIds.png", instances)
    save(root / "gtFine" / split / city / f"{name}_gtFine_color.png", grey(*labels.shape))  # There, but not read.


@pytest.fixture
def cityscapes(tmp_path):
    """Two cars that touch (left and right) on a road, and a licence plate, at 64 x 128; a second city."""
    labels = np.full((64, 128), 7, dtype=np.uint8)
    instances = np.full((64, 128), 7, dtype=np.uint16)
    labels[16:48, 32:96] = 26
    instances[16:48, 32:64], instances[16:48, 64:96] = 26_001, 26_002
    labels[40:44, 40:48] = 255
    write_cityscapes(tmp_path, "train", "aachen", "aachen_000000_000019", labels, instances)
    write_cityscapes(tmp_path, "train", "zurich", "zurich_000000_000019", labels[::-1].copy(), instances[::-1].copy())
    return tmp_path


def test_cityscapes(cityscapes):
    data = Cityscapes(cityscapes, "train", (64, 128))
    assert data.names == ["aachen_000000_000019", "zurich_000000_000019"] and data.num_classes == 35
    assert [path.name.rpartition("_")[2] for path in data.sources(0)] == [
        "leftImg8bit.png",
        "labelIds.png",
        "instanceIds.png",
    ]
    label_map = data[0].label_map
    assert data.class_names[label_map[0, 0]] == "road" and data.class_names[label_map[20, 40]] == "car"
    assert data.class_names[label_map[42, 44]] == "unknown"
    assert encode_labels(label_map[None], data.num_classes, data[0].instance_map[None]).shape == (1, 36, 64, 128)


def test_two_cars_that_touch_have_an_edge_between_them(cityscapes):
    example = Cityscapes(cityscapes, "train", (64, 128))[0]
    assert {26_001, 26_002} <= set(example.instance_map.unique().tolist())
    edges = instance_edges(example.instance_map[None])[0, 0]
    assert (edges[16:48, 63:65] == 1).all() and edges[20:40, 50].sum() == 0


def test_the_reference_protocol_loses_that_edge_as_the_published_code_does(cityscapes):
    data = open_dataset("cityscapes", cityscapes, "train", size=(64, 128), protocol="reference")
    edges = instance_edges(data[0].instance_map[None])[0, 0]
    assert edges[20:40, 63:65].sum() == 0 and edges[20:40, 31:33].all()  # Car and road still differ.
    assert "8 bits" in data.note


def test_the_instances_of_cityscapes_at_half_the_size(cityscapes):
    instance_map = Cityscapes(cityscapes, "train", (32, 64))[0].instance_map
    assert set(instance_map.unique().tolist()) == {7, 26_001, 26_002}


def test_cityscapes_has_no_labels_for_test(cityscapes):
    with pytest.raises(ValueError, match="split must be train or val"):
        Cityscapes(cityscapes, "test")


def test_cityscapes_with_half_of_it_unpacked(tmp_path, cityscapes):
    with pytest.raises(ValueError, match=f"did you mean {cityscapes}"):
        Cityscapes(cityscapes / "leftImg8bit" / "train", "train")
    (cityscapes / "gtFine").rename(cityscapes / "elsewhere")
    with pytest.raises(ValueError, match=r"gtFine_trainvaltest\.zip.* got a folder with elsewhere, leftImg8bit"):
        Cityscapes(cityscapes, "train")


def test_a_city_without_instance_maps(cityscapes):
    (cityscapes / "gtFine/train/zurich/zurich_000000_000019_gtFine_instanceIds.png").unlink()
    with pytest.raises(ValueError, match="no instance map for it"):
        Cityscapes(cityscapes, "train")
    data = Cityscapes(cityscapes, "train", skip_bad=True)
    assert data.names == ["aachen_000000_000019"] and "zurich" in data.left_out[0]


# ADE20K.


@pytest.fixture
def ade20k(tmp_path):
    """Rows of the ids 0, 1, 150 at an odd size, and a grey photograph."""
    for folder in ("training", "validation"):
        ids = np.repeat(np.array([0, 1, 150], dtype=np.uint8), 17)[:, None].repeat(67, axis=1)
        save(tmp_path / "images" / folder / "ADE_1.jpg", grey(51, 67)[..., 0])
        save(tmp_path / "annotations" / folder / "ADE_1.png", ids)
    return tmp_path


def test_ade20k(ade20k):
    for split in ("train", "val"):
        data = ADE20K(ade20k, split, (48, 64))
        label_map = data[0].label_map
        assert [data.class_names[label_map[row, 5]] for row in (5, 24, 43)] == ["unknown", "wall", "flag"]
        assert not data.has_instances and data.num_classes == 151
        assert encode_labels(label_map[None], data.num_classes).shape == (1, 151, 48, 64)
        assert data[0].image.shape == (3, 48, 64)


def test_an_ade20k_label_above_the_classes(ade20k):
    save(ade20k / "annotations/training/ADE_1.png", np.full((51, 67), 151, dtype=np.uint8))
    with pytest.raises(ValueError, match=r"label ids 0\.\.150 .* got 151 \(3417 pixels\)"):
        ADE20K(ade20k, "train")


def test_ade20k_has_two_splits(ade20k):
    with pytest.raises(ValueError, match="split must be train or val"):
        ADE20K(ade20k, "training")


# CelebAMask-HQ.


@pytest.fixture
def celebamask(tmp_path):
    """Faces on either side of the split, photographs of twice the size of the label maps."""
    for number in (0, 27_999, 28_000, 29_999):
        ids = np.zeros((32, 32), dtype=np.uint8)
        ids[8:24, 8:24] = 1
        ids[20:22, 12:20] = 12
        save(tmp_path / "images" / f"{number}.jpg", grey(64, 64))
        save(tmp_path / "labels" / f"{number:05d}.png", ids)
    return tmp_path


def test_celebamask(celebamask):
    train, val = (CelebAMaskHQ(celebamask, split, (32, 32)) for split in ("train", "val"))
    assert train.names == ["00000", "27999"] and val.names == ["28000", "29999"]
    assert CelebAMaskHQ(celebamask, "test", (32, 32)).names == val.names
    _, label_map, instance_map = train[0]
    assert train.class_names[label_map[10, 10]] == "skin" and train.class_names[label_map[21, 15]] == "lower lip"
    assert torch.equal(label_map, instance_map) and train.has_instances
    assert encode_labels(label_map[None], train.num_classes, instance_map[None]).shape == (1, 20, 32, 32)


def test_celebamask_with_a_label_map_of_another_shape(celebamask):
    save(celebamask / "labels/00000.png", np.zeros((32, 48), dtype=np.uint8))
    with pytest.raises(ValueError, match="64 x 64 pixels in .* and 32 x 48"):
        CelebAMaskHQ(celebamask, "train")


def test_celebamask_as_downloaded_is_told_how_to_prepare(tmp_path):
    (tmp_path / "CelebA-HQ-img").mkdir()
    with pytest.raises(ValueError, match="prepare celebamask-hq SRC DST"):
        CelebAMaskHQ(tmp_path, "train")


def test_celebamask_files_are_numbers(celebamask):
    save(celebamask / "images/me.jpg", grey(64, 64))
    with pytest.raises(ValueError, match=r"named by a number .*me\.jpg"):
        CelebAMaskHQ(celebamask, "train")


# COCO-Stuff.


def write_coco(root, folders, name):
    ids = np.repeat(np.array([0, 181, 255], dtype=np.uint8), 16)[:, None].repeat(64, axis=1)
    instances = ids.copy()
    instances[:16, 32:] = 1
    for folder, array in zip(folders, (grey(48, 64), ids, instances), strict=False):
        save(root / folder / f"{name}.{'jpg' if array.ndim == 3 else 'png'}", array)


def test_coco_stuff_as_spade_has_it(tmp_path):
    write_coco(tmp_path, ("val_img", "val_label", "val_inst"), "000000000139")
    data = COCOStuff(tmp_path, "val", (48, 64))
    _, label_map, instance_map = data[0]
    assert [data.class_names[label_map[row, 5]] for row in (8, 24, 40)] == ["person", "wood", "unlabeled"]
    assert data.num_classes == 183 and instance_map[8, 5] != instance_map[8, 40]
    with pytest.raises(ValueError, match="expected a folder .*train_img"):
        COCOStuff(tmp_path, "train")


def test_coco_stuff_as_its_owners_have_it(tmp_path):
    write_coco(tmp_path, ("images/train2017", "annotations/train2017"), "000000000009")
    _, label_map, instance_map = COCOStuff(tmp_path, "train", (48, 64))[0]
    assert torch.equal(label_map, instance_map) and label_map[40, 5] == 182


@pytest.mark.skipif(not REAL_COCO.is_dir(), reason="needs ../shared/data/coco_stuff_samples, which are not published")
def test_the_real_samples_of_coco_stuff():
    """Among the pictures are many sizes; what is taken for sky lies above what is taken for road, grass and sand."""
    heights = {"above": [], "below": []}
    for split, number in (("train", 13), ("val", 8)):
        data = COCOStuff(REAL_COCO, split, (64, 64))
        assert len(data) == number
        for i in range(number):
            label_map = data[i].label_map
            for names, where in ((("sky-other", "clouds"), "above"), (("road", "grass", "sand", "pavement"), "below")):
                ids = [data.class_names.index(name) for name in names]
                heights[where] += np.nonzero(np.isin(label_map, ids))[0].tolist()
    assert np.mean(heights["above"]) + 15 < np.mean(heights["below"])
