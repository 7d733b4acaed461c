"""The generator of ESRGAN: residual-in-residual dense blocks without batch norm (Wang et al. 2018, "ESRGAN", §3.1, fig. 4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from burstsr.core.errors import SettingsError

RESIDUAL_SCALING = 0.2  # Wang 2018, §3.1: beta


class DenseBlock(nn.Module):
    """Five convolutions, each on the concatenation of all previous features; the last one's output, scaled, is added to the input."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(channels + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(channels + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(channels + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(channels + 4 * growth, channels, 3, padding=1)
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5):  # §3.1: smaller initialisation
            nn.init.kaiming_normal_(layer.weight, a=0.2)
            with torch.no_grad():
                layer.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        seen = [_as_multiplied(x)]
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen.append(functional.leaky_relu(layer(torch.cat(seen, 1)), 0.2))
        out: Tensor = x + RESIDUAL_SCALING * self.conv5(torch.cat(seen, 1))
        return out


def _as_multiplied(x: Tensor) -> Tensor:
    """Cast to the 16 bits of autocast if active: convolutions round to them anyway, and concatenation takes half the memory. Sums stay in 32 bits."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


class RRDB(nn.Module):
    """Three dense blocks; their residual, scaled, is added to the input."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(channels, growth)
        self.rdb2 = DenseBlock(channels, growth)
        self.rdb3 = DenseBlock(channels, growth)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        out: Tensor = x + RESIDUAL_SCALING * self.rdb3(self.rdb2(self.rdb1(x)))
        return out


class RRDBNet(nn.Module):
    """The published size: scale 4, channels 64, blocks 23, growth 32.

    Scales below 4 keep the network and shrink its input by pixel unshuffling (Wang et al. 2021, "Real-ESRGAN", §3.4).
    """

    def __init__(self, scale: int = 4, channels: int = 64, blocks: int = 23, growth: int = 32, inputs: int = 3, outputs: int = 3) -> None:
        super().__init__()
        if scale not in (1, 2, 4):
            raise SettingsError(f"RRDBNet scale must be 1, 2 or 4, not {scale}")
        self.scale = scale
        self.unshuffle = 4 // scale
        self.conv_first = nn.Conv2d(inputs * self.unshuffle**2, channels, 3, padding=1)
        self.body = nn.Sequential(*(RRDB(channels, growth) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_up1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_up2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_hr = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_last = nn.Conv2d(channels, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        first = self.conv_first(functional.pixel_unshuffle(x, self.unshuffle) if self.unshuffle > 1 else x)
        features = first + self.conv_body(self.body(first))
        for layer in (self.conv_up1, self.conv_up2):
            features = functional.leaky_relu(layer(functional.interpolate(features, scale_factor=2, mode="nearest")), 0.2)
        out: Tensor = self.conv_last(functional.leaky_relu(self.conv_hr(features), 0.2))
        return out
