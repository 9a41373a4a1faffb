"""Whatever is wrong with one file of a folder: it is read rightly, or told in one line that names it."""

import io
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from unicodedata import normalize

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdm_lite.datasets import open_dataset
from sdm_lite.datasets.class_names import read_class_names
from sdm_lite.datasets.image_files import open_photograph, photograph_size, read_ids, read_mask
from sdm_lite.pictures import png_bytes, to_uint8

Image = pytest.importorskip("PIL.Image")
SIZE, NUM_CLASSES = (8, 16), 4


def photograph_and_ids(number):
    """Pixels (8, 16, 3) and class ids (8, 16) of one example."""
    chance = np.random.default_rng(number)
    return chance.integers(0, 256, (*SIZE, 3), np.uint8), chance.integers(0, NUM_CLASSES, SIZE, np.uint8)


def encoded(array, file_format, **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format=file_format, **options)
    return buffer.getvalue()


# Faults: each changes one of the two files of an example. True: it must still be read rightly; False: it must be told;
# None: either will do.


def is_gone(path, draw):
    path.unlink()
    return False


def is_empty(path, draw):
    path.write_bytes(b"")
    return False


def is_cut_short(path, draw):
    data = path.read_bytes()
    missing = draw(st.integers(1, len(data)))
    path.write_bytes(data[: len(data) - missing])
    return False if missing > 24 else None  # the last ones are checksums and marks of the end


