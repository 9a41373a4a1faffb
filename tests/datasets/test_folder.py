"""Anyone's own photographs: classes out of a text file, splits out of folders or of every tenth picture."""

import numpy as np
import pytest
from photograph_files import save

from sdm_lite.datasets import Folder, open_dataset


@pytest.fixture
def own(tmp_path):
    """Twenty-one photographs in a root as `folder` takes it, with two classes and unlabelled pixels."""
    root = tmp_path / "mine"
    for i in range(21):
        save(root / "images" / f"{i:02d}.jpeg", np.full((16, 16, 3), 10 * i, dtype=np.uint8))
        ids = np.zeros((16, 16), dtype=np.uint8)
        ids[:8], ids[0, 0] = 1, 255
        save(root / "labels" / f"{i:02d}.png", ids)
    (root / "classes.txt").write_text("ground\nsky \nunlabelled\n\n", encoding="utf-8")
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
    with pytest.raises(ValueError, match=r"classes\.txt .*prepare folder.* at .* got a folder with images, labels"):
        open_dataset("folder", own, "all")


def test_a_list_of_classes_may_have_their_colours(own):
    (own / "classes.txt").write_text("128 64 128 ground\n0\t0 192  blue sky\n 0 0 0 unlabelled\n")
    data = Folder(own, "all", (16, 16))
    assert data.class_names == ("ground", "blue sky", "unlabelled") and data.void_id == 2
    assert data.palette.tolist() == [[128, 64, 128], [0, 0, 192], [0, 0, 0]] and data.palette.dtype == np.uint8
    (own / "classes.txt").write_text("1 2 3 ground\nsky\nunlabelled\n")  # names, then: not all have one
    assert Folder(own, "all", (16, 16)).class_names[0] == "1 2 3 ground"
    (own / "classes.txt").write_text("1 2 3 ground\n1 2 300 sky\n0 0 0 unlabelled\n")
    with pytest.raises(ValueError, match=r"colours 0\.\.255 in .*classes\.txt, got '1 2 300 sky' in line 2"):
        Folder(own, "all", (16, 16))


def test_an_empty_line_would_give_every_class_below_it_another_id(own):
    (own / "classes.txt").write_text("ground\n\nsky\nunlabelled\n\n \n")
    with pytest.raises(ValueError, match=r"class name in every line of .*classes\.txt, got none in line 2 of 4"):
        Folder(own, "all", (16, 16))
    (own / "classes.txt").write_bytes("\ufeffground\r\nsky\x0bblue\r\nunlabelled\r\n\r\n".encode())
    assert Folder(own, "all", (16, 16)).class_names == ("ground", "sky\x0bblue", "unlabelled")


def test_one_single_photograph_cannot_be_two_splits(own):
    for i in range(1, 21):
        (own / f"images/{i:02d}.jpeg").unlink()
        (own / f"labels/{i:02d}.png").unlink()
    assert len(Folder(own, "all", (16, 16))) == len(Folder(own, "val", (16, 16))) == 1
    with pytest.raises(ValueError, match="two photographs or more in .*images, got 00 alone, which is val"):
        Folder(own, "train", (16, 16))
