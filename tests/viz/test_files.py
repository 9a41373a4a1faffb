"""Figures as PNG: every byte is kept, and a file is there whole or not at all."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiles import noise_tile

from sdm_lite import files, viz

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("matplotlib")


def decode(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_png_keeps_every_byte(tmp_path):
    tile = noise_tile(3, 31, 17)
    assert np.array_equal(decode(viz.png_bytes(tile)), tile)
    path = viz.save_png(tmp_path / "new" / "folder" / "tile.png", tile)
    assert np.array_equal(decode(path.read_bytes()), tile)


def test_save_png_leaves_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = viz.save_png(tmp_path / "tile.png", noise_tile(0))
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        viz.save_png(path, noise_tile(1))
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_command_draws_whatever_screen_is_asked_for(tmp_path):
    code = "from sdm_lite import viz; viz.draw_for_files(); import numpy as np; "
    code += "viz.save_png('a.png', viz.show_grid([np.zeros((1, 8, 8, 3), np.uint8)]))"
    environment = os.environ | {"MPLBACKEND": "nonsense", "PYTHONPATH": str(Path(viz.__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment)
    assert (tmp_path / "a.png").exists()
