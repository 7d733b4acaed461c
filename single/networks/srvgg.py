"""The compact generator of Real-ESRGAN's video models: plain convolutions and PReLU, pixel shuffling at the end (Wang et al. 2021, "Real-ESRGAN";
its release "realesr-animevideov3").
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class SRVGG(nn.Module):
    """Convolutions of `channels`, each followed by PReLU; the last to colours times `inner` squared, shuffled, and added to the repeated input.

    The published size: channels 64, convolutions 16. scale: of the result; below `inner` (0: equal), the shuffled image is resized by bicubic without
    antialiasing, as the published x2 and x3 models do.
    """

    def __init__(self, scale: int = 4, channels: int = 64, convolutions: int = 16, inner: int = 0) -> None:
        super().__init__()
        self.scale, self.inner = scale, inner or scale
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1), nn.PReLU(channels)]
        for _ in range(convolutions):
            layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.PReLU(channels)]
        self.body = nn.Sequential(*layers, nn.Conv2d(channels, 3 * self.inner**2, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W), 0 to 1 -> (N, 3, scale H, scale W)."""
        out: Tensor = functional.pixel_shuffle(self.body(x), self.inner) + functional.interpolate(x, scale_factor=self.inner, mode="nearest")
        if self.inner == self.scale:
            return out
        return functional.interpolate(out, size=(self.scale * x.shape[2], self.scale * x.shape[3]), mode="bicubic", align_corners=False)
