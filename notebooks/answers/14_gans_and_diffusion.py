"""Answers to the exercises of "GANs and diffusion"; `python -m sdm_lite.reproduce --teacher DIR` sets them in."""

# %% imports
from torch.nn import functional as F

# %% exercise 1
spade_weights = (9 * 12 * 32 + 32) + (9 * 32 * 192 + 192)
clade_weights = 2 * 11 * 96 + 2  # two tables, and the edge's two numbers
my_ratio = spade_weights / clade_weights


# %% exercise 2
# Hinge: who is on the right side by the margin of 1 costs nothing more. The generator has no margin.
def my_game(of_true, of_drawn):
    return F.relu(1 - of_true).mean() + F.relu(1 + of_drawn).mean(), -of_drawn.mean()


# %% exercise 3
# An object is a row of the first two tensors; the third belongs to the whole picture. Cloned, the first stays whole.
def my_noise(noise, other, j):
    scales, shifts, picture = noise
    scales, shifts = scales.clone(), shifts.clone()
    scales[:, j], shifts[:, j] = other[0][:, j], other[1][:, j]
    return scales, shifts, picture
