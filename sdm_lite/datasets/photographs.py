"""Photographs with label maps: what all data sets read from folders have in common.

Apart from the data sets, which say only where the files lie and what the numbers in them mean. Reading is lazy, as
thirty thousand pictures do not fit in memory: making a data set lists and pairs its files and reads a few of them, so
that a wrong folder is told at once; everything else is checked as it is read.

Shapes: H x W pixels of an example, H' x W' of a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from sdm_lite.batches import Example
from sdm_lite.datasets.crops import PROTOCOLS
from sdm_lite.datasets.image_files import (
    SIDEWAYS,
    in_threads,
    open_photograph,
    orientation,
    read_ids,
    resample,
    resample_ids,
)
from sdm_lite.datasets.pairing import Files, Listing, find_root, pair, refuse_lone_files
from sdm_lite.labels import listed_ids
from sdm_lite.progress import Progress

NUM_PROBED = 4
"""How many examples are read when a data set is made: the first, the last and some between."""

NO_CLASS = -1


class Source(NamedTuple):
    """What one example is made of: a picture's name, its files, and which crop of it (0 is the first)."""

    stem: str
    files: Files
    crop: int


class NothingReadableError(ValueError):
    """Every example of a split is bad; `bad` has a line for each that was looked at."""

    def __init__(self, root: Path, split: str, bad: list[str]):
        super().__init__(f"no example of {root}, split {split}, can be read: {bad[0]}")
        self.root, self.split, self.bad = root, split, bad


