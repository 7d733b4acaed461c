"""Development of a registered burst: merge, sharpen, denoise chroma; reconstruction and its safeguard."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from burstsr.align import subpixel_phases
from burstsr.bracket.colour_lines import draw_to_colour_lines
from burstsr.core import large_arrays
from burstsr.core.burst import Frame
from burstsr.core.cfa import GREEN
from burstsr.core.limits import extremes
from burstsr.core.mono import FULL_SHARE
from burstsr.core.quantise import unpacked
from burstsr.demosaic import demosaic, upscale, upscale_rows
from burstsr.kernels import kernels
from burstsr.merge import KernelMerge, MonoMerge, ReferenceImage, add_predicted_step, add_wiener_residual, blend_reference_detail, denoise_chroma
from burstsr.merge.over_strips import over_strips
from burstsr.reconstruct import Reconstruction, Task, reconstruct, replace_contradicted
from burstsr.registration import Registered
from burstsr.report import Record
from burstsr.settings import Settings

Floats = NDArray[np.float32]
Weights = NDArray[np.floating]
_BESIDE_PX = 3.0  # raw pixels around highlights within which the reconstruction rings
_NEAR_PX, _ROOM = 1.0, 0.2  # radius, raw pixels, and share by which sharpening may exceed the extremes within it


def develop(burst: Registered, tuned: Settings, begin_stage: Callable[[str], None], keep_weight: bool = False) -> tuple[Floats, Floats | None]:
    """Return the (H', W', 3) linear camera RGB, and, if keep_weight, the effective number of samples per pixel and colour, (H', W', 3) float32.

    begin_stage: called with the name of each stage. tuned: settings adapted to the burst.
    """
    begin_stage("merge")
    kernel = kernels(burst.guide, burst.guide.noise(burst.noise), tuned.kernels)
    image, weight, kept = _merged(burst, tuned, kernel, keep_weight)
    if burst.same_phase:
        add_reference_detail(image, weight, burst, tuned)
    begin_stage("sharpen")
    for _ in range(_iterations(burst, tuned)):
        _sharpen(image, weight, burst, tuned, kernel)
    for limit in burst.limits:
        limit(image, tuned.scale)
    denoise_colour(image, weight, burst, tuned)
    return image, kept


def upscale_reference(burst: Registered, scale: float) -> Floats:
    """Return the upscaled reference, (H', W', 3), the fallback where no frame contributes to a colour."""
    return upscale(demosaic(burst.guide, burst.extended_samples), scale)


class SingleFrameImage:
    """Single-frame image, row by row; demosaiced on first use."""

    def __init__(self, frame: Frame, scale: float, samples: Floats | None = None) -> None:
        """samples: (H, W) to use instead of the frame's own."""
        self._frame, self._scale, self._samples, self._lock = frame, scale, samples, Lock()
        self._image: Floats | None = None

    def __call__(self, first: int, last: int) -> Floats:
        """Return rows first .. last - 1, (last - first, W', 3) linear camera RGB."""
        with self._lock:
            if self._image is None:
                self._image = demosaic(self._frame, self._samples)
        return np.minimum(upscale_rows(self._image, self._scale, first, last), np.float32(1))  # bicubic kernels overshoot


def add_reference_detail(image: Floats, weight: Weights, burst: Registered, tuned: Settings) -> None:
    """Add, in place, detail of the reference frame that exceeds its noise. Consumes `burst.same_phase`."""
    assert burst.same_phase is not None
    samples, noise_reduction = burst.same_phase.result()
    single = partial(upscale_rows, demosaic(burst.views[burst.reference].frame, samples), tuned.scale)
    own = ReferenceImage(single, noise_reduction, FULL_SHARE) if _is_mono(burst) else ReferenceImage(single, noise_reduction)
    blend_reference_detail(image, weight, own, burst.noise, tuned.merge.reference_detail_threshold, tuned.scale)


def denoise_colour(image: Floats, weight: Weights, burst: Registered, tuned: Settings) -> None:
    """Smooth colour differences in place, where there are any."""
    if _is_mono(burst):
        return
    neutral = burst.views[burst.reference].frame.info.colour.as_shot_neutral
    denoise_chroma(image, weight, burst.noise, neutral, tuned.scale, tuned.merge.chroma_snr_threshold)


def _merged(burst: Registered, tuned: Settings, kernel: Floats, keep_weight: bool) -> tuple[Floats, Weights, Floats | None]:
    """Return the merged image, its weight in half precision, and the exact weight if keep_weight."""
    fallback = upscale_reference(burst, tuned.scale)
    merge = merge_of(burst.views[burst.reference].frame)
    image, sums = _accumulated(burst, merge(tuned.scale, kernel, tuned.merge.fallback_weight, fallback=fallback), weighed=True)
    small = sums if burst.extended else large_arrays.copied(sums, np.float16)  # the weights of a bracket exceed its range
    return image, small, sums if keep_weight else None


