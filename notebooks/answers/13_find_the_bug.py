"""Answers to the exercises of the lesson "Find the bug"; `python -m sdm_lite.reproduce --teacher DIR` sets them in."""

# %% imports
import numpy as np

# %% exercise 1
# 1 B: a step undoes one step, so it divides by the root of one 1 - beta_t. With the product, every step undoes all.
# 2 C: the noise has weight sqrt(1 - alpha_t) in x_t, and one step's share of it goes.
# 3 B: Sigma is the variance of x_{t-1} itself, so nothing multiplies it. 4 B: the loop ends at 1, never at 0.
my_reading = "BCBB"


# %% exercise 2
# The score of x_t is -eps / sqrt(1 - alpha_bar): so for each of the two predictions, and so for their difference.
def my_gradient(difference, alpha_bar):
    return -difference / (1 - alpha_bar) ** 0.5


# %% exercise 3
# Eq. 16 starts at the conditional prediction, which is already s = 1 of Algorithm 2: its scale is one less.
my_suspect = ("B", 1.0)

# %% exercise 4
# Eq. 10: the least squared error is reached at the mean, the least norm at the (geometric) median, which the many win.
# Eq. 12: p's own variance enters KL(p || q) beside q's alone, so the best is q's, beta~, however unsure the mean is.
# Eq. 13: 0.001 belongs to the sum over 1000 steps; before one term it pulls a thousand times too weakly.
my_traces = "BAC"

# %% exercise 5
my_temperature = np.log(99 * 255) / 2  # e^a / (e^a + 255 e^-a) = 0.99 where e^(2 a) = 99 * 255
