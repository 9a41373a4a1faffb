"""Answers of "From one number to a bound"; `python -m sdm_lite.reproduce --teacher DIR` sets them in."""

# %% imports
import math

from sdm_lite.diffusion import normal_kl


# %% exercise 1
# With equal variances d^2 / (2 v) is left, in nats; one bit is log 2 of them.
def my_shift(variance):
    return 1 / (2 * variance), math.sqrt(2 * variance * math.log(2))


# %% exercise 2
# Precisions add, and each mean is weighted by its own.
def my_product(mean_1, variance_1, mean_2, variance_2):
    variance = 1 / (1 / variance_1 + 1 / variance_2)
    return variance * (mean_1 / variance_1 + mean_2 / variance_2), variance


# %% exercise 3
# q stands first in every KL; the last step is a surprise, not a KL.
def my_bound(x_0, q_T, p_T, q_steps, p_steps, p_0):
    last = 0.5 * ((x_0 - p_0.mean) ** 2 / p_0.log_variance.exp() + p_0.log_variance + math.log(2 * math.pi))
    steps = sum(normal_kl(q, p) for q, p in zip(q_steps, p_steps, strict=True))
    return (normal_kl(q_T, p_T) + steps + last) / math.log(2)


# %% exercise 4
# Squared weight of x_0 in the mean, by twice the variance: everything but the two ratios cancels.
def my_weight_of_x_0(alpha_bar_t, alpha_bar_before):
    return 0.5 * (alpha_bar_before / (1 - alpha_bar_before) - alpha_bar_t / (1 - alpha_bar_t))
