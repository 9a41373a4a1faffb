"""Masks merged into label maps: the right part on top, nothing half done, and an interrupted run goes on."""

import numpy as np
import pytest

from sdm_lite.datasets import CelebAMaskHQ
from sdm_lite.datasets.__main__ import main
from sdm_lite.datasets.celebamask import PARTS
from sdm_lite.datasets.image_files import read_ids
from sdm_lite.datasets.preparing.celebamask import merge_masks, prepare_celebamask

Image = pytest.importorskip("PIL.Image")


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def box(*where):
    mask = np.zeros((32, 32), dtype=np.uint8)
    mask[where] = 255
    return mask


def write_face(source, number, parts):
    save(source / "CelebA-HQ-img" / f"{number}.jpg", np.full((64, 64, 3), number % 256, dtype=np.uint8))
    for part, mask in parts.items():
        # As published: two thousand faces a folder, masks in RGB.
        path = source / "CelebAMask-HQ-mask-anno" / str(number // 2000) / f"{number:05d}_{part}.png"
        save(path, mask[..., None].repeat(3, axis=-1))


HEAD, HAIR, EYE = box(slice(4, 28), slice(4, 28)), box(slice(0, 10)), box(slice(8, 12), slice(8, 12))


@pytest.fixture
def source(tmp_path):
    for number in (0, 1, 2000, 28_000):
        write_face(tmp_path / "CelebAMask-HQ", number, {"skin": HEAD, "hair": HAIR, "l_eye": EYE})
    return tmp_path / "CelebAMask-HQ"


def test_later_parts_lie_on_top_of_earlier_ones(source, tmp_path):
    done = prepare_celebamask(source, tmp_path / "out", num_expected=4)
    assert (done.num_ready, done.num_before, done.failed) == (4, 0, [])
    label_map = read_ids(tmp_path / "out/labels/00001.png")
    names = CelebAMaskHQ.class_names
    assert names[label_map[20, 20]] == "skin" and names[label_map[31, 31]] == "background"
    # Hair comes after both skin and eye in the order of the parts.
    assert (
        names[label_map[5, 5]] == "hair" and names[label_map[9, 9]] == "hair" and names[label_map[11, 9]] == "left eye"
    )


def test_every_part_has_the_class_of_its_name():
    """The order of the parts and that of the class names are two lists, and must agree."""
    spoken = {"eye_g": "glasses", "u_lip": "upper lip", "l_lip": "lower lip", "ear_r": "earring", "neck_l": "necklace"}
    for class_id, part in enumerate(PARTS, start=1):
        side = {"l": "left ", "r": "right "}.get(part.partition("_")[0], "")
        name = spoken.get(part) or (side + part.partition("_")[2] if side else part)
        assert CelebAMaskHQ.class_names[class_id] == name


def test_what_is_prepared_is_what_the_data_set_reads(source, tmp_path):
    prepare_celebamask(source, source, num_expected=4)  # Into the source itself.
    data = CelebAMaskHQ(source, "train", (32, 32))
    assert data.names == ["00000", "00001", "02000"] and CelebAMaskHQ(source, "val", (32, 32)).names == ["28000"]
    np.testing.assert_array_equal(data[1].label_map, read_ids(source / "labels/00001.png"))
    assert (source / "images/00001.jpg").read_bytes() == (source / "CelebA-HQ-img/1.jpg").read_bytes()


def test_a_run_goes_on_where_it_was_interrupted(source, tmp_path):
    out = tmp_path / "out"
    prepare_celebamask(source, out, num_expected=4)
    before = {path: path.read_bytes() for path in sorted(out.rglob("*.*"))}
    (out / "labels/00001.png").write_bytes(before[out / "labels/00001.png"][:40])  # A crash of the machine.
    (out / "labels/02000.png").unlink()
    (out / "images/28000.jpg").unlink()
    (out / "labels/.00001.png.x1y2").write_bytes(b"half")  # A killed run.
    done = prepare_celebamask(source, out, num_expected=4)
    assert (done.num_ready, done.num_before) == (4, 1)
    assert {path: path.read_bytes() for path in before} == before
    assert len(CelebAMaskHQ(out, "train", (32, 32))) == 3


def test_a_damaged_mask_leaves_neither_label_map_nor_photograph(source, tmp_path, capsys):
    bad = source / "CelebAMask-HQ-mask-anno/0/00001_hair.png"
    good = bad.read_bytes()
    bad.write_bytes(good[:50])
    command = ["prepare", "celebamask-hq", str(source), str(tmp_path / "out"), "--workers", "0", "--expect", "4"]
    assert main(command) == 1
    output = capsys.readouterr()
    assert "00001_hair.png" in output.out and "3 of 4 faces are ready" in output.out and "1 faces failed" in output.err
    assert sorted(path.stem for path in (tmp_path / "out").rglob("*.*")) == [
        "00000",
        "00000",
        *["02000"] * 2,
        *["28000"] * 2,
    ]
    bad.write_bytes(good)
    assert main(command) == 0
    assert "4 of 4 faces are ready" in capsys.readouterr().out


def test_masks_of_two_sizes(source):
    save(source / "CelebAMask-HQ-mask-anno/0/00000_hair.png", HAIR[:16])
    folder = source / "CelebAMask-HQ-mask-anno/0"
    with pytest.raises(ValueError, match=r"32 x 32 in .*skin\.png and 16 x 32 in .*hair\.png"):
        merge_masks({part: folder / f"00000_{part}.png" for part in ("skin", "hair")})


def test_counts_are_verified_before_any_work(source, tmp_path):
    with pytest.raises(ValueError, match="expected 30000 faces in .*, got 4; .*--expect 4"):
        prepare_celebamask(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_face_without_masks_and_masks_without_a_face(source, tmp_path):
    (source / "CelebA-HQ-img/1.jpg").rename(source / "CelebA-HQ-img/7.jpg")
    with pytest.raises(ValueError, match="no masks of 7"):
        prepare_celebamask(source, tmp_path / "out", num_expected=4)
    (source / "CelebA-HQ-img/7.jpg").unlink()
    with pytest.raises(ValueError, match="no photograph of 1"):
        prepare_celebamask(source, tmp_path / "out", num_expected=4)


def test_a_mask_of_no_known_part(source, tmp_path):
    save(source / "CelebAMask-HQ-mask-anno/0/00001_beard.png", HEAD)
    with pytest.raises(ValueError, match=r"PART one of skin, .*00001_beard\.png"):
        prepare_celebamask(source, tmp_path / "out", num_expected=4)


def test_bad_input_of_the_command(source, tmp_path, capsys):
    out = str(tmp_path / "out")
    (tmp_path / "file").touch()
    for command, told in (
        (["ade20k", str(source), out], "ade20k is read as it is published, nothing is to prepare"),
        (["celebamask-hq", str(source / "CelebA-HQ-img"), out], f"did you mean {source}?"),
        (["celebamask-hq", str(source), out, "--workers", "-1"], "must not be negative, got -1"),
        (["celebamask-hq", str(source), str(tmp_path / "file/out"), "--expect", "4"], "cannot write to"),
    ):
        assert main(["prepare", *command]) == 2
        error = capsys.readouterr().err
        assert told in error and error.count("\n") == 1


@pytest.mark.slow
def test_workers_write_the_same_files(source, tmp_path):
    for number in range(3, 40):
        write_face(source, number, {"skin": HEAD, "hair": HAIR, "l_eye": np.roll(EYE, number, axis=1)})
    for folder, num_workers in (("alone", 0), ("together", 2)):
        done = prepare_celebamask(source, tmp_path / folder, num_workers=num_workers, num_expected=41)
        assert done.num_ready == 41
    names = sorted(path.relative_to(tmp_path / "alone") for path in (tmp_path / "alone").rglob("*.*"))
    assert len(names) == 82
    for name in names:
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "together" / name).read_bytes()
