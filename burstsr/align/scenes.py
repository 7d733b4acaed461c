"""Grouping of a burst's frames by scene, on small images, before alignment."""

from __future__ import annotations

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


def scenes(burst: Burst, leader: int | None = None) -> list[list[int]]:
    """Group frame indices by scene: first the scene of `leader`, or else the largest, then by size and by first frame.

    Frames show the same scene where their local contrast correlates after the best translation; exposure and noise models may differ. Frames without
    structure (a wall, fog, darkness) are indistinguishable and count as one scene.
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


def alike(a: tuple[Floats, float], b: tuple[Floats, float]) -> bool:
    """Return whether two small images, each with its noise variance, show the same scene."""
    empty = [float((image**2).mean()) < _STRUCTURE * variance for image, variance in (a, b)]
    if any(empty):
        return all(empty)
    dy, dx = translation(a[0], b[0])
    height, width = a[0].shape
    p = a[0][max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)].astype(np.float64)
    q = b[0][max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)].astype(np.float64)
    if p.size < _LEAST_COMMON * height * width:
        return False
    noise = 0.5 * (a[1] + b[1])
    energy = np.sqrt(max(float((p * p).mean()) - noise, noise) * max(float((q * q).mean()) - noise, noise))
    return float((p * q).mean()) > _SAME * max(float(energy), 1e-12)


def _small(frame: Frame) -> tuple[Floats, float]:
    """Return the frame's local contrast at low resolution, in units of a sample's noise sigma, and its noise variance."""
    frame = as_bayer(frame)
    mosaic, levels = frame.mosaic, frame.info.levels
    step = max(2, 2 * round(max(mosaic.shape) / _LONGER_PX / 2))
    height, width = (n // step for n in mosaic.shape)
    size = (max(width, 1), max(height, 1))
    luma = cv2.resize(mosaic[: max(height, 1) * step, : max(width, 1) * step], size, interpolation=cv2.INTER_AREA).astype(np.float32)
    luma = (luma - np.float32(levels.black.mean())) * np.float32(levels.scale().mean())
    noise = frame.info.noise
    if noise is None or not np.all(noise.alpha + noise.beta > 0):
        noise = Noise.of_iso(frame.info.iso or _UNKNOWN_ISO)
    fine = cv2.GaussianBlur(stabilise(np.ascontiguousarray(luma, np.float32), noise), (0, 0), _BLUR_PX)
    return np.asarray(fine - cv2.GaussianBlur(fine, (0, 0), _SHADING_PX), np.float32), _WHITE_LEFT / step**2
