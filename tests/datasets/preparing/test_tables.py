"""What values mean: files of names read line by line, void where it belongs, and colours found without a file."""

import numpy as np
import pytest

from sdm_lite.datasets.colours import packed, unpacked
from sdm_lite.datasets.preparing.tables import found_entries, make_table, read_colour_table, read_id_map


def colours_of(table):
    return {table.told(i): table.class_names[k] for i, k in enumerate(table.classes.tolist())}


@pytest.mark.parametrize(
    "text",
    [
        "64 128 64\tAnimal\n192 0 128\t\tArch way\n0 0 0 Void\n",  # as CamVid's owners have it
        "name,r,g,b\nAnimal,64,128,64\nArch way,192,0,128\nVoid,0,0,0\n",  # as copies of it have it
        "\ufeff# mine\n\n64, 128, 64, Animal\r\n192, 0, 128, Arch way\n// none\n0,0,0,Void",
    ],
)
def test_a_colour_table_in_each_of_its_forms(tmp_path, text):
    path = tmp_path / "colours.txt"
    path.write_bytes(text.encode())
    table = make_table(read_colour_table(path), is_colours=True, void=(), where="it")
    assert colours_of(table) == {"64 128 64": "Animal", "192 0 128": "Arch way", "0 0 0": "unlabelled"}
    assert table.class_names == ("Animal", "Arch way", "unlabelled") and table.void_id == 2
    assert table.palette[:2].tolist() == [[64, 128, 64], [192, 0, 128]]


@pytest.mark.parametrize(
    "text, told",
    [
        ("1 2 3 a\n1 2 b\n", "got '1 2 b' in line 2"),
        ("1 2 3 a\n1 2 256 b\n", "got '1 2 256 b' in line 2"),
        ("\n# none\n", "got none"),
        ("1 2 3 a\n1 2 3 b\n", "got 1 2 3 twice"),
        ("1 2 3 a\n4 5 6 a\n", "two classes or more in it, got a beside 0 void"),
    ],
)
def test_a_bad_colour_table_is_told_by_its_line(tmp_path, text, told):
    (tmp_path / "colours.txt").write_text(text)
    with pytest.raises(ValueError, match=told):
        make_table(read_colour_table(tmp_path / "colours.txt"), is_colours=True, void=(), where="it")


def test_an_id_map_merges_ids_of_one_name(tmp_path):
    (tmp_path / "ids.txt").write_text("7 road\n11: building\n8 road\n0 void\n")
    table = make_table(read_id_map(tmp_path / "ids.txt"), is_colours=False, void=(), where="it")
    assert colours_of(table) == {"7": "road", "11": "building", "8": "road", "0": "unlabelled"}
    assert table.class_names == ("road", "building", "unlabelled")
    (tmp_path / "ids.txt").write_text("7 road\nbuilding\n")
    with pytest.raises(ValueError, match="lines `id name` in .*, got 'building' in line 2"):
        read_id_map(tmp_path / "ids.txt")


def test_void_is_255_and_names_like_it_unless_something_else_is_said():
    found = found_entries(np.array([0, 3, 255]), np.array([5, 5, 5]), is_colours=False, tolerance=0)
    assert make_table(found, is_colours=False, void=(), where="it").class_names == ("id 0", "id 3", "unlabelled")
    assert make_table(found, is_colours=False, void=("none",), where="it").class_names == ("id 0", "id 3", "id 255")
    assert make_table(found, is_colours=False, void=("none", "0"), where="it").class_names[-1] == "unlabelled"
    named = [(1, "unlabelled"), (2, "a"), (3, "void")]  # the folder that is written takes the first for void anyway
    assert make_table(named, is_colours=False, void=("None",), where="it").class_names == ("a", "void", "unlabelled")
    with pytest.raises(ValueError, match="--void to name a class or a value of it, got 'sky'; there is id 0, id 3"):
        make_table(found, is_colours=False, void=("sky",), where="it")
    with pytest.raises(ValueError, match="got id 0 beside 1 void values; if one of these is a class: --void none"):
        make_table([(0, "id 0"), (255, "id 255")], is_colours=False, void=(), where="it")
    entries = [(packed(np.array([1, 2, 3])).item(), "a"), (5, "b"), (9, "c")]
    table = make_table(entries, is_colours=True, void=("1 2 3",), where="it")
    assert table.class_names == ("b", "c", "unlabelled") and table.classes.tolist() == [2, 0, 1]


def test_colours_that_are_found_are_those_that_blur_did_not_make():
    """Three colours, each with a cloud of others around it as JPEG makes, and rare mixtures of two."""
    rng = np.random.default_rng(0)
    true = np.array([(0, 0, 170), (255, 170, 0), (0, 255, 255)])
    cloud = (true.repeat(200, 0) + rng.integers(-6, 7, (600, 3))).clip(0, 255)
    mixed = (true[:1] + (true[1:2] - true[:1]) * np.linspace(0.3, 0.7, 20)[:, None]).astype(int)
    values, index = np.unique(packed(np.concatenate([true, cloud, mixed])), return_index=True)
    counts = np.concatenate([np.full(3, 10_000), np.full(600, 10), np.full(20, 2)])[index]
    entries = found_entries(values, counts, is_colours=True, tolerance=48)
    assert sorted(unpacked(np.array([value for value, _ in entries])).tolist()) == sorted(true.tolist())
    assert {name for _, name in entries} == {"#0000aa", "#ffaa00", "#00ffff"}


def test_colours_that_are_found_stand_in_the_order_of_their_share_and_noise_does_not_split_them():
    """A third colour of which no value has 0.1 % of the pixels, but all together have 2 %."""
    true, rng = np.array([(0, 0, 170), (255, 170, 0)]), np.random.default_rng(0)
    cloud = np.unique((128, 128, 128) + rng.integers(-8, 9, (200, 3)), axis=0)
    values = packed(np.concatenate([true, cloud]))
    counts = np.array([30_000, 60_000, *[10] * len(cloud)])
    found = [value for value, _ in found_entries(values, counts, is_colours=True, tolerance=48)]
    assert found[:2] == values[[1, 0]].tolist() and len(found) == 3 and found[2] in values[2:].tolist()


def test_photographs_are_no_label_maps():
    rng = np.random.default_rng(0)
    values = np.unique(rng.integers(0, 2**24, 5000))
    with pytest.raises(ValueError, match="at most 256 colours, got .*: photographs, or label maps with soft edges"):
        found_entries(values, np.ones(len(values), dtype=int), is_colours=True, tolerance=0)
