"""A data set at its size, on disk: photographs are decoded and resized once, not every epoch.

cache = open_cache(open_dataset("celebamask-hq", ROOT, "train"))
batches = CachedBatches(cache, batch_size=32, flip_probability=0.5, seed=0)
with Prefetch(batches) as ahead:
    for step in train(unet, ema, diffusion, ahead, config): ...
"""

from sdm_lite.cache.building import open_cache as open_cache
from sdm_lite.cache.loading import CachedBatches as CachedBatches
from sdm_lite.cache.loading import Prefetch as Prefetch
from sdm_lite.cache.stored import Cache as Cache
from sdm_lite.cache.stored import cache_root as cache_root
