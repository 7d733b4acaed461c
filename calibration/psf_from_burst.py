"""Lens blur from a burst of any scene, by two estimators: prediction of held-out frames, and the image's spectrum (`spectrum.py`).

For each of a few blurs, the remaining frames are reconstructed with it (`burstsr` mode best); the image is blurred again, integrated over square pixels
at the sampling positions of the held-out frames, and compared with their samples, relative to the noise. Too narrow a blur predicts well, too: an
unsharpened image explains the samples. Too wide a blur rings. So the estimate is the widest blur that predicts nearly as well as any. That works
where prediction is limited by noise; at low noise it is limited by motion errors, and is inconclusive. The spectrum is the better estimator there, and
fails at high noise. Both are weighted by their certainty. Where there is no blur both see 0.2 to 0.26 px: the error includes that, and their disagreement.
A slanted edge is far more precise.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.align import select_reference
from burstsr.core.burst import Burst, Frame
from burstsr.core.errors import BurstError
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.sensor import samples
from burstsr.noise import estimate_noise
from burstsr.pipeline import super_resolve
from burstsr.profiles.records import LensRecord, now
from burstsr.reconstruct import PSF_FRACTION
from burstsr.settings import ReconstructSettings, Settings
from calibration.checks import check_burst_light
from calibration.crop import crop_middle
from calibration.noise import make_aligner
from calibration.spectrum import blur_from_spectrum

Floats = NDArray[np.float32]
SIGMAS_PX = (0.0, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
_FEWEST = 5
_PART_PX, _SPECTRUM_PX = 320, 640  # side of the central part that is predicted, and whose spectrum is used
_OFFSET = 0.003  # added before the square root
_SCALE = 2.0
_CLIPPED = 0.98
_EXCESS, _LEAST_UNEXPLAINED = 0.12, 0.02  # of misfit, in noise variances; chosen on simulated lenses of 0.2, 0.5 and 0.8 px
_UNCERTAIN = 0.3, 0.03  # standard error of prediction, in addition to the spread over frames: relative, and px
_SYSTEMATIC_PX2 = 0.06  # of the variance of the blur: merging and the scene itself look like a sigma of 0.2 to 0.26 px where there is none
_LEAST_PX = 0.2  # sigma for which that is converted to an error of sigma
_FINER = 4  # subdivisions of a pixel's side for its average


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
        psf_sigma_error_px=float(np.sqrt(chance**2 + apart**2 + (_SYSTEMATIC_PX2 / (2 * max(sigma, _LEAST_PX))) ** 2)),
        aperture=info.aperture or None,
        focal_mm=info.focal_mm or None,
    )


def _of_prediction(burst: Burst, progress: Callable[[int, int], None] | None) -> tuple[float, float]:
    """Return sigma and its standard error, raw pixels, by the widest blur that predicts well."""
    part = crop_middle(burst, _PART_PX)
    noise, _ = estimate_noise(part, make_aligner)
    index = select_reference(part, noise)
    estimate_flow = make_aligner(part.frames[index], noise)
    flows = [Flow.zero(part.info.shape, 16) if i == index else estimate_flow(frame) for i, frame in enumerate(part)]
    left_out = [i for i in range(len(part)) if i != index][1::3]
    kept = [index, *(i for i in range(len(part)) if i not in (*left_out, index))]
    some = Burst(part.name, tuple(part.frames[i] for i in kept))
    misfits = []
    for done, sigma in enumerate(SIGMAS_PX):
        if progress is not None:
            progress(done, len(SIGMAS_PX))
        image = super_resolve(some, _settings(sigma, 0), flows=[flows[i] for i in kept]).image
        misfits.append([_misfit(part.frames[i], flows[i], image, sigma, noise) for i in left_out])
    table = np.array(misfits)
    widest = _widest(np.array(SIGMAS_PX), table.mean(axis=1))
    alone = [_widest(np.array(SIGMAS_PX), table[:, k]) for k in range(table.shape[1])]
    spread = float(np.std(alone, ddof=1)) / np.sqrt(len(alone)) if len(alone) > 1 else 0.1
    return widest, float(np.hypot(spread, _UNCERTAIN[0] * widest + _UNCERTAIN[1]))


def _of_spectrum(burst: Burst) -> tuple[float, float]:
    """Return the same from the spectrum of green, reconstructed without deblurring the lens."""
    part = crop_middle(burst, _SPECTRUM_PX)
    noise, _ = estimate_noise(part, make_aligner)
    green = np.maximum(super_resolve(part, _settings(0.0, None)).image[..., 1], 0)
    samples_per_pixel = len(part) * float(part.info.cfa.share[1]) / _SCALE**2
    slope2 = 0.25 / (green + np.float32(_OFFSET))  # (d root / d green)^2
    variance = float(np.mean((noise.alpha[1] * green + noise.beta[1]) * slope2)) / samples_per_pixel
    return blur_from_spectrum(np.sqrt(green + np.float32(_OFFSET)), variance, _SCALE)


def _settings(sigma: float, reference: int | None) -> Settings:
    return Settings(scale=_SCALE, mode="best", reference=reference, measure_noise=False, reconstruct=ReconstructSettings(psf_sigma_px=sigma))


def _misfit(frame: Frame, flow: Flow, image: Floats, sigma: float, noise: Noise) -> float:
    """Return the mean squared residual relative to the noise variance, with outliers down-weighted."""
    seen = image
    if sigma > 0:
        seen = np.asarray(cv2.GaussianBlur(image, (0, 0), PSF_FRACTION * sigma * _SCALE), np.float32)
    height, width = frame.info.shape
    y, x = np.meshgrid(np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64), indexing="ij")
    back = flow.inverse().at(y, x)
    guess = np.zeros((height, width), np.float32)
    parts = (np.arange(_FINER) + 0.5) / _FINER - 0.5
    colours = frame.info.cfa.channel_map((height, width)).astype(int)
    for dy in parts:
        for dx in parts:
            rows, columns = (((v + 0.5 + d) * _SCALE - 0.5).astype(np.float32) for v, d in ((y + back[..., 0], dy), (x + back[..., 1], dx)))
            shown = cv2.remap(seen, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            guess += np.take_along_axis(shown, colours[..., None], 2)[..., 0] / _FINER**2
    values = samples(frame.mosaic, frame.info.levels)
    variance = noise.alpha[colours] * np.maximum(guess, 0) + noise.beta[colours]
    inside = np.zeros((height, width), bool)
    inside[16:-16, 16:-16] = True
    usable = inside & (values < _CLIPPED) & (guess < _CLIPPED)
    square = (values - guess)[usable] ** 2 / variance[usable]
    return float(np.minimum(square, 25.0).mean())


def _widest(sigmas: NDArray[np.float64], misfits: NDArray[np.float64]) -> float:
    """Return the widest blur at which the misfit exceeds the minimum by at most a share of the noise residual, interpolated linearly."""
    lowest = int(np.argmin(misfits))
    allowed = float(misfits[lowest]) + _EXCESS * max(float(misfits[lowest]) - 1, _LEAST_UNEXPLAINED)
    for k in range(lowest, len(sigmas) - 1):
        if misfits[k + 1] > allowed:
            part = (allowed - misfits[k]) / (misfits[k + 1] - misfits[k])
            return float(sigmas[k] + part * (sigmas[k + 1] - sigmas[k]))
    return float(sigmas[-1])
