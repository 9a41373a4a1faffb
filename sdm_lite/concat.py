"""The baseline of Table 4: labels concatenated to the noisy image at the input, all else alike.

Apart from the SDM U-Net, whose stages it is made of, because it is what the paper argues against: Wang et al. (2022),
section 4.3, after Saharia et al. (2022, Palette). As its encoder reads labels, guidance can share nothing between its
two branches: each step takes two whole passes.

Shapes: B batch, K condition channels, E embedding channels, H x W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sdm_lite.presets import UNetConfig
from sdm_lite.unet import ResBlock, SDMUNet


class ConcatUNet(SDMUNet):
    """A conditional U-Net that reads the label map where it reads the noisy image, and nowhere else.

    `encode` takes both, one behind the other; `modulate` has nothing to say, and `decode` takes None for it.

    Args:
        config: its numbers, of conditioning "concat".
    """

    conditioning = "concat"

    def _input_channels(self) -> int:
        return 3 + self.config.condition_channels

    def _decoder_block(
        self,
        in_channels: int,
        out_channels: int,
        level: int,
        out_level: int | None = None,
        resample: nn.Module | None = None,
    ) -> ResBlock:
        return self._plain_block(in_channels, out_channels, resample)

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """decode(encode([x_t, condition], t)).

        Args:
            x_t: (B, 3, H, W).
            t: (B,) int64 in 1..T.
            condition: (B, K, H, W), or batch 1 to share one label map among all samples; zeros are the null label.

        Returns:
            (B, 6, H, W): see `GaussianDiffusion.predict`.

        Raises:
            ValueError: if image and condition differ in size, or K is not the network's.
        """
        self.check_condition(condition)
        self.check_sizes(x_t, condition)
        condition = condition.expand(x_t.shape[0], -1, -1, -1).to(x_t.dtype)  # (B, K, H, W)
        return self.decode(self.encode(torch.cat([x_t, condition], dim=1), t), None)  # of (B, 3 + K, H, W)


def make_unet(config: UNetConfig) -> SDMUNet:
    """The network that a configuration asks for, with fresh weights: `SDMUNet`, or `ConcatUNet`."""
    return ConcatUNet(config) if config.conditioning == "concat" else SDMUNet(config)
