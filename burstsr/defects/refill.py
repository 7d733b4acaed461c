"""Repaired samples after registration: what the other frames saw at the same place of the scene, instead of what is near in the same frame.

The median of neighbours two pixels away is wrong by most of a star's light. A sample that repeats what the other frames say of its place says nothing of its
own, so the merge is that of a burst without it; the merge itself needs no weight per sample, which would cost every burst a pass over all samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.flow import Flow
from burstsr.core.quantise import unpacked

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]
_SIGMA_PX = 0.5  # of the weight of a sample by its distance
_REPAIRED = 0.05  # weight of the sample as repaired, which remains where no other frame has seen the place
_MOST = 20_000  # defects beyond which a sensor is not worth the time
_WINDOW = np.array([(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)])


def refilled(frames: Sequence[Frame], flows: Sequence[Flow], robustness: Sequence[NDArray[np.uint8] | NDArray[np.float32]], defects: Positions) -> list[Frame]:
    """Return the frames with the samples at `defects` (n, 2) replaced by the mean of the other frames' samples at their place in the scene.

    robustness: of each frame, per CFA cell of the reference. Samples count with robustness and with the distance to the place; defects of the others do not.
    """
    if not 0 < len(defects) <= _MOST or len(frames) < 2:
        return list(frames)
    bad = np.zeros(frames[0].info.shape, np.bool_)
    bad[tuple(defects.T)] = True
    places = [_in_reference(flow, defects) for flow in flows]
    return [_refilled(i, frames, flows, robustness, (defects, bad, places[i])) for i in range(len(frames))]


def _in_reference(flow: Flow, at: Positions) -> Floats:
    """Return where the reference shows what a frame shows at positions (n, 2): the fixed point of r = p - flow(r)."""
    place = at.astype(np.float64)
    for _ in range(4):
        place = at - flow.at(place[:, 0], place[:, 1])
    return place


def _refilled(
    own: int,
    frames: Sequence[Frame],
    flows: Sequence[Flow],
    robustness: Sequence[NDArray[np.uint8] | NDArray[np.float32]],
    of_defects: tuple[Positions, NDArray[np.bool_], Floats],
) -> Frame:
    defects, bad, place = of_defects
    info = frames[own].info
    channel = info.cfa[defects[:, 0], defects[:, 1]]
    black, scale = (v[defects[:, 0] % 2, defects[:, 1] % 2] for v in (info.levels.black, info.levels.scale()))
    repaired = (frames[own].mosaic[tuple(defects.T)] - black) * scale
    total, weights = _REPAIRED * repaired, np.full(len(defects), _REPAIRED)
    cell = tuple(np.clip(((place[:, k] + 0.5) // 2).astype(np.int64), 0, robustness[own].shape[k] - 1) for k in (0, 1))
    for other, frame in enumerate(frames):
        if other == own:
            continue
        trust = unpacked(robustness[other][cell])
        found, weight = _near(frame, place + flows[other].at(place[:, 0], place[:, 1]), channel, bad)
        total += trust * (found * weight).sum(axis=1)
        weights += trust * weight.sum(axis=1)
    mosaic = frames[own].mosaic.copy()
    mosaic[tuple(defects.T)] = np.clip(np.rint(total / weights / scale + black), 0, 65535)
    return frames[own].with_mosaic(mosaic)


def _near(frame: Frame, at: Floats, channel: NDArray[np.int64], bad: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the samples (n, 9) around positions (n, 2) of a frame, and their weights: 0 for other channels, defects, and places outside."""
    y, x = (np.rint(at[:, k, None]).astype(np.int64) + _WINDOW[None, :, k] for k in (0, 1))
    inside = (y >= 0) & (x >= 0) & (y < bad.shape[0]) & (x < bad.shape[1])
    y, x = (np.clip(v, 0, n - 1) for v, n in zip((y, x), bad.shape, strict=True))
    levels = frame.info.levels
    samples = (frame.mosaic[y, x] - levels.black[y % 2, x % 2]) * levels.scale()[y % 2, x % 2]
    distance2 = (y - at[:, 0, None]) ** 2 + (x - at[:, 1, None]) ** 2
    counts = inside & ~bad[y, x] & (frame.info.cfa[y, x] == channel[:, None])
    return samples, np.where(counts, np.exp(-0.5 / _SIGMA_PX**2 * distance2), 0.0)
