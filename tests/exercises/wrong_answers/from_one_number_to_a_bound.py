"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import numpy as np

from sdm_lite.diffusion import normal_kl


def bound_turned_round(x_0, q_T, p_T, q_steps, p_steps, p_0):
    last = 0.5 * ((x_0 - p_0.mean) ** 2 / p_0.log_variance.exp() + p_0.log_variance + np.log(2 * np.pi))
    return (normal_kl(p_T, q_T) + sum(map(normal_kl, p_steps, q_steps)) + last) / np.log(2)


def bound_of_steps_turned_round(x_0, q_T, p_T, q_steps, p_steps, p_0):
    last = 0.5 * ((x_0 - p_0.mean) ** 2 / p_0.log_variance.exp() + p_0.log_variance + np.log(2 * np.pi))
    return (normal_kl(q_T, p_T) + sum(map(normal_kl, p_steps, q_steps)) + last) / np.log(2)


def bound_without_its_end(x_0, q_T, p_T, q_steps, p_steps, p_0):
    last = 0.5 * ((x_0 - p_0.mean) ** 2 / p_0.log_variance.exp() + p_0.log_variance + np.log(2 * np.pi))
    return (sum(map(normal_kl, q_steps, p_steps)) + last) / np.log(2)


WRONG = [
    (1, lambda v: (1 / v, (v * np.log(2)) ** 0.5), "half"),
    (1, lambda v: (1 / (2 * v), (2 * v) ** 0.5), "one nat"),
    (2, lambda a, A, b, B: ((a + b) / 2, A * B / (A + B)), "half-way"),
    (2, lambda a, A, b, B: ((a * B + b * A) / (A + B), A + B), "precisions"),
    (3, bound_turned_round, "stands first"),
    (3, bound_of_steps_turned_round, "KLs of the steps"),
    (3, bound_without_its_end, "end of the noise"),
    (4, lambda now, before: before / (1 - before) - now / (1 - now), "half"),
    (4, lambda now, before: 0.5 * now / (1 - now), "off by"),
]
