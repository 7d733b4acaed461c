"""Degradation of patches to network inputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from burstsr.core.fields import check_range

MARGIN = 4  # support of bicubic downscaling beyond a patch, in low-resolution pixels


@dataclass(frozen=True)
class Degradation:
    """Degradation of high to low resolution. By default antialiased bicubic, rounded to 8 bits, as test sets are made.

    blur_px: maximum sigma of Gaussian blur before downscaling, in high-resolution pixels, drawn per batch from 0. noise: maximum sigma of white noise after
    it, 0 to 1. jpeg: lowest JPEG quality, drawn up to 95; 100 = none.
    """

    blur_px: float = 0.0
    noise: float = 0.0
    jpeg: int = 100

    def __post_init__(self) -> None:
        for name, low, high in (("blur_px", 0, 8), ("noise", 0, 0.5), ("jpeg", 10, 100)):
            check_range(name, getattr(self, name), low, high)

    def __call__(self, high: Tensor, scale: int, generator: torch.Generator) -> Tensor:
        """Degrade (N, C, H, W), 0 to 1, sides multiples of `scale`, to (N, C, H / scale, W / scale), in steps of 1 / 255."""
        if self.blur_px:
            high = _blurred(high, self.blur_px * float(torch.rand(1, generator=generator)))
        low = functional.interpolate(high, scale_factor=1 / scale, mode="bicubic", antialias=True) if scale > 1 else high
        if self.noise:
            low = low + self.noise * float(torch.rand(1, generator=generator)) * torch.randn(low.shape, generator=generator)
        low = (low.clamp(0, 1) * 255).round() / 255
        return _through_jpeg(low, int(torch.randint(self.jpeg, 96, (1,), generator=generator))) if self.jpeg < 96 else low


def _blurred(x: Tensor, sigma: float) -> Tensor:
    if sigma < 0.05:
        return x
    reach = int(3 * sigma + 1)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).repeat(x.shape[1], 1, 1, 1)
    x = functional.conv2d(functional.pad(x, (reach, reach, 0, 0), mode="replicate"), kernel, groups=x.shape[1])
    return functional.conv2d(functional.pad(x, (0, 0, reach, reach), mode="replicate"), kernel.transpose(2, 3), groups=x.shape[1])


def _through_jpeg(x: Tensor, quality: int) -> Tensor:
    import imagecodecs
    import numpy as np

    out = []
    for image in (x * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy():
        coded = imagecodecs.jpeg8_encode(np.ascontiguousarray(image), level=quality)
        out.append(torch.from_numpy(np.asarray(imagecodecs.jpeg8_decode(coded))).permute(2, 0, 1))
    return torch.stack(out).float() / 255
