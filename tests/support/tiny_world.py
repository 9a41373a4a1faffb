"""A network of a few thousand weights for Scenes of 16 pixels: what the tests of the widgets sample from."""

from dataclasses import replace

from networks import TINY, randomised

from sdm_lite import DiffusionConfig, Model, Scenes

CONFIG = replace(TINY, num_classes=11, instance_edges=True)


def tiny_scenes():
    return Scenes(16, seed=1)


def tiny_model():
    """Random weights, none of them zero: every setting and every label reaches the picture."""
    return Model(randomised(CONFIG), DiffusionConfig().build())
