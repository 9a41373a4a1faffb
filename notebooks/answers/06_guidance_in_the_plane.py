"""Answers to the exercises of "Guidance in the plane"; `python -m sdm_lite.reproduce --teacher DIR` sets them in."""


# %% exercise 1
# Each score is noise, turned round and scaled; the factor is the same for both, so it can wait to the end.
def my_guided_eps(score_c, score_null, alpha_bar, s):
    return -((1 - alpha_bar) ** 0.5) * (score_null + s * (score_c - score_null))


# %% exercise 2
# Exponents add up: -(x^2 / 2) (s / v - (s - 1)) + x s m / v. A normal has 1 / variance and mean / variance there.
def my_tilted_normal(m, variance, s):
    tilted = 1 / (s / variance - (s - 1))
    return tilted * s * m / variance, tilted


# %% exercise 3
# Everything is a number times x_t: the noise by the two scores, the clean point by the noise, the step by both.
def my_final_std(variance, s, alpha_bars):
    std = 1.0
    for now, then in zip(alpha_bars[:-1], alpha_bars[1:], strict=True):
        eps = (1 - now) ** 0.5 * (s / (now * variance + 1 - now) - (s - 1))
        x_0 = (1 - (1 - now) ** 0.5 * eps) / now**0.5
        std = std * (then**0.5 * x_0 + (1 - then) ** 0.5 * eps)
    return std
