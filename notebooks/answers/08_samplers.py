"""Answers to the exercises of the lesson "Samplers"; `python -m sdm_lite.reproduce --teacher DIR` sets them in."""

# %% imports
import torch

from sdm_lite.sampling import times


# %% exercise 1
# What is drawn has the mean and the standard deviation of the step; the last step ends at its mean.
def my_sampler(denoise, diffusion, x_T, pairs, fresh):
    x = x_T
    for now, then in pairs:
        t, r = times(x, now, then)
        mean, log_variance = diffusion.reverse(denoise(x, t), x, t, r)
        z = fresh() if then > 0 else 0
        x = mean + torch.exp(log_variance / 2) * z
    return x


# %% exercise 2
# One step is undone, so the prefactor and the share of the noise are one step's; Sigma is that of x_{t-1} itself.
def my_line_5(x_t, eps, beta_t, alpha_bar, variance, z):
    mean = (x_t - beta_t / (1 - alpha_bar) ** 0.5 * eps) / (1 - beta_t) ** 0.5
    return mean + variance**0.5 * z


# %% exercise 3
# Variances add up: what sigma takes of 1 - alpha_bar_r, eps must give.
def my_dose(x_0, eps, z, alpha_bar_t, alpha_bar_r, eta):
    posterior_variance = (1 - alpha_bar_r) / (1 - alpha_bar_t) * (1 - alpha_bar_t / alpha_bar_r)
    sigma = eta * posterior_variance**0.5
    return alpha_bar_r**0.5 * x_0 + (1 - alpha_bar_r - sigma**2) ** 0.5 * eps + sigma * z
