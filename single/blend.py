"""Network interpolation: a weighted mean of the weights of two networks (Wang et al. 2018, "ESRGAN", §3.4, eq. 4): theta = (1 - a) theta_psnr + a theta_gan.

It requires that one network was fine-tuned from the other. Unrelated networks compute the same function with different weights, and the mean is worse than
either; the correlation of their weights tells the two cases apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from burstsr.core.errors import SettingsError

if TYPE_CHECKING:
    from torch import Tensor

    from single.loading.stage import Loaded

LEAST_CORRELATION = 0.8  # measured: .99 after fine-tuning, .37 for unrelated weights


def correlation(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    """Return the Pearson correlation, -1 to 1, of the weights (tensors of two or more dimensions) of two networks of one architecture."""
    flat = [np.concatenate([tensors[key].detach().float().numpy().ravel() for key in sorted(a) if tensors[key].ndim >= 2]) for tensors in (a, b)]
    deviations = [np.asarray(values, np.float64) - values.mean(dtype=np.float64) for values in flat]
    length = float(np.linalg.norm(deviations[0]) * np.linalg.norm(deviations[1]))
    return float(deviations[0] @ deviations[1]) / length if length > 0 else 0.0


def blended(first: Loaded, second: Loaded, share: float) -> Loaded:
    """Interpolate weights: `share` (0 to 1) of the first network and the rest of the second; 1 gives the first, 0 the second, exactly.

    sha256 becomes that of both and the share. Raises SettingsError for networks of different architecture or size, and for unrelated weights.
    """
    a, b = first.network.state_dict(), second.network.state_dict()
    names = f"{first.descriptor.name} and {second.descriptor.name}"
    if {key: tuple(t.shape) for key, t in a.items()} != {key: tuple(t.shape) for key, t in b.items()} or first.descriptor.scale != second.descriptor.scale:
        raise SettingsError(f"--blend: {names} are networks of different architecture, size or scale; weights of only one architecture can be interpolated")
    alike = correlation(a, b)
    if alike < LEAST_CORRELATION:
        least = f"but must be at least {LEAST_CORRELATION}: one must have been fine-tuned from the other"
        raise SettingsError(f"--blend: {names} have unrelated weights: their correlation is {alike:.2f}, {least}")
    mixed = {key: t * share + b[key] * (1 - share) if t.is_floating_point() else t for key, t in a.items()} if 0 < share < 1 else (a if share else b)
    first.network.load_state_dict(mixed)
    name = f"{share:g} {first.descriptor.name} + {1 - share:g} {second.descriptor.name}"
    gan = (first.descriptor.gan and share > 0) or (second.descriptor.gan and share < 1)
    return replace(first, descriptor=replace(first.descriptor, name=name, gan=gan), sha256=f"{first.sha256} {second.sha256}")
