"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import numpy as np


def classes_in_place(ids):
    ids[ids == 7] = 0
    ids[ids == 11] = 1
    ids[ids == 23] = 2
    ids[ids == 0] = 3
    return ids


WRONG = [
    (1, lambda names: names[::10], "both parts"),
    (1, lambda names: [name for name in names if name < "film01"], "about a tenth"),
    (1, lambda names: ["film03", "film13"], "not among the names"),
    (2, classes_in_place, "taken for unpainted"),
    (2, lambda ids: np.searchsorted([0, 7, 11, 23], ids), "numbered by size"),
]
