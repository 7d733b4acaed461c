"""SRMD: one network for many degradations (Zhang, Zuo, Zhang 2018, "Learning a Single Convolutional Super-Resolution Network for Multiple Degradations",
section 3): blur kernel and noise level are inputs, stretched to maps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from burstsr.core.errors import SettingsError
from single.srmd_blur import COMPONENTS, components


class SRMD(nn.Module):
    """Convolutions with ReLU on the image and its degradation maps, and pixel shuffling.

    The published size: channels 128, 12 convolutions. noise: whether the network takes a noise map; without one it is "SRMDNF", noise-free.
    code: (15,) principal components of the blur kernel (`single.srmd_blur`), at first of none.
    """

    def __init__(self, scale: int = 4, channels: int = 128, convolutions: int = 12, noise: bool = False) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise SettingsError(f"SRMD scale must be 2, 3 or 4, not {scale}")
        self.scale, self.noise = scale, noise
        layers: list[nn.Module] = []
        inside = 3 + COMPONENTS + noise
        for _ in range(convolutions - 1):
            layers += [nn.Conv2d(inside, channels, 3, padding=1), nn.ReLU(inplace=True)]
            inside = channels
        self.model = nn.Sequential(*layers, nn.Conv2d(inside, 3 * scale**2, 3, padding=1))
        self.code = components(0)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) sRGB, 0 to 1, and with `noise` a fourth plane, the standard deviation of its noise -> (N, 3, scale H, scale W)."""
        maps = torch.tensor(self.code, dtype=x.dtype, device=x.device).view(1, -1, 1, 1).expand(len(x), -1, *x.shape[2:])
        out: Tensor = functional.pixel_shuffle(self.model(torch.cat((x[:, :3], maps, x[:, 3:]), 1)), self.scale)
        return out
