"""A data set of small files for the tests of the cache and of what reads from it, and ways to damage a cache."""

import time
from pathlib import Path

import numpy as np
import torch

from sdm_lite.batches import Example

NUM_EXAMPLES = 40


class Files:
    """A data set of raw int32 files (16, 20, 5): photograph, class, instance."""

    name, split, protocol, crops = "files", "train", "sdm_lite", 1
    class_names, num_classes, has_instances = ("a", "b", "c"), 3, True
    size = (16, 20)

    def __init__(self, root, *, skip_bad=False):
        self.root, self.skip_bad = Path(root), skip_bad
        self.names = sorted(path.stem for path in self.root.glob("*.raw"))
        self.asked = []
        self.pause = 0.0

    def __len__(self):
        return len(self.names)

    def sources(self, i):
        return (self.root / f"{self.names[i]}.raw",)

    def __getitem__(self, i):
        return self.read(i)

    def read(self, i):
        """Where tests put something else in."""
        self.asked.append(i)
        time.sleep(self.pause)
        (path,) = self.sources(i)
        try:
            values = read_raw(path)
        except (ValueError, OSError) as error:
            raise ValueError(f"expected a readable array, got {path}: {error}") from error
        values = torch.from_numpy(values).long().movedim(-1, 0)  # (5, 16, 20)
        return Example(values[:3].float() / 127.5 - 1, values[3], values[4])


def write(path, seed):
    """Instance ids as Cityscapes has them: above 16 bits, equal in the lower 8."""
    chance = np.random.default_rng(seed)
    classes = chance.integers(0, 3, (16, 20))
    instances = 65536 * chance.integers(0, 2, (16, 20))
    photograph = chance.integers(0, 256, (16, 20, 3))
    np.concatenate([photograph, classes[..., None], instances[..., None]], axis=-1).astype(np.int32).tofile(path)


def read_raw(path):
    """What `write` wrote, or whatever rows there are. Not np.load: Python 3.11 parses its headers badly in threads."""
    return np.fromfile(path, np.int32).reshape(-1, 20, 5)


def make_files(folder):
    """A folder of NUM_EXAMPLES of them."""
    folder.mkdir()
    for i in range(NUM_EXAMPLES):
        write(folder / f"{i:03}.raw", i)
    return folder


def all_of(cache):
    return cache.read(torch.arange(len(cache)))


def finished(folder):
    """Folders of caches that are there under their own name."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.suffix != ".partial")


def arrays_of(folder):
    """The bytes of everything in a cache but its description."""
    return {path.name: path.read_bytes() for path in folder.glob("*.npy")}


def cut(path, num_bytes):
    path.write_bytes(path.read_bytes()[:-num_bytes])


def flip_a_byte(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def flip_a_byte_of(folder, row, name="images"):
    """Damage one example in an array of a cache: 128 bytes of header, then a row after the other."""
    size = (folder / f"{name}.npy").stat().st_size - 128
    flip_a_byte(folder / f"{name}.npy", 128 + size // NUM_EXAMPLES * row + 2)
