"""CamVid: what is in the files comes out, resized rightly, and every way a folder can be wrong is told by name."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sdm_lite.datasets import CamVid
from sdm_lite.labels import encode_labels

Image = pytest.importorskip("PIL.Image")
REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "camvid"


def write_pair(root, split, name, photograph, ids):
    for kind, array, suffix in (("images", photograph, "jpg"), ("labels", ids, "png")):
        (root / kind / split).mkdir(parents=True, exist_ok=True)
        options = {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
        Image.fromarray(array).save(root / kind / split / f"{name}.{suffix}", **options)


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


def test_an_example_is_what_the_files_say(root):
    camvid = CamVid(root, "train", (32, 48))
    assert len(camvid) == 2 and camvid.names == ["a", "b"]
    image, label_map, instance_map = camvid[0]
    assert image.shape == (3, 32, 48) and image.dtype == torch.float32
    assert label_map.dtype == torch.int64 and torch.equal(label_map, instance_map)
    assert set(label_map[:, :24].unique().tolist()) == {0} and set(label_map[:, 24:].unique().tolist()) == {8}
    torch.testing.assert_close(image[:, :, :16], torch.full((3, 32, 16), -1.0), atol=0.03, rtol=0)
    torch.testing.assert_close(image[:, :, 32:], torch.full((3, 32, 16), 1.0), atol=0.03, rtol=0)


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


def test_flip_adds_the_mirrored_pictures(root):
    plain, flipped = CamVid(root, "train", (32, 48)), CamVid(root, "train", (32, 48), flip=True)
    assert len(flipped) == 4
    for i in range(2):
        for a, b, mirror in zip(plain[i], flipped[i], flipped[i + 2], strict=True):
            assert torch.equal(a, b) and torch.equal(a.flip(-1), mirror)
    with pytest.raises(IndexError):
        flipped[4]


def test_class_names_and_colours_belong_together():
    assert CamVid.palette.shape == (CamVid.num_classes, 3) and CamVid.palette.dtype == np.uint8
    assert len(np.unique(CamVid.palette, axis=0)) == CamVid.num_classes


@pytest.mark.parametrize("size", [(30, 48), (32,), (0, 8), (32, 4)])
def test_a_bad_size(root, size):
    with pytest.raises(ValueError, match="multiples of 8"):
        CamVid(root, "train", size)


def test_a_root_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="no such folder"):
        CamVid(tmp_path / "nowhere", "train")


@pytest.mark.parametrize("step", ["..", "images", "images/train"])
def test_a_root_one_level_off_is_told_the_right_one(root, step):
    with pytest.raises(ValueError, match="did you mean") as caught:
        CamVid((root / step).resolve(), "train")
    assert str(caught.value).endswith(f"did you mean {root}?")


def test_an_unknown_split_is_told_what_there_is(root):
    with pytest.raises(ValueError, match="there is train"):
        CamVid(root, "test")


def test_an_empty_split(root):
    for kind in ("images", "labels"):
        (root / kind / "val").mkdir()
    with pytest.raises(ValueError, match="photographs"):
        CamVid(root, "val")


def test_files_without_a_partner(root):
    (root / "labels/train/b.png").unlink()
    with pytest.raises(ValueError, match=r"label map .* b\.jpg"):
        CamVid(root, "train")
    (root / "images/train/b.jpg").rename(root / "elsewhere.jpg")
    (root / "images/train/a.jpg").unlink()
    with pytest.raises(ValueError, match=r"photograph .* a\.png"):
        CamVid(root, "train")


def test_an_id_that_is_no_class(root):
    ids = np.zeros((32, 48), dtype=np.uint8)
    ids[3, :5] = 77
    Image.fromarray(ids).save(root / "labels/train/b.png")
    with pytest.raises(ValueError, match=r"b\.png, got 77 \(5 pixels\)"):
        CamVid(root, "train")


def test_a_label_map_in_colour(root):
    Image.fromarray(np.zeros((32, 48, 3), dtype=np.uint8)).save(root / "labels/train/a.png")
    with pytest.raises(ValueError, match=r"8-bit label ids in .*a\.png, got an image of mode RGB"):
        CamVid(root, "train")


def test_sizes_that_differ(root):
    Image.fromarray(np.zeros((32, 40), dtype=np.uint8)).save(root / "labels/train/a.png")
    with pytest.raises(ValueError, match=r"32 x 48 pixels in .*a\.jpg and 32 x 40 in .*a\.png"):
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
