"""Blur of each frame relative to the reference, from power spectra, and the frame weights that follow from it.

Camera shake during the exposure multiplies the scene's spectrum by that of the camera's path; up to the first zeros that is approximately the Gaussian
exp(-2 pi^2 f^T M f) with the path's second moments M. Power spectra are independent of position, so that motion need only be known to a few pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstsr.align.luma import luma
from burstsr.core.blur import Blur
from burstsr.core.burst import Frame
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.parallel import in_parallel

Array = NDArray[np.float64]
WINDOW = 64  # raw pixels
_WINDOWS = 64  # at most
_BAND = (0.04, 0.32)  # cycles per raw pixel: between the influence of the window and aliasing
_DEEPEST = 2.3  # -log of a ratio of powers beyond which the Gaussian is invalid and noise dominates
_SCATTER = 0.5  # of such logarithms
_ROUNDS = 6
_ALIKE = 2.25  # neighbouring frequencies of windows with a Hann taper that vary together
_LOW = 0.12  # cycles per raw pixel, the same of the first round: below the first zeros of a path of 2 px RMS
_SAME_PX2 = 0.1  # moments relative to the reference that count as equally sharp: of equally sharp frames one is always the sharpest by chance
_COMMON_PX2 = 0.25  # the same along a direction, where the sharpest of the others share them
_OTHER_CONTENT_PX2 = 0.6  # moments by which all others are sharper than the reference: beyond, they show something else
_DEAD_PX2 = 0.02
_SIGNIFICANT = 2.0  # standard errors
_FINEST = 1.0  # cycles per raw pixel up to which detail is weighted
_STEPS = 81  # of frequencies, per axis
_LEAST_STEEP = 1.5  # least exponent of the scene's power law
_MISPLACED_PX = 0.05  # RMS motion error; its cost is independent between frames, like noise
_LEAST_WEIGHT = 0.02


@dataclass(frozen=True)
class FrameBlur:
    """Blur of every frame against the reference's.

    moments: (n, 3) second moments yy, yx, xx, raw pixels squared; negative: sharper. weights: (n,) of the frames in a weighted mean, 0 to 1.
    blurs: of frames that are significantly more blurred than the reference, None for others.
    """

    moments: Array
    weights: Array
    blurs: tuple[Blur | None, ...]

    @staticmethod
    def none(count: int) -> FrameBlur:
        """Return that of frames that are all equally sharp."""
        return FrameBlur(np.zeros((count, 3)), np.ones(count), (None,) * count)

    @property
    def blur_px(self) -> Array:
        """RMS length of the blur, (n,) raw pixels; 0 where a frame is as sharp as the reference."""
        return np.sqrt(np.maximum(self.moments[:, 0] + self.moments[:, 2], 0.0))


def frame_blur(frames: Sequence[Frame], flows: Sequence[Flow], reference: int, noise: Noise, detail: float = 1.0) -> FrameBlur:
    """Estimate the blur of every frame against frames[reference].

    flows: against it. detail: weight of squared errors of detail relative to those of noise. Small frames, and those without structure, count as equally sharp.
    """
    count = len(frames)
    shape = frames[reference].info.shape
    if count < 2 or min(shape) < WINDOW:
        return FrameBlur.none(count)
    corners = windows(shape)
    power = np.stack(list(in_parallel(lambda i: _power(frames[i], flows[i], corners, noise), range(count))))
    return blur_of_moments(*moments_of(power, power[reference]), reference, power[reference], detail)


def blur_of_moments(moments: Array, errors: Array, reference: int, power: Array, detail: float, precision: Array | None = None) -> FrameBlur:
    """Return the blur of frames whose moments (n, 3) and standard errors (n,) are known. power: of the reference, see `information_weights`."""
    softness, blurred = _softness(moments, errors, reference)
    blurs = tuple(Blur(*(float(v) for v in m)) if b.any() else None for m, b in zip(softness, blurred, strict=True))
    return FrameBlur(moments, information_weights(blurred, power, detail, precision), blurs)


def windows(shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return the first pixels (k, 2) of windows distributed over the frame, half overlapping if it is small."""
    rows, columns = (np.arange(0, n - WINDOW + 1, WINDOW // 2) for n in shape)
    corners = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)
    chosen = np.unique(np.linspace(0, len(corners) - 1, min(_WINDOWS, len(corners))).astype(int))
    return np.asarray(corners[chosen], np.int64)


def moved_windows(corners: NDArray[np.int64], flow: Flow, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return the first pixels (k, 2) of the windows of another frame that show the same scene content as those at `corners` of the reference."""
    middle = corners + WINDOW / 2
    moved = corners + np.rint(flow.at(middle[:, 0], middle[:, 1])).astype(int)
    return np.asarray(np.clip(moved, 0, (shape[0] - WINDOW, shape[1] - WINDOW)), np.int64)


def taper() -> Array:
    """Return the weights (64, 64) of a window's pixels."""
    edge = np.hanning(WINDOW + 2)[1:-1]
    return np.outer(edge, edge)


def frequencies() -> tuple[Array, Array]:
    """Return (64, 1) and (1, 33) frequencies, cycles per raw pixel."""
    return np.asarray(np.fft.fftfreq(WINDOW)[:, None], np.float64), np.asarray(np.fft.rfftfreq(WINDOW)[None], np.float64)


def low_pass(y: Array, x: Array) -> Array:
    """Return the power response of luma's 1-2-1 filters."""
    return np.asarray((np.cos(np.pi * y) * np.cos(np.pi * x)) ** 4)


def _power(frame: Frame, flow: Flow, corners: NDArray[np.int64], noise: Noise) -> Array:
    """Return the mean power of luma, (64, 33), in windows of the same scene content as the reference's, minus that of noise."""
    tapered, total = taper(), np.zeros((WINDOW, WINDOW // 2 + 1))
    for y, x in moved_windows(corners, flow, frame.info.shape):
        window = luma(frame, noise, slice(y, y + WINDOW), slice(x, x + WINDOW)).astype(np.float64)
        total += np.abs(np.fft.rfft2((window - window.mean()) * tapered)) ** 2
    return np.asarray(total / len(corners) - low_pass(*frequencies()) * (tapered**2).sum())


def moments_of(power: Array, reference: Array) -> tuple[Array, Array]:
    """Return the moments M, (n, 3), of  power = reference exp(-4 pi^2 f^T M f),  and standard errors of their traces, (n,).

    Robust least squares of the logarithm where structure exceeds noise.
    """
    y, x = np.broadcast_arrays(*frequencies())
    noise = low_pass(y, x) * (taper() ** 2).sum()
    radius = np.hypot(y, x)
    band = (radius > _BAND[0]) & (radius < _BAND[1]) & ((x > 0) | (y > 0)) & (power.mean(axis=0) > noise) & (reference > 0)
    if np.count_nonzero(band) < 12:
        return np.zeros((len(power), 3)), np.zeros(len(power))
    design = 4 * np.pi**2 * np.stack([y * y, 2 * y * x, x * x], -1)[band]
    low = radius[band] < _LOW
    moments, errors = np.zeros((len(power), 3)), np.zeros(len(power))
    for i, own in enumerate(power):
        seen = np.maximum(own, 0.02 * reference)[band]
        log = np.log(reference[band] / seen)
        certain = (np.minimum(seen, reference[band]) / (np.minimum(seen, reference[band]) + noise[band])) ** 2
        for iteration in range(_ROUNDS):
            expected = design @ moments[i]
            weight = certain * (expected < _DEEPEST) / (1 + ((log - expected) / _SCATTER) ** 2) if iteration else certain * low
            weighted = (design * weight[:, None]).T
            moments[i] = np.linalg.lstsq(weighted @ design + 1e-9 * np.eye(3), weighted @ log, rcond=None)[0]
        left = float((weight * (log - design @ moments[i]) ** 2).sum() / max(weight.sum(), 1e-12))
        covariance = np.linalg.pinv(weighted @ design + 1e-9 * np.eye(3)) * left * _ALIKE
        errors[i] = np.sqrt(max(covariance[0, 0] + covariance[2, 2] + 2 * covariance[0, 2], 0.0))
    return moments, errors


def information_weights(moments: Array, power: Array, detail: float = 1.0, precision: Array | None = None) -> Array:
    """Return frame weights (n,), the largest 1, that minimise the expected squared error of the weighted mean: loss of detail by blur, and noise.

    moments: (n, 3) of the frames' blur. power: (64, 33) of the reference's luma, minus noise, of unit standard deviation. The scene's power law is fitted to it
    and extrapolated to the finest detail. Quadratic programme on the simplex, solved by dropping negative weights.
    precision: (n,) 1 / noise variance of the frames relative to that unit, by which their samples count anyway; None: 1.
    """
    count = len(moments)
    y, x = np.broadcast_arrays(*frequencies())
    radius, response = np.hypot(y, x), low_pass(y, x)
    white = (taper() ** 2).sum()
    band = (radius > 0.05) & (radius < 0.3) & (power > 0.1 * white * response)
    if np.count_nonzero(band) < 12:
        return np.ones(count)
    line = np.stack([np.ones(np.count_nonzero(band)), -np.log(radius[band])], 1)
    level, steepness = np.linalg.lstsq(line, np.log(power[band] / response[band]), rcond=None)[0]
    f = np.linspace(-_FINEST, _FINEST, _STEPS)
    y, x = np.meshgrid(f, f, indexing="ij")
    scene = np.exp(level) * np.maximum(np.hypot(y, x), 0.02) ** -max(steepness, _LEAST_STEEP)
    a, b, c = np.moveaxis(moments, -1, 0)[..., None, None]
    lost = (1 - np.exp(-2 * np.pi**2 * (a * y * y + 2 * b * y * x + c * x * x))) * np.sqrt(scene)
    lost = lost.reshape(count, -1)
    misplaced = float((scene * (2 * np.pi * _MISPLACED_PX) ** 2 * (y * y + x * x)).sum())
    error = lost @ lost.T + (white * scene.size / detail + misplaced) * np.eye(count)
    if precision is not None:
        error = lost @ lost.T + np.diag(white * scene.size / detail / precision + misplaced)
    used = np.arange(count)
    while True:
        weight = np.linalg.solve(error[np.ix_(used, used)], np.ones(len(used)))
        if (weight >= 0).all():
            break
        used = used[weight > 0]
    out = np.zeros(count)
    if precision is not None:  # of frames that are equally sharp, all count 1
        weight = weight * (white * scene.size / detail / precision[used] + misplaced)
    out[used] = weight / weight.max()
    return np.where(out < _LEAST_WEIGHT, 0.0, out)


def _softness(moments: Array, errors: Array, reference: int) -> tuple[Array, Array]:
    """Return moments (n, 3) minus those typical among sharp frames, and minus what is not significant, too; both with non-negative eigenvalues.

    The reference can be the sharpest by chance, and by where its samples lie on edges: what the two sharpest of the others have in common, with its
    direction, is no blur of theirs. Where both are significantly sharper than the reference, it is the reference that is blurred.
    """
    moments = moments - _common(np.delete(moments, reference, axis=0), np.delete(errors, reference))
    others = np.linalg.eigvalsh(np.delete(moments, reference, axis=0)[:, [0, 1, 1, 2]].reshape(-1, 2, 2))[:, 1]
    typical = float(np.clip(np.quantile(others, 0.75), 0, _SAME_PX2)) if np.median(others) <= _SAME_PX2 else 0.0
    return _reduced(moments, np.full(len(moments), typical)), _reduced(moments, typical + _DEAD_PX2 + _SIGNIFICANT * errors)


def _common(others: Array, errors: Array) -> Array:
    """Return the mean moments (3,) of the two sharpest frames; eigenvalues up to a limit, and negative only if the reference is significantly more blurred."""
    sharpest = np.argsort(others[:, 0] + others[:, 2])[:2]
    values, vectors = np.linalg.eigh(others[sharpest].mean(axis=0)[[0, 1, 1, 2]].reshape(2, 2))
    sharper = (values < -_SAME_PX2 - _SIGNIFICANT * errors[sharpest].mean()).any() and values.min() > -_OTHER_CONTENT_PX2
    common = (vectors * np.clip(values, -_OTHER_CONTENT_PX2 if sharper else 0, _COMMON_PX2)) @ vectors.T
    return np.array([common[0, 0], common[0, 1], common[1, 1]])


def _reduced(moments: Array, offset: Array) -> Array:
    """Return moments (n, 3) less `offset` (n,) along both principal axes, none of them negative."""
    values, vectors = np.linalg.eigh(moments[:, [0, 1, 1, 2]].reshape(-1, 2, 2))
    soft = np.einsum("nab,nb,ncb->nac", vectors, np.maximum(values - offset[:, None], 0), vectors)
    return np.stack([soft[:, 0, 0], soft[:, 0, 1], soft[:, 1, 1]], -1)
