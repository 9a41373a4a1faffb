"""Photographs of every kind come out upright and in RGB; label maps and photographs stay in step under resampling."""

import struct
from pathlib import Path

import numpy as np
import pytest

from sdm_lite.datasets.image_files import (
    open_photograph,
    photograph_size,
    read_ids,
    read_mask,
    resample,
    resample_ids,
)
from sdm_lite.pictures import png_bytes

Image = pytest.importorskip("PIL.Image")
CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


@pytest.fixture
def colours():
    """A photograph of 16 x 24: red, green, blue and white quarters."""
    array = np.zeros((16, 24, 3), dtype=np.uint8)
    array[:8, :12], array[:8, 12:], array[8:, :12], array[8:, 12:] = (220, 20, 20), (20, 220, 20), (20, 20, 220), 240
    return array


def corner_colours(photograph):
    array = np.asarray(photograph).astype(int)
    return [tuple(array[y, x]) for y in (2, -3) for x in (2, -3)]


def assert_near(found, expected, tolerance=12):
    assert np.abs(np.subtract(found, expected)).max() <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_upright(tmp_path, colours, orientation):
    """Written turned the other way, with the tag that says so, it is read as it was."""
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    Image.fromarray(np.ascontiguousarray(undo(colours))).save(path, quality=100, subsampling=0, exif=exif)
    photograph = open_photograph(path)
    assert photograph.mode == "RGB" and photograph.size == (24, 16) and photograph_size(path) == (16, 24)
    assert_near(corner_colours(photograph), corner_colours(colours))


def test_grey_photographs(tmp_path):
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / "8.png")
    Image.fromarray(ramp.astype(np.uint16) * 257).save(tmp_path / "16.png")
    for name in ("8.png", "16.png"):
        photograph = np.asarray(open_photograph(tmp_path / name))
        np.testing.assert_array_equal(photograph, ramp[..., None].repeat(3, axis=-1))


@pytest.mark.parametrize("mode, suffix", [("CMYK", "jpg"), ("RGBA", "png"), ("P", "png"), ("YCbCr", "jpg")])
def test_photographs_in_other_colour_modes(tmp_path, colours, mode, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(colours).convert(mode).save(path, **({"quality": 100} if suffix == "jpg" else {}))
    photograph = open_photograph(path)
    assert photograph.mode == "RGB"
    assert_near(corner_colours(photograph), corner_colours(colours), tolerance=40 if mode == "P" else 12)


def test_what_is_transparent_is_white(tmp_path, colours):
    alpha = np.full((16, 24, 1), 255, dtype=np.uint8)
    alpha[:8, :12] = 0
    Image.fromarray(np.concatenate([colours, alpha], axis=-1)).save(tmp_path / "a.png")
    Image.fromarray(np.concatenate([colours, alpha], axis=-1)).quantize(16).save(tmp_path / "b.png", transparency=0)
    assert corner_colours(open_photograph(tmp_path / "a.png"))[0] == (255, 255, 255)
    assert open_photograph(tmp_path / "b.png").mode == "RGB"


@pytest.mark.parametrize("text", ["", "<html>not found</html>", "\x89PNG\r\n\x1a\n"])
def test_what_is_no_image(tmp_path, text):
    path = tmp_path / "a.png"
    path.write_bytes(text.encode("latin-1"))
    for read in (open_photograph, read_ids, read_mask, photograph_size):
        with pytest.raises(ValueError, match=r"expected a readable image, got .*a\.png: .*; replace the file"):
            read(path)
    with pytest.raises(ValueError, match="got no file at"):
        read_ids(tmp_path / "gone.png")


def test_ids_of_16_bits_are_kept(tmp_path):
    ids = np.array([[0, 255, 256], [26_001, 26_002, 65_535]], dtype=np.uint16)
    Image.fromarray(ids).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_ids(tmp_path / "a.png"), ids)
    assert read_ids(tmp_path / "a.png").dtype == np.int32


