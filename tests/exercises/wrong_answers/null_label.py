"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import numpy as np

WRONG = [
    (1, 0.2**8, "all eight are dropped"),
    (1, 1 - 0.8**8, "at least one"),
    (2, lambda x, a: a**0.5 * x, "linear"),
    (2, lambda x, a: np.tanh(a * x / (1 - a)), "square root"),
    (2, lambda x, a: np.sign(x), "likelier label"),
    (2, lambda x, a: 0, "before x_t is seen"),
    (3, 2, "one pass"),
    (3, 1.8, "exchanged"),
]
