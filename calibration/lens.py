"""The lens's blur from a burst of any scene: the widest with which frames that were left out are predicted nearly as well as they can be.

For each of a few blurs, the frames that are left are reconstructed with it (`burstsr` mode best), the picture is blurred again and seen by square pixels
where the frames that were left out lie, and compared with their samples, noise taken into account. Too narrow a blur predicts well too: a picture that is
not sharpened explains the samples. Too wide a one rings. So it is the edge of what predicts well that tells the lens, and it tells it roughly: a slanted edge
is 20 times as certain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.align import sharpest
from burstsr.ground.burst import Burst, Frame
from burstsr.ground.errors import BurstError
from burstsr.ground.flow import Flow
from burstsr.ground.noise import Noise
from burstsr.ground.sensor import samples
from burstsr.noise import noise_of
from burstsr.pipeline import super_resolve
from burstsr.settings import ReconstructSettings, Settings
from calibration.noise import flows_of
from calibration.records import LensRecord, now

Floats = NDArray[np.float32]
SIGMAS_PX = (0.0, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
_FEWEST = 5
_PART_PX = 320  # along the side of the middle part that is looked at
_SCALE = 2.0
_CLIPPED = 0.98
_EXCESS, _LEAST_UNEXPLAINED = 0.12, 0.02  # of misfit, in noise variances; simulated lenses of 0.2, 0.5 and 0.8 px come out at 0.27, 0.47 and 0.73
_UNCERTAIN = 0.2  # relative standard error, beside what the frames' spread says
_TOLD = 0.85  # of the blur that is told the reconstruction takes off (`burstsr.reconstruct`): prediction must blur by as much
_FINER = 4  # parts of a pixel's side over which it is averaged


def lens_of_burst(burst: Burst, progress: Callable[[int, int], None] | None = None) -> LensRecord:
    """Deviation of the lens's blur from a hand-held burst of at least five frames. Raises BurstError for fewer."""
    if len(burst) < _FEWEST:
        raise BurstError(f"burst {burst.name!r} has {len(burst)} frames: at least {_FEWEST} are needed to leave some out")
    part = replace(burst, frames=tuple(_middle(frame) for frame in burst))
    noise, _ = noise_of(part, flows_of)
    index = sharpest(part, noise)
    flow_of = flows_of(part.frames[index], noise)
    flows = [Flow.zero(part.info.shape, 16) if i == index else flow_of(frame) for i, frame in enumerate(part)]
    left_out = [i for i in range(len(part)) if i != index][1::3]
    kept = [index, *(i for i in range(len(part)) if i not in (*left_out, index))]
    some = Burst(part.name, tuple(part.frames[i] for i in kept))
    misfits = []
    for done, sigma in enumerate(SIGMAS_PX):
        if progress is not None:
            progress(done, len(SIGMAS_PX))
        settings = Settings(scale=_SCALE, mode="best", reference=0, reconstruct=ReconstructSettings(psf_sigma_px=sigma))
        picture = super_resolve(some, settings, known_flows=[flows[i] for i in kept]).rgb
        misfits.append([_misfit(part.frames[i], flows[i], picture, sigma, noise) for i in left_out])
    table = np.array(misfits)
    best = _widest(np.array(SIGMAS_PX), table.mean(axis=1))
    alone = [_widest(np.array(SIGMAS_PX), table[:, k]) for k in range(table.shape[1])]
    error = float(np.hypot(np.std(alone, ddof=1) / np.sqrt(len(alone)) if len(alone) > 1 else 0.1, _UNCERTAIN * best))
    info = burst.info
    return LensRecord(
        camera=info.camera,
        iso=info.iso,
        date=now(),
        method="leave-out residual",
        psf_sigma_px=best,
        psf_sigma_error_px=error,
        aperture=info.aperture or None,
        focal_mm=info.focal_mm or None,
    )


def _middle(frame: Frame) -> Frame:
    top, left = (max(n - _PART_PX, 0) // 4 * 2 for n in frame.info.shape)
    mosaic = np.ascontiguousarray(frame.mosaic[top : top + _PART_PX, left : left + _PART_PX])
    return Frame(replace(frame.info, shape=(mosaic.shape[0], mosaic.shape[1])), mosaic)


def _misfit(frame: Frame, flow: Flow, picture: Floats, sigma: float, noise: Noise) -> float:
    """Mean of squared residual over noise variance, large ones counting less."""
    seen = picture
    if sigma > 0:
        seen = np.asarray(cv2.GaussianBlur(picture, (0, 0), _TOLD * sigma * _SCALE), np.float32)
    height, width = frame.info.shape
    y, x = np.meshgrid(np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64), indexing="ij")
    back = flow.inverse().at(y, x)
    guess = np.zeros((height, width), np.float32)
    parts = (np.arange(_FINER) + 0.5) / _FINER - 0.5
    colours = np.tile(frame.info.cfa, (height // 2, width // 2)).astype(int)
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
    """The widest blur at which the misfit exceeds the lowest by no more than a share of what noise leaves unexplained there; between blurs linear."""
    lowest = int(np.argmin(misfits))
    allowed = float(misfits[lowest]) + _EXCESS * max(float(misfits[lowest]) - 1, _LEAST_UNEXPLAINED)
    for k in range(lowest, len(sigmas) - 1):
        if misfits[k + 1] > allowed:
            part = (allowed - misfits[k]) / (misfits[k + 1] - misfits[k])
            return float(sigmas[k] + part * (sigmas[k + 1] - sigmas[k]))
    return float(sigmas[-1])