def test_ids_survive_their_file(tmp_path):
    ids = np.random.default_rng(0).integers(0, 256, (9, 7), np.uint8)
    (tmp_path / "a.png").write_bytes(png_bytes(ids))
    np.testing.assert_array_equal(read_ids(tmp_path / "a.png"), ids)


def test_a_mask_of_any_mode(tmp_path):
    mask = np.random.default_rng(0).random((9, 7)) < 0.5
    grey = Image.fromarray((255 * mask).astype(np.uint8))
    for mode in ("L", "RGB", "1", "P"):
        grey.convert(mode).save(tmp_path / f"{mode}.png")
        np.testing.assert_array_equal(read_mask(tmp_path / f"{mode}.png"), mask, err_msg=mode)


@pytest.mark.parametrize("shape, size", [((100, 60), (32, 24)), ((37, 53), (64, 40)), ((192, 96), (96, 48))])
def test_the_nearest_id_is_that_of_pillow(shape, size):
    """An independent implementation of the same rule; boxes are chosen so that no centre lies between two pixels."""
    generator = np.random.default_rng(0)
    ids = generator.integers(0, 256, shape, np.uint8)
    for box in [(0.0, 0.0, 1.0, 1.0), (0.1234, 0.2345, 0.8765, 0.9876)]:
        top, left, bottom, right = box
        edges = (left * shape[1], top * shape[0], right * shape[1], bottom * shape[0])
        expected = Image.fromarray(ids).resize(size[::-1], Image.Resampling.NEAREST, box=edges)
        np.testing.assert_array_equal(resample_ids(ids, box, size), np.asarray(expected))


def test_the_published_code_s_halving_is_the_mean_of_blocks():
    array = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    halved = resample(Image.fromarray(array), (0, 0, 1, 1), (16, 32), halve=True)
    blocks = array.reshape(16, 4, 32, 4, 3).mean(axis=(1, 3))
    assert np.abs(halved - blocks).max() <= 2  # Rounded four times.
    assert np.abs(resample(Image.fromarray(array), (0, 0, 1, 1), (16, 32)) - blocks).max() > 5


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_ids_of_few_bits_are_the_numbers_that_were_written(tmp_path, bits, suffix):
    """Pillow stretches grey of 2 and 4 bits to 0..255: by 85 and 17."""
    ids = (np.arange(48) % min(2**bits, 48)).astype(np.uint8).reshape(6, 8)
    if suffix == "png":
        Image.fromarray(ids).save(tmp_path / "a.png", bits=bits)
    else:
        (tmp_path / "a.tif").write_bytes(grey_tiff(ids, bits))
    np.testing.assert_array_equal(read_ids(tmp_path / f"a.{suffix}"), ids)


def grey_tiff(ids, bits, photometric=1):
    """An uncompressed TIFF of (H, W) numbers, W of a row filling its bytes."""
    rows = np.unpackbits(ids[..., None], axis=-1)[..., 8 - bits :].reshape(len(ids), -1)
    data = np.packbits(rows, axis=-1).tobytes()
    height, width = ids.shape
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: height, 279: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


@pytest.mark.parametrize("options", [{"format": "JPEG"}, {"format": "JPEG2000"}, {"format": "WEBP"},
                                     {"format": "AVIF"}, {"format": "TIFF", "compression": "jpeg"}])  # fmt: skip
def test_what_can_change_ids_is_refused_by_what_it_is(tmp_path, options):
    ids = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    try:
        Image.fromarray(ids).save(tmp_path / "a.png", **options)
    except (KeyError, OSError):
        pytest.skip("this Pillow cannot write it")
    for read in (read_ids, read_mask):
        with pytest.raises(ValueError, match=rf"a\.png, got {options['format']}.*which can change them: give the PNG"):
            read(tmp_path / "a.png")


@pytest.mark.parametrize("suffix, name", [("bmp", "BMP"), ("pgm", "PPM"), ("gif", "GIF")])
def test_ids_in_another_format_are_refused_in_a_line(tmp_path, suffix, name):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / f"a.{suffix}")
    with pytest.raises(ValueError, match=f"got {name}, which .*PNG") as told:
        read_ids(tmp_path / f"a.{suffix}")
    assert "\n" not in str(told.value) and ("can change" in str(told.value)) == (name == "GIF")


