"""Which file is the photograph and which the label map: layouts that people have, none of them opened."""

import pytest

from sdm_lite.datasets.preparing.sources import find_halves, find_pairs


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def pairs_of(found, root):
    return {
        (pair.split, pair.name): tuple(path.relative_to(root).as_posix() for path in pair[2:]) for pair in found.pairs
    }


LAYOUTS = {
    "two folders": ("images/a.jpg", "labels/a.png", ("", "a")),
    "splits inside": ("images/train/a.webp", "masks/train/a.png", ("train", "a")),
    "splits outside": ("validation/JPEGImages/a.jpg", "validation/SegmentationClass/a.png", ("val", "a")),
    "SegNet": ("test/a.png", "testannot/a.png", ("test", "a")),
    "SPADE": ("val_img/a.jpg", "val_label/a.png", ("val", "a")),
    "COCO": ("images/train2017/a.jpg", "annotations/train2017/a.png", ("train", "a")),
    "an ending, one folder": ("a.png", "a_L.png", ("", "a")),
    "an ending, two folders": ("701_StillsRaw_full/a.png", "LabeledApproved_full/a_L.png", ("", "a")),
    "Cityscapes": (
        "leftImg8bit/train/aachen/a_leftImg8bit.png",
        "gtFine/train/aachen/a_gtFine_labelIds.png",
        ("train", "a"),
    ),
    "formats, one folder": ("base/a.jpg", "base/a.png", ("", "a")),
    "folders that tell nothing": ("images/monday/a.tif", "labels/painted/a.png", ("", "a")),
    "names in another Unicode form": ("images/\u00e9.jpg", "labels/e\u0301.png", ("", "\u00e9")),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_found_by_its_names(tmp_path, layout):
    photograph, label_map, key = LAYOUTS[layout]
    found = find_pairs(touch(tmp_path, photograph, label_map))
    assert pairs_of(found, tmp_path) == {key: (photograph, label_map)} and not found.alone


def test_what_is_neither_is_left_and_told(tmp_path):
    names = [f"gtFine/val/bonn/a_gtFine_{kind}.png" for kind in ("color", "instanceIds", "labelIds")]
    touch(tmp_path, "leftImg8bit/val/bonn/a_leftImg8bit.png", *names, "val_inst/a.png", ".hidden/images/b.png")
    found = find_pairs(tmp_path)
    assert pairs_of(found, tmp_path)["val", "a"][1].endswith("_labelIds.png") and not found.alone
    assert found.told[1] == "label maps: gtFine/val/bonn/*_gtFine_labelIds.png (1)"
    assert found.told[2].startswith("not read: gtFine/val/bonn/*.png (2), val_inst/*.png (1)")


def test_instance_maps_are_no_photographs(tmp_path):
    found = find_pairs(touch(tmp_path, "val_img/a.jpg", "val_label/a.png", "val_inst/a.png"))
    assert pairs_of(found, tmp_path) == {("val", "a"): ("val_img/a.jpg", "val_label/a.png")} and not found.alone


def test_what_is_said_wins_over_what_is_found(tmp_path):
    touch(tmp_path, "x/a_c.jpg", "y/a_s.png", "y/a_L.png", "images/z.jpg", "labels/z.png")
    found = find_pairs(tmp_path, images="x", labels="y", image_ending="_c", label_ending="_s")
    assert pairs_of(found, tmp_path) == {("", "a"): ("x/a_c.jpg", "y/a_s.png")}
    found = find_pairs(tmp_path, labels="y", images="x", image_ending="_c")
    assert pairs_of(found, tmp_path) == {("", "a"): ("x/a_c.jpg", "y/a_L.png")}
    with pytest.raises(ValueError, match="expected --labels to be a folder in .*, got 'maps'; there is images, labels"):
        find_pairs(tmp_path, images="x", labels="maps")


def test_an_ending_that_photographs_have_too_is_part_of_their_name(tmp_path):
    touch(tmp_path, "images/a_L.jpg", "images/a_R.jpg", "labels/a_L.png", "labels/a_R.png")
    assert set(pairs_of(find_pairs(tmp_path), tmp_path)) == {("", "a_L"), ("", "a_R")}


def test_files_alone_and_files_twice_are_listed(tmp_path):
    touch(tmp_path, *(f"images/{name}.jpg" for name in "abc"), *(f"labels/{name}.png" for name in "bcd"))
    touch(tmp_path, "images/b.png")
    found = find_pairs(tmp_path)
    told = [line.replace(f"{tmp_path}/", "") for line in found.alone]
    assert told == [
        "images/a.jpg: no label map for it",
        "labels/d.png: no photograph for it",
        "images/b.png: a second photograph for b.jpg",
    ]


def test_equal_names_of_two_folders_stay_two(tmp_path):
    touch(tmp_path, *(f"{kind}/{day}/0.png" for kind in ("images", "labels") for day in ("monday", "tuesday")))
    assert set(pairs_of(find_pairs(tmp_path), tmp_path)) == {("", "monday_0"), ("", "tuesday_0")}


def test_where_nothing_goes_together_it_is_told_what_was_taken_for_what(tmp_path):
    touch(tmp_path, "images/a.jpg", "labels/b.png", "labels/c.png")
    message = (
        r"got 1 photographs \(images/a.jpg\) and 2 label maps \(labels/b.png, labels/c.png\); there is images, labels"
    )
    with pytest.raises(ValueError, match=message):
        find_pairs(tmp_path)
    with pytest.raises(ValueError, match=r"got 3 photographs .* and no label maps; .* or --side-by-side"):
        find_pairs(touch(tmp_path / "flat", "a.jpg", "b.jpg", "c.jpg"))


def test_halves_keep_splits_and_names(tmp_path):
    touch(tmp_path, "train/1.jpg", "train/2.jpg", "val/1.jpg", "readme.txt")
    found = find_halves(tmp_path)
    assert set(pairs_of(found, tmp_path)) == {("train", "1"), ("train", "2"), ("val", "1")} and not found.alone
    with pytest.raises(ValueError, match="expected pictures in"):
        find_halves(touch(tmp_path / "none", "a.txt"))
