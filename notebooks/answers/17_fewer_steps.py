"""Answers to the exercises of "Fewer steps"; `python -m sdm_lite.reproduce --teacher DIR` sets them in."""


# %% exercise 1
# Equal strides of the root, N - 1 of them, and back.
def my_noise_levels(num_steps, sigma_max, sigma_min, rho):
    first, end = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return [(first + i / (num_steps - 1) * (end - first)) ** rho for i in range(num_steps)]


# %% exercise 2
# The turn, solved for the velocity.
def my_target(x_t, x_r, cos, sin):
    return (cos * x_t - x_r) / sin


# %% exercise 3
# The matrix of (x_t, v) is a turn, so its inverse is its transpose.
def my_flow(x_t, v, a, g):
    x_0, eps = a * x_t - g * v, g * x_t + a * v
    return x_t / (a + g), g / (a + g), eps - x_0
