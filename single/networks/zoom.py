"""The raw-to-RGB model of "Zoom to Learn, Learn to Zoom" (Zhang, Chen, Ng, Koltun 2019, §4): a packed Bayer mosaic through an SRResNet."""

from __future__ import annotations

import torch
from torch import Tensor

from single.networks.srresnet import SRResNet


class Zoom(SRResNet):
    """An SRResNet from four Bayer planes at half size to colours at `scale` times the mosaic's size: one more pixel-shuffle stage than for the scale.

    Input (N, 4, H, W): R, G of the red row, G of the blue row, B. Output (N, 3, 2 scale H, 2 scale W). Both white-balanced and on the curve of
    `burstsr.core.srgb.encode_srgb`. noise: four more input channels, the standard deviation of the noise of each plane (Brooks et al. 2019, "Unprocessing
    Images for Learned Raw Denoising", section 4). The published size: channels 64, blocks 16, no noise; scales 4 and 8.
    """

    def __init__(
        self,
        scale: int = 4,
        channels: int = 64,
        blocks: int = 16,
        kernel: int = 9,
        norm: bool = True,
        skip: bool = False,
        direct: bool = False,
        noise: bool = False,
    ) -> None:
        super().__init__(2 * scale, channels, blocks, kernel, norm, skip, direct, inputs=8 if noise else 4)

    def colours(self, x: Tensor) -> Tensor:
        """Return the planes as colours; their half-pixel offsets are left to the network."""
        return torch.stack((x[:, 0], (x[:, 1] + x[:, 2]) / 2, x[:, 3]), 1)
