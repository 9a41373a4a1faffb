"""Answers to the exercises of the lesson "The SDM U-Net"; `python -m sdm_lite.reproduce --teacher DIR` sets them in."""

# %% imports
from torch.nn import functional as F


# %% exercise 1
# 1 + gamma, so that a network whose last layer says zero changes nothing; first the norm, else it would undo the rest.
def my_spade(spade, h, condition):
    hidden = F.relu(spade.shared(condition))
    gamma, beta = spade.gamma_beta(hidden).chunk(2, dim=1)
    return (1 + gamma) * F.group_norm(h, spade.num_groups) + beta


# %% exercise 2
# Weights and biases of two convolutions. Only the first term grows with the number of classes, 9 K H.
def my_num_weights(C, K, H, k):
    return (9 * K * H + H) + (k * k * H * 2 * C + 2 * C)


# %% exercise 3
my_num_vectors = 3 * 3  # inside, four edges, four corners: the places a pixel can have in rows times those in columns


# %% exercise 4
# modulate depends on neither step nor sample: once for the map, once for null. Both branches share encode.
def my_bill(encode, modulate, decode, num_steps, num_samples):
    return 2 * modulate + num_steps * num_samples * (encode + 2 * decode)


# %% exercise 5
# Against a very loud label the features are nothing: a map of k on the share and 0 elsewhere has variance
# share (1 - share) k^2, and normalising divides the contrast, k, by its root.
def my_limit(share):
    return 1 / (share * (1 - share)) ** 0.5
