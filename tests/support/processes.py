"""Diffusion processes of any length and schedule, for tests of what holds for all of them."""

from hypothesis import strategies as st

from sdm_lite.diffusion import GaussianDiffusion, cosine_betas, linear_betas


def processes():
    """Of 21 to 2000 steps, which is what both schedules allow, or of few with the cosine schedule."""
    return st.one_of(
        st.integers(2, 2000).map(lambda T: GaussianDiffusion(cosine_betas(T))),
        st.integers(21, 2000).map(lambda T: GaussianDiffusion(linear_betas(T))),
    )
