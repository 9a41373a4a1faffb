"""Answers to the exercises of "The null label"; `python -m sdm_lite.reproduce --teacher DIR` sets them in."""

# %% imports
import numpy as np

# %% exercise 1
my_probability = (1 - 0.2) ** 8  # all eight kept, each independently of the others


# %% exercise 2
# Bayes: the two labels weigh as exp(+-sqrt(alpha_bar) x_t / (1 - alpha_bar)); the mean of -1 and 1 is their tanh.
def my_null_answer(x_t, alpha_bar):
    return np.tanh(alpha_bar**0.5 * x_t / (1 - alpha_bar))


# %% exercise 3
my_num_passes = 0.8 * 1 + 0.2 * 2  # two only where the labels were dropped, for there the two maps differ
