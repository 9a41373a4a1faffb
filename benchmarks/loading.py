"""Images a second from the cache, next to decoding each file whenever it is needed, as torchvision pipelines do.

The peer is a torch DataLoader over the same files: open, resize (Pillow, bicubic; nearest for labels), mirror, to a
float tensor in [-1, 1] and a long label map, item by item, in worker processes. It is what torchvision's ImageFolder,
Resize, RandomHorizontalFlip, ToTensor and Normalize do, written out, as torchvision may not be installed. All rows end
in a batch on the CPU. Ours are integers, from which the device makes floats and one-hot channels; the last row makes
them on the CPU, one-hot included, which the peer does not. The threads that work ahead have a peer of their own, a
DataLoader whose worker processes make the same batches from the same cache.

    python benchmarks/loading.py [--file-size 512] [--size 256] [--num-images 256]
    python benchmarks/loading.py --dataset camvid --root FOLDER

"From the disk" means that the operating system was asked to forget the files (posix_fadvise) before the row.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from sdm_lite.batches import Batch, encode
from sdm_lite.cache import Cache, CachedBatches, Prefetch, open_cache
from sdm_lite.datasets import DATASETS, open_dataset
from sdm_lite.progress import progress
from sdm_lite.scenes import Scenes

NUM_RENDERED = 16


class PerItem(Dataset):
    """The peer: every item decoded and resized when it is asked for."""

    def __init__(self, dataset):
        self.files = [dataset.sources(i)[:2] for i in range(len(dataset))]
        self.size = dataset.size

    def __len__(self) -> int:
        """Number of items."""
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Image (3, H, W) float32 in [-1, 1] and label map (H, W) int64."""
        height, width = self.size
        photograph, labels = self.files[i]
        image = Image.open(photograph).convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
        ids = Image.open(labels).resize((width, height), Image.Resampling.NEAREST)
        if torch.rand(()) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            ids = ids.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255).sub(0.5).div(0.5)
        return tensor, torch.from_numpy(np.array(ids)).long()