class Photographs(Dataset):
    """Photographs with label maps from a folder; the parent of every data set of this kind.

    A data set says where its files are (`listings`), what its numbers mean (`class_of_id`) and its own facts:

    Attributes:
        name: as in `datasets.DATASETS`.
        class_names, num_classes, palette: the classes; the palette is (num_classes, 3) uint8.
        void_id: the class of pixels that nobody labelled, or None. The condition has it as a class, as in the paper; no
            judge learns it, and mIoU ignores its pixels.
        has_instances: whether the condition has an edge channel.
        preset: the network made for it, a key of `presets.PRESETS`.
        guidance_scale: the paper's s of Algorithm 2.
        layout: what the root holds, in words; parts: folders that it cannot be without.
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
    void_id: int | None = None
    palette: np.ndarray
    has_instances = True
    preset: str
    guidance_scale: float
    layout: str
    parts: tuple[str, ...]
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
        self._set_sources([Source(stem, files[stem], crop) for crop in range(crops) for stem in files])
        self._probe()

    # What a data set says of itself.

    @classmethod
    def is_root(cls, folder: Path) -> bool:
        """Whether a folder has the layout of this data set."""
        return all((folder / part).is_dir() for part in cls.parts)

    def find(self, root: str | Path) -> Path:
        """The root, if it is one; ValueError if not."""
        return find_root(root, self.is_root, self.layout)

    def listings(self, root: Path, split: str) -> tuple[Listing, Listing, Listing | None]:
        """Photographs, label maps, and instance maps or None, of a split."""
        raise NotImplementedError

    def read_label_ids(self, path: Path) -> np.ndarray:
        """The ids in the file of a label map, (H', W'): the numbers that stand there."""
        return read_ids(path)

    @property
    def note(self) -> str:
        """See the class."""
        if self.protocol == "sdm_lite":
            return ""
        cropped = "training pictures are cropped at random, others squashed" if self.reference_crops else "no crops"
        has_maps = self._sources[0].files.instance_map is not None
        cut = "; instance ids are cut to 8 bits, which loses edges between objects of one class" if has_maps else ""
        return f"protocol reference, as the published code: {cropped}{cut}"

    # Examples.

    def __len__(self) -> int:
        """Number of examples: of pictures, times `crops`."""
        return len(self.names)

    def sources(self, i: int) -> tuple[Path, ...]:
        """The files that the i-th example is read from."""
        return tuple(path for path in self._sources[i].files if path is not None)

    def __getitem__(self, i: int) -> Example:
        """The i-th example, read from its files, checked and resized.

        Raises:
            ValueError: if a file is damaged or not what it should be, naming it.
        """
        stem, files, crop = self._sources[i]
        photograph = open_photograph(files.photograph)
        ids = self.read_label_ids(files.label_map)
        instances = None if files.instance_map is None else read_ids(files.instance_map)
        shape = (photograph.height, photograph.width)
        self._check_sizes(shape, ids.shape, files.photograph, files.label_map)
        if instances is not None:
            self._check_sizes(ids.shape, instances.shape, files.label_map, files.instance_map, exactly=True)
        label_map = self.to_classes(ids, files.label_map)  # (H', W')
        rule = PROTOCOLS[self.protocol]
        in_training = self.split == "train" and self.reference_crops
        box = rule.box(shape, self.size, crop, stem, in_training=in_training)
        if instances is not None and rule.max_instance_id is not None:
            instances = np.minimum(instances, rule.max_instance_id)
        label_map = torch.from_numpy(resample_ids(label_map, box, self.size)).long()  # (H, W)
        instance_map = label_map
        if instances is not None:
            instance_map = torch.from_numpy(resample_ids(instances, box, self.size)).long()  # (H, W)
        pixels = torch.from_numpy(resample(photograph, box, self.size, halve=rule.halve))  # (H, W, 3)
        image = pixels.movedim(-1, 0).float().contiguous() / 127.5 - 1  # (3, H, W)
        return Example(image, label_map, instance_map)

    def results(self) -> Iterator[Example | ValueError]:
        """Every example or the error that reading it raises, in order, read by as many threads as there are cores."""
        return in_threads(self._result, range(len(self)))

    def thinned(self, number: int) -> Photographs:
        """The same data set with at most so many of its examples: evenly spread, the first and the last among them.

        What is found bad in it is listed in `left_out` of both.

        Raises:
            ValueError: if the number is below 1.
        """
        if number < 1:
            raise ValueError(f"the number of photographs must be at least 1, got {number}")
        few = copy(self)
        few._set_sources([self._sources[i] for i in spread(len(self), number)])
        return few

    def read_all(self) -> Iterator[Example]:
        """Every example in order. With skip_bad, bad ones are left out and have left the data set when all are read.

        So `names` are then those of what was returned, and `left_out` lists the others.

        Raises:
            ValueError: if an example is bad and may not be skipped, or all are.
        """
        bad = {}
        with Progress(f"reading {self.split} photographs", total=len(self)) as bar:
            for source, result in zip(self._sources, self.results(), strict=True):
                bar.update()
                if isinstance(result, Example):
                    yield result
                elif self.skip_bad:
                    bad[source.stem] = result
                else:
                    raise result
        self._leave_out(bad)

    def to_classes(self, ids: np.ndarray, path: Path) -> np.ndarray:
        """Class ids (H', W') int16 of the ids in a file.

        Raises:
            ValueError: if an id is no class, naming it, the file and how many pixels have it.
        """
        known = (ids >= 0) & (ids < len(self.class_of_id))
        label_map = self.class_of_id[np.where(known, ids, 0)]  # (H', W')
        wrong = ~known | (label_map == NO_CLASS)
        if wrong.any():
            raise ValueError(f"expected {self.ids_expected} in {path}, got {listed_ids(torch.from_numpy(ids[wrong]))}")
        return label_map

    # Parts of the above.

    def _set_sources(self, sources: list[Source]) -> None:
        self._sources = sources
        self.names = [f"{source.stem}#{source.crop}" if source.crop else source.stem for source in sources]

    def _result(self, i: int) -> Example | ValueError:
        try:
            return self[i]
        except ValueError as error:
            return error

    def _probe(self) -> None:
        """Read a few examples, so that what is wrong with all of them is told before any work starts."""
        num_pictures = len(self) // self.crops
        results = {self._sources[i].stem: self._result(i) for i in spread(num_pictures, NUM_PROBED)}
        self._leave_out({stem: result for stem, result in results.items() if isinstance(result, ValueError)})

    def _leave_out(self, bad: dict[str, ValueError]) -> None:
        """Leave out pictures, by name, whatever the crop, and list why; or raise the first error."""
        if bad and not self.skip_bad:
            raise next(iter(bad.values()))
        self.left_out += [str(error) for error in bad.values()]
        self._set_sources([source for source in self._sources if source.stem not in bad])
        if not self._sources:
            raise NothingReadableError(self.root, self.split, self.left_out)

    def _check_sizes(self, shape, partner_shape, path: Path, partner: Path, *, exactly: bool = False) -> None:
        same = shape == partner_shape
        if not (exactly or self.same_size):
            same = shape[0] * partner_shape[1] == shape[1] * partner_shape[0]
        if not same:
            told = [f"{height} x {width}" for height, width in (shape, partner_shape)]
            if shape == partner_shape[::-1] and orientation(path) in SIDEWAYS:
                raise ValueError(
                    f"expected one size, got {told[0]} pixels in {path}, which its EXIF tag turns upright, and "
                    f"{told[1]} in {partner}, which nothing turns: turn the label map the same way, do not resize it"
                )
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
