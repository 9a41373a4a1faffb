"""One label map read: colours of JPEG files made ids of, seams between them given to one of the two, and no third."""

import numpy as np
import pytest
from photograph_files import save

from sdm_lite.datasets.colours import packed
from sdm_lite.datasets.image_files import read_colours
from sdm_lite.datasets.preparing.label_maps import read_label_map, read_values
from sdm_lite.datasets.preparing.tables import make_table

# The colours of pix2pix's facades: from blue to red, so that on the way from one to another lies that of a third.
JET = np.array(
    [
        (0, 0, 170), (0, 0, 255), (0, 85, 255), (0, 170, 255), (0, 255, 255), (85, 255, 170), (170, 255, 85),
        (255, 255, 0), (255, 170, 0), (255, 85, 0), (255, 0, 0), (170, 0, 0),
    ],
    dtype=np.uint8,
)  # fmt: skip
TABLE = make_table(
    [(value, f"class {k}") for k, value in enumerate(packed(JET).tolist())], is_colours=True, void=(), where="jet"
)


def cells(seed):
    """A map (128, 128) of twenty cells with slanting borders, each of a class drawn at random."""
    rng = np.random.default_rng(seed)
    places = np.moveaxis(np.mgrid[:128, :128], 0, -1)[:, :, None]
    centres, classes = rng.integers(0, 128, (20, 2)), rng.integers(0, len(JET), 20)
    return classes[((places - centres) ** 2).sum(axis=-1).argmin(axis=-1)]


def rectangles(seed):
    rng = np.random.default_rng(seed)
    ids = np.zeros((128, 128), dtype=np.int64)
    for _ in range(15):
        top, left, height, width = (*rng.integers(0, 110, 2), *rng.integers(8, 50, 2))
        ids[top : top + height, left : left + width] = rng.integers(0, len(JET))
    return ids


def test_exact_colours_are_their_classes(tmp_path):
    save(tmp_path / "a.png", JET[rectangles(0)])
    reading = read_label_map(tmp_path / "a.png", TABLE)
    np.testing.assert_array_equal(reading.label_map, rectangles(0))
    assert reading.num_near == reading.num_far == reading.num_void == 0
    assert reading.num_by_value.tolist() == np.bincount(rectangles(0).ravel(), minlength=len(JET)).tolist()


@pytest.mark.parametrize("quality", [50, 75, 95])
def test_jpeg_leaves_few_pixels_of_the_wrong_class(tmp_path, quality):
    """Less than half of what the nearest colour alone leaves, which lines the seams with the classes in between."""
    wrong, nearest = [], []
    for seed in range(4):
        path, ids = tmp_path / f"{seed}.jpg", cells(seed)
        save(path, JET[ids], quality=quality, subsampling=2)
        reading = read_label_map(path, TABLE)
        assert reading.num_far > 0 and reading.num_void == 0
        wrong.append((reading.label_map != ids).mean())
        apart = np.linalg.norm(read_colours(path)[:, :, None].astype(float) - JET, axis=-1)
        nearest.append((apart.argmin(-1) != ids).mean())
    assert np.mean(wrong) < 0.43 * np.mean(nearest) and np.mean(wrong) < 0.025


def test_a_pole_before_the_sky_is_no_seam(tmp_path):
    ids = np.zeros((64, 64), dtype=np.int64)
    ids[:, 30:32] = 2
    save(tmp_path / "a.jpg", JET[ids], quality=90)
    assert (read_label_map(tmp_path / "a.jpg", TABLE).label_map[:, 30:32] == 2).mean() > 0.9


def test_what_is_far_from_every_colour_is_counted_and_not_guessed(tmp_path):
    colours = JET[rectangles(1)]
    colours[:4, :4] = 90, 90, 90
    save(tmp_path / "a.png", colours)
    reading = read_label_map(tmp_path / "a.png", TABLE)
    assert reading.num_far == reading.num_void == 16 and (reading.label_map[:4, :4] == TABLE.void_id).all()
    colours[:20, :20] = 90, 90, 90
    save(tmp_path / "a.png", colours)
    with pytest.raises(ValueError, match=r"values of jet in .*a\.png, got 400 pixels of others, most of them 90 90 90"):
        read_label_map(tmp_path / "a.png", TABLE)
    assert read_label_map(tmp_path / "a.png", TABLE, unknown_is_void=True).num_void == 400


def test_the_tolerance_is_a_distance(tmp_path):
    colours = JET[rectangles(2)]
    colours[:64] = np.where(colours[:64] > 0, colours[:64] - 3, 4)  # 3 or 4 off in each channel: 7 at most
    save(tmp_path / "a.png", colours)
    reading = read_label_map(tmp_path / "a.png", TABLE, tolerance=7)
    np.testing.assert_array_equal(reading.label_map, rectangles(2))
    assert reading.num_near == 64 * 128
    with pytest.raises(ValueError, match="pixels of others"):
        read_label_map(tmp_path / "a.png", TABLE, tolerance=4)


def test_ids_are_looked_up_and_never_nearest(tmp_path):
    table = make_table([(7, "road"), (300, "sky")], is_colours=False, void=(), where="ids.txt")
    save(tmp_path / "a.png", np.array([[7, 300], [300, 7]], dtype=np.uint16))
    assert read_label_map(tmp_path / "a.png", table).label_map.tolist() == [[0, 1], [1, 0]]
    save(tmp_path / "a.png", np.array([[7, 8], [300, 7]], dtype=np.uint16))
    with pytest.raises(ValueError, match=r"ids\.txt in .*a\.png, got 1 pixels of others, most of them 8 \(1 pixels\)"):
        read_label_map(tmp_path / "a.png", table)


def test_three_equal_channels_are_ids_and_jpeg_is_none(tmp_path):
    grey = np.array([[0, 1], [2, 2]], dtype=np.uint8)[..., None].repeat(3, -1)
    save(tmp_path / "a.png", grey)
    assert read_values(tmp_path / "a.png", is_colours=None).tolist() == [[0, 1], [2, 2]]
    save(tmp_path / "a.jpg", grey)
    with pytest.raises(ValueError, match=r"expected label ids .*a\.jpg, got grey in a format that can change them"):
        read_values(tmp_path / "a.jpg", is_colours=None)
    save(tmp_path / "b.png", JET[rectangles(0)])
    with pytest.raises(ValueError, match=r"b\.png, got colours; give a table: --colours FILE"):
        read_values(tmp_path / "b.png", is_colours=False)
