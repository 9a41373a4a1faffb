"""Photographs with label maps: what all data sets read from folders have in common.

Apart from the data sets, which say only where the files lie and what the numbers in them mean. Reading is lazy, as
thirty thousand pictures do not fit in memory: making a data set lists and pairs its files and reads a few of them, so
that a wrong folder is told at once; everything else is checked as it is read.

Shapes: H x W pixels of an example, H' x W' of a file.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from sdm_lite.batches import Example
from sdm_lite.datasets.crops import PROTOCOLS
from sdm_lite.datasets.image_files import open_photograph, read_ids, resample, resample_ids
from sdm_lite.datasets.pairing import Files, Listing, find_root, pair, refuse_lone_files

NUM_PROBED = 4
"""How many examples are read when a data set is made: the first, the last and some between."""

NO_CLASS = -1


class RawExample(NamedTuple):
    """One photograph and what is where in it, as read, checked and resized: what a cache stores.

    Attributes:
        photograph: (H, W, 3) uint8.
        label_map: (H, W) class ids 0..num_classes-1; uint8, or int16 where there are more than 256 classes.
        instance_map: (H, W) int32, equal where two pixels belong to one object.
    """

    photograph: np.ndarray
    label_map: np.ndarray
    instance_map: np.ndarray


class Photographs(Dataset):
    """Photographs with label maps from a folder; the parent of every data set of this kind.

    A data set says where its files are (`listings`), what its numbers mean (`class_of_id`) and its own facts:

    Attributes:
        name: as in `datasets.DATASETS`.
        class_names, num_classes, palette: the classes; the palette is (num_classes, 3) uint8.
        has_instances: whether the condition has an edge channel.
        preset: the network made for it, a key of `presets.PRESETS`.
        guidance_scale: the paper's s of Algorithm 2.
        layout: what the root holds, in words.
        size: (H, W) of the examples.
        names: of the examples, in order; the further crops of a picture have its name with "#1", "#2"...
        skip_bad: whether whoever reads all examples leaves out the bad ones rather than stop at the first.
        left_out: a line for each file or example left out so far; empty unless skip_bad.
        note: what is not as this package would do it, in a sentence; empty unless protocol is "reference".

    Args:
        root: the folder of the data set.
        split: "train" or "val", or another that the folder has.
        size: (height, width), multiples of 8; None for the data set's own.
        protocol: "sdm_lite" keeps the largest part in the middle that has the shape of `size`. "reference" does what
            the published code does: at test time the whole picture is squashed, in training a random part is taken
            (except Cityscapes), and instance ids are cut to 8 bits.
        crops: how many parts of each picture are examples. The further ones are random, 0.8 to 1 of the height and
            width that fit; which they are depends on nothing but the example's name and the number of the crop.
        skip_bad: leave out what is bad, and list it in `left_out`.

    Raises:
        ValueError: if the folder is not as it should be, a photograph or label map lacks its partner, is damaged, has
            another size than its partner, or holds an id that is no class; naming the file.
    """

    name: str
    class_names: tuple[str, ...]
    num_classes: int
    palette: np.ndarray
    has_instances = True
    preset: str
    guidance_scale: float
    layout: str
    default_size = (256, 256)
    same_size = True
    reference_crops = True
    class_of_id: np.ndarray
    ids_expected: str

    def __init__(
        self,
        root: str | Path,
        split: str,
        size: tuple[int, int] | None = None,
        *,
        protocol: str = "sdm_lite",
        crops: int = 1,
        skip_bad: bool = False,
    ):
        self.size = tuple(size or self.default_size)
        _check_options(self.size, protocol, crops)
        self.root = self.find(root)
        self.split, self.protocol, self.crops, self.skip_bad = split, protocol, crops, skip_bad
        files, self.left_out = pair(*self.listings(self.root, split), where=f"{self.root}, split {split}")
        if not skip_bad:
            refuse_lone_files(self.left_out)
        self._set_files(files)
        self._probe()

    # What a data set says of itself.

    @classmethod
    def is_root(cls, folder: Path) -> bool:
        """Whether a folder has the layout of this data set."""
        raise NotImplementedError

    @classmethod
    def open(
        cls,
        root: str | Path,
        split: str,
        size: tuple[int, int] | None = None,
        *,
        protocol: str = "sdm_lite",
        crops: int = 1,
        skip_bad: bool = False,
    ) -> Photographs:
        """The data set of a root; the arguments are those of the class."""
        return cls(root, split, size, protocol=protocol, crops=crops, skip_bad=skip_bad)

    def find(self, root: str | Path) -> Path:
        """The root, if it is one; ValueError if not."""
        return find_root(root, self.is_root, self.layout)

    def listings(self, root: Path, split: str) -> tuple[Listing, Listing, Listing | None]:
        """Photographs, label maps, and instance maps or None, of a split."""
        raise NotImplementedError

    @property
    def note(self) -> str:
        """See the class."""
        if self.protocol == "sdm_lite":
            return ""
        cropped = "training pictures are cropped at random, others squashed" if self.reference_crops else "no crops"
        has_maps = any(files.instance_map for files in self._files[:1])
        cut = "; instance ids are cut to 8 bits, which loses edges between objects of one class" if has_maps else ""
        return f"protocol reference, as the published code: {cropped}{cut}"

    # Examples.

    def __len__(self) -> int:
        """Number of examples: of pictures, times `crops`."""
        return len(self.names)

    def sources(self, i: int) -> tuple[Path, ...]:
        """The files that the i-th example is read from."""
        return tuple(path for path in self._files[self._place(i)[0]] if path is not None)

    def read(self, i: int) -> RawExample:
        """The i-th example, read from its files, checked and resized.

        Raises:
            ValueError: if a file is damaged or not what it should be, naming it.
        """
        k, crop = self._place(i)
        files = self._files[k]
        photograph = open_photograph(files.photograph)
        ids = read_ids(files.label_map)
        instances = None if files.instance_map is None else read_ids(files.instance_map)
        shape = (photograph.height, photograph.width)
        self._check_sizes(shape, ids.shape, files.photograph, files.label_map)
        if instances is not None:
            self._check_sizes(ids.shape, instances.shape, files.label_map, files.instance_map, exactly=True)
        label_map = self.to_classes(ids, files.label_map)
        rule = PROTOCOLS[self.protocol]
        in_training = self.split == "train" and self.reference_crops
        box = rule.box(shape, self.size, crop, self._stems[k], in_training=in_training)
        if instances is not None and rule.max_instance_id is not None:
            instances = np.minimum(instances, rule.max_instance_id)
        label_map = resample_ids(label_map, box, self.size)
        instance_map = label_map if instances is None else resample_ids(instances, box, self.size)
        return RawExample(
            resample(photograph, box, self.size, halve=rule.halve), label_map, instance_map.astype(np.int32)
        )

    def __getitem__(self, i: int) -> Example:
        """The i-th example as tensors; ValueError as in `read`."""
        photograph, label_map, instance_map = self.read(i)
        image = torch.from_numpy(photograph).movedim(-1, 0).float() / 127.5 - 1
        return Example(image.contiguous(), torch.from_numpy(label_map).long(), torch.from_numpy(instance_map).long())

    def read_many(self, indices: Iterable[int]) -> Iterator[RawExample | ValueError]:
        """What `read` returns or raises for each index, in order, read by as many threads as there are cores."""
        num_threads = os.cpu_count() or 1
        with ThreadPoolExecutor(num_threads) as pool:
            pending: deque[Future[RawExample | ValueError]] = deque()
            for i in indices:
                pending.append(pool.submit(self._read_or_error, i))
                if len(pending) > 4 * num_threads:  # No more, or all pictures wait in memory.
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()

    def leave_out_bad(self) -> list[str]:
        """Read every example and leave out those that cannot be read; a line for each of these."""
        # What is wrong with a file does not depend on the crop: the first crop of each is enough.
        results = zip(self._stems, self.read_many(range(len(self._stems))), strict=True)
        bad = {stem: str(error) for stem, error in results if isinstance(error, ValueError)}
        self._drop(bad)
        return list(bad.values())

    def to_classes(self, ids: np.ndarray, path: Path) -> np.ndarray:
        """Class ids (H', W') of the ids in a file, uint8 or int16.

        Raises:
            ValueError: if an id is no class, naming it, the file and how many pixels have it.
        """
        known = (ids >= 0) & (ids < len(self.class_of_id))
        label_map = self.class_of_id[np.where(known, ids, 0)]
        wrong = ~known | (label_map == NO_CLASS)
        if wrong.any():
            values, counts = np.unique(ids[wrong], return_counts=True)
            found = ", ".join(f"{v} ({n} pixels)" for v, n in list(zip(values, counts, strict=True))[:5])
            more = f" and {len(values) - 5} more ids" if len(values) > 5 else ""
            raise ValueError(f"expected {self.ids_expected} in {path}, got {found}{more}")
        return label_map.astype(np.uint8 if self.num_classes <= 256 else np.int16)

    # Parts of the above.

    def _read_or_error(self, i: int) -> RawExample | ValueError:
        try:
            return self.read(i)
        except ValueError as error:
            return error

    def _set_files(self, files: dict[str, Files]) -> None:
        self._stems, self._files = list(files), list(files.values())
        further = [f"#{crop}" if crop else "" for crop in range(self.crops)]
        self.names = [stem + mark for mark in further for stem in self._stems]

    def _drop(self, bad: dict[str, str]) -> None:
        files = {stem: files for stem, files in zip(self._stems, self._files, strict=True) if stem not in bad}
        self.left_out += bad.values()
        self._set_files(files)

    def _place(self, i: int) -> tuple[int, int]:
        """Which picture the i-th example is of, and which crop."""
        if not 0 <= i < len(self):
            raise IndexError(f"expected an index in 0..{len(self) - 1}, got {i}")
        crop, k = divmod(int(i), len(self._files))
        return k, crop

    def _probe(self) -> None:
        """Read a few examples, so that what is wrong with all of them is told before any work starts."""
        bad = {}
        for k in spread(len(self._files), NUM_PROBED):
            error = self._read_or_error(k)
            if isinstance(error, ValueError):
                if not self.skip_bad:
                    raise error
                bad[self._stems[k]] = str(error)
        self._drop(bad)
        if not self._files:
            raise ValueError(f"no example of {self.root}, split {self.split}, can be read: {self.left_out[0]}")

    def _check_sizes(self, shape, partner_shape, path: Path, partner: Path, *, exactly: bool = False) -> None:
        same = shape == partner_shape
        if not (exactly or self.same_size):
            same = shape[0] * partner_shape[1] == shape[1] * partner_shape[0]
        if not same:
            told = [f"{height} x {width}" for height, width in (shape, partner_shape)]
            turned = "; is one of them turned on its side?" if shape == partner_shape[::-1] else ""
            raise ValueError(
                f"expected one size, got {told[0]} pixels in {path} and {told[1]} in {partner}{turned}; "
                "resize the label map to the photograph (nearest)"
            )


def _check_options(size: tuple[int, int], protocol: str, crops: int) -> None:
    if len(size) != 2 or any(side < 8 or side % 8 for side in size):
        raise ValueError(f"expected size = (height, width) in multiples of 8, got {size}; for example (48, 64)")
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {protocol!r}")
    if crops < 1:
        raise ValueError(f"crops must be at least 1, got {crops}")


def spread(length: int, number: int) -> list[int]:
    """Some indices below a length, evenly spread, the first and the last among them; all if it is not longer."""
    if length <= number:
        return list(range(length))
    return sorted({round(i * (length - 1) / max(1, number - 1)) for i in range(number)})


def id_table(classes: dict[int, int], *, length: int = 256) -> np.ndarray:
    """A table from ids in files to classes, (length,) int16, with NO_CLASS for every other id."""
    table = np.full(length, NO_CLASS, dtype=np.int16)
    for value, class_id in classes.items():
        table[value] = class_id
    return table
