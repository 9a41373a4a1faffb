"""However a modulation is kept, the network draws what it draws with the whole of it, in the memory that was said."""

import dataclasses

import pytest
import torch
from networks import TINY, randomised, tiny_inputs

from sdm_lite.diffusion import GaussianDiffusion, linear_betas
from sdm_lite.guidance import denoiser
from sdm_lite.labels import null_like
from sdm_lite.modulation import SMALL, Recomputed, keep_modulation, keep_null_modulation, modulation_bytes


@pytest.fixture
def unet():
    return randomised(TINY)


@pytest.fixture
def diffusion():
    return GaussianDiffusion(linear_betas())


def num_bytes(kept):
    """The memory that one entry of a modulation takes beyond the network and the condition."""
    if isinstance(kept, Recomputed):
        return 0
    return sum(part.nbytes if isinstance(part, torch.Tensor) else num_bytes(part) for part in kept)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("size", [(16, 16), (8, 24), (72, 80)])
def test_the_null_label_s_modulation_is_the_whole_one_s_in_little_memory(kernel_size, size, batch):
    unet = randomised(dataclasses.replace(TINY, spade_kernel_size=kernel_size))
    condition = torch.ones(batch, TINY.condition_channels, *size)
    with torch.no_grad():
        whole, small = unet.modulate(null_like(condition)), keep_null_modulation(unet, condition)
        for spade, one, other in zip(unet.spades(), whole, small, strict=True):
            h = torch.randn(batch, one.scale.shape[1], *(side >> spade.level for side in size))
            assert torch.equal(spade(h, one), spade(h, other))
            if min(h.shape[2:]) >= kernel_size and h.shape[2] * h.shape[3] > SMALL:  # else it is kept whole
                lines = 1 + (kernel_size - 1) * sum(h.shape[2:])
                assert num_bytes(other) == spade.gamma_beta.out_channels * 4 * lines


@pytest.mark.parametrize("batch", [1, 3])
def test_a_memory_bound_drops_the_largest_levels_first_and_changes_no_bit(unet, diffusion, batch):
    x_t, t, condition = tiny_inputs(batch)
    sizes = modulation_bytes(unet, condition)
    assert sum(sizes) == sum(num_bytes(one) for one in unet.modulate(condition))
    expected = denoiser(unet, diffusion, condition, 1.5)(x_t, t)
    for dropped in range(len(sizes) + 1):
        bound = sum(sizes[dropped:])
        for max_bytes in (bound, bound + 1):
            kept = zip(unet.spades(), keep_modulation(unet, condition, max_bytes=max_bytes), strict=True)
            levels = [spade.level for spade, one in kept if num_bytes(one)]
            assert min(levels, default=len(sizes)) == dropped
        got = denoiser(unet, diffusion, condition, 1.5, max_modulation_bytes=bound)(x_t, t)
        assert torch.equal(got.eps, expected.eps) and torch.equal(got.variance_fraction, expected.variance_fraction)
    with pytest.raises(ValueError, match="max_bytes must be at least 0"):
        denoiser(unet, diffusion, condition, 1.5, max_modulation_bytes=-1)
