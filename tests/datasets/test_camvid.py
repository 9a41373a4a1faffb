"""CamVid as SegNet's copy has it and as its owners publish it: the same pictures, classes and splits either way."""

import numpy as np
import pytest
from photograph_files import save

from sdm_lite.datasets import CamVid, open_dataset
from sdm_lite.datasets.camvid import COLOURS, split_of

FRAMES = ("0001TP_006690", "0001TP_008550", "0006R0_f00930", "0016E5_07959", "0016E5_08190", "Seq05VD_f00000")
OF = {colour: name for name, colours in COLOURS.items() for colour in colours.values()}


def picture(seed):
    """A photograph, and the owners' label map of it: every one of the 32 colours, a square each."""
    rng = np.random.default_rng(seed)
    colours = np.array(list(OF), dtype=np.uint8)[rng.permutation(32)].reshape(4, 8, 3)
    return rng.integers(0, 256, (32, 64, 3), np.uint8), colours.repeat(8, 0).repeat(8, 1)


def classes(colours):
    """Class ids of a label map in colours, one by one."""
    return np.array([[CamVid.class_names.index(OF[tuple(c)]) for c in row] for row in colours.tolist()], dtype=np.uint8)


def write_owners(root, folder):
    for seed, frame in enumerate(FRAMES):
        photograph, colours = picture(seed)
        save(root / "701_StillsRaw_full" / f"{frame}.png", photograph)
        save(root / folder / f"{frame}_L.png", colours)
    (root / "label_colors.txt").write_text("64 128 64\tAnimal\n")
    return root


# The owners' label_colors.txt, without its tabs.
LABEL_COLORS = """
64 128 64 Animal, 192 0 128 Archway, 0 128 192 Bicyclist, 0 128 64 Bridge, 128 0 0 Building, 64 0 128 Car,
64 0 192 CartLuggagePram, 192 128 64 Child, 192 192 128 Column_Pole, 64 64 128 Fence, 128 0 192 LaneMkgsDriv,
192 0 64 LaneMkgsNonDriv, 128 128 64 Misc_Text, 192 0 192 MotorcycleScooter, 128 64 64 OtherMoving,
64 192 128 ParkingBlock, 64 64 0 Pedestrian, 128 64 128 Road, 128 128 192 RoadShoulder, 0 0 192 Sidewalk,
192 128 128 SignSymbol, 128 128 128 Sky, 64 128 192 SUVPickupTruck, 0 0 64 TrafficCone, 0 64 64 TrafficLight,
192 64 128 Train, 128 128 0 Tree, 192 128 192 Truck_Bus, 64 0 64 Tunnel, 192 192 0 VegetationMisc, 0 0 0 Void,
64 192 0 Wall
"""


def test_the_colours_are_those_that_are_published():
    published = {tuple(line.split()) for line in LABEL_COLORS.replace("\n", " ").split(",")}
    ours = {(*map(str, colour), name) for colours in COLOURS.values() for name, colour in colours.items()}
    assert ours == published and len(ours) == 32 and tuple(COLOURS) == CamVid.class_names


@pytest.mark.parametrize("folder", ["LabeledApproved_full", "."])  # the archive has no folder of its own
def test_the_owners_archives_are_read_as_they_are(tmp_path, folder):
    root = write_owners(tmp_path, folder)
    train, val, test = (open_dataset("camvid", root, split, size=(32, 64)) for split in ("train", "val", "test"))
    assert train.names == ["0001TP_006690", "0006R0_f00930", "0016E5_08190"]
    assert val.names == ["0016E5_07959"] and test.names == ["0001TP_008550", "Seq05VD_f00000"]
    np.testing.assert_array_equal(test[0].label_map, classes(picture(1)[1]))
    with pytest.raises(ValueError, match="split must be train, val, test where .* got 'all'"):
        open_dataset("camvid", root, "all")


def test_segnets_copy_is_read_as_it_is(tmp_path):
    for seed, (split, frame) in enumerate([("train", FRAMES[0]), ("val", FRAMES[3]), ("test", FRAMES[5])]):
        photograph, colours = picture(seed)
        save(tmp_path / split / f"{frame}.png", photograph)
        save(tmp_path / f"{split}annot" / f"{frame}.png", classes(colours))
        (tmp_path / f"{split}.txt").write_text(f"/SegNet/CamVid/{split}/{frame}.png /SegNet/...\n")
    for seed, split in enumerate(("train", "val", "test")):
        data = open_dataset("camvid", tmp_path, split, size=(32, 64))
        np.testing.assert_array_equal(data[0].label_map, classes(picture(seed)[1]))
        assert len(data) == 1 and split_of(data.names[0]) == split
    (tmp_path / "valannot").rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"expected label maps beside .*val, got none; .* has elsewhere, test, "):
        open_dataset("camvid", tmp_path, "val")


def test_the_copies_with_coloured_labels_beside_each_split(tmp_path):
    photograph, colours = picture(0)
    save(tmp_path / "train" / "0001TP_006690.png", photograph)
    save(tmp_path / "train_labels" / "0001TP_006690_L.png", colours)
    np.testing.assert_array_equal(CamVid(tmp_path, "train", (32, 64))[0].label_map, classes(colours))


def test_a_map_that_is_all_void_or_all_sky_is_no_map_of_ids(tmp_path):
    write_owners(tmp_path, ".")
    for value, name in ((128, "sky"), (0, "unlabelled")):
        save(tmp_path / "0016E5_07959_L.png", np.full((32, 64, 3), value, dtype=np.uint8))
        label_map = CamVid(tmp_path, "val", (32, 64))[0].label_map
        assert {CamVid.class_names[k] for k in label_map.unique().tolist()} == {name}


def test_a_colour_that_is_none_of_the_32_is_told(tmp_path):
    write_owners(tmp_path, ".")
    colours = picture(3)[1]
    colours[5, 7] = 1, 2, 3
    save(tmp_path / "0016E5_07959_L.png", colours)
    with pytest.raises(
        ValueError, match=r"the 32 colours .*0016E5_07959_L\.png, got 1 pixels of others, the first 1 2 3"
    ):
        CamVid(tmp_path, "val", (32, 64))


def test_the_splits_are_those_of_the_701_frames():
    """Counts as published: 367 to train on, 101 to validate, 233 to test; frames a second apart, or half of one."""
    frames = [f"0001TP_{n:06d}" for n in range(6690, 10381, 30)] + [f"0006R0_f{n:05d}" for n in range(930, 3931, 30)]
    frames += [f"0016E5_{n:05d}" for n in (*range(390, 2401, 30), *range(4350, 7921, 30), *range(8190, 8641, 30))]
    frames += [f"0016E5_{n:05d}" for n in range(7959, 8160, 2)] + [f"Seq05VD_f{n:05d}" for n in range(0, 5101, 30)]
    splits = [split_of(frame) for frame in frames]
    assert len(frames) == 701 and [splits.count(split) for split in ("train", "val", "test")] == [367, 101, 233]
