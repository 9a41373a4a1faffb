"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import numpy as np


def even_sigmas(num_steps, sigma_max, sigma_min, rho):
    return list(np.linspace(sigma_max, sigma_min, num_steps))


def rising(num_steps, sigma_max, sigma_min, rho):
    return list(np.linspace(sigma_min ** (1 / rho), sigma_max ** (1 / rho), num_steps) ** rho)


def without_the_end(num_steps, sigma_max, sigma_min, rho):
    return list(np.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), num_steps, endpoint=False) ** rho)


def direction_turned(x_t, v, a, g):
    return x_t / (a + g), g / (a + g), (a * x_t - g * v) - (g * x_t + a * v)


WRONG = [
    (1, even_sigmas, "rho = 1"),
    (1, rising, "other order"),
    (1, without_the_end, "N - 1 strides"),
    (2, lambda x_t, x_r, cos, sin: (x_r - cos * x_t) / sin, "sign"),
    (2, lambda x_t, x_r, cos, sin: (x_t - x_r) / sin, "turned too"),
    (3, direction_turned, "other direction"),
    (3, lambda x_t, v, a, g: (x_t / (a + g), g / (a + g), v), "get both back"),
    (3, lambda x_t, v, a, g: (x_t, g, (g - a) * x_t + (a + g) * v), "Not yet"),
]
