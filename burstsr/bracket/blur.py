"""Blur of a bracket's frames against the reference: longer exposures are blurrier. As `align.blur`, exposure by exposure.

Each frame is compared with the reference where neither is clipped, both stabilised as one, in which each has its own noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.align import FrameBlur
from burstsr.align.blur import WINDOW, blur_of_moments, frequencies, low_pass, moments_of, moved_windows, taper, windows
from burstsr.align.luma import luma
from burstsr.bracket.pairs import PairModels
from burstsr.bracket.units import scaled_noise
from burstsr.core.burst import Frame
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.parallel import in_parallel
from burstsr.core.sensor import CHANNEL_SHARE, stabilisation

Array = NDArray[np.float64]
_CLIPPED_LEVEL = 0.9  # of the common levels' top
_AWAY, _SOFT_PX = 7, 2.0  # side of the square around clipped pixels that is left out, and the sigma of what remains: an edge would have a spectrum of its own
_LEAST_SHARE = 0.2  # of a window's taper that must remain
_FEWEST = 3.0  # windows, in sum of what remains
_LEAST_SNR = 0.5  # power of the scene over that of noise, median over low frequencies
_LOW = (0.04, 0.12)  # the same, cycles per raw pixel
_UNCERTAIN = 1.5  # factor on standard errors: of frames with unequal noise, whose variance is subtracted
_UNKNOWN = 1e3  # standard error of moments, pixels squared


def bracket_blur(models: PairModels, flows: Sequence[Flow], detail: float = 1.0, precision: Array | None = None) -> FrameBlur:
    """Estimate the blur of every frame of a bracket against the reference.

    flows: against it. detail: weight of squared errors of detail relative to those of noise. precision: (n,) 1 / noise variance of frames relative to the
    reference's at a level of the scene, see `information_weights`; None: equal. Frames that share no windows with the reference count as equally sharp.
    """
    frames, reference, noise = models.frames, models.index, models.noise
    count, shape = len(frames), frames[reference].info.shape
    if count < 2 or min(shape) < WINDOW:
        return FrameBlur.none(count)
    corners = windows(shape)

    def compared(i: int) -> tuple[Array, float, Array]:
        """Return the moments (3,) of a frame, the standard error of their trace, and the power of the reference, compared with the frame."""
        pair = models.pair(reference, i)
        noises = [scaled_noise(frames[k].noise(noise), 1 / pair.top) for k in (reference, i)]
        places = [corners, corners if i == reference else moved_windows(corners, flows[i], shape)]
        images = [pair.reference, pair.reference if i == reference else pair.limited(frames[i])]
        power, noise_power, share = _powers(images, noises, pair.louder, places)
        if share < _FEWEST or np.median((power[0] / noise_power[1])[_low_band()]) < _LEAST_SNR:
            return np.zeros(3), _UNKNOWN, power[0]
        moments, errors = moments_of(power, power[0])
        if errors[1] == 0 and i != reference:  # too little structure
            return np.zeros(3), _UNKNOWN, power[0]
        return moments[1], 0.0 if i == reference else _UNCERTAIN * float(errors[1]), power[0]

    found = list(in_parallel(compared, range(count)))
    moments, errors = np.stack([m for m, _, _ in found]), np.array([e for _, e, _ in found])
    for i in (int(k) for k in np.flatnonzero(errors == _UNKNOWN)):  # at least as blurred as shorter exposures
        known = [k for k in range(count) if errors[k] < _UNKNOWN and _exposure(frames[k]) < _exposure(frames[i])]
        if known:
            longest = max(known, key=lambda k: (_exposure(frames[k]), k))
            moments[i], errors[i] = moments[longest], errors[longest]
    return blur_of_moments(moments, errors, reference, found[reference][2], detail, precision)


def _exposure(frame: Frame) -> float:
    """Return the exposure time, or, where it is unknown, what is proportional to exposure."""
    return frame.info.exposure_s or 1 / frame.info.levels.saturation


def _low_band() -> NDArray[np.bool_]:
    radius = np.hypot(*frequencies())
    return np.asarray((radius > _LOW[0]) & (radius < _LOW[1]))


def _powers(images: Sequence[Frame], noises: Sequence[Noise], common: Noise, places: Sequence[NDArray[np.int64]]) -> tuple[Array, Array, float]:
    """Return the mean power of luma of two frames where neither is clipped, less that of noise, (2, 64, 33), that of noise, and the number of windows.

    noises: of the frames. common: for which both are stabilised. places: (k, 2) of the windows in each.
    """
    tapered, response = taper(), low_pass(*frequencies())
    power, noise_power, share = np.zeros((2, WINDOW, WINDOW // 2 + 1)), np.zeros((2, WINDOW, WINDOW // 2 + 1)), 0.0
    for corners in zip(*places, strict=True):
        seen = [_window(image, own, common, corner) for image, own, corner in zip(images, noises, corners, strict=True)]
        away = cv2.dilate((seen[0].clipped | seen[1].clipped).astype(np.uint8), np.ones((_AWAY, _AWAY), np.uint8))
        weight = tapered * cv2.GaussianBlur(1.0 - away, (0, 0), _SOFT_PX, borderType=cv2.BORDER_REPLICATE) * (away == 0)
        own_share = float(weight.sum() / tapered.sum())
        if own_share < _LEAST_SHARE:
            continue
        share += own_share
        for k, window in enumerate(seen):
            centred = window.luma - np.average(window.luma, weights=weight)
            power[k] += np.abs(np.fft.rfft2(centred * weight)) ** 2
            noise_power[k] += response * (weight**2 * window.noise).sum()
    full = (tapered**2).sum() / max(float(noise_power[0, 0, 0]), 1e-12) if share else 0.0
    return (power - noise_power) * full, np.maximum(noise_power * full, 1e-12), share


class _Window(NamedTuple):
    """luma, stabilised; the variance of its samples' noise; which pixels are clipped."""

    luma: Array
    noise: Array
    clipped: NDArray[np.bool_]


def _window(frame: Frame, own: Noise, common: Noise, corner: NDArray[np.int64]) -> _Window:
    gain, offset, factor = (float(v) for v in stabilisation(common))
    y, x = (int(v) for v in corner)
    values = luma(frame, common, slice(y, y + WINDOW), slice(x, x + WINDOW)).astype(np.float64)
    level = np.maximum((np.square(values / factor) - offset) / gain, 0)
    (alpha, beta), (alpha_common, beta_common) = ((float(CHANNEL_SHARE @ n.alpha), float(CHANNEL_SHARE @ n.beta)) for n in (own, common))
    return _Window(values, (alpha * level + beta) / (alpha_common * level + beta_common), level > _CLIPPED_LEVEL * min(frame.info.levels.saturation, 1.0))
