"""What is in the files comes out, resized rightly, and what is wrong with a file is told."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from photograph_files import Image, save, write_camvid, write_pair

from sdm_lite.datasets import CamVid
from sdm_lite.labels import encode_labels

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "camvid"


@pytest.fixture
def root(tmp_path):
    return write_camvid(tmp_path / "camvid")


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


@pytest.mark.parametrize("size", [(30, 48), (32,), (0, 8), (32, 4)])
def test_a_bad_size(root, size):
    with pytest.raises(ValueError, match="multiples of 8"):
        CamVid(root, "train", size)


def test_a_bad_protocol_or_number_of_crops(root):
    with pytest.raises(ValueError, match="protocol must be one of sdm_lite, reference, got 'refrence'"):
        CamVid(root, "train", protocol="refrence")
    with pytest.raises(ValueError, match="crops must be at least 1, got 0"):
        CamVid(root, "train", crops=0)


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
