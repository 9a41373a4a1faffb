"""Small pictures and a palette for tests of figures."""

import numpy as np

PALETTE = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=np.uint8)


def noise_tile(seed, height=6, width=5):
    return np.random.default_rng(seed).integers(0, 200, (height, width, 3), dtype=np.uint8)
