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
    (1, lambda n, high, low, rho: np.geomspace(high, low, n), "log sigma"),
    (1, lambda n, high, low, rho: np.linspace(high ** (1 / rho), low ** (1 / rho), n), "to the power rho"),
    (1, lambda n, high, low, rho: [*np.linspace(high ** (1 / rho), low ** (1 / rho), n) ** rho, 0], "without the 0"),
    (1, lambda n, high, low, rho: np.linspace(high ** (1 / rho), low ** (1 / rho), n + 1) ** rho, "one too many"),
    (1, lambda n, high, low, rho: high, "got 80.0"),
    (2, lambda x_t, x_r, cos, sin: (x_r - cos * x_t) / sin, "sign"),
    (2, lambda x_t, x_r, cos, sin: (x_t - x_r) / sin, "turned too"),
    (2, lambda x_t, x_r, cos, sin: (x_r - x_t) / sin, "turned too"),
    (2, lambda x_t, x_r, cos, sin: (x_t - cos * x_r) / sin, "ends are exchanged"),
    (2, lambda x_t, x_r, cos, sin: (cos * x_t - x_r) / cos, "divided by cos"),
    (2, lambda x_t, x_r, cos, sin: (sin * x_t - x_r) / cos, "cos and sin are exchanged"),
    (3, direction_turned, "other direction"),
    (3, lambda x_t, v, a, g: (x_t / (a + g), g / (a + g), v), "get both back"),
    (3, lambda x_t, v, a, g: (x_t, g, (g - a) * x_t + (a + g) * v), "both to be divided"),
    (3, lambda x_t, v, a, g: (x_t * (a + g), g / (a + g), (g - a) * x_t + (a + g) * v), "not times it"),
    (3, lambda x_t, v, a, g: (x_t / (a + g), g**2, (g - a) * x_t + (a + g) * v), "not a^2"),
    (3, lambda x_t, v, a, g: (x_t / (a + g), g / a, (g - a) * x_t + (a + g) * v), "sigma"),
    (3, lambda x_t, v, a, g: (x_t / (a + g), g / (a + g), g * x_t + a * v), "that is eps"),
    (3, lambda x_t, v, a, g: (x_t / (a + g), g / (a + g), g * x_t + a * v - (a * x_t + g * v)), "a sign in x_0"),
    (3, lambda x_t, v, a, g: (x_t / (a + g), g / (a + g), (a + g) * v), "one of x_t as well"),
]
