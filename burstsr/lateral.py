"""Lateral chromatic aberration of a registered burst, from its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from burstsr.align import Magnification, Patch, magnifications
from burstsr.core.burst import Frame
from burstsr.core.coords import output_length, tile_centre, tile_count
from burstsr.core.flow import Flow
from burstsr.core.lateral import LateralAberration
from burstsr.core.parallel import in_parallel
from burstsr.core.report import LateralReport
from burstsr.merge import KernelMerge
from burstsr.reconstruct import RegisteredFrame
from burstsr.registration import Registered
from burstsr.report import Record
from burstsr.settings import Settings

Place = tuple[int, int]
_SCALE = 2.0  # of the image in which it is measured
_KERNEL_PX = 0.5  # standard deviation of the merge's kernel, raw pixels
_PART_PX, _PARTS = 160, (5, 6)  # side of the parts of large frames that are used, raw pixels, and their number along y and x
_FALLBACK = 1e-6  # weight, samples
_FEWEST = 3  # frames: fewer do not sample red and blue densely
_SIGNIFICANT = 5.0  # standard errors of the displacement in the corners
_LEAST_PX = 0.06  # displacement in the corners, raw pixels: less hardly matters, and may be the scene's
_ROTATED = 0.5  # largest rotation against the magnification's displacement; lenses do not rotate


@dataclass(frozen=True)
class MeasuredLateral:
    """Aberration of red and blue as measured. aberration: what is significant of it; None: nothing is."""

    red: Magnification
    blue: Magnification
    aberration: LateralAberration | None

    @property
    def corner_px(self) -> tuple[float, float]:
        """Return how far red and blue are displaced in the corners, raw pixels, positive away from the centre."""
        return self.red.corner_px, self.blue.corner_px

    @property
    def error_px(self) -> tuple[float, float]:
        """Return their standard errors."""
        return self.red.error_px, self.blue.error_px


def choose_lateral(burst: Registered, tuned: Settings, record: Record) -> LateralAberration | None:
    """Return the aberration to correct: the known one of the reference, or what the burst shows; None for none."""
    if not tuned.correct_lateral or burst.guide.info.cfa.is_mono:
        return None
    known = burst.guide.info.lateral
    if known is not None:
        record.lateral(LateralReport(known.corner_px, None, "lens record", True))
        return known
    record.stage("lens")
    measured = measure_lateral(burst)
    if measured is None or not np.isfinite(measured.error_px).all():
        return None
    record.lateral(LateralReport(measured.corner_px, measured.error_px, "burst", measured.aberration is not None))
    return measured.aberration


def measure_lateral(burst: Registered) -> MeasuredLateral | None:
    """Measure the lateral chromatic aberration of whole, uncropped frames, at 30 places of large ones.

    None for monochrome frames, or fewer than three that show the scene.
    """
    frame = burst.guide
    views = [view for view in burst.views if view.weight > 0 and view.robustness.any()]
    if frame.info.cfa.is_mono or len(views) < _FEWEST:
        return None
    shape = frame.info.shape
    patches = list(in_parallel(lambda part: _patch(views, *part), _parts(shape)))
    red, blue = magnifications(patches, (output_length(shape[0], _SCALE), output_length(shape[1], _SCALE)), _SCALE)
    kept = [(m.k0, m.k1) if significant(m) else (0.0, 0.0) for m in (red, blue)]
    found = LateralAberration.of_frame(shape, kept[0], kept[1]) if any(map(any, kept)) else None
    return MeasuredLateral(red, blue, found)


def _parts(shape: tuple[int, int]) -> list[tuple[Place, Place]]:
    """Return (top, left) and (height, width) of the parts of a frame that are used: all of a small one."""
    if shape[0] * shape[1] <= _PARTS[0] * _PARTS[1] * _PART_PX**2:
        return [((0, 0), shape)]
    rows, columns = ((np.linspace(0, max(n - _PART_PX, 0), count) // 2 * 2).astype(int) for n, count in zip(shape, _PARTS, strict=True))
    size = min(_PART_PX, shape[0] // 2 * 2), min(_PART_PX, shape[1] // 2 * 2)
    return [((int(y), int(x)), size) for y in rows for x in columns]


def _patch(views: Sequence[RegisteredFrame], corner: Place, size: Place) -> Patch:
    """Merge a part of the views, every colour from its own samples alone."""
    kernel = np.zeros((size[0] // 2, size[1] // 2, 3), np.float32)
    kernel[..., 0] = kernel[..., 2] = 1 / _KERNEL_PX**2
    merge = KernelMerge(_SCALE, kernel, _FALLBACK)
    for view in views:
        cells = np.s_[corner[0] // 2 : (corner[0] + size[0]) // 2, corner[1] // 2 : (corner[1] + size[1]) // 2]
        own = replace(view, robustness=view.robustness[cells], precision=None if view.precision is None else view.precision[cells])
        merge.add(*_part(view, corner, size), own.merge_weights())
    return Patch(merge.result(weighed=False)[0], (round(_SCALE * corner[0]), round(_SCALE * corner[1])))


def _part(view: RegisteredFrame, corner: Place, size: Place) -> tuple[Frame, Flow]:
    """Return the part of a frame that shows that of the reference, in whole periods of the CFA, and its flow."""
    frame, flow = view.frame, view.flow
    if size == frame.info.shape:
        return frame, flow
    period = np.lcm(2, frame.info.cfa.period)
    centre = flow.at(corner[0] + size[0] / 2, corner[1] + size[1] / 2)
    first = (np.array(corner) + centre) // period * period
    top, left = (int(np.clip(f, 0, (n - s) // p * p)) for f, n, s, p in zip(first, frame.info.shape, size, period, strict=True))
    mosaic = np.ascontiguousarray(frame.mosaic[top : top + size[0], left : left + size[1]])
    gain = frame.info.gain and frame.info.gain.cropped(top, left)
    y, x = np.meshgrid(*(tile_centre(np.arange(tile_count(n, flow.tile_px)), flow.tile_px) for n in size), indexing="ij")
    tiles = flow.at(y + corner[0], x + corner[1]) + np.array(corner) - (top, left)
    return Frame(replace(frame.info, shape=size, gain=gain), mosaic), Flow(tiles.astype(np.float32), flow.tile_px)


def significant(m: Magnification) -> bool:
    """Return whether an aberration is there, and large enough to correct it."""
    return abs(m.corner_px) > max(_SIGNIFICANT * m.error_px, _LEAST_PX) and abs(m.rotation_px) < _ROTATED * abs(m.corner_px)
