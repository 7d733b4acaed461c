"""Noise estimation from a burst: structure is the same in all frames, noise is not.

In each frame a second difference along both axes removes smooth content. Blocks of the scene are tracked through the frames; the part of a block common
to the frames is removed (`structure`), and the rest is noise plus remaining structure: moving objects, misregistration, aliasing. Its amount is unknown,
but it only adds: the noise is the floor of the variances at each level (`floor`), and one line below the floors of all levels (`line`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Burst, Frame
from burstsr.core.coords import tile_centre
from burstsr.core.errors import BurstError
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.sensor import samples
from burstsr.noise.fit import NoiseFit
from burstsr.noise.floor import Floors, floors
from burstsr.noise.line import line_below
from burstsr.noise.patterns import as_bayer_burst, of_samples, times
from burstsr.noise.structure import Blocks, Split, reach_of, split

Doubles = NDArray[np.float64]
MakeAligner = Callable[[Frame, Noise], Callable[[Frame], Flow]]  # a reference and its noise, to a function that estimates flows
FEWEST_FRAMES = 3
_BLOCK = 4
_SHARE_ERROR = 0.5  # relative standard error of what is taken off for remaining structure
_WINDOW = 512  # side of the windows of a large frame that are used, raw pixels
_MOST_BLOCKS = 600  # per group, for a calibration measurement
_CLIPPED_HIGH, _CLIPPED_LOW = 0.05, 0.4  # share of a block's samples that may be clipped
_LAPLACIAN = np.array([1.0, -2.0, 1.0]) / np.sqrt(6.0)  # applied along both axes: unit noise gain, zero response to planes (Immerkaer 1996, eq. 2)


def measure(burst: Burst, rough: Noise, make_aligner: MakeAligner, most_windows: int = 4) -> NoiseFit:
    """Estimate the noise model of a burst of at least three frames, with standard errors, from up to `most_windows` windows of 512 x 512 raw pixels.

    rough: an initial estimate, for alignment. flows_of: the aligner. Raises BurstError for fewer frames.
    """
    if len(burst) < FEWEST_FRAMES:
        raise BurstError(f"burst {burst.name!r} has {len(burst)} frames: at least {FEWEST_FRAMES} are required to separate noise from structure")
    bayer, factor = as_bayer_burst(burst)
    found = floors_of(bayer, times(rough, factor), make_aligner, most_windows, _MOST_BLOCKS)
    return of_samples(_with_share_error(line_below(found), found), factor)


def _with_share_error(fitted: NoiseFit, found: Floors) -> NoiseFit:
    """Return the fit with errors that include that of the structure taken off: half of what it changes."""
    if not found.share:
        return fitted
    noise = line_below(replace(found, share=0.0)).noise
    alpha, beta = (_SHARE_ERROR * (a - b) for a, b in ((noise.alpha, fitted.noise.alpha), (noise.beta, fitted.noise.beta)))
    return replace(fitted, alpha_error=np.hypot(fitted.alpha_error, alpha), beta_error=np.hypot(fitted.beta_error, beta))


def floors_of(burst: Burst, rough: Noise, make_aligner: MakeAligner, most_windows: int, most_blocks: int = 100) -> Floors:
    """Compute the likelihood of noise variances at the levels of a burst of at least two frames, per channel. rough: an initial estimate."""
    cfa, seen = burst.info.cfa, []
    if not cfa.is_mono:
        cfa.require_bayer("noise of a burst")
    for window in windows(burst.info.shape, most_windows):
        frames = [cut(frame, window) for frame in burst]
        index = len(frames) // 2
        estimate_flow = make_aligner(frames[index], rough)
        flows = [None if i == index else estimate_flow(frame) for i, frame in enumerate(frames)]
        seen.append([blocks_of_site(frames, flows, site) for site in np.ndindex(2, 2)])
    reach = reach_of([blocks for sites in seen for blocks in sites])
    channels: list[list[Split]] = [[], [], []]
    for sites in seen:
        for site, found in zip(np.ndindex(2, 2), split(sites, reach), strict=True):
            for channel in (0, 1, 2) if cfa.is_mono else (cfa.channel(*site),):
                channels[channel].append(found)
    low = min(float(-(frame.info.levels.black * frame.info.levels.scale()).max()) for frame in burst)
    return floors(channels, low, most_blocks)


def windows(shape: tuple[int, int], most: int) -> list[tuple[slice, slice]]:
    """Return the whole frame if it is small, else up to `most` windows spread over it."""
    rows, columns = (max(1, length // _WINDOW) for length in shape)
    if rows * columns <= most:
        edges = [np.linspace(0, length, n + 1).astype(int) // 2 * 2 for length, n in zip(shape, (rows, columns), strict=True)]
        return [(slice(a, b), slice(c, d)) for a, b in zip(edges[0], edges[0][1:], strict=False) for c, d in zip(edges[1], edges[1][1:], strict=False)]
    across = min(columns, 2, most)
    down = min(rows, most // across)
    tops, lefts = (np.linspace(0, length - _WINDOW, n).astype(int) // 2 * 2 for length, n in zip(shape, (down, across), strict=True))
    return [(slice(t, t + _WINDOW), slice(c, c + _WINDOW)) for t in tops for c in lefts]


def cut(frame: Frame, window: tuple[slice, slice]) -> Frame:
    """Crop a frame to `window` (rows, columns), which begins at an even row and column."""
    mosaic = np.ascontiguousarray(frame.mosaic[window])
    first = window[0].start or 0, window[1].start or 0
    gain = frame.info.gain and frame.info.gain.cropped(*first)
    return Frame(replace(frame.info, shape=(mosaic.shape[0], mosaic.shape[1]), cfa=frame.info.cfa.shifted(*first), gain=gain), mosaic)


def without_gain(plane: NDArray[np.float32], frame: Frame, site: tuple[int, ...]) -> NDArray[np.float32]:
    """The samples of a CFA site as they were before gain that varies over the frame, for which one noise model holds; the very array without such gain."""
    if frame.info.gain is None:
        return plane
    gain = frame.info.gain
    if not frame.info.cfa.is_bayer:
        y, x = (
            first + round(length / count) * np.arange(count, dtype=np.float64) for first, length, count in zip(site, frame.info.shape, plane.shape, strict=True)
        )
        return np.asarray(plane / gain.at(y, x)[int(frame.info.cfa[site])], np.float32)
    return np.asarray(plane / gain.cells(frame.info.shape)[int(frame.info.cfa[site])], np.float32)


def blocks_of_site(frames: Sequence[Frame], flows: Sequence[Flow | None], site: tuple[int, ...]) -> Blocks:
    """Return the blocks of a CFA site in the frames that all of them show, unclipped; flows: against one of them, whose flow is None."""
    height, width = (length // 2 for length in frames[0].info.shape)
    top, left = (2 + _BLOCK * np.arange((length - 4) // _BLOCK) for length in (height, width))
    y0, x0 = (v.ravel() for v in np.meshgrid(top, left, indexing="ij"))
    inner = np.arange(_BLOCK)
    levels, residuals, offsets, inside, clipped = [], [], [], np.ones(len(y0), bool), np.zeros((2, len(y0)))
    for frame, flow in zip(frames, flows, strict=True):
        plane = np.ascontiguousarray(samples(frame.mosaic, frame.info.levels)[site[0] :: 2, site[1] :: 2])
        even = without_gain(plane, frame, site)
        residual = cv2.sepFilter2D(even, cv2.CV_32F, _LAPLACIAN, _LAPLACIAN)
        motion = np.zeros((len(y0), 2)) if flow is None else flow.at(*(tile_centre(v / _BLOCK, 2 * _BLOCK) + s for v, s in zip((y0, x0), site, strict=True)))
        whole = np.rint(motion / 2).astype(int)
        inside &= _inside(y0 + whole[:, 0], height) & _inside(x0 + whole[:, 1], width)
        rows = np.clip(y0 + whole[:, 0], 1, height - _BLOCK - 1)[:, None, None] + inner[:, None]
        columns = np.clip(x0 + whole[:, 1], 1, width - _BLOCK - 1)[:, None, None] + inner
        values = plane[rows, columns]
        black = frame.info.levels.black[site]
        clipped += ((values >= 0.999).mean((1, 2)), (values <= (0.5 - black) * frame.info.levels.scale()[site]).mean((1, 2)))
        levels.append((values if even is plane else even[rows, columns]).mean((1, 2), dtype=np.float64))
        residuals.append(residual[rows, columns].reshape(len(y0), -1))
        offsets.append(motion - 2 * whole)
    clipped /= len(frames)
    use = inside & (clipped[0] <= _CLIPPED_HIGH) & (clipped[1] <= _CLIPPED_LOW)
    return Blocks(np.flatnonzero(use), np.stack(levels)[:, use], np.stack(residuals)[:, use], np.stack(offsets)[:, use])


def _inside(first: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    return (first >= 1) & (first + _BLOCK < length)
