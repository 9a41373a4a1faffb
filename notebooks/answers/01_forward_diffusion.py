"""Answers to the exercises of "Forward diffusion"; `python -m sdm_lite.reproduce --teacher DIR` sets them in."""


# %% exercise 1
# The weights are roots, since it is the variances that add up to 1.
def my_q_sample(x_0, alpha_bar, noise):
    return alpha_bar.sqrt() * x_0 + (1 - alpha_bar).sqrt() * noise


# %% exercise 2
# beta is the noise added between r and t; the rest is the formula, a weight for each of the two.
def my_posterior_mean(x_0, x_t, alpha_bar_t, alpha_bar_r):
    beta = 1 - alpha_bar_t / alpha_bar_r
    of_x_0 = alpha_bar_r.sqrt() * beta / (1 - alpha_bar_t)
    of_x_t = (1 - beta).sqrt() * (1 - alpha_bar_r) / (1 - alpha_bar_t)
    return of_x_0 * x_0 + of_x_t * x_t


# %% exercise 3
# The factors 1 - beta between r and t multiply to the quotient of the two products; then it is q_sample again.
def my_jump(diffusion, x_r, r, t, noise):
    ratio = diffusion.alpha_bar(t) / diffusion.alpha_bar(r)
    return ratio.sqrt() * x_r + (1 - ratio).sqrt() * noise


# %% exercise 4
# The mean of k * k independent numbers has 1 / k^2 of their variance, so the large picture needs 1 / k^2 of the ratio.
def my_level(alpha_bar, k):
    snr = alpha_bar / (1 - alpha_bar) / k**2
    return snr / (1 + snr)


# %% exercise 5
# Jointly normal: what x_t does not tell is Var(x_r) less Cov^2 / Var(x_t). With d = 0 it is beta~, with d = 1 beta.
def my_variance(variance_0, alpha_bar_r, alpha_bar_t):
    variance_r = variance_0 * alpha_bar_r + 1 - alpha_bar_r
    variance_t = variance_0 * alpha_bar_t + 1 - alpha_bar_t
    covariance = (alpha_bar_t / alpha_bar_r) ** 0.5 * variance_r
    return variance_r - covariance**2 / variance_t
