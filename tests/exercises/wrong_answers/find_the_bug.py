"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import numpy as np

WRONG = [
    (1, "2431", "asked is which place each suspect"),
    (1, "1234", "of 4 are right"),
    (1, "BCBB", "four digits"),
    (1, "4231", "grows without bound"),
    (2, lambda d, a: -d / (1 - a) ** 0.5, "predictions of the noise"),
    (2, lambda d, a: -(((1 - a) / a) ** 0.5) * d, "upside down"),
    (2, lambda d, a: d * (a / (1 - a)) ** 0.5, "wrong sign"),
    (3, ("D", 2.0), "shares of S"),
    (3, ("B", 2.0), "letter is right"),
    (3, ("C", 1.0), "the scale is right"),
    (4, "CAB", "Eq. 10 has none"),
    (4, "BCA", "hardly moved"),
    (4, "BBB", "once"),
    (5, 10.0, "can weigh 1.0000"),
    (5, np.log(99 * 255), "half of it"),
    (5, np.log(99) / 2, "255 others"),
]
