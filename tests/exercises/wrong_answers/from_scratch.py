"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import torch
from torch.nn import functional as F


def edges_on_one_side(instance_map):
    edges = torch.zeros_like(instance_map, dtype=torch.bool)
    edges[:, 1:] |= instance_map[:, 1:] != instance_map[:, :-1]
    edges[:, :, 1:] |= instance_map[:, :, 1:] != instance_map[:, :, :-1]
    return edges[:, None].float()


def edges_of_a_ring(instance_map):
    differs = [instance_map != instance_map.roll(by, axis) for by in (1, -1) for axis in (1, 2)]
    return torch.stack(differs).any(0)[:, None].float()


def ddim_without_division(x_0, x_t, alpha_bar_t, alpha_bar_r):
    return alpha_bar_r.sqrt() * x_0 + (1 - alpha_bar_r).sqrt() * (x_t - alpha_bar_t.sqrt() * x_0)


def edges_with_padding(instance_map):
    around = F.pad(instance_map, (1, 1, 1, 1))
    here = around[:, 1:-1, 1:-1]
    rows = (around[:, :-2, 1:-1] != here) | (around[:, 2:, 1:-1] != here)
    return (rows | (around[:, 1:-1, :-2] != here) | (around[:, 1:-1, 2:] != here))[:, None].float()


def ddim_of_all_of_x_0(x_0, x_t, alpha_bar_t, alpha_bar_r):
    eps = (x_t - x_0) / (1 - alpha_bar_t).sqrt()
    return alpha_bar_r.sqrt() * x_0 + (1 - alpha_bar_r).sqrt() * eps


WRONG = [
    (1, edges_with_padding, "zeros of the padding"),
    (2, ddim_of_all_of_x_0, "that much of x_0"),
    (1, edges_on_one_side, "one side"),
    (1, edges_of_a_ring, "no ring"),
    (2, ddim_without_division, "divide by that"),
    (2, lambda x_0, x_t, now, then: then.sqrt() * x_0 + (1 - then).sqrt() * x_t, "not the noise"),
]
