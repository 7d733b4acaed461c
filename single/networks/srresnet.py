"""SRResNet, the generator of SRGAN, and SRGAN's discriminator (Ledig et al. 2017, "Photo-Realistic Single Image Super-Resolution Using a Generative
Adversarial Network", §2.1, fig. 4).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from burstsr.core.errors import SettingsError

_STAGES = {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2), 16: (2, 2, 2, 2)}


class ResidualBlock(nn.Module):
    """Convolution, norm, PReLU, convolution, norm, plus the input."""

    def __init__(self, channels: int, norm: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=not norm),
            nn.BatchNorm2d(channels) if norm else nn.Identity(),
            nn.PReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=not norm),
            nn.BatchNorm2d(channels) if norm else nn.Identity(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same."""
        out: Tensor = x + self.body(x)
        return out


class SRResNet(nn.Module):
    """Residual blocks at the input's size, then pixel shuffling.

    The published size: channels 64, blocks 16, kernel 9, norm, no skip, a stage per factor of 2. lite: skip (the bicubic upscaling is added, so that the
    network learns the residual), direct (a single shuffle by the whole scale to colours), no norm.
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
        inputs: int = 3,
    ) -> None:
        super().__init__()
        if scale not in _STAGES:
            raise SettingsError(f"SRResNet scale must be one of {', '.join(map(str, _STAGES))}, not {scale}")
        self.scale, self.skip = scale, skip
        self.head = nn.Sequential(nn.Conv2d(inputs, channels, kernel, padding=kernel // 2), nn.PReLU())
        self.blocks = nn.Sequential(*(ResidualBlock(channels, norm) for _ in range(blocks)))
        self.join = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=not norm), nn.BatchNorm2d(channels) if norm else nn.Identity())
        if direct:
            self.up = nn.Sequential(nn.Conv2d(channels, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale))
        else:
            stages: list[nn.Module] = []
            for factor in _STAGES[scale]:
                stages += [nn.Conv2d(channels, channels * factor**2, 3, padding=1), nn.PixelShuffle(factor), nn.PReLU()]
            self.up = nn.Sequential(*stages, nn.Conv2d(channels, 3, kernel, padding=kernel // 2))
        if not norm:  # without norm, blocks start as the identity
            for block in self.blocks:
                assert isinstance(block, ResidualBlock) and isinstance(block.body[3], nn.Conv2d)
                nn.init.normal_(block.body[3].weight, 0, 0.1 * (2 / (9 * channels)) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W), 0 to 1 -> (N, 3, scale H, scale W)."""
        head = self.head(x)
        out: Tensor = self.up(head + self.join(self.blocks(head)))
        return out + functional.interpolate(self.colours(x), scale_factor=self.scale, mode="bicubic", antialias=True) if self.skip else out

    def colours(self, x: Tensor) -> Tensor:
        """Return (N, 3, H, W), the colours of the input that `skip` adds."""
        return x


class Discriminator(nn.Module):
    """Discriminator: logits (N, 1) of (N, 3, H, W) images. Pairs of convolutions of strides 1 and 2, each with twice the channels, up to 8
    times; then two dense layers.

    The published size: channels 64, dense 1024, 4 pairs, images of 96 x 96. Departs: features are pooled to 6 x 6 (as for 96 x 96), so that any size of at
    least 16 is possible. ESRGAN uses the same architecture.
    """

    def __init__(self, channels: int = 64, dense: int = 1024, pairs: int = 4) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1), nn.LeakyReLU(0.2)]
        widths = [channels * min(2**pair, 8) for pair in range(pairs) for _ in range(2)]
        for i, (inside, outside) in enumerate(zip(widths, widths[1:], strict=False)):
            stride = 2 if i % 2 == 0 else 1
            layers += [nn.Conv2d(inside, outside, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outside), nn.LeakyReLU(0.2)]
        self.features = nn.Sequential(*layers)
        self.judge = nn.Sequential(nn.AdaptiveAvgPool2d(6), nn.Flatten(), nn.Linear(widths[-1] * 36, dense), nn.LeakyReLU(0.2), nn.Linear(dense, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W), 0 to 1 -> (N, 1)."""
        out: Tensor = self.judge(self.features(x))
        return out
