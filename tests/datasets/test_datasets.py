"""What the published data sets say of themselves, and the door to all of them."""

import numpy as np
import pytest
from photograph_files import write_camvid

from sdm_lite.datasets import DATASETS, open_dataset
from sdm_lite.presets import PRESETS

PUBLISHED = [dataset for name, dataset in DATASETS.items() if name != "folder"]


@pytest.fixture
def root(tmp_path):
    return write_camvid(tmp_path / "camvid")


@pytest.mark.parametrize("dataset", PUBLISHED, ids=lambda dataset: dataset.name)
def test_classes_colours_and_network_belong_together(dataset):
    assert len(dataset.class_names) == dataset.num_classes == len(set(dataset.class_names))
    assert dataset.palette.shape == (dataset.num_classes, 3) and dataset.palette.dtype == np.uint8
    distance = np.linalg.norm(dataset.palette[:, None].astype(float) - dataset.palette, axis=-1)
    assert distance[~np.eye(dataset.num_classes, dtype=bool)].min() > 15, "two classes have nearly one colour"
    classes = dataset.class_of_id[dataset.class_of_id >= 0]
    assert set(classes) == set(range(dataset.num_classes)), "a class that no id in a file can mean, or the reverse"


@pytest.mark.parametrize("name", ["cityscapes", "ade20k", "celebamask-hq", "coco-stuff"])
def test_the_condition_has_the_channels_of_the_published_networks(name):
    dataset = DATASETS[name]
    assert PRESETS[dataset.preset].num_classes == dataset.num_classes
    assert dataset.default_size == PRESETS[dataset.preset].image_size


def test_an_unknown_data_set_is_told_the_nearest(root):
    with pytest.raises(ValueError, match="did you mean cityscapes"):
        open_dataset("cityscape", root, "train")


def test_each_data_set_says_which_class_is_void():
    """By its name as the owners publish it; what their files have there becomes that class."""
    void = {
        dataset.name: None if dataset.void_id is None else dataset.class_names[dataset.void_id] for dataset in PUBLISHED
    }
    assert void == {
        "cityscapes": "unlabeled",
        "ade20k": "unknown",
        "celebamask-hq": None,
        "coco-stuff": "unlabeled",
        "camvid": "unlabelled",
    }
    ids = {dataset.name: np.flatnonzero(dataset.class_of_id == dataset.void_id).tolist() for dataset in PUBLISHED}
    assert [ids[name] for name in ("cityscapes", "ade20k", "coco-stuff", "camvid")] == [[0], [0], [255], [11, 255]]
