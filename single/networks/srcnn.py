"""SRCNN (Dong, Loy, He, Tang 2014/2016, "Image Super-Resolution Using Deep Convolutional Networks", §3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from burstsr.core.errors import SettingsError


class SRCNN(nn.Module):
    """Three convolutions on bicubically upscaled luma: F1 = max(0, W1 * Y + B1), F2 = max(0, W2 * F1 + B2), F = W3 * F2 + B3 (eqs. 1 to 3).

    kernels: sides of the three, (9, 1, 5) or (9, 5, 5) in the paper. widths: n1 and n2, (64, 32) in the paper.
    Departs: borders are replicated, so that the output has the size of the input; the weights start as the identity plus noise, which saves most of the
    training time.
    """

    def __init__(self, scale: int = 4, kernels: tuple[int, int, int] = (9, 5, 5), widths: tuple[int, int] = (64, 32)) -> None:
        super().__init__()
        if len(kernels) != 3 or any(k % 2 == 0 for k in kernels):
            raise SettingsError(f"SRCNN kernels must be three odd integers, not {kernels}")
        self.scale = scale
        channels = (1, *widths, 1)
        self.layers = nn.ModuleList(
            nn.Conv2d(i, o, k, padding=k // 2, padding_mode="replicate") for i, o, k in zip(channels, channels[1:], kernels, strict=False)
        )
        with torch.no_grad():
            for layer in self.layers:
                assert isinstance(layer, nn.Conv2d) and layer.bias is not None
                fan_in = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
                layer.weight.normal_(0, 0.5 * (2 / fan_in) ** 0.5)
                layer.bias.zero_()
                middle = layer.kernel_size[0] // 2
                layer.weight[0, :, :, :] = 0
                layer.weight[0, 0, middle, middle] = 1
                if layer.out_channels == 1:  # the last: the identity, and a little of the others
                    layer.weight[0, 1:].normal_(0, 0.01)

    def forward(self, y: Tensor) -> Tensor:
        """(N, 1, H, W) luma, 0 to 1 -> (N, 1, scale H, scale W)."""
        x = functional.interpolate(y, scale_factor=self.scale, mode="bicubic", antialias=True)  # antialias: its kernel is a = -0.5
        for layer in self.layers[:-1]:
            x = functional.relu(layer(x))
        out: Tensor = self.layers[-1](x)
        return out
