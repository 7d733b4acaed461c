"""Validation on images not used for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from burstsr.io.images import write_png
from burstsr.quality import display
from single.data.pairs import Pairs

VALIDATION = "validation.png"
_CROP = 4
_MOST_DB = 120.0  # of patches that are equal


class Validation:
    """A fixed batch of validation patches, measured by PSNR and SSIM without a border of 4 pixels.

    pairs: of images not used for training. count, side: of the patches, in pixels of the input.
    """

    def __init__(self, pairs: Pairs, count: int = 16, side: int = 48) -> None:
        self.given, self.wanted = pairs.batch(count, side, np.random.default_rng(0))

    def measure(self, net: nn.Module, out: Path | None = None) -> tuple[float, float]:
        """Return mean PSNR, dB, and SSIM over the patches. out: also write the network's output of the first ones beside the truth, as validation.png."""
        device = next(net.parameters()).device
        with torch.no_grad():
            made = torch.cat([net(part.to(device)).cpu() for part in self.given.split(4)]).clamp(0, 1)
        a, b = _inner(made), _inner(self.wanted)
        psnr = float(np.mean([min(display.psnr(x, y), _MOST_DB) for x, y in zip(a, b, strict=True)]))
        ssim = float(np.mean([display.ssim(x, y) for x, y in zip(a, b, strict=True)]))
        if out is not None:
            rows = np.concatenate([np.concatenate((x, y), 1) for x, y in zip(a[:3], b[:3], strict=True)])
            write_png(out / VALIDATION, np.rint(255 * np.repeat(rows, 3, 2)[..., :3] if rows.shape[2] == 1 else 255 * rows).astype(np.uint8))
        return psnr, ssim


def _inner(images: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Permute (N, C, H, W) to (N, H, W, C) without a border."""
    return images[:, :, _CROP:-_CROP, _CROP:-_CROP].clamp(0, 1).permute(0, 2, 3, 1).float().numpy()
