"""Sharpening by iterative back-projection: predict the frames from the merged image, merge the residuals, add their significant part.

Source: Irani & Peleg 1991, eq. 3, with the merge kernels for back-projection, and a local Wiener factor against noise.
Departs: Wronski 2019 ends with the merge, whose kernels and pixel integration blur.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burstsr.core import large_arrays
from burstsr.core.cfa import GREEN
from burstsr.core.limits import at_least, at_most
from burstsr.core.noise import MERGED_SHARE, Noise
from burstsr.core.resized import resized_rows
from burstsr.core.sensor import CHANNEL_SHARE
from burstsr.merge.over_strips import mean_around, over_strips
from burstsr.settings import MergeSettings

Floats = NDArray[np.float32]
_REACH = 2.0  # radius, raw pixels, within which energy is averaged; smaller ones take noise for detail (specks)


class ReferenceImage(NamedTuple):
    """Single-frame image of the reference.

    rows(first, last): those rows of it, upscaled. noise_reduction (h, w), any smaller size: noise variance of a sample relative to this image's.
    share: weights of R, G, B in luma, where their noise is independent.
    """

    rows: Callable[[int, int], Floats]
    noise_reduction: Floats
    share: Floats = CHANNEL_SHARE


def blend_reference_detail(merged: Floats, weight: NDArray[np.floating], own: ReferenceImage, noise: Noise, threshold: float, scale: float) -> None:
    """Add to the merged image, in place, the detail of the single-frame image that exceeds its noise.

    merged, weight (sum of kernel weights, in samples): (H', W', 3). The difference is scaled by max(1 - threshold * v / e, 0), where e is its mean square
    on luma within 2 raw pixels and v the noise variance of the reference image beyond the merge's.
    Detail comes from the single frame, whose demosaicing is edge-directed; flat areas from the merge, which has less noise.
    """
    luma = [float((own.share**2) @ v) for v in (noise.alpha, noise.beta)]
    columns = range(merged.shape[1])
    reach = _reach(scale)
    share = large_arrays.empty(merged.shape[:2])

    def weigh(inner: slice, outer: slice, crop: slice) -> None:
        single = own.rows(outer.start, outer.stop)
        luma_of_merged = merged[outer] @ own.share
        level = at_least(luma_of_merged, 0)
        energy = mean_around((single @ own.share - luma_of_merged) ** 2, reach)
        reduction = resized_rows(own.noise_reduction, (merged.shape[0], merged.shape[1]), outer)
        local = noise.of_output(range(outer.start, outer.stop), columns, scale) if noise.gain else None
        luma_alpha, luma_beta = luma if local is None else [v @ own.share**2 for v in local]
        excess = (1.0 - at_most(MERGED_SHARE * reduction / at_least(weight[outer, :, 1].astype(np.float32), 1e-6), 1)) / reduction
        share[inner] = np.clip(1.0 - threshold * excess * (luma_alpha * level + luma_beta) / at_least(energy, 1e-12), 0.0, 1.0)[crop]

    def mix(rows: slice, outer: slice, crop: slice) -> None:
        merged[rows] += share[rows, :, None] * (own.rows(rows.start, rows.stop) - merged[rows])

    over_strips(weigh, merged.shape[0], reach)
    over_strips(mix, merged.shape[0], reach)


def add_wiener_residual(image: Floats, residual: Floats, weight: NDArray[np.floating], noise: Noise, settings: MergeSettings, scale: float) -> Floats:
    """Add `step_size` times the merged residual to the image, in place, where it exceeds its noise.

    image, residual, weight (sum of kernel weights, in samples): (H', W', 3). The factor is max(1 - residual_snr_threshold / e, 0), where e is the mean of
    squared residual over noise variance, over colours and 2 raw pixels. The image is clipped at saturation.
    The local mean of green's residual is preserved: what the factor or the step removes is added back, blurred over a few raw pixels. Otherwise stars, whose
    cores are significant but not their wings, would gain 3 to 5 % flux. Red and blue, with half the samples, err by less than 1 % and are left uncorrected,
    since the noise of that mean would be visible as chroma noise (0.04 dB at ISO 3200).
    Returns the factor, (H', W').
    """
    gain, threshold = settings.step_size, settings.residual_snr_threshold
    reach = _reach(scale)
    share = large_arrays.empty(image.shape[:2])

    def weigh(inner: slice, outer: slice, crop: slice) -> None:
        alpha, beta = noise.of_output(range(outer.start, outer.stop), range(image.shape[1]), scale)
        energy = np.zeros((outer.stop - outer.start, image.shape[1]), np.float32)
        for c, colour_share in enumerate(CHANNEL_SHARE):  # one by one, as `split_channels`
            ratio = residual[outer, :, c] ** 2
            ratio *= at_least(weight[outer, :, c].astype(np.float32), MERGED_SHARE)
            ratio /= alpha[..., c] * at_least(image[outer, :, c], 0) + beta[..., c]
            ratio *= colour_share / np.float32(MERGED_SHARE)
            energy += ratio
        share[inner] = np.clip(1.0 - threshold / at_least(mean_around(energy, reach), 1e-6), 0.0, 1.0)[crop]

    def add(rows: slice, outer: slice, crop: slice) -> None:
        step = np.float32(gain) * share[outer]
        for c in range(image.shape[2]):
            plane = image[rows, :, c] + step[crop] * residual[rows, :, c]
            if c == GREEN:
                lost = (np.float32(min(gain, 1.0)) - step) * residual[outer, :, GREEN]
                plane += mean_around(mean_around(lost, reach), reach)[crop]
            image[rows, :, c] = at_most(plane, 1, out=plane)

    over_strips(weigh, image.shape[0], reach)
    over_strips(add, image.shape[0], 2 * reach)
    return share


def _reach(scale: float) -> int:
    return round(_REACH * scale)
