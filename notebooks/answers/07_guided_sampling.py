"""Answers to the exercises of "Guided sampling"; `python -m sdm_lite.reproduce --teacher DIR` sets them in."""

# %% imports
import torch


# %% exercise 1
# From null towards the conditional prediction, and beyond it where s > 1; the variance is the conditional one's.
def my_guide(conditional, null, guidance_scale):
    guided = null[:, :3] + guidance_scale * (conditional[:, :3] - null[:, :3])
    return torch.cat([guided, conditional[:, 3:]], dim=1)


# %% exercise 2
# Eq. 16 counts from the conditional prediction: one less. A clean picture is x_0 = (x_t - sigma eps) / signal, and
# x_t enters both branches with weights (1 - s) + s = 1, so there the scale stays.
my_scales = (1.0, 2.0)