def render_folder(folder: Path, *, num_images: int, file_size: int) -> None:
    """Scenes as JPEG and PNG files: a few rendered, enlarged, given a photograph's grain, and shifted to make many."""
    scenes = Scenes(size=128, length=NUM_RENDERED)
    pictures = scenes.materialize(range(NUM_RENDERED))
    grain = np.random.default_rng(0).integers(-12, 13, (file_size, file_size, 3))
    for kind in ("images", "labels"):
        (folder / kind / "train").mkdir(parents=True)
    (folder / "classes.txt").write_text("\n".join(scenes.class_names))
    for i in progress(range(num_images), description=f"writing {file_size} x {file_size} files"):
        k, shift = i % NUM_RENDERED, 37 * (i // NUM_RENDERED)
        picture = Image.fromarray(pictures.images[k].movedim(0, -1).numpy()).resize((file_size, file_size))
        ids = Image.fromarray(pictures.label_map[k].numpy()).resize((file_size, file_size), Image.Resampling.NEAREST)
        photograph = np.roll((np.asarray(picture).astype(int) + grain).clip(0, 255).astype(np.uint8), shift, axis=1)
        Image.fromarray(photograph).save(folder / "images" / "train" / f"{i:05}.jpg", quality=92)
        Image.fromarray(np.roll(np.asarray(ids), shift, axis=1)).save(folder / "labels" / "train" / f"{i:05}.png")


def forget(paths: Iterable[Path]) -> None:
    """Ask the operating system to drop files from memory, so that they are next read from the disk."""
    if hasattr(os, "posix_fadvise"):
        for path in paths:
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def images_per_second(run: Callable[[], int], repeats: int, before: Callable[[], object] = lambda: None) -> float:
    """The best of several runs, each of which returns how many images it made."""
    best = 0.0
    for _ in range(repeats):
        before()
        started = time.perf_counter()
        count = run()
        best = max(best, count / (time.perf_counter() - started))
    return best


def peer_speed(dataset, batch_size: int, num_workers: int, repeats: int) -> float:
    """Images a second of the peer, the best epoch; its workers start before the clock does."""
    loader = DataLoader(
        PerItem(dataset), batch_size, shuffle=True, num_workers=num_workers, persistent_workers=num_workers > 0
    )

    def epoch() -> int:
        return sum(len(images) for images, _ in loader)

    epoch()
    return images_per_second(epoch, repeats)


def cached_epoch(cache: Cache, batch_size: int, num_workers: int, *, encoded: bool) -> int:
    """One epoch from a cache, with threads that work ahead, or 0 for none."""
    batches = CachedBatches(cache, batch_size=batch_size, flip_probability=0.5, seed=0)
    num_steps = len(cache) // batch_size
    with Prefetch(batches, num_workers=num_workers) as ahead:
        for step in range(num_steps):
            batch = ahead(step)
            if encoded:
                encode(batch)
    return num_steps * batch_size


class Steps(Dataset):
    """Batches by step, for a DataLoader's workers to make."""

    def __init__(self, batches: CachedBatches, num_steps: int):
        self.batches, self.num_steps = batches, num_steps

    def __len__(self) -> int:
        """Number of batches."""
        return self.num_steps

    def __getitem__(self, step: int) -> Batch:
        """The batch of a step."""
        return self.batches(step)


def worker_epochs(cache: Cache, batch_size: int, num_workers: int, repeats: int) -> float:
    """Images a second of epochs from a cache by worker processes, the best; they start before the clock does."""
    batches = CachedBatches(cache, batch_size=batch_size, flip_probability=0.5, seed=0)
    steps = Steps(batches, len(cache) // batch_size)
    loader = DataLoader(steps, batch_size=None, num_workers=num_workers, persistent_workers=True)

    def epoch() -> int:
        return sum(len(batch.images) for batch in loader)

    epoch()
    return images_per_second(epoch, repeats)


def measure(dataset, folder: Path, args: argparse.Namespace) -> list[tuple[str, float]]:
    """All rows: what was done, and images a second."""
    workers, repeats = args.num_workers, args.repeats
    sources = {path for i in range(len(dataset)) for path in dataset.sources(i)}
    rows = [("files, decoded per item, this process", peer_speed(dataset, args.batch_size, 0, repeats))]
    rows.append((f"files, decoded per item, {workers} workers", peer_speed(dataset, args.batch_size, workers, repeats)))
    for num_threads in (1, workers):
        place = folder / f"cache-{num_threads}"
        build = partial(open_cache, dataset, place, num_threads=num_threads)
        forget(sources)
        name = f"building the cache, {num_threads} thread{'s' * (num_threads > 1)}"
        rows.append((name, images_per_second(lambda run=build: len(run()), 1)))
    cache = open_cache(dataset, place)
    epoch = partial(cached_epoch, batch_size=args.batch_size, encoded=False)
    forget(cache.folder.glob("*.npy"))
    rows.append(("cache, first epoch, from the disk", images_per_second(lambda: epoch(cache, num_workers=0), 1)))
    rows.append(("cache", images_per_second(lambda: epoch(cache, num_workers=0), repeats)))
    rows.append(("cache, 2 threads ahead", images_per_second(lambda: epoch(cache, num_workers=2), repeats)))
    rows.append(("cache, a DataLoader's 2 workers ahead", worker_epochs(cache, args.batch_size, 2, repeats)))
    encoded = partial(cached_epoch, cache, args.batch_size, 2, encoded=True)
    rows.append(("2 threads ahead, floats and one-hot", images_per_second(encoded, repeats)))
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", choices=sorted(DATASETS), help="read this one's files instead of rendered ones")
    parser.add_argument("--root", type=Path, help="its folder")
    parser.add_argument("--split", default="train")
    parser.add_argument("--size", type=int, nargs="+", default=[256], metavar="H [W]", help="of the batches [256]")
    parser.add_argument("--file-size", type=int, default=512, help="of the rendered files, squares [512]")
    parser.add_argument("--num-images", type=int, default=256, help="rendered [256]")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument(
        "--num-workers",
        type=int,
        default=os.cpu_count(),
        help="processes of the DataLoader, threads that build the cache [all cores]",
    )
    parser.add_argument("--repeats", type=int, default=3, help="epochs a row, of which the best counts [3]")
    args = parser.parse_args()
    if (args.dataset is None) != (args.root is None):
        parser.error("--dataset and --root go together")
    size = (args.size[0], args.size[-1])

    with tempfile.TemporaryDirectory() as temporary:
        root = args.root or Path(temporary) / "scenes"
        if args.root is None:
            render_folder(root, num_images=args.num_images, file_size=args.file_size)
        dataset = open_dataset(args.dataset or "folder", root, args.split, size=size)
        rows = measure(dataset, Path(temporary), args)
    peer = max(speed for _, speed in rows[:2])
    print(f"{len(dataset)} images of {dataset.name} at {size[0]} x {size[1]}, batch {args.batch_size},", end=" ")
    print(f"{os.cpu_count()} cores, torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'':42}  images/s  to the best of the first two")
    for name, speed in rows:
        print(f"{name:42}{speed:10.0f}{speed / peer:10.2f}")


if __name__ == "__main__":
    main()
