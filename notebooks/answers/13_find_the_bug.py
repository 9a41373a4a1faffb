"""Answers to the exercises of the lesson "Find the bug"; `python -m sdm_lite.reproduce --teacher DIR` sets them in."""

# %% imports
import numpy as np

# %% exercise 1
# X explodes: with the product in front, every step undoes all steps (1). Z is too narrow at once: nearly all the noise
# goes in the first step (2). Y is too wide at the start, by 1 / sqrt(1 - beta_t), and ends sharp, as its last step has
# no noise (3). W is as it should be until the end, where the noise of a last step stays on it (4).
my_suspects = "4132"


# %% exercise 2
# With x_0 = (x_t - sqrt(1 - a) eps) / sqrt(a), v = sqrt(a) eps - sqrt(1 - a) x_0 is eps / sqrt(a) less a share of x_t:
# two v of one x_t differ by 1 / sqrt(a) times what the two eps do, and those by -sqrt(1 - a) times the gradient.
def my_gradient(difference, alpha_bar):
    return -((alpha_bar / (1 - alpha_bar)) ** 0.5) * difference


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
