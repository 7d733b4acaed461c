"""Lens blur from a burst of any scene, by two estimators: prediction of held-out frames, and the image's spectrum (`burstsr.reconstruct.spectrum`).

For each of a few blurs, the remaining frames are reconstructed with it (`burstsr` mode best), and the image predicts the held-out frames (`held_out`): the
blur that does so best is one estimate. The spectrum is the other, which fails at high noise. Both are weighted by their certainty. A soft scene looks like
a lens of up to 0.3 px to both: the error includes that, and their disagreement. A slanted edge is far more precise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Burst
from burstsr.core.errors import BurstError
from burstsr.noise import estimate_noise
from burstsr.pipeline import super_resolve
from burstsr.profiles.records import LensRecord, now
from burstsr.reconstruct.spectrum import blur_of_image
from calibration.checks import check_burst_light
from calibration.crop import crop_middle
from calibration.held_out import HeldOut, best_settings
from calibration.noise import make_aligner

Doubles = NDArray[np.float64]
SIGMAS_PX = (0.0, 0.2, 0.35, 0.5, 0.7, 1.0)
_FEWEST = 5
_PART_PX, _SPECTRUM_PX = 320, 640  # side of the central part that is predicted, and whose spectrum is used
_SCALE = 2.0
_UNCERTAIN = 0.3, 0.03  # standard error of prediction, in addition to the spread over frames: relative, and px
_SYSTEMATIC_PX2 = 0.09  # of the squared blur: a soft scene looks like a sigma of up to 0.3 px where there is none


def psf_from_burst(burst: Burst, progress: Callable[[int, int], None] | None = None) -> LensRecord:
    """Estimate the sigma of the lens blur from a hand-held burst of at least five frames. Raises BurstError for fewer."""
    if len(burst) < _FEWEST:
        raise BurstError(f"burst {burst.name!r} has {len(burst)} frames: at least {_FEWEST} are required for cross-validation")
    check_burst_light(burst)
    found = np.array([_of_prediction(burst, progress), _of_spectrum(burst)])
    weight = 1 / found[:, 1] ** 2
    sigma, chance = float(weight @ found[:, 0] / weight.sum()), float(1 / np.sqrt(weight.sum()))
    apart = float(np.sqrt(weight @ (found[:, 0] - sigma) ** 2 / weight.sum()))  # the estimators' disagreement
    info = burst.info
    return LensRecord(
        camera=info.camera,
        iso=info.iso,
        date=now(),
        method="leave-out residual and spectrum",
        psf_sigma_px=sigma,
        psf_sigma_error_px=float(np.sqrt(chance**2 + apart**2 + (sigma - np.sqrt(max(sigma**2 - _SYSTEMATIC_PX2, 0.0))) ** 2)),
        aperture=info.aperture or None,
        focal_mm=info.focal_mm or None,
    )


def _of_prediction(burst: Burst, progress: Callable[[int, int], None] | None) -> tuple[float, float]:
    """Return sigma and its standard error, raw pixels, by prediction."""
    held_out, misfits = HeldOut(burst, _PART_PX), []
    for done, sigma in enumerate(SIGMAS_PX):
        if progress is not None:
            progress(done, len(SIGMAS_PX))
        misfits.append(np.nanmean(held_out.misfits(sigma), axis=1))
    table = np.array(misfits)
    found = _lowest(np.array(SIGMAS_PX), table.mean(axis=1))
    alone = [_lowest(np.array(SIGMAS_PX), table[:, k]) for k in range(table.shape[1])]
    spread = float(np.std(alone, ddof=1)) / np.sqrt(len(alone)) if len(alone) > 1 else 0.1
    return found, float(np.hypot(spread, _UNCERTAIN[0] * found + _UNCERTAIN[1]))


def _of_spectrum(burst: Burst) -> tuple[float, float]:
    """Return the same from the spectrum of green, reconstructed without deblurring the lens."""
    part = crop_middle(burst, _SPECTRUM_PX)
    noise, _ = estimate_noise(part, make_aligner)
    green = super_resolve(part, best_settings(0.0, None)).image[..., 1]
    samples_per_pixel = len(part) * float(part.info.cfa.share[1]) / _SCALE**2
    return blur_of_image(green, (noise.alpha[1], noise.beta[1]), samples_per_pixel, _SCALE)


def _lowest(sigmas: Doubles, misfits: Doubles) -> float:
    """Return the blur of the smallest misfit: the vertex of a parabola in sigma^2 through the smallest and its neighbours, never beyond these."""
    k = int(np.clip(np.argmin(misfits), 1, len(sigmas) - 2))
    square = sigmas[k - 1 : k + 2] ** 2
    bend, slope, _ = np.polyfit(square, misfits[k - 1 : k + 2], 2)
    vertex = -slope / (2 * bend) if bend > 0 else square[int(np.argmin(misfits[k - 1 : k + 2]))]
    return float(np.sqrt(np.clip(vertex, square[0], square[-1])))
