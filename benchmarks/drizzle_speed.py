"""Drizzle (Fruchter & Hook 2002, the STScI package) timed on the merge's input: the usual stacking of colour sensors in astronomy. Single-threaded C."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from benchmarks.merge_case import MergeCase
from burstsr.core.coords import output_position
from burstsr.core.sensor import clipped_samples

KERNELS = ("turbo", "square")
_PIXFRAC = 0.7  # side of a drop in raw pixels
_SITES = tuple(np.ndindex(2, 2))


def seconds(case: MergeCase, kernel: str, frames: int, runs: int) -> list[float]:
    """Return the seconds per frame of stacking the first `frames` frames, for each run.

    Every CFA site is an image of its own, with a quarter of the samples and pixels of twice the side, so that no time is spent on samples of other
    colours; the two greens fall on one plane. Positions of the samples are precomputed and not timed.
    """
    from drizzle.resample import Drizzle

    chosen = case.frames[:frames]
    places = [[_places(case, index, site) for site in _SITES] for index in range(len(chosen))]
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        planes = [Drizzle(kernel=kernel, fillval="NaN", out_shape=case.output_shape, disable_ctx=True) for _ in range(3)]
        for frame, of_frame in zip(chosen, places, strict=True):
            samples = clipped_samples(frame)
            for site, pixmap in zip(_SITES, of_frame, strict=True):
                data = np.ascontiguousarray(samples[site[0] :: 2, site[1] :: 2])
                plane = planes[frame.info.cfa[site]]
                plane.add_image(data, exptime=1.0, pixmap=pixmap, pixfrac=_PIXFRAC / 2, pixel_scale_ratio=1 / (2 * case.scale))
        times.append((time.perf_counter() - start) / len(chosen))
    return times


def _places(case: MergeCase, index: int, site: tuple[int, ...]) -> NDArray[np.float64]:
    """Return (H/2, W/2, 2) output (x, y) of a site's samples."""
    height, width = case.shape
    y, x = np.arange(site[0], height, 2)[:, None], np.arange(site[1], width, 2)[None, :]
    back = case.flows[index].inverse().at(y, x)
    return np.stack([output_position(x + back[..., 1], case.scale), output_position(y + back[..., 0], case.scale)], axis=-1)
