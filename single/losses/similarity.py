"""SSIM (Wang, Bovik, Sheikh, Simoncelli 2004, eq. 13) and MS-SSIM (Wang, Simoncelli, Bovik 2003, eq. 7), differentiable: what
`burstsr.quality.display` computes, in PyTorch.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from burstsr.core.errors import SettingsError
from burstsr.quality.display import C1, C2, SCALES, SIGMA, WINDOW


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean structural similarity of (N, C, H, W) images, 0 to 1, sides at least 11: 1 where equal. Gaussian window of 11 x 11, sigma 1.5."""
    luminance, structure = _parts(a, b)
    return (luminance * structure).mean()


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """Return MS-SSIM over scales of 1, 1/2, 1/4, 1/8, 1/16, as far as 11 pixels are left; weights are renormalised for fewer than five."""
    smaller = min(a.shape[-2:])
    count = sum(smaller // 2**i >= WINDOW for i in range(len(SCALES)))
    if count == 0:
        raise SettingsError(f"MS-SSIM of images of {a.shape[-1]} x {a.shape[-2]} pixels: sides must be at least {WINDOW}")
    weights = torch.tensor(SCALES[:count], dtype=a.dtype, device=a.device)
    weights = weights / weights.sum()
    result = torch.ones((), dtype=a.dtype, device=a.device)
    for i in range(count):
        luminance, structure = _parts(a, b)
        index = structure.mean() if i < count - 1 else (luminance * structure).mean()
        result = result * index.clamp(min=1e-6) ** weights[i]
        a, b = functional.avg_pool2d(a, 2), functional.avg_pool2d(b, 2)
    return result


def _parts(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return luminance, and contrast times structure, per position and channel."""
    if min(a.shape[-2:]) < WINDOW:
        raise SettingsError(f"SSIM of images of {a.shape[-1]} x {a.shape[-2]} pixels: sides must be at least {WINDOW}")
    line = torch.exp(-0.5 * ((torch.arange(WINDOW, dtype=a.dtype, device=a.device) - WINDOW // 2) / SIGMA) ** 2)
    line = (line / line.sum()).repeat(a.shape[1], 1, 1, 1)

    def mean(x: Tensor) -> Tensor:
        return functional.conv2d(functional.conv2d(x, line, groups=x.shape[1]), line.transpose(2, 3), groups=x.shape[1])

    mean_a, mean_b = mean(a), mean(b)
    variance_a, variance_b, covariance = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return luminance, (2 * covariance + C2) / (variance_a + variance_b + C2)
