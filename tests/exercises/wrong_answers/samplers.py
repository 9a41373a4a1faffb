"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""

import torch

from sdm_lite.sampling import times


def sampler_with_the_variance(denoise, diffusion, x_T, pairs, fresh):
    x = x_T
    for now, then in pairs:
        t, r = times(x, now, then)
        mean, log_variance = diffusion.reverse(denoise(x, t), x, t, r)
        x = mean + torch.exp(log_variance) * (fresh() if then else 0)
    return x


def sampler_that_never_stops(denoise, diffusion, x_T, pairs, fresh):
    x = x_T
    for now, then in pairs:
        t, r = times(x, now, then)
        mean, log_variance = diffusion.reverse(denoise(x, t), x, t, r)
        x = mean + torch.exp(log_variance / 2) * fresh()
    return x


def sampler_by_single_steps(denoise, diffusion, x_T, pairs, fresh):
    x = x_T
    for now, _ in pairs:
        (t,) = times(x, now)
        mean, log_variance = diffusion.reverse(denoise(x, t), x, t, t - 1)
        x = mean + torch.exp(log_variance / 2) * (fresh() if _ else 0)
    return x


def sampler_with_the_lower_bound(denoise, diffusion, x_T, pairs, fresh):
    x = x_T
    for now, then in pairs:
        t, r = times(x, now, then)
        mean, log_variance = diffusion.posterior(denoise(x, t).x0, x, t, r)
        x = mean + torch.exp(log_variance / 2) * (fresh() if then else 0)
    return x


WRONG = [
    (1, sampler_with_the_variance, "standard deviation"),
    (1, sampler_that_never_stops, "last step still adds noise"),
    (1, sampler_by_single_steps, "not to t - 1"),
    (1, sampler_with_the_lower_bound, "lower bound"),
    (2, lambda x, e, b, a, v, z: ((x - (1 - a) / (1 - b) ** 0.5 * e) + v**0.5 * z) / a**0.5, "as printed"),
    (2, lambda x, e, b, a, v, z: (x - b / (1 - a) ** 0.5 * e + v**0.5 * z) / (1 - b) ** 0.5, "inside the bracket"),
    (3, lambda x, e, z, t, r, n: r**0.5 * x + (1 - r) ** 0.5 * e + n * z, "off by"),
    (
        3,
        lambda x, e, z, t, r, n: r**0.5 * x + (1 - r) ** 0.5 * e + n * ((1 - r) / (1 - t) * (1 - t / r)) ** 0.5 * z,
        "all of its weight",
    ),
    (
        3,
        lambda x, e, z, t, r, n: r**0.5 * x + (1 - r - n**2 * (1 - t / r)) ** 0.5 * e + n * (1 - t / r) ** 0.5 * z,
        "forward step",
    ),
]
