"""Losses, each with its paper and equation. `pixel_loss` selects one by its name."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from burstsr.core.errors import SettingsError

__all__ = ["pixel_loss"]


def pixel_loss(name: str, scale: int = 2, spatial_weight: float = 0.5) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss of two images (N, C, H, W), 0 to 1, by name: l1, mse, ssim, ms-ssim (both one minus the index), cobi (on patches of RGB, whose
    size depends on the scale). spatial_weight: of cobi. Raises SettingsError.
    """
    from single.losses.cobi import rgb_patch_loss
    from single.losses.similarity import ms_ssim, ssim

    losses: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "l1": functional.l1_loss,
        "mse": functional.mse_loss,
        "ssim": lambda a, b: 1 - ssim(a, b),
        "ms-ssim": lambda a, b: 1 - ms_ssim(a, b),
        "cobi": lambda a, b: rgb_patch_loss(a, b, scale, spatial_weight),
    }
    if name not in losses:
        raise SettingsError(f"loss must be one of {', '.join(losses)}, not {name!r}")
    return losses[name]