def is_another_file(path, draw):
    heads = [b"<html>404</html>", b"\0" * 100, b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff", b"II*\0", b"8BPS"]
    path.write_bytes(draw(st.sampled_from(heads)) + draw(st.binary(max_size=50)))
    return False


def is_a_folder(path, draw):
    path.unlink()
    path.mkdir()
    return False


def is_a_link_to_nothing(path, draw):
    path.unlink()
    path.symlink_to("nowhere.png")
    return False


def has_another_size(path, draw):
    height, width = draw(st.tuples(st.integers(1, 20), st.integers(1, 20)).filter(lambda size: size != SIZE))
    array = np.asarray(Image.open(path))
    path.write_bytes(png_bytes(np.resize(array, (height, width, *array.shape[2:]))))
    return False


def is_turned(path, draw):
    path.write_bytes(png_bytes(np.rot90(np.asarray(Image.open(path)))))
    return False


def has_an_id_that_is_no_class(path, draw):
    ids = np.array(Image.open(path)).astype(draw(st.sampled_from([np.uint8, np.uint16])))
    wrong = draw(st.integers(NUM_CLASSES, np.iinfo(ids.dtype).max))
    ids[draw(st.integers(0, SIZE[0] - 1)), draw(st.integers(0, SIZE[1] - 1))] = wrong
    path.write_bytes(png_bytes(ids))
    return False


def is_in_16_bits(path, draw):
    path.write_bytes(png_bytes(np.array(Image.open(path)).astype(np.uint16)))
    return True


def has_a_palette(path, draw):
    image = Image.open(path).convert("L")
    image.putpalette([255 - value for value in range(256) for _ in range(3)])
    image.save(path, format="PNG")
    return True


def is_in_colours(path, draw):
    path.write_bytes(png_bytes(photograph_and_ids(draw(st.integers(0, 9)))[0]))
    return False


def is_a_jpeg_in_truth(path, draw):
    """Ids that went through JPEG are others."""
    path.write_bytes(encoded(np.asarray(Image.open(path)), "JPEG", quality=draw(st.integers(1, 100))))
    return False


def is_another_format_in_truth(path, draw):
    """Photographs may be of any; ids of those alone that keep them in all their kinds."""
    file_format = draw(st.sampled_from(["BMP", "TIFF", "PPM"]))
    path.write_bytes(encoded(np.asarray(Image.open(path)), file_format))
    return "images" in path.parts or file_format == "TIFF"


def is_grey_of_few_bits(path, draw):
    """Two bits hold these ids; most readers stretch them to 0..255."""
    Image.open(path).save(path, format="PNG", bits=draw(st.sampled_from([2, 4])))
    return True


def is_a_tiff(path, draw):
    compression = draw(st.sampled_from([None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"]))
    path.write_bytes(encoded(np.asarray(Image.open(path)), "TIFF", compression=compression))
    return compression != "jpeg"


def has_an_opaque_alpha_channel(path, draw):
    Image.open(path).convert("RGBA").save(path, format="PNG")
    return True


OF_EITHER = [is_gone, is_empty, is_cut_short, is_another_file, is_a_folder, has_another_size, is_turned]
OF_EITHER += [is_another_format_in_truth] + [is_a_link_to_nothing] * (os.name == "posix")
OF_LABEL_MAPS = [has_an_id_that_is_no_class, is_in_16_bits, has_a_palette, is_in_colours, is_a_jpeg_in_truth]
OF_LABEL_MAPS += [is_grey_of_few_bits, is_a_tiff]
# Any that all systems take; a leading dot hides a file, and control characters are nothing to print.
ALPHABET = st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"], exclude_characters='/\\:*?"<>|')
NAMES = st.text(ALPHABET, min_size=1, max_size=20).filter(lambda name: name[0] != "." and name.strip())


@st.composite
def folders(draw):
    """Names of three examples, which of them has a fault, in which of its files, and which fault."""
    names = draw(st.lists(NAMES, min_size=3, max_size=3, unique_by=lambda name: normalize("NFC", name).casefold()))
    kind = draw(st.sampled_from(["images", "labels"]))
    of_its_own = OF_LABEL_MAPS if kind == "labels" else [has_an_opaque_alpha_channel]
    return names, draw(st.integers(0, 2)), kind, draw(st.sampled_from(OF_EITHER + of_its_own))


@given(folders(), st.data())
def test_a_fault_is_read_rightly_or_told_in_one_line(folder, data):
    names, faulty, kind, fault = folder
    with TemporaryDirectory() as place:
        root = Path(place)
        (root / "classes.txt").write_text("".join(f"class {k}\n" for k in range(NUM_CLASSES)))
        for number, name in enumerate(names):
            for part, array in zip(("images", "labels"), photograph_and_ids(number), strict=True):
                (root / part / "train").mkdir(parents=True, exist_ok=True)
                (root / part / "train" / f"{name}.png").write_bytes(png_bytes(array))
        path = root / kind / "train" / f"{names[faulty]}.png"
        still_right = fault(path, data.draw)
        try:
            list(open_dataset("folder", root, "train", size=SIZE).read_all())
        except ValueError as error:
            assert still_right is not True and path.name in str(error) and "\n" not in str(error)
        else:
            assert still_right is not False
        dataset = open_dataset("folder", root, "train", size=SIZE, skip_bad=True)
        examples = list(dataset.read_all())
    names = [normalize("NFC", name) for name in names]
    right = names[:faulty] + names[faulty + 1 :]
    assert set(right) <= set(dataset.names) <= set(names) and len(dataset.names) == len(examples)
    assert [path.name in line for line in dataset.left_out] == [True] * (3 - len(examples))
    for name, example in zip(dataset.names, examples, strict=True):
        photograph, ids = photograph_and_ids(names.index(name))
        assert np.array_equal(to_uint8(example.image), photograph)
        assert torch.equal(example.label_map, torch.from_numpy(ids).long())


# Whatever bytes a file has.


@st.composite
def broken_files(draw):
    """A real file of some format with some of its bytes changed, cut out or put in; any bytes now and then."""
    file_format, options = draw(st.sampled_from(FORMATS))
    photograph, ids = photograph_and_ids(draw(st.integers(0, 3)))
    data = bytearray(encoded(draw(st.sampled_from([photograph, ids])), file_format, **options))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 8))
        data[start : start + length] = draw(st.binary(max_size=8))
    return draw(st.sampled_from([bytes(data), bytes(data), bytes(data), draw(st.binary(max_size=200))]))


EXIF = Image.Exif()
EXIF[0x0112], EXIF[0x010E], EXIF[0x011A] = 6, "a text", 1.5
FORMATS = [
    ("PNG", {}),
    ("PNG", {"bits": 4}),
    ("BMP", {}),
    ("GIF", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
]
FORMATS += [("JPEG", {"exif": EXIF}), ("WEBP", {"exif": EXIF}), ("TIFF", {"exif": EXIF}), ("PPM", {})]


@settings(max_examples=400)
@given(broken_files())
def test_whatever_bytes_a_file_has_it_is_read_or_told_in_one_line(data):
    with TemporaryDirectory() as place:
        path = Path(place, "a file.png")
        path.write_bytes(data)
        for read, is_right in READERS.items():
            try:
                found = read(path)
            except ValueError as error:
                assert str(path) in str(error) and "\n" not in str(error)
            else:
                assert is_right(found)


READERS = {
    open_photograph: lambda photograph: photograph.mode == "RGB" and np.asarray(photograph).ndim == 3,
    photograph_size: lambda size: len(size) == 2 and min(size) > 0,
    read_ids: lambda ids: ids.ndim == 2 and ids.dtype in (np.uint8, np.int32),
    read_mask: lambda mask: mask.ndim == 2 and mask.dtype == bool,
}


@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode(errors="replace")))
def test_whatever_a_list_of_classes_has_each_name_is_in_the_line_of_its_id_or_it_is_told(data):
    with TemporaryDirectory() as place:
        path = Path(place, "classes.txt")
        path.write_bytes(data)
        try:
            names = read_class_names(path)
        except ValueError as error:
            assert "classes.txt" in str(error)
        else:
            lines = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")
            assert all(line.strip() == name for line, name in zip(lines, names, strict=False)) and len(
                set(names)
            ) == len(names)
            assert not "".join(lines[len(names) :]).strip()
