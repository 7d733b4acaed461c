"""The picture that alignment looks at: grey, at full resolution, noise of deviation one everywhere."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.align.information import LOW_PASS
from burstsr.ground.burst import Frame
from burstsr.ground.noise import Noise
from burstsr.ground.sensor import samples, stabilise


def grey(frame: Frame, noise: Noise) -> NDArray[np.float32]:
    """(H, W) float32: the mosaic low-passed at half band, in units in which a single sample's noise has deviation 1.

    Departs: Wronski 2019, section 5.1, aligns on linear light; stabilised noise lets shadows count as much as lights.
    """
    x = samples(frame.mosaic, frame.info.levels)
    return stabilise(np.asarray(cv2.sepFilter2D(x, cv2.CV_32F, LOW_PASS, LOW_PASS, borderType=cv2.BORDER_REFLECT_101), np.float32), noise)


def gradients(picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Central differences (gy, gx), halved: true slopes per pixel; one-sided at the border."""
    kernel, one = np.array([-0.5, 0.0, 0.5]), np.array([1.0])
    gy = cv2.sepFilter2D(picture, cv2.CV_32F, one, kernel, borderType=cv2.BORDER_REPLICATE)
    gx = cv2.sepFilter2D(picture, cv2.CV_32F, kernel, one, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(gy, np.float32), np.asarray(gx, np.float32)


def pyramid(picture: NDArray[np.float32], smallest: int = 24) -> list[NDArray[np.float32]]:
    """The picture, then halves of it while both sides stay at least `smallest` pixels. Factor 2^i at level i."""
    levels = [picture]
    while min(levels[-1].shape) >= 2 * smallest and len(levels) < 10:
        levels.append(np.asarray(cv2.pyrDown(levels[-1]), np.float32))
    return levels
