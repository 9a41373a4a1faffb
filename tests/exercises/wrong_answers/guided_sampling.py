"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import torch

WRONG = [
    (1, lambda c, n, s: torch.cat([c[:, :3] + s * (c[:, :3] - n[:, :3]), c[:, 3:]], 1), "Eq. 16"),
    (1, lambda c, n, s: torch.cat([n[:, :3] - s * (c[:, :3] - n[:, :3]), c[:, 3:]], 1), "wrong sign"),
    (1, lambda c, n, s: n + s * (c - n), "variance is guided"),
    (2, (2.0, 2.0), "starts at the conditional"),
    (2, (1.0, 1.0), "first is right"),
    (2, 1.0, "expected 2 things"),
]
