"""Answers to the exercises of "Your own photographs"; `python -m sdm_lite.reproduce --teacher DIR` sets them in."""

# %% imports
import numpy as np


# %% exercise 1
# Films are chosen, not frames: every tenth film, with all that it has.
def my_held_out(names):
    films = sorted({name.partition("_")[0] for name in names})
    chosen = set(films[::10])
    return [name for name in names if name.partition("_")[0] in chosen]


# %% exercise 2
# Read from the old array, written into a new one: else a 0 could be a road or a pixel that nobody painted.
def my_classes(ids):
    classes = np.full_like(ids, 3)
    for class_id, value in enumerate((7, 11, 23)):
        classes[ids == value] = class_id
    return classes
