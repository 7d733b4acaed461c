"""From a burst whose motion is known to the merged picture: merge, sharpen, calm colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from burstsr.align import subpixel_phases
from burstsr.core.noise import Noise
from burstsr.demosaic import demosaic, upscale, upscale_rows
from burstsr.kernels import kernels
from burstsr.merge import KernelMerge, SamePhaseMean, add_wiener_residual, blend_reference_detail, denoise_chroma
from burstsr.reconstruct import RegisteredFrame
from burstsr.settings import Settings

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Registered:
    """A burst whose motion is known. views: its frames with flow and trust; views[reference] is the frame whose geometry the result has.

    steady: all other frames on the reference's own sampling grid, see `SteadyMean`; used up by `merged`. None: they are not looked at in this way.
    """

    views: Sequence[RegisteredFrame]
    reference: int
    noise: Noise
    steady: SamePhaseMean | None


def merged(burst: Registered, tuned: Settings, told: Callable[[str], None]) -> Floats:
    """(round(s H), round(s W), 3) linear camera RGB. told is called with each stage that has ended. tuned: settings as they fit the burst."""
    views, noise, scale, merge = burst.views, burst.noise, tuned.scale, tuned.merge
    reference = views[burst.reference].frame
    kernel = kernels(reference, noise, tuned.kernels)
    image, sums = _accumulated(views, KernelMerge(scale, kernel, merge.fallback_weight, fallback=upscale(demosaic(reference), scale)))
    weight = sums.astype(np.float16)  # what is left to do needs it roughly
    del sums
    told("merge")
    if burst.steady:
        calmer, fallen = burst.steady.result()
        single = partial(upscale_rows, demosaic(reference, calmer), scale)
        blend_reference_detail(image, weight, single, fallen, noise, merge.reference_detail_threshold, scale)
        told("merge")
        del single, calmer, fallen
    # frames of one sub-pixel phase explain nothing new
    for _ in range(merge.back_projection_iterations if subpixel_phases([view.flow for view in views], scale) > 1 else 0):
        residual, _ = _accumulated(views, KernelMerge(scale, kernel, merge.fallback_weight, explained=image), weighed=False)
        add_wiener_residual(image, residual, weight, noise, merge.step_size, merge.residual_snr_threshold, scale)
        told("sharpen")
        del residual
    denoise_chroma(image, weight, noise, reference.info.colour.as_shot_neutral, scale, merge.chroma_snr_threshold)
    told("sharpen")
    return image


def _accumulated(views: Sequence[RegisteredFrame], accumulator: KernelMerge, weighed: bool = True) -> tuple[Floats, Floats]:
    for view in views:
        accumulator.add(view.frame, view.flow, view.robustness)
    return accumulator.result(weighed)
