"""DN to samples, and the two half-resolution images of a mosaic that stages use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core import loops
from burstsr.core.burst import Frame, Levels
from burstsr.core.cfa import RED
from burstsr.core.jit import over_rows
from burstsr.core.noise import Noise

CHANNEL_SHARE = np.array([0.25, 0.5, 0.25], np.float32)  # weights of R, G, B in a CFA cell; luma of camera RGB
CLIPPED = 0.98  # share of saturation from which a bracket's samples count as clipped
_STEP = 7  # of `shows_nothing`: rows and columns between the samples looked at first: odd, for all sites of the CFA
_SOME_SATURATED, _ALL_SATURATED = 0.98, 0.999  # shares of saturated samples: of those, and of all
Floats = NDArray[np.float32]


def samples(mosaic: NDArray[np.uint16], levels: Levels) -> Floats:
    """Return (H, W) float32 samples, (level - black) / (white - black) per site; 1.0 = saturation, not clipped."""
    return _normalised(mosaic, levels, np.inf)


def clipped_samples(frame: Frame) -> Floats:
    """Return (H, W) float32 samples of a frame, clipped above at 1.0 (saturation)."""
    return _normalised(frame.mosaic, frame.info.levels, 1.0)


def _normalised(mosaic: NDArray[np.uint16], levels: Levels, most: float) -> Floats:
    out = np.empty(mosaic.shape, np.float32)
    over_rows(loops.normalise_rows, mosaic.shape[0], mosaic, *site_rows(levels, mosaic.shape[1]), np.float32(most), out)
    return out


def site_rows(levels: Levels, width: int) -> tuple[Floats, Floats]:
    """Return black levels and scales along the rows of one period, an even and an odd one as a rule: two (2, width) float32, for loops over a mosaic's rows."""
    repeats = (1, -(-width // levels.black.shape[1]))
    black, scale = (np.tile(v.astype(np.float32), repeats)[:, :width] for v in (levels.black, levels.scale()))
    return np.ascontiguousarray(black), np.ascontiguousarray(scale)


def mean_sample(frame: Frame) -> float:
    """Return the mean of all samples of a frame."""
    mosaic, levels = frame.mosaic, frame.info.levels
    if levels.black.shape != (2, 2):  # fast path: levels repeat after 2 x 2 sites, whatever the CFA
        return float(samples(mosaic, levels).mean(dtype=np.float64))
    sums = np.empty((mosaic.shape[0], 2), np.uint64)
    over_rows(loops.site_sums, mosaic.shape[0], mosaic, sums)
    total = 0.0
    for y in (0, 1):
        for x in (0, 1):
            count = len(range(y, mosaic.shape[0], 2)) * len(range(x, mosaic.shape[1], 2))
            total += (float(sums[y::2, x].sum()) - count * float(levels.black[y, x])) * float(levels.scale()[y, x])
    return total / mosaic.size


def is_constant(mosaic: NDArray[np.uint16]) -> bool:
    """Whether all samples are equal, which is no photograph: blank, or saturated all over. Costs nothing for others."""
    if mosaic.size == 0:  # a frame whose pixels are not kept: a stream's
        return False
    first = mosaic[0, 0]
    return bool((mosaic[0] == first).all() and (mosaic == first).all())


def shows_nothing(frame: Frame) -> bool:
    """Whether a frame is no photograph: all samples are equal, or all but one in a thousand saturated. Costs little for others."""
    mosaic, white = frame.mosaic, frame.info.levels.white
    if is_constant(mosaic):
        return True
    few = mosaic[::_STEP, ::_STEP]
    return few.size > 0 and bool((few >= white).mean() >= _SOME_SATURATED) and bool((mosaic >= white).mean() >= _ALL_SATURATED)


def cells(frame: Frame) -> Floats:
    """Return (H/2, W/2, 3) float32 R, G, B of every CFA cell, the two greens averaged."""
    mosaic = frame.mosaic
    out = np.empty((mosaic.shape[0] // 2, mosaic.shape[1] // 2, 3), np.float32)
    over_rows(loops.cell_rows, out.shape[0], mosaic, *site_rows(frame.info.levels, 2), red_site(frame), out)
    return out


def red_site(frame: Frame) -> int:
    """Return 2 y + x of the red site in the CFA cell of a Bayer frame, which is all that loops over cells know of its order; 0 for a monochrome one.

    Raises CfaError for others.
    """
    if frame.info.cfa.is_mono:  # as RGGB with filters that are alike, see `core.mono`
        return 0
    frame.info.cfa.require_bayer(str(frame.info.path))
    y, x = frame.info.cfa.sites(RED)[0]
    return 2 * y + x


def stabilisation(noise: Noise) -> tuple[np.float32, np.float32, np.float32]:
    """Return (gain, offset, factor) of the transform factor sqrt(gain x + offset) that gives grey (R, G, B weighted 1:2:1) unit noise per sample.

    The generalised Anscombe transform of Poisson-Gaussian noise: 2 / alpha sqrt(alpha x + 3/8 alpha^2 + beta) (Makitalo & Foi 2013, eq. 2).
    """
    alpha = max(float(CHANNEL_SHARE @ noise.alpha), 1e-9)
    beta = float(CHANNEL_SHARE @ noise.beta)
    return np.float32(alpha), np.float32(beta + 0.375 * alpha * alpha), np.float32(2.0 / alpha)


def stabilise(luma: Floats, noise: Noise) -> Floats:
    """Transform grey in place so that the noise of a single sample has standard deviation 1; see `stabilisation`."""
    gain, offset, factor = stabilisation(noise)
    luma *= gain
    luma += offset
    np.maximum(luma, 0, out=luma)
    np.sqrt(luma, out=luma)
    luma *= factor
    return luma


def stabilised_cells(frame: Frame, noise: Noise) -> Floats:
    """Return the (H/2, W/2) float32 stabilised mean of each CFA cell's four samples; its noise has standard deviation 1/2."""
    frame.info.cfa.require_2x2("means of CFA cells")
    mosaic = frame.mosaic
    out = np.empty((mosaic.shape[0] // 2, mosaic.shape[1] // 2), np.float32)
    over_rows(loops.stabilised_cell_rows, out.shape[0], mosaic, *site_rows(frame.info.levels, 2), *stabilisation(noise), out)
    return out