def _iterations(burst: Registered, tuned: Settings) -> int:
    """Return the number of back-projection iterations: 0 if all frames have the same sub-pixel phase."""
    period = burst.views[burst.reference].frame.info.cfa.period[0]
    return tuned.merge.back_projection_iterations if subpixel_phases([view.flow for view in burst.views], tuned.scale, period) > 1 else 0


def _sharpen(image: Floats, weight: Weights, burst: Registered, tuned: Settings, kernel: Floats) -> None:
    """Back-project the frames' residuals from the image, in place."""
    merge = merge_of(burst.views[burst.reference].frame)
    residual, _ = _accumulated(burst, merge(tuned.scale, kernel, tuned.merge.fallback_weight, explained=image), weighed=False)
    before = large_arrays.copied(image) if burst.extended else None
    factor = add_wiener_residual(image, residual, weight, burst.noise, tuned.merge, tuned.scale)
    if tuned.merge.predicted_step > 0:
        add_predicted_step(image, residual, factor, _agreement(burst), tuned.merge, tuned.scale)
    if before is not None:
        limit_to_neighbours(image, before, tuned.scale)
    if _is_mono(burst):
        for rows in large_arrays.strips(image):
            image[rows] = image[rows, :, GREEN, None].copy()  # to which alone the mean is given back in full


def _agreement(burst: Registered) -> Floats:
    """Return the mean robustness of the frames that are merged, (h, w) per CFA cell."""
    used = [view.robustness for view in burst.views if view.weight > 0]
    total = np.zeros(used[0].shape, np.float32)
    for robustness in used:
        total += unpacked(robustness)
    return np.asarray(total / np.float32(len(used)))


def limit_to_neighbours(image: Floats, before: Floats, scale: float) -> None:
    """Limit an image, in place, to the extremes near each pixel of what it was before it was sharpened, with some room.

    More than that is ringing of the edges of a bracket's highlights.
    """
    reach = round(_NEAR_PX * scale)

    def limit(inner: slice, outer: slice, crop: slice) -> None:
        low, high = (extreme[crop] for extreme in extremes(before[outer], reach))
        np.clip(image[inner], np.float32(1 - _ROOM) * low, np.float32(1 + _ROOM) * high, out=image[inner])

    over_strips(limit, len(image), reach)


def _is_mono(burst: Registered) -> bool:
    return burst.views[burst.reference].frame.info.cfa.is_mono


def merge_of(reference: Frame) -> type[KernelMerge] | type[MonoMerge]:
    """Return the class that merges frames like the reference."""
    return MonoMerge if reference.info.cfa.is_mono else KernelMerge


def _accumulated(burst: Registered, accumulator: KernelMerge | MonoMerge, weighed: bool) -> tuple[Floats, Floats]:
    for view in burst.views:
        if view.weight > 0:
            accumulator.add(view.filled if weighed and view.filled else view.frame, view.flow, view.merge_weights())
    return accumulator.result(weighed)


def reconstructed(task: Task, record: Record) -> tuple[Floats, Reconstruction]:
    """Return the reconstructed image and the outcome of the reconstruction."""
    record.stage("reconstruct")
    outcome = reconstruct(task, record.tiles)
    record.reconstructed(outcome)
    saturation = task.views[task.reference].frame.info.levels.saturation
    if saturation < 1:
        raise_beside_highlights(outcome.image, task.image, saturation, task.scale)
    _without_fringes(outcome.image, task)
    return outcome.image, outcome


def raise_beside_highlights(image: Floats, merged: Floats, saturation: float, scale: float) -> None:
    """Raise, in place, what is darker than the merged image anywhere near, beside highlights above the reference's saturation: edges of many stops ring.

    image: (H', W', 3), or (H', W', 1) of monochrome frames. merged: (H', W', 3). saturation: of the reference, in their units.
    """
    reach, near = math.ceil(_BESIDE_PX * scale), round(_NEAR_PX * scale)

    def lift(inner: slice, outer: slice, crop: slice) -> None:
        bright = (merged[outer].max(axis=2) > saturation).astype(np.uint8)
        if bright.any():
            beside = extremes(bright, reach)[1][crop] > 0
            low = np.float32(1 - _ROOM) * extremes(merged[outer], near)[0][crop, :, : image.shape[2]]
            np.maximum(image[inner], low, out=image[inner], where=beside[..., None])

    over_strips(lift, len(image), reach)


def safeguarded(task: Task, record: Record) -> Floats:
    """Return the image with areas that the frames contradict replaced by the reference alone."""
    record.stage("check")
    record.safeguarded(replace_contradicted(task))
    _without_fringes(task.image, task)
    return task.image


def _without_fringes(image: Floats, task: Task) -> None:
    """Remove fringes of colour beside highlights, in place, if the burst is a bracket."""
    info = task.views[task.reference].frame.info
    if info.own_noise is not None and not info.cfa.is_mono:
        draw_to_colour_lines(image, task.neutral, info.levels.saturation, task.scale)
