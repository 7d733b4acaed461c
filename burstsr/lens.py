"""Blur of the lens, from parts of a registered burst."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.lateral import LateralAberration
from burstsr.core.parallel import in_parallel
from burstsr.core.report import LensBlurReport
from burstsr.core.window import Window
from burstsr.develop import develop
from burstsr.reconstruct import LensBlur, Task, lens_blur, unsharpened
from burstsr.region import cut_to_window, window_around
from burstsr.registration import Registered
from burstsr.report import Record
from burstsr.settings import Settings

_SIDE_PX, _PARTS = 96, 4  # raw pixels: side of the parts, and their number
_MARGIN_PX = 6  # around them, beside the motion
_LEAST_SCALE = 1.25  # output pixels per raw pixel: smaller images lack the frequencies at which a lens differs from a soft scene
_BIN = 4  # samples along the side of the blocks whose differences tell detail: whole cells of the CFA


def with_lens_blur(burst: Registered, defects: NDArray[np.int64], tuned: Settings, lateral: LateralAberration | None, record: Record) -> Settings:
    """Return the settings with what is certain of the lens's blur; the same settings where it is given, not asked for, or cannot be measured.

    burst: whole, uncropped frames. defects: (n, 2) raw (y, x).
    """
    s = tuned.reconstruct
    if tuned.mode != "best" or not s.measure_lens_blur or s.lens_is_given:
        return tuned
    record.stage("lens")
    found = measure_lens_blur(burst, defects, tuned, lateral)
    if found is None:
        return tuned
    record.lens_blur(LensBlurReport(found.sigma_px, found.error_px, found.used_px))
    return replace(tuned, reconstruct=replace(s, psf_sigma_px=found.used_px))


def measure_lens_blur(burst: Registered, defects: NDArray[np.int64], tuned: Settings, lateral: LateralAberration | None) -> LensBlur | None:
    """Measure the blur in the parts with most detail; None for brackets, for frames of fewer than two parts, and at scales below 1.25."""
    if tuned.scale < _LEAST_SCALE:
        return None
    windows = _detailed(burst.guide)
    if burst.extended is not None or any(view.frame.info.own_noise is not None for view in burst.views) or len(windows) < 2:
        return None

    def image(window: Window) -> NDArray[np.float32]:
        room = window_around(burst, window, tuned.scale, _MARGIN_PX)
        part = cut_to_window(replace(burst, same_phase=None), room)
        merged, _ = develop(part, tuned, lambda stage: None)
        neutral, moved = part.guide.info.colour.as_shot_neutral, lateral and lateral.cropped(room.top, room.left)
        known = Task(merged, part.views, part.reference, part.noise, neutral, tuned.scale, tuned.reconstruct, room.positions(defects), lateral=moved)
        inner = window.output(tuned.scale, (room.top, room.left))
        return unsharpened(known)[:, inner[0], inner[1]]

    cfa = burst.guide.info.cfa
    share = 1.0 if cfa.is_mono else float(cfa.share[1])
    return lens_blur(list(in_parallel(image, windows)), burst.noise, tuned.scale, len(burst.views) * share / tuned.scale**2)


def _detailed(frame: Frame) -> list[Window]:
    """Return the parts of a frame with the most detail, in their order in it."""
    (height, width), least = frame.info.shape, _SIDE_PX
    windows = [Window(y, x, least, least) for y in range(0, height - least + 1, least) for x in range(0, width - least + 1, least)]

    def detail(window: Window) -> float:
        count = least // _BIN
        blocks = np.minimum(frame.mosaic[window.area], frame.info.levels.white).reshape(count, _BIN, count, _BIN).mean(axis=(1, 3), dtype=np.float64)
        return float(sum(np.sqrt(np.abs(np.diff(blocks, axis=axis))).mean() for axis in (0, 1)))

    return sorted(sorted(windows, key=detail, reverse=True)[:_PARTS])
