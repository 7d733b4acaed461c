"""The eight samples to which a pixel is compared: the nearest of its channel. Of Bayer and monochrome mosaics, the ring two pixels around it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.cfa import Cfa

Index = NDArray[np.int64]
_RING = np.array([(dy, dx) for dy in (-2, 0, 2) for dx in (-2, 0, 2) if dy or dx])
_REACH = 6  # pixels within which the nearest are searched


def around(frame: Frame, at: Index) -> tuple[NDArray[np.float64], tuple[Index, Index]]:
    """Return DN (n, 8) and positions (y, x) of the neighbours of positions (n, 2); beyond a border, samples of the same site inside."""
    mosaic, cfa = frame.mosaic, frame.info.cfa
    if cfa.has_bayer_cells:
        y, x = (mirrored(at[:, k, None] + _RING[None, :, k], mosaic.shape[k], 2) for k in (0, 1))
    else:
        offsets = _offsets(cfa)[at[:, 0] % cfa.period[0], at[:, 1] % cfa.period[1]]
        y, x = (_inside(at[:, k, None] + offsets[..., k], mosaic.shape[k], cfa.period[k]) for k in (0, 1))
    return mosaic[y, x].astype(np.float64), (y, x)


def nearest(frame: Frame, at: Index) -> tuple[NDArray[np.float64], tuple[Index, Index]]:
    """Return the same of the very nearest samples of the channel, which of a monochrome mosaic touch the pixel."""
    if not frame.info.cfa.is_mono:
        return around(frame, at)
    y, x = (mirrored(at[:, k, None] + _RING[None, :, k] // 2, frame.mosaic.shape[k], 1) for k in (0, 1))
    return frame.mosaic[y, x].astype(np.float64), (y, x)


def mirrored(index: Index, length: int, step: int) -> Index:
    """Mirror indices beyond a border to the sample on the other side of the position, `step` away from it."""
    index = np.where(index < 0, index + 2 * step, index)
    return np.where(index >= length, index - 2 * step, index)


def _inside(index: Index, length: int, period: int) -> Index:
    """Move indices beyond a border to samples of the same site inside, never to the one whose neighbours they are."""
    far = period * (_REACH // period + 1)
    index = np.where(index < 0, index + far, index)
    return np.where(index >= length, index - far, index)


def planes_around(frame: Frame, y: int, x: int) -> NDArray[np.uint16]:
    """Return the neighbours of all samples of one site (y, x) of the CFA: (8, h, w) DN."""
    mosaic, cfa = frame.mosaic, frame.info.cfa
    rows, columns = (np.arange(first, n, p) for first, n, p in zip((y, x), mosaic.shape, cfa.period, strict=True))
    planes = []
    for offset in _offsets(cfa)[y, x]:
        at = (_inside(v + o, n, p) for v, o, n, p in zip((rows, columns), offset, mosaic.shape, cfa.period, strict=True))
        planes.append(mosaic[np.ix_(*at)])
    return np.stack(planes)


@lru_cache(maxsize=16)
def _offsets(cfa: Cfa) -> Index:
    """Return (py, px, 8, 2) offsets to the eight nearest samples of the channel of every site."""
    reach = range(-_REACH, _REACH + 1)
    near = sorted(((dy, dx) for dy in reach for dx in reach if dy or dx), key=lambda d: (d[0] ** 2 + d[1] ** 2, d))
    sites = [[d for d in near if cfa.channel(y + d[0], x + d[1]) == cfa.channel(y, x)][:8] for y, x in cfa.sites()]
    return np.array(sites, np.int64).reshape(*cfa.period, 8, 2)
