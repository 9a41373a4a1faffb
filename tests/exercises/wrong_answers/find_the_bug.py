"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import numpy as np

WRONG = [
    (1, "AAAA", "as printed"),
    (1, "BCBA", "3 of 4"),
    (1, "B", "four letters"),
    (2, lambda d, a: d / (1 - a) ** 0.5, "wrong sign"),
    (2, lambda d, a: -d / (1 - a), "root"),
    (3, ("D", 2.0), "shares of S"),
    (3, ("B", 2.0), "letter is right"),
    (4, "BCA", "hardly moved"),
    (4, "BBB", "once"),
    (5, np.log(99 * 255), "half of it"),
    (5, np.log(99) / 2, "255 others"),
]
