"""Answers to the exercises of "Guidance, measured"; `python -m sdm_lite.reproduce --teacher DIR` sets them in."""

# %% exercise 1
# One does not push while points choose their mode; of the other neither prediction knows of orange.
my_keepers = {"interval", "autoguidance"}


# %% exercise 2
# The part of the way gone that lies along the push, in units of the push.
def my_excess(x0, x0_c, x0_null):
    push, gone = (x0_c - x0_null).flatten(1), (x0 - x0_c).flatten(1)
    return (gone * push).sum(1) / (push * push).sum(1)


# %% exercise 3
# Beyond the null label's step: a_r lam D by CFG++, s D (a_r - g_r a_t / g_t) by DDIM.
def my_scale_of_cfg_plus_plus(lam, sigma_t, sigma_r):
    return lam / (1 - sigma_r / sigma_t)
