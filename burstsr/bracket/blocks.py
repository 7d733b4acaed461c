"""Frames averaged over blocks, colour by colour: from which exposure ratios are measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.noise import Noise
from burstsr.core.sensor import CLIPPED

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]
_BLOCKS = 200  # along the longer side of a frame, about
_MOVED = 1e-3  # blocks, below which nothing is interpolated


@dataclass(frozen=True)
class Blocks:
    """A frame averaged over square blocks. Levels are in units of its own saturation, noise clipped by the sensor's range included.

    level: (C, h, w) per colour. valid: (C, h, w) whether no sample of a block, or of its neighbours, is clipped. samples: (C,) number in a block.
    noise: of single samples. low: level of raw value 0.
    """

    level: Floats
    valid: Mask
    samples: Doubles
    noise: Noise
    low: float

    @property
    def grey(self) -> Doubles:
        """Mean of all samples of a block, (h, w)."""
        return np.asarray(np.average(self.level, axis=0, weights=self.samples), np.float64)

    def variance(self, level: Doubles) -> Doubles:
        """Return the noise variance of single samples, averaged over colours, at a level."""
        return np.asarray(np.maximum(float(self.noise.alpha.mean()) * np.maximum(level, 0) + float(self.noise.beta.mean()), 1e-14))

    def enlarged(self, size: int) -> Blocks:
        """Return blocks of size x size of these, valid where all of them are."""
        if size == 1:
            return self
        rows, columns = (n // size for n in self.level.shape[1:])
        whole = (slice(rows * size), slice(columns * size))
        level = np.stack([cv2.resize(plane[whole], (columns, rows), interpolation=cv2.INTER_AREA) for plane in self.level])
        lost = np.stack([cv2.resize((~plane[whole]).astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) for plane in self.valid])
        return replace(self, level=level, valid=lost == 0, samples=self.samples * size**2)

    def moved(self, affine: Doubles) -> Blocks:
        """Return blocks at p + affine @ (1, y, x), in blocks, from the centre; bilinear, not valid outside."""
        shape = self.level.shape[1:]
        y, x = centred(shape)
        shift = affine[:, 0, None, None] + affine[:, 1, None, None] * y + affine[:, 2, None, None] * x
        if np.abs(shift).max() < _MOVED:
            return self
        at_y, at_x = ((p + d).astype(np.float32) for p, d in zip(np.mgrid[: shape[0], : shape[1]], shift, strict=True))
        level = [cv2.remap(plane, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for plane in self.level]
        lost = [cv2.remap((~plane).astype(np.float32), at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=1.0) for plane in self.valid]
        return replace(self, level=np.stack(level), valid=np.stack(lost) == 0)


def centred(shape: tuple[int, ...]) -> Doubles:
    """Return (2, h, w) coordinates (y, x) from the centre of an array."""
    return np.stack([p - (n - 1) / 2 for p, n in zip(np.mgrid[: shape[0], : shape[1]], shape, strict=True)])


def _side(frame: Frame) -> int:
    """Return the side of a frame's blocks, raw pixels: whole CFA cells."""
    period = frame.info.cfa.period[0] * (2 if frame.info.cfa.period[0] % 2 else 1)
    return period * max(1, round(max(frame.info.shape) / _BLOCKS / period))


def block_levels(frame: Frame) -> Doubles:
    """Return the means (h, w) of a frame's samples over blocks, in units of its own saturation."""
    side = _side(frame)
    height, width = (n // side * side for n in frame.info.shape)
    size = (width // side, height // side)
    black, white = float(frame.info.levels.black.mean()), frame.info.levels.white
    means = cv2.resize(frame.mosaic[:height, :width].astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray((means.astype(np.float64) - black) / (white - black))


def blocks_of(frame: Frame, noise: Noise) -> Blocks:
    """Average a frame over square blocks of whole CFA cells. noise: of its samples in units of its own saturation."""
    side, cfa, levels = _side(frame), frame.info.cfa, frame.info.levels
    period = [n * (2 if n % 2 else 1) for n in cfa.period]
    rows, columns = (n // side for n in frame.info.shape)
    mosaic = frame.mosaic[: rows * side, : columns * side]
    channels = cfa.channel_map((period[0], period[1]))
    colours = np.unique(channels)
    level, lost, count = np.zeros((len(colours), rows, columns), np.float32), np.zeros((len(colours), rows, columns), bool), np.zeros(len(colours))
    for y, x in np.ndindex(period[0], period[1]):
        colour, black = int(np.searchsorted(colours, channels[y, x])), float(levels.black[y % levels.black.shape[0], x % levels.black.shape[1]])
        plane = mosaic[y :: period[0], x :: period[1]]
        level[colour] += (cv2.resize(plane.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) - black) / (levels.white - black)
        high = np.uint16(np.clip(black + CLIPPED * (levels.white - black), 0, 65535))
        lost[colour] |= cv2.resize((plane >= high).astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) > 0
        count[colour] += 1
    level /= count[:, None, None].astype(np.float32)
    valid = np.stack([cv2.dilate(plane.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0 for plane in lost])
    low = -float(levels.black.mean()) / (levels.white - float(levels.black.mean()))
    return Blocks(level, valid, count * side**2 / (period[0] * period[1]), Noise(noise.alpha[colours], noise.beta[colours]), low)
