"""Answers to the exercises of the lesson "Training"; `python -m sdm_lite.reproduce --teacher DIR` sets them in."""

# %% imports
import numpy as np
import torch

from sdm_lite.diffusion import mean_flat, normal_kl
from sdm_lite.train import draw_step, ema_update, hybrid_losses, learning_rate_at


# %% exercise 1
# q first: the bound asks p to cover q. The predicted x_0 is detached, so that the bound pulls at the variance alone.
def my_hybrid_loss(diffusion, prediction, x_0, x_t, t, noise):
    simple = mean_flat((noise - prediction.eps) ** 2)
    fixed = prediction._replace(x0=prediction.x0.detach())
    q = diffusion.posterior(x_0, x_t, t, t - 1)
    p = diffusion.reverse(fixed, x_t, t, t - 1)
    return simple + mean_flat(normal_kl(q, p)) / np.log(2)  # lambda T = 1


# %% exercise 2
# The same x_t and the same, dropped, labels for both parts of the loss: line 6 of the algorithm as it is meant.
def my_step(unet, diffusion, x_0, c, keep, t, noise):
    x_t = diffusion.q_sample(x_0, t, noise)
    output = unet(x_t, t, c * keep)
    return diffusion.losses(output, x_0, x_t, t, noise).total.mean()


# %% exercise 3
# Clear, pull, clip, step; and only then the average, which follows the weights that the step has made.
def my_train(unet, ema, optimizer, diffusion, batches, config):
    for step in range(config.num_steps):
        batch = batches(step)
        draws = draw_step(step, batch.images.shape, diffusion.num_timesteps, config)
        loss = hybrid_losses(unet, diffusion, batch, draws, config).total.mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), config.max_gradient_norm)
        optimizer.param_groups[0]["lr"] = learning_rate_at(step, config)
        optimizer.step()
        ema_update(ema, unet, step, config.ema_rate)


# %% exercise 4
my_lambda = 1 / 4000  # losses multiplies by T, and lambda T is to be 1


# %% exercise 5
# The derivative of ((variance_q + d^2) / v + log v) / 2 is zero at the first; that of (v / variance_q - log v) / 2,
# where d does not stand beside v, at the second.
def my_variances(variance_q, d):
    return variance_q + d**2, variance_q


# %% exercise 6
# Each step keeps 0.9999 of the old average, so its share after n steps is 0.9999^n.
my_shares = (0.9999**500, int(np.ceil(np.log(0.5) / np.log(0.9999))))
