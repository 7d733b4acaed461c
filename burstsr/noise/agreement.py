"""Consistency of aligned frames with the noise model.

Lossy compression removes the fine noise from which a model is measured, and leaves coarser errors. Frames then differ everywhere by more than the
model predicts, robustness rejects them, and nothing is merged. Where structure matches but even flat areas differ, the model is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Burst, Frame
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.remosaic import as_bayer
from burstsr.core.sensor import cells
from burstsr.noise.from_burst import cut, windows

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
MakeRegistrar = Callable[[Frame, Noise], Callable[[Frame], tuple[Flow, Floats]]]  # (reference, noise) -> function (frame) -> (flow, robustness)
_FRAMES, _WINDOWS = 2, 2  # that are compared
_REJECTED = 0.5  # mean robustness, where both frames overlap, below which a frame counts as rejected
_RAISED_TO_ALIGN = 16.0  # factor on the variance to align rejected frames again: underestimated noise misleads alignment too
_TILE = 16  # CFA cells per side of the tiles whose correlation tells whether frames match
_FITS = 0.75  # correlation of the median tile
_SMOOTH = 0.25  # share of the CFA cells, those of least local variance, that are compared
_INTERPOLATED = 0.1  # share of the local variance by which interpolated frames may differ
_LEAST = 3.0  # factor by which differences must exceed the model before it is raised
_GAIN_SHARE = 3.0  # maximum factor that a difference in brightness may contribute
_ROUNDS = 3
_GREENS = np.array([1.0, 2.0, 1.0])  # samples of a colour in a CFA cell
_MEDIAN_OF_SQUARE = 0.455  # of a standard normal variable


@dataclass(frozen=True)
class _Compared:
    """fit: correlation of structure. factor: (3,) squared differences in flat areas relative to the noise model."""

    fit: float
    factor: Doubles


def raise_noise(burst: Burst, noise: Noise, make_registrar: MakeRegistrar) -> tuple[Noise, float]:
    """Raise the noise model where most frames that match the reference would be rejected; also return the factor (variance, mean over channels)."""
    total = np.ones(3)
    if len(burst) < 2:
        return noise, 1.0
    for _ in range(_ROUNDS):
        now = Noise(noise.alpha * total, noise.beta * total)
        asked, against = 0, []
        for compared in _compared(burst, now, make_registrar):
            asked += compared is None or compared.fit >= _FITS
            if compared is not None and compared.fit >= _FITS and float(np.median(compared.factor)) >= _LEAST:
                against.append(compared.factor)
        if 2 * len(against) <= asked:
            break
        total *= np.maximum(np.median(against, axis=0), 1.0)
    return Noise(noise.alpha * total, noise.beta * total), float(np.exp(np.log(total).mean()))


def _compared(burst: Burst, noise: Noise, make_registrar: MakeRegistrar) -> list[_Compared | None]:
    """Compare pairs of reference and frame in the test windows, only one where it is unsuspicious; None where the frame is accepted."""
    index = len(burst) // 2
    others = [i for i in np.unique(np.linspace(0, len(burst) - 1, _FRAMES + 1).astype(int)) if i != index]
    found: list[_Compared | None] = []
    for window in windows(burst.info.shape, _WINDOWS):
        reference = cut(burst.frames[index], window)
        register = make_registrar(reference, noise)
        for i in others:
            frame = cut(burst.frames[i], window)
            flow, robustness = register(frame)
            seen = _visible(flow, frame.info.shape)
            if not seen.any() or float(robustness[seen].mean()) >= _REJECTED:
                found.append(None)
                continue
            flows = (flow, make_registrar(reference, noise.scaled(_RAISED_TO_ALIGN))(frame)[0])
            found.append(max((_compare(reference, frame, f, noise) for f in flows), key=lambda c: c.fit))
        if not any(found):  # what differs everywhere differs here too
            break
    return found


def _visible(flow: Flow, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return (H/2, W/2) bool, the CFA cells of the reference that the frame covers."""
    y, x = np.mgrid[: shape[0] // 2, : shape[1] // 2]
    at = flow.at(2 * y + 0.5, 2 * x + 0.5)
    return np.asarray((2 * y + at[..., 0] >= 0) & (2 * x + at[..., 1] >= 0) & (2 * y + at[..., 0] < shape[0] - 1) & (2 * x + at[..., 1] < shape[1] - 1))


def _compare(reference: Frame, frame: Frame, flow: Flow, noise: Noise) -> _Compared:
    here, there = (np.asarray(cv2.blur(cells(as_bayer(f)), (3, 3)), np.float32) for f in (reference, frame))
    height, width = here.shape[:2]
    y, x = np.mgrid[:height, :width]
    shift = flow.at(2 * y + 0.5, 2 * x + 0.5) / 2
    at = ((x + shift[..., 1]).astype(np.float32), (y + shift[..., 0]).astype(np.float32))
    warped = np.asarray(cv2.remap(there, *at, cv2.INTER_LINEAR), np.float32)
    seen = _visible(flow, reference.info.shape)
    local = cv2.blur(here[..., 1] ** 2, (5, 5)) - cv2.blur(here[..., 1], (5, 5)) ** 2
    if seen.sum() < 4 * _TILE**2:
        return _Compared(0.0, np.ones(3))
    relative = local / np.maximum(noise.variance(here[..., 1], 1), 1e-20)
    smooth = seen & (relative <= np.quantile(relative[seen], _SMOOTH))
    factor = np.array([_excess(here[..., c][smooth], warped[..., c][smooth], local[smooth], noise, c) for c in range(3)])
    return _Compared(_fit(here[..., 1], warped[..., 1], seen), factor)


def _excess(here: Floats, there: Floats, local: Floats, noise: Noise, channel: int) -> float:
    """Return squared differences relative to the noise model, after excluding differences of brightness and structure.

    A difference in brightness alone is not noise. local: local variance, a share of which is interpolation error.
    """
    expected = 2 * noise.variance(here, channel) / (9 * _GREENS[channel])
    gain = float(np.median(there) / max(float(np.median(here)), 1e-6))
    squared = (here * gain - there) ** 2
    sure = float(np.median(squared / (expected + _INTERPOLATED * local))) / _MEDIAN_OF_SQUARE
    if sure < _LEAST:
        return sure
    whole, without = (float(np.median(d / expected)) / _MEDIAN_OF_SQUARE for d in ((here - there) ** 2, squared))
    return min(max(whole, without), _GAIN_SHARE * without)


def _fit(here: Floats, there: Floats, seen: NDArray[np.bool_]) -> float:
    """Return the median correlation over the half of the tiles with most structure."""
    rows, columns = (n // _TILE for n in here.shape)
    whole = (v[: rows * _TILE, : columns * _TILE].reshape(rows, _TILE, columns, _TILE) for v in (here, there, seen))
    a, b, s = (v.swapaxes(1, 2).reshape(rows * columns, -1) for v in whole)
    a, b = a[s.all(axis=1)], b[s.all(axis=1)]
    if not len(a):
        return 0.0
    a, b = (v - v.mean(axis=1, keepdims=True, dtype=np.float64) for v in (a, b))
    energy = (a * a).sum(axis=1)
    correlation = (a * b).sum(axis=1) / np.sqrt(np.maximum(energy * (b * b).sum(axis=1), 1e-30))
    return float(np.median(correlation[energy >= np.median(energy)]))
