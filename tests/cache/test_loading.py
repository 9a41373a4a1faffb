"""Batches from disk are the batches from memory, with any number of threads, in any order."""

import threading

import numpy as np
import pytest
import torch
from cached_files import Files, write

from sdm_lite.batches import ImageBatches, collate, encode
from sdm_lite.cache import CachedBatches, Prefetch, open_cache
from sdm_lite.datasets import open_dataset

NUM_EXAMPLES = 11
RECIPE = {"batch_size": 4, "flip_probability": 0.5, "seed": 3}


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for i in range(NUM_EXAMPLES):
        write(folder / f"{i:03}.raw", i)
    return Files(folder)


@pytest.fixture
def cache(dataset, tmp_path):
    return open_cache(dataset, tmp_path / "caches")


def in_memory(dataset, **change):
    examples = (dataset[i] for i in range(len(dataset)))
    return ImageBatches(collate(examples, 3, has_instances=dataset.has_instances), **(RECIPE | change))


def assert_same(a, b):
    for x, y in zip(a[:3], b[:3], strict=True):
        assert (x is None and y is None) or (torch.equal(x, y) and x.dtype == y.dtype)


@pytest.mark.parametrize("has_instances", [True, False])
def test_batches_from_disk_are_those_from_memory(dataset, tmp_path, has_instances):
    dataset.has_instances = has_instances
    memory = in_memory(dataset)
    cache = open_cache(dataset, tmp_path / "caches")
    disk = CachedBatches(cache, **RECIPE)
    assert (len(disk), cache.num_classes, cache.has_instances) == (len(memory), 3, has_instances)
    for step in (0, 1, 2, 7, 3):
        assert_same(disk(step), memory(step))


def test_shards_from_disk_are_those_from_memory(dataset, cache):
    for shard in ((0, 2), (1, 2)):
        assert_same(CachedBatches(cache, **RECIPE, shard=shard)(5), in_memory(dataset, shard=shard)(5))


def test_the_fingerprint_follows_the_pixels(dataset, cache, tmp_path):
    assert open_cache(dataset, tmp_path / "elsewhere").fingerprint() == cache.fingerprint()
    write(dataset.root / "005.raw", 99)
    assert open_cache(dataset, tmp_path / "caches").fingerprint() != cache.fingerprint()


def test_a_batch_larger_than_the_data_set_is_told(cache):
    with pytest.raises(ValueError, match="11 images, fewer than a batch of 12"):
        CachedBatches(cache, batch_size=12, flip_probability=0.0, seed=0)


@pytest.mark.parametrize("num_workers", [0, 1, 3])
def test_threads_change_nothing(cache, num_workers):
    batches = CachedBatches(cache, **RECIPE)
    with Prefetch(batches, num_workers=num_workers) as ahead:
        for step in [*range(12), 3, 40, 41, 2]:
            assert_same(ahead(step), batches(step))


def test_the_steps_that_follow_are_made_ahead_and_no_more():
    made, enough = [], threading.Semaphore(0)

    def batches(step):
        made.append(step)
        enough.release()
        return step

    with Prefetch(batches, num_workers=1) as ahead:
        assert ahead(5) == 5
        for _ in range(5):
            assert enough.acquire(timeout=10)
        assert made == [5, 6, 7, 8, 9]
        assert ahead(6) == 6
        assert enough.acquire(timeout=10)
        assert made == [5, 6, 7, 8, 9, 10]


def test_an_error_of_a_thread_comes_with_its_step():
    def batches(step):
        if step == 2:
            raise ValueError("step 2 is bad")
        return step

    with Prefetch(batches, num_workers=2) as ahead:
        assert [ahead(0), ahead(1)] == [0, 1]
        for _ in range(2):
            with pytest.raises(ValueError, match="step 2 is bad"):
                ahead(2)
        assert ahead(3) == 3


def test_threads_end_when_closed(cache):
    before = threading.active_count()
    with Prefetch(CachedBatches(cache, **RECIPE), num_workers=3) as ahead:
        ahead(0)
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_a_negative_number_of_threads_is_told():
    with pytest.raises(ValueError, match="num_workers must be at least 0, got -1"):
        Prefetch(lambda step: step, num_workers=-1)


def test_a_published_data_set_trains_from_its_cache(tmp_path):
    """CamVid's layout: what the network is given from the cache is what the data set says an example is."""
    image_module = pytest.importorskip("PIL.Image")
    chance = np.random.default_rng(0)
    for i in range(5):
        for kind, suffix, array in (
            ("images", "jpg", chance.integers(0, 256, (64, 96, 3), dtype=np.uint8)),
            ("labels", "png", np.repeat(chance.integers(0, 11, (8, 12), dtype=np.uint8), 8, 0).repeat(8, 1)),
        ):
            (tmp_path / kind / "train").mkdir(parents=True, exist_ok=True)
            image_module.fromarray(array).save(tmp_path / kind / "train" / f"{i}.{suffix}")
    camvid = open_dataset("camvid", tmp_path, "train", size=(32, 48))
    cache = open_cache(camvid, tmp_path / "caches")
    batches = CachedBatches(cache, batch_size=5, flip_probability=0.0, seed=0)
    chosen, _ = batches.order(0)
    x0, condition = encode(batches(0))
    assert condition.shape == (5, camvid.num_classes + 1, 32, 48)
    for k, i in enumerate(chosen.tolist()):
        image, label_map, _ = camvid[i]
        torch.testing.assert_close(x0[k], image)
        assert torch.equal(condition[k, :-1].argmax(0), label_map)
