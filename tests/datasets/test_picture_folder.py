"""A folder of pictures, whoever made them: what is in it, what is of one label map, what cannot be read."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from sdm_lite.datasets.alterations import FILTERS, halved_and_back, resized, resized_with_aliasing, through_jpeg
from sdm_lite.datasets.picture_folder import (
    label_files,
    label_map_names,
    open_folder,
    read_label_map,
    read_picture,
    told_sizes,
)
from sdm_lite.pictures import png_bytes

Image = pytest.importorskip("PIL.Image")
CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


def picture(path, height=8, width=12, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path.write_bytes(png_bytes(array))
    return array


def test_pictures_are_named_by_their_path_and_other_files_are_counted(tmp_path):
    for name in ("b.png", "a.PNG", "below/a.png", ".hidden.png", ".cache/c.png"):
        picture(tmp_path / name)
    picture(tmp_path / "c.png", 10, 10)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "below" / "back").symlink_to(tmp_path)  # a circle
    folder = open_folder(tmp_path)
    assert list(folder.files) == ["a", "b", "below/a", "c"] and len(folder) == 4 and folder.num_others == 1
    assert folder.sizes["below/a"] == (8, 12) and told_sizes(folder) == "2 sizes (8 x 12, 10 x 10)"


def test_all_unreadable_files_are_found_at_once(tmp_path):
    picture(tmp_path / "good.png")
    for name in ("bad.png", "worse.jpg"):
        (tmp_path / name).write_bytes(b"no picture at all")
    with pytest.raises(
        ValueError, match=r"bad\.png: .*replace the file \(and 1 more\), or leave it out with --skip-bad"
    ):
        open_folder(tmp_path)
    folder = open_folder(tmp_path, skip_bad=True)
    assert list(folder.files) == ["good"] and len(folder.left_out) == 2 and "worse.jpg" in folder.left_out[1]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda root: None, "folder of pictures at .*, got nothing"),
        (lambda root: root.write_text(""), "got a file"),
        (lambda root: root.mkdir(), "got none among its 0 files"),
        (lambda root: (picture(root / "a.png"), shutil.copy(root / "a.png", root / "a.jpg")), "one picture named a"),
    ],
)
def test_what_is_no_folder_of_pictures_is_refused(tmp_path, make, message):
    make(tmp_path / "here")
    with pytest.raises(ValueError, match=message):
        open_folder(tmp_path / "here")


def test_samples_belong_to_the_name_that_is_known():
    known = {"0001TP_006690", "street", "a/b"}
    names = ["0001TP_006690", "street_0", "street_11", "street/first", "a/b_3", "other", "street_01", "0001TP_006720"]
    expected = ["0001TP_006690", "street", "street", "street", "a/b", "other", "street_01", "0001TP_006720"]
    assert label_map_names(names, known) == expected


def test_a_name_that_is_known_itself_is_no_sample_of_another():
    assert label_map_names(["street_7", "street_8"], {"street", "street_7"}) == ["street_7", "street"]


def test_an_unknown_series_without_a_gap_is_of_one_map_and_a_number_alone_is_a_name():
    names = ["x_0", "x_1", "x_2", "y_1", "y_2", "z_0", "frame_000", "frame_001"]
    assert label_map_names(names, set()) == ["x", "x", "x", "y_1", "y_2", "z_0", "frame_000", "frame_001"]


def test_label_maps_are_brought_to_size_and_a_bad_one_is_told(tmp_path):
    ids = np.repeat(np.repeat(np.array([[0, 7], [255, 3]], dtype=np.uint8), 4, 0), 4, 1)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(png_bytes(ids))
    files = label_files(tmp_path)
    assert list(files) == ["in/a"] and read_label_map(files["in/a"], (2, 2)).tolist() == [[0, 7], [255, 3]]
    picture(tmp_path / "b.png")
    assert "got an image of mode RGB with 96 colours" in read_label_map(tmp_path / "b.png", (2, 2))
    with pytest.raises(ValueError, match="label maps .* got nothing"):
        label_files(tmp_path / "none")


@pytest.mark.skipif(not CASES.exists(), reason="the broken files are not here")
@pytest.mark.parametrize("path", sorted(CASES.glob("*.jpg")) if CASES.exists() else [], ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_broken_metadata_ends_in_a_picture_or_in_a_line(path):
    found = read_picture(path)
    assert not isinstance(found, str) or (path.name in found and "\n" not in found and "replace the file" in found)


# Alterations.


def test_every_filter_keeps_a_flat_picture_and_a_mean(tmp_path):
    flat = Image.fromarray(np.full((16, 24, 3), 77, dtype=np.uint8))
    ramp = Image.fromarray(np.repeat(np.arange(0, 240, 10, dtype=np.uint8)[None, :, None], 16, 0).repeat(3, 2))
    for name in FILTERS:
        for altered in (resized(flat, (5, 7), name), halved_and_back(flat, name)):
            assert (np.asarray(altered) == 77).all()
        small = np.asarray(resized(ramp, (8, 12), name)).astype(float)
        assert small.shape == (8, 12, 3) and abs(small.mean() - np.asarray(ramp).mean()) < 1
    assert resized(flat, (16, 24)) is flat
    assert np.abs(np.asarray(through_jpeg(flat, 50)).astype(int) - 77).max() <= 1


def test_area_is_the_mean_of_squares_and_aliasing_is_not():
    stripes = np.zeros((8, 8, 3), dtype=np.uint8)
    stripes[:, ::4] = 240  # one column in four
    area = np.asarray(resized(Image.fromarray(stripes), (2, 2), "area"))
    assert (area == 60).all()
    aliased = np.asarray(resized_with_aliasing(Image.fromarray(stripes), (2, 2)))
    assert aliased.shape == (2, 2, 3) and (aliased == 0).all()  # between columns 1 and 2, where no stripe is


def test_what_alters_more_is_further_away():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))

    def moved(altered):
        return np.abs(np.asarray(altered).astype(int) - np.asarray(noise)).mean()

    assert 0 < moved(through_jpeg(noise, 95)) < moved(through_jpeg(noise, 75)) < moved(through_jpeg(noise, 50))
    assert all(moved(halved_and_back(noise, name)) > 20 for name in FILTERS)
