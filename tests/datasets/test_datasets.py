"""What all data sets share: what is in the files comes out, resized rightly, and all that can be wrong is told."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from sdm_lite.datasets import DATASETS, CamVid, Folder, open_dataset
from sdm_lite.labels import encode_labels
from sdm_lite.presets import PRESETS

Image = pytest.importorskip("PIL.Image")
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "camvid"
PUBLISHED = [dataset for name, dataset in DATASETS.items() if name != "folder"]


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jpg":
        options = {"quality": 100, "subsampling": 0} | options
    Image.fromarray(array).save(path, **options)


def write_pair(root, split, name, photograph, ids):
    save(root / "images" / split / f"{name}.jpg", photograph)
    save(root / "labels" / split / f"{name}.png", ids)


@pytest.fixture
def root(tmp_path):
    """Two pictures of 32 x 48: left half black sky, right half white car; the second has an unlabelled corner."""
    photograph = np.zeros((32, 48, 3), dtype=np.uint8)
    photograph[:, 24:] = 255
    ids = np.zeros((32, 48), dtype=np.uint8)
    ids[:, 24:] = 8
    write_pair(tmp_path / "camvid", "train", "a", photograph, ids)
    ids = ids.copy()
    ids[:8, :8] = 255
    write_pair(tmp_path / "camvid", "train", "b", photograph, ids)
    return tmp_path / "camvid"


# What comes out.


def test_an_example_is_what_the_files_say(root):
    camvid = CamVid(root, "train", (32, 48))
    assert len(camvid) == 2 and camvid.names == ["a", "b"]
    image, label_map, instance_map = camvid[0]
    assert image.shape == (3, 32, 48) and image.dtype == torch.float32
    assert label_map.dtype == torch.int64 and torch.equal(label_map, instance_map)
    assert set(label_map[:, :24].unique().tolist()) == {0} and set(label_map[:, 24:].unique().tolist()) == {8}
    torch.testing.assert_close(image[:, :, :16], torch.full((3, 32, 16), -1.0), atol=0.03, rtol=0)
    torch.testing.assert_close(image[:, :, 32:], torch.full((3, 32, 16), 1.0), atol=0.03, rtol=0)


def test_an_example_says_which_files_it_is_read_from(root):
    camvid = CamVid(root, "train", (16, 24), crops=2)
    assert camvid.sources(1) == camvid.sources(3) == (root / "images/train/b.jpg", root / "labels/train/b.png")


def test_unlabelled_pixels_are_a_class_of_their_own(root):
    camvid = CamVid(root, "train", (32, 48))
    label_map = camvid[1].label_map
    assert camvid.class_names[11] == "unlabelled" and camvid.num_classes == 12
    assert (label_map[:8, :8] == 11).all() and (label_map == 11).sum() == 64
    assert encode_labels(label_map[None], camvid.num_classes).shape == (1, 12, 32, 48)


def test_labels_are_never_blended_and_photographs_never_aliased(tmp_path):
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    ids = np.where(np.arange(64) % 2, 8, 2).astype(np.uint8)[None].repeat(64, axis=0)
    write_pair(tmp_path, "val", "stripes", stripes, ids)
    image, label_map, _ = CamVid(tmp_path, "val", (16, 16))[0]
    assert set(label_map.unique().tolist()) <= {2, 8}
    # One-pixel stripes become an even grey; at the border the filter is cut off.
    torch.testing.assert_close(image[..., 1:-1], torch.zeros(3, 16, 14), atol=0.06, rtol=0)


def test_a_data_set_can_be_sent_to_another_process(root):
    camvid = CamVid(root, "train", (16, 24), crops=2)
    again = pickle.loads(pickle.dumps(camvid))
    assert all(torch.equal(a, b) for a, b in zip(camvid[3], again[3], strict=True))


def test_nothing_is_read_before_it_is_asked_for(tmp_path):
    """What makes thirty thousand pictures possible: a bad one among many is found when it is read."""
    for i in range(20):
        write_pair(tmp_path, "train", f"{i:02d}", np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8))
    (tmp_path / "labels/train/05.png").write_bytes(b"no image")
    camvid = CamVid(tmp_path, "train", (8, 8))
    camvid[4]
    with pytest.raises(ValueError, match=r"05\.png"):
        camvid[5]
    assert [i for i, result in enumerate(camvid.results()) if isinstance(result, ValueError)] == [5]
    with pytest.raises(ValueError, match=r"05\.png"):
        list(camvid.read_all())


# What the data sets say of themselves.


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


# Bad input: options, folders.


@pytest.mark.parametrize("size", [(30, 48), (32,), (0, 8), (32, 4)])
def test_a_bad_size(root, size):
    with pytest.raises(ValueError, match="multiples of 8"):
        CamVid(root, "train", size)


def test_a_bad_protocol_or_number_of_crops(root):
    with pytest.raises(ValueError, match="protocol must be one of sdm_lite, reference, got 'refrence'"):
        CamVid(root, "train", protocol="refrence")
    with pytest.raises(ValueError, match="crops must be at least 1, got 0"):
        CamVid(root, "train", crops=0)


def test_an_unknown_data_set_is_told_the_nearest(root):
    with pytest.raises(ValueError, match="did you mean cityscapes"):
        open_dataset("cityscape", root, "train")


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


# Bad input: files.


def test_an_id_that_is_no_class(root):
    ids = np.zeros((32, 48), dtype=np.uint8)
    ids[3, :5] = 77
    save(root / "labels/train/b.png", ids)
    with pytest.raises(ValueError, match=r"b\.png, got 77 \(5 pixels\)"):
        CamVid(root, "train")


def test_a_label_map_in_colours_is_recognised_and_told_apart_from_a_photograph(root):
    colours = CamVid.palette[np.arange(32 * 48).reshape(32, 48) % 5]
    save(root / "labels/train/a.png", colours)
    with pytest.raises(ValueError, match=r"label ids .* in .*a\.png, .* mode RGB with 5 colours: a colour-coded label"):
        CamVid(root, "train")
    save(root / "labels/train/a.png", np.zeros((32, 48, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match="equal channels; save one"):
        CamVid(root, "train")
    noise = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    save(root / "labels/train/a.png", noise)
    with pytest.raises(ValueError, match="a photograph, or a label map saved as JPEG"):
        CamVid(root, "train")


def test_a_label_map_with_a_palette_is_read_by_its_indices(root):
    image = Image.fromarray(np.full((32, 48), 3, dtype=np.uint8))
    image.putpalette([255 - value for value in range(256) for _ in range(3)])
    image.save(root / "labels/train/a.png")
    with Image.open(root / "labels/train/a.png") as written:
        assert written.mode == "P"
    assert (CamVid(root, "train")[0].label_map == 3).all()


def test_sizes_that_differ(root):
    save(root / "labels/train/a.png", np.zeros((32, 40), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"32 x 48 pixels in .*a\.jpg and 32 x 40 in .*a\.png"):
        CamVid(root, "train")
    save(root / "labels/train/a.png", np.zeros((48, 32), dtype=np.uint8))
    with pytest.raises(ValueError, match="turned on its side"):
        CamVid(root, "train")


@pytest.mark.parametrize("name", ["images/train/a.jpg", "labels/train/a.png"])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9])
def test_a_truncated_file(root, name, keep):
    noise = np.random.default_rng(0)
    write_pair(
        root, "train", "a", noise.integers(0, 256, (32, 48, 3), np.uint8), noise.integers(0, 11, (32, 48), np.uint8)
    )
    data = (root / name).read_bytes()
    (root / name).write_bytes(data[: int(keep * len(data))])
    with pytest.raises(ValueError, match=f"readable image, got .*{Path(name).name}"):
        CamVid(root, "train")


def test_skip_bad_goes_on_and_lists_what_it_left_out(tmp_path):
    for i in range(12):
        write_pair(tmp_path, "train", f"{i:02d}", np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8))
    (tmp_path / "labels/train/00.png").write_bytes(b"")  # Found when the data set is made.
    (tmp_path / "images/train/05.jpg").write_bytes(b"")  # Found when all are read.
    (tmp_path / "labels/train/07.png").unlink()
    camvid = CamVid(tmp_path, "train", (8, 8), crops=2, skip_bad=True)
    assert len(camvid) == 20 and {"00", "07"}.isdisjoint(camvid.names)
    assert ["07.jpg" in line or "00.png" in line for line in camvid.left_out] == [True, True]
    examples = list(camvid.read_all())
    assert "05.jpg" in camvid.left_out[-1] and len(camvid.left_out) == 3
    assert len(camvid) == len(examples) == 18 and "05" not in camvid.names and "05#1" not in camvid.names
    for i in range(len(camvid)):
        camvid[i]


def test_a_thinned_data_set_is_spread_over_the_whole_and_shares_what_is_bad(tmp_path):
    for i in range(9):
        write_pair(tmp_path, "train", f"{i}", np.full((8, 8, 3), 28 * i, np.uint8), np.full((8, 8), i, np.uint8))
    camvid = CamVid(tmp_path, "train", (8, 8), crops=2, skip_bad=True)
    few = camvid.thinned(4)
    assert few.names == ["0", "6", "2#1", "8#1"] and len(camvid) == 18 and len(camvid.thinned(100)) == 18
    assert [int(example.label_map[0, 0]) for example in few.read_all()] == [0, 6, 2, 8]
    (tmp_path / "labels/train/6.png").write_bytes(b"no picture")
    assert len(list(few.read_all())) == 3 and few.names == ["0", "2#1", "8#1"]
    assert "6.png" in camvid.left_out[0] and few.left_out == camvid.left_out
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        camvid.thinned(0)


def test_skip_bad_is_no_way_to_train_on_nothing(root):
    for name in ("a", "b"):
        (root / f"labels/train/{name}.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"no example .* can be read: .*a\.png"):
        CamVid(root, "train", skip_bad=True)


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


# Anyone's own data.


@pytest.fixture
def own(tmp_path):
    """Twenty-one photographs in a root as `folder` takes it, with two classes and unlabelled pixels."""
    root = tmp_path / "mine"
    for i in range(21):
        save(root / "images" / f"{i:02d}.jpeg", np.full((16, 16, 3), 10 * i, dtype=np.uint8))
        ids = np.zeros((16, 16), dtype=np.uint8)
        ids[:8], ids[0, 0] = 1, 255
        save(root / "labels" / f"{i:02d}.png", ids)
    (root / "classes.txt").write_text("ground\n\nsky \nunlabelled\n", encoding="utf-8")
    return root


def test_a_folder_of_ones_own(own):
    data = open_dataset("folder", own, "all", size=(16, 16))
    assert data.class_names == ("ground", "sky", "unlabelled") and data.palette.shape == (3, 3)
    image, label_map, _ = data[3]
    assert label_map[0, 0] == 2 and label_map[4, 4] == 1 and label_map[12, 4] == 0
    assert len(data) == 21 and abs(float(image.mean() + 1) * 127.5 - 30) <= 1


def test_a_folder_without_splits_holds_every_tenth_picture_out(own):
    train, val = (open_dataset("folder", own, split, size=(16, 16)).names for split in ("train", "val"))
    assert val == ["00", "10", "20"] and sorted(train + val) == [f"{i:02d}" for i in range(21)]
    (own / "labels/10.png").unlink()
    (own / "images/01.jpeg").unlink()
    data = open_dataset("folder", own, "val", size=(16, 16), skip_bad=True)
    assert data.names == ["00", "20"], "a lone file must not move the others to another split"
    with pytest.raises(ValueError, match="split must be train, val or all"):
        open_dataset("folder", own, "test")


def test_a_folder_with_splits_keeps_to_them(own):
    for kind, suffix in (("images", "jpeg"), ("labels", "png")):
        for split, names in (("train", ["00", "01"]), ("val", ["02"])):
            (own / kind / split).mkdir()
            for name in names:
                (own / kind / f"{name}.{suffix}").rename(own / kind / split / f"{name}.{suffix}")
    assert open_dataset("folder", own, "val", size=(16, 16)).names == ["02"]


def test_255_needs_a_class_that_it_can_mean(own):
    (own / "classes.txt").write_text("ground\nsky\n")
    with pytest.raises(ValueError, match=r"255 only if the last class is named unlabelled, in .*255 \(1 pixels\)"):
        Folder(own, "all", (16, 16))


@pytest.mark.parametrize(
    ("names", "void_id"), [("ground\nsky\nunlabelled", 2), ("unlabelled\nsky\nlast", 0), ("ground\nsky\nlast", None)]
)
def test_a_class_named_unlabelled_is_void_wherever_it_stands(own, names, void_id):
    (own / "classes.txt").write_text(names)
    for i in range(21):
        save(own / "labels" / f"{i:02d}.png", np.zeros((16, 16), dtype=np.uint8))
    assert Folder(own, "all", (16, 16)).void_id == void_id


def test_instance_maps_of_ones_own_make_the_edges(own):
    instances = np.zeros((16, 16), dtype=np.uint16)
    instances[:, 8:] = 40_000
    for i in range(21):
        save(own / "instances" / f"{i:02d}.png", instances)
    example = open_dataset("folder", own, "train", size=(16, 16))[0]
    assert set(example.instance_map.unique().tolist()) == {0, 40_000}
    save(own / "instances/01.png", instances[:8])
    with pytest.raises(ValueError, match=r"16 x 16 pixels in .*labels.*01\.png and 8 x 16 in .*instances.*01\.png"):
        open_dataset("folder", own, "train", size=(16, 16))


def test_more_than_256_classes(tmp_path):
    ids = np.arange(300, dtype=np.uint16).reshape(15, 20).repeat(8, 0).repeat(8, 1)
    save(tmp_path / "images/a.png", np.zeros((120, 160, 3), dtype=np.uint8))
    save(tmp_path / "labels/a.png", ids)
    names = [f"class {i}\n" for i in range(300)]
    (tmp_path / "classes.txt").write_text("".join(names))
    np.testing.assert_array_equal(Folder(tmp_path, "all", (120, 160))[0].label_map, ids)
    (tmp_path / "classes.txt").write_text("".join(names[:-1]))
    with pytest.raises(ValueError, match=r"0\.\.298 .* got 299 \(64 pixels\)"):
        Folder(tmp_path, "all", (120, 160))


def test_bad_class_names(own):
    for names, told in ((b"a\nb\na\n", "a more than once"), (b"\n", "got an empty file"), (b"h\xe4user", "in UTF-8")):
        (own / "classes.txt").write_bytes(names)
        with pytest.raises(ValueError, match=told):
            open_dataset("folder", own, "all")
    (own / "classes.txt").unlink()
    with pytest.raises(ValueError, match=r"classes\.txt at .* got a folder with images, labels"):
        open_dataset("folder", own, "all")


@pytest.mark.skipif(not REAL.is_dir(), reason="needs photographs at ../shared/data/camvid, which are not published")
def test_the_real_photographs():
    camvid = CamVid(REAL, "val", (48, 64))
    assert len(camvid) == 101
    ids = torch.stack([camvid[i].label_map for i in range(len(camvid))])
    assert set(ids.unique().tolist()) <= set(range(12))
    image = camvid[0].image
    assert image.shape == (3, 48, 64) and image.min() >= -1 and image.max() <= 1 and image.std() > 0.2
    # Skies are above roads.
    rows = torch.arange(48.0)[:, None]
    assert (rows * (ids == 0)).sum() / (ids == 0).sum() + 10 < (rows * (ids == 3)).sum() / (ids == 3).sum()
