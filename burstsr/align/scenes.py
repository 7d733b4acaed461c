"""Grouping of a burst's frames by scene, on small images, before alignment."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.align.global_motion import translation
from burstsr.core.burst import Burst, Frame
from burstsr.core.noise import Noise
from burstsr.core.remosaic import as_bayer
from burstsr.core.sensor import stabilise

Floats = NDArray[np.float32]
_LONGER_PX = 128  # of the small images
_BLUR_PX, _SHADING_PX = 0.8, 4.0  # of them: finer detail may be misaligned, coarser may differ in exposure
_WHITE_LEFT = 0.12  # noise variance that the blur leaves
_STRUCTURE = 4.0  # an image counts as empty if its variance is below this many noise variances
_SAME = 0.4  # correlation of aligned images; same scenes: 0.7 and more (measured on real bursts), different ones: 0.31 and less (276 pairs of Kodak images)
_LEAST_COMMON = 0.3  # least overlap, as a fraction of the image
_UNKNOWN_ISO = 800.0
_CLIPPED, _NEAR_CLIPPED = 0.98, 9  # share of the white level, and the side of the square around such pixels where local contrast is invalid
_CLIPPED_APART = 0.02  # difference of the shares of two images that are clipped: beyond it, exposures differ
_LEAST_VALID = 0.05  # share of the image that must be clipped in neither


def scenes(burst: Burst, leader: int | None = None) -> list[list[int]]:
    """Group frame indices by scene: first the scene of `leader`, or else the largest, then by size and by first frame.

    Frames show the same scene where their local contrast correlates after the best translation; exposure and noise models may differ. Frames without
    structure (a wall, fog, darkness) are indistinguishable and count as one scene. Where exposures differ, areas that one frame clips are not compared.
    """
    images = [_small(frame) for frame in burst]
    left, groups = set(range(len(burst))), []
    first = len(burst) // 2 if leader is None else leader
    while left:
        same = {i for i in left if i == first or alike(images[first], images[i])}
        groups.append(sorted(same))
        left -= same
        first = min(left, default=0)
    rest = sorted(groups if leader is None else groups[1:], key=lambda group: (-len(group), group[0]))
    return rest if leader is None else [groups[0], *rest]


@dataclass(frozen=True)
class Small:
    """A frame's local contrast at low resolution, (h, w), in units of a sample's noise sigma; its noise variance; where the frame is clipped nearby."""

    image: Floats
    variance: float
    clipped: NDArray[np.bool_]


def alike(a: Small, b: Small) -> bool:
    """Return whether two small images show the same scene."""
    empty = [float((small.image**2).mean()) < _STRUCTURE * small.variance for small in (a, b)]
    if any(empty):
        return all(empty) or _clip_differently(a, b)
    if _clip_differently(a, b):
        return _alike_where_valid(a, b)
    dy, dx = translation(a.image, b.image)
    here, there = _overlap(a.image.shape, dy, dx)
    p, q = a.image[here].astype(np.float64), b.image[there].astype(np.float64)
    if p.size < _LEAST_COMMON * a.image.size:
        return False
    return _correlate(p, q, 0.5 * (a.variance + b.variance))


def _clip_differently(a: Small, b: Small) -> bool:
    return abs(float(a.clipped.mean()) - float(b.clipped.mean())) > _CLIPPED_APART


def _alike_where_valid(a: Small, b: Small) -> bool:
    """Return whether images of different exposures show the same scene where neither is clipped; also where that is too little to tell."""
    either = a.clipped | b.clipped
    dy, dx = translation(np.where(either, np.float32(0), a.image), np.where(either, np.float32(0), b.image))
    here, there = _overlap(a.image.shape, dy, dx)
    valid = ~(a.clipped[here] | b.clipped[there])
    if np.count_nonzero(valid) < _LEAST_VALID * a.image.size:
        return True
    return _correlate(a.image[here][valid].astype(np.float64), b.image[there][valid].astype(np.float64), 0.5 * (a.variance + b.variance))


def _overlap(shape: tuple[int, ...], dy: int, dx: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    height, width = shape
    here = slice(max(0, -dy), height - max(0, dy)), slice(max(0, -dx), width - max(0, dx))
    return here, (slice(max(0, dy), height - max(0, -dy)), slice(max(0, dx), width - max(0, -dx)))


def _correlate(p: NDArray[np.float64], q: NDArray[np.float64], noise: float) -> bool:
    energy = np.sqrt(max(float((p * p).mean()) - noise, noise) * max(float((q * q).mean()) - noise, noise))
    return float((p * q).mean()) > _SAME * max(float(energy), 1e-12)


def _small(frame: Frame) -> Small:
    frame = as_bayer(frame)
    mosaic, levels = frame.mosaic, frame.info.levels
    step = max(2, 2 * round(max(mosaic.shape) / _LONGER_PX / 2))
    height, width = (n // step for n in mosaic.shape)
    size = (max(width, 1), max(height, 1))
    used = mosaic[: max(height, 1) * step, : max(width, 1) * step]
    luma = cv2.resize(used, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    luma = (luma - np.float32(levels.black.mean())) * np.float32(levels.scale().mean())
    noise = frame.info.noise
    if noise is None or not np.all(noise.alpha + noise.beta > 0):
        noise = Noise.of_iso(frame.info.iso or _UNKNOWN_ISO)
    fine = cv2.GaussianBlur(stabilise(np.ascontiguousarray(luma, np.float32), noise), (0, 0), _BLUR_PX)
    clipped = cv2.resize((used >= np.uint16(min(_CLIPPED * levels.white, 65535))).astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    near = cv2.dilate(clipped.astype(np.uint8), np.ones((_NEAR_CLIPPED, _NEAR_CLIPPED), np.uint8)) > 0
    return Small(np.asarray(fine - cv2.GaussianBlur(fine, (0, 0), _SHADING_PX), np.float32), _WHITE_LEFT / step**2, near)