def test_ids_that_a_file_holds_twice_or_upside_down_are_refused(tmp_path):
    ids = np.arange(16, dtype=np.uint8).reshape(4, 4)
    Image.fromarray(ids).save(tmp_path / "a.tif", save_all=True, append_images=[Image.fromarray(ids)])
    with pytest.raises(ValueError, match=r"a\.tif, got 2 pages: give a file of one"):
        read_ids(tmp_path / "a.tif")
    (tmp_path / "a.tif").write_bytes(grey_tiff(ids, 8, photometric=0))
    with pytest.raises(ValueError, match=r"a\.tif, got TIFF in which 0 is white"):
        read_ids(tmp_path / "a.tif")


def test_numbers_without_a_white_are_no_photograph(tmp_path):
    Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=r"a\.tif: 32-bit floating-point numbers"):
        open_photograph(tmp_path / "a.tif")
    Image.fromarray(np.full((8, 8), 70_000, dtype=np.int32)).save(tmp_path / "b.tif")
    with pytest.raises(ValueError, match=r"b\.tif: values from 70000 to 70000"):
        open_photograph(tmp_path / "b.tif")


def exif_block(*entries):
    """An EXIF block of (tag, type, count, four bytes of value): any, as no writer would let a wrong one through."""
    packed = b"".join(struct.pack("<HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4)


ORIENTATION = (0x0112, 3, 1, struct.pack("<HH", 6, 0))
BROKEN = {
    "a text that is a fraction": (0x010E, 5, 1, struct.pack("<I", 200)),
    "an offset beyond the end": (0x9286, 7, 1000, struct.pack("<I", 60_000)),
    "a type that is none": (0x0131, 99, 1, bytes(4)),
    "a fraction by nought": (0x011A, 5, 1, struct.pack("<I", 0)),
    "a directory of nothing": (0x8769, 4, 1, struct.pack("<I", 70_000)),
    "a count beyond all": (0x0100, 4, 2**31, bytes(4)),
}


@pytest.mark.parametrize("entry", BROKEN.values(), ids=BROKEN)
def test_a_photograph_with_a_broken_exif_block_is_turned_all_the_same(tmp_path, colours, entry):
    path = tmp_path / "a.jpg"
    turned = np.ascontiguousarray(np.rot90(colours))
    Image.fromarray(turned).save(path, quality=100, subsampling=0, exif=exif_block(*sorted((ORIENTATION, entry))))
    assert open_photograph(path).size == (24, 16) and photograph_size(path) == (16, 24)
    assert_near(corner_colours(open_photograph(path)), corner_colours(colours))


def test_an_exif_block_that_is_none_turns_nothing(tmp_path, colours):
    for block in (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0 nothing of the kind"):
        Image.fromarray(colours).save(tmp_path / "a.jpg", quality=100, subsampling=0, exif=block)
        assert open_photograph(tmp_path / "a.jpg").size == (24, 16) and photograph_size(tmp_path / "a.jpg") == (16, 24)


@pytest.mark.skipif(not CASES.is_dir(), reason="needs the broken files at ../shared/cases, which are not published")
def test_the_broken_photographs_that_were_met():
    found = sorted(CASES.glob("*.jpg"))
    assert [open_photograph(path).size for path in found] == [(16, 24)] * 3 + [(40, 60)]
    assert [photograph_size(path) for path in found] == [(24, 16)] * 3 + [(60, 40)]
    assert read_ids(CASES / "gray4bit_label.png").max() == 10
    with pytest.raises(ValueError, match="got JPEG, which can change them"):
        read_ids(CASES / "jpeg_named_png_label.png")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_every_format_is_turned_once(tmp_path, colours, suffix):
    """Pillow turns a TIFF by itself when it is loaded, some versions its size before."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.ascontiguousarray(np.rot90(colours))).save(path, exif=exif)
    assert open_photograph(path).size == (24, 16) and photograph_size(path) == (16, 24)
