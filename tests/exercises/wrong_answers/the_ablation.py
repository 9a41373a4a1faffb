"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import torch


def rival_that_reads_labels_first(unet, x_t, t, condition):
    condition = condition.expand(len(x_t), -1, -1, -1)
    return unet.decode(unet.encode(torch.cat([condition, x_t], dim=1), t), None)


WRONG = [
    (1, 150 * 256 * 9, "unknown"),
    (1, 151 * 256, "3 x 3"),
    (2, rival_that_reads_labels_first, "picture first"),
    (1, 151 * 9, "output"),
    (1, 152 * 256 * 9, "no instance edges"),
    (2, lambda unet, x, t, c: unet(x, t, c), "encode, then decode"),
    (
        2,
        lambda unet, x, t, c: unet.decode(unet.encode(torch.cat([x, 0 * c.repeat(2, 1, 1, 1)], 1), t), None),
        "null label",
    ),
]
