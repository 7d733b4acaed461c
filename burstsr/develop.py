"""From registered frames to an image: merge, sharpen, denoise colour."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from burstsr.align import subpixel_phases
from burstsr.core.burst import Frame
from burstsr.core.quantise import scaled
from burstsr.demosaic import demosaic, upscale, upscale_rows
from burstsr.kernels import kernels
from burstsr.merge import KernelMerge, ReferenceImage, add_wiener_residual, blend_reference_detail, denoise_chroma
from burstsr.reconstruct import Reconstruction, Task, keep_what_agrees, reconstruct
from burstsr.registration import Registered
from burstsr.report import Record
from burstsr.settings import Settings

Floats = NDArray[np.float32]
Weights = NDArray[np.floating]


def develop(burst: Registered, tuned: Settings, told: Callable[[str], None], keep_weight: bool = False) -> tuple[Floats, Floats | None]:
    """(H', W', 3) linear camera RGB, and, where it is kept, the samples of each colour that count in a pixel, (H', W', 3) float32.

    told: called with each stage that begins. tuned: settings as they fit the burst.
    """
    told("merge")
    kernel = kernels(burst.views[burst.reference].frame, burst.noise, tuned.kernels)
    image, weight, kept = _merged(burst, tuned, kernel, keep_weight)
    if burst.steady:
        add_reference_detail(image, weight, burst, tuned)
    told("sharpen")
    for _ in range(_iterations(burst, tuned)):
        _sharpen(image, weight, burst, tuned, kernel)
    denoise_colour(image, weight, burst, tuned)
    return image, kept


def first_guess(burst: Registered, scale: float) -> Floats:
    """(H', W', 3) the reference alone, which fills in where frames give a colour no samples."""
    return upscale(demosaic(burst.views[burst.reference].frame), scale)


class OwnImage:
    """The image of one frame alone, row by row; demosaiced when it is first asked for."""

    def __init__(self, frame: Frame, scale: float) -> None:
        self._frame, self._scale, self._lock = frame, scale, Lock()
        self._image: Floats | None = None

    def __call__(self, first: int, last: int) -> Floats:
        """(last - first, W', 3) linear camera RGB."""
        with self._lock:
            if self._image is None:
                self._image = demosaic(self._frame)
        return np.minimum(upscale_rows(self._image, self._scale, first, last), np.float32(1))  # bicubic kernels overshoot


def add_reference_detail(image: Floats, weight: Weights, burst: Registered, tuned: Settings) -> None:
    """Add, in place, what the reference's own sampling grid shows beyond its noise. Uses up `burst.steady`."""
    assert burst.steady is not None
    samples, fallen = burst.steady.result()
    single = partial(upscale_rows, demosaic(burst.views[burst.reference].frame, samples), tuned.scale)
    blend_reference_detail(image, weight, ReferenceImage(single, fallen), burst.noise, tuned.merge.reference_detail_threshold, tuned.scale)


def denoise_colour(image: Floats, weight: Weights, burst: Registered, tuned: Settings) -> None:
    """Smooth colour differences in place."""
    neutral = burst.views[burst.reference].frame.info.colour.as_shot_neutral
    denoise_chroma(image, weight, burst.noise, neutral, tuned.scale, tuned.merge.chroma_snr_threshold)


def _merged(burst: Registered, tuned: Settings, kernel: Floats, keep_weight: bool) -> tuple[Floats, Weights, Floats | None]:
    """The merged image, its weight as the stages after it need it, roughly, and as it is where that is kept."""
    fallback = first_guess(burst, tuned.scale)
    image, sums = _accumulated(burst, KernelMerge(tuned.scale, kernel, tuned.merge.fallback_weight, fallback=fallback), weighed=True)
    return image, sums.astype(np.float16), sums if keep_weight else None


def _iterations(burst: Registered, tuned: Settings) -> int:
    """Frames of one sub-pixel phase explain nothing new."""
    return tuned.merge.back_projection_iterations if subpixel_phases([view.flow for view in burst.views], tuned.scale) > 1 else 0


def _sharpen(image: Floats, weight: Weights, burst: Registered, tuned: Settings, kernel: Floats) -> None:
    """Add, in place, what the image leaves unexplained of the frames."""
    residual, _ = _accumulated(burst, KernelMerge(tuned.scale, kernel, tuned.merge.fallback_weight, explained=image), weighed=False)
    add_wiener_residual(image, residual, weight, burst.noise, tuned.merge, tuned.scale)


def _accumulated(burst: Registered, accumulator: KernelMerge, weighed: bool) -> tuple[Floats, Floats]:
    for view in burst.views:
        if view.weight > 0:
            accumulator.add(view.frame, view.flow, scaled(view.robustness, view.weight))
    return accumulator.result(weighed)


def reconstructed(task: Task, record: Record) -> tuple[Floats, Reconstruction]:
    """The image that explains all frames, and how it was found."""
    record.stage("reconstruct")
    outcome = reconstruct(task, record.tiles)
    record.reconstructed(outcome)
    return outcome.image, outcome


def safeguarded(task: Task, record: Record) -> Floats:
    """The merged image, but the reference's own where frames contradict it."""
    record.stage("check")
    record.safeguarded(keep_what_agrees(task))
    return task.image
