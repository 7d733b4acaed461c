"""Rectangles of a frame: the region of interest that a user asks for, and the window of samples that determine it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame, FrameInfo
from burstsr.core.checks import LEAST_SIDE_PX
from burstsr.core.errors import SettingsError
from burstsr.core.fields import parsed_crop
from burstsr.core.flow import Flow

Area = tuple[slice, slice]


class Window(NamedTuple):
    """Rectangle of a frame, raw pixels: its first row and column, height and width."""

    top: int
    left: int
    height: int
    width: int

    @property
    def area(self) -> Area:
        """Return the slices of its raw pixels."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    @property
    def cells(self) -> Area:
        """Return the slices of its 2 x 2 CFA cells; top, left, height and width must be even."""
        return self.parts(2)

    def parts(self, side: int) -> Area:
        """Return the slices of its tiles of `side` raw pixels; top and left must be multiples of it, the last tile may extend beyond the window."""
        rows = slice(self.top // side, -(-(self.top + self.height) // side))
        return rows, slice(self.left // side, -(-(self.left + self.width) // side))

    def output(self, scale: float, origin: tuple[int, int] = (0, 0)) -> Area:
        """Return the slices of its pixels in an image of `scale` output pixels per raw pixel whose first shows the raw pixel `origin`."""
        rows, columns = (
            slice(start, start + round(scale * length))
            for start, length in ((round(scale * (self.top - origin[0])), self.height), (round(scale * (self.left - origin[1])), self.width))
        )
        return rows, columns

    def around(self, margin_px: float, multiple: int, shape: tuple[int, int]) -> Window:
        """Return the smallest window that holds this one and `margin_px` around it, within a frame of `shape`, and begins at multiples of `multiple`."""
        top, left = (max(math.floor((n - margin_px) / multiple) * multiple, 0) for n in (self.top, self.left))
        bottom, right = (min(math.ceil((n + margin_px) / 2) * 2, end) for n, end in zip((self.top + self.height, self.left + self.width), shape, strict=True))
        return Window(top, left, bottom - top, right - left)

    def info(self, info: FrameInfo) -> FrameInfo:
        """Return the description of the window's pixels."""
        crop = info.crop
        if crop is not None:  # its part in the window; the whole window, where they do not overlap
            top, left = max(crop[0] - self.top, 0.0), max(crop[1] - self.left, 0.0)
            bottom, right = min(crop[2] - self.top, float(self.height)), min(crop[3] - self.left, float(self.width))
            crop = (top, left, bottom, right) if bottom > top and right > left else None
        gain = info.gain and info.gain.cropped(self.top, self.left)
        lateral = info.lateral and info.lateral.cropped(self.top, self.left)
        return replace(info, shape=(self.height, self.width), crop=crop, gain=gain, lateral=lateral)

    def frame(self, frame: Frame) -> Frame:
        """Return the frame's pixels in the window."""
        return frame.with_mosaic(np.ascontiguousarray(frame.mosaic[self.area])).with_info(self.info(frame.info))

    def flow(self, flow: Flow) -> Flow:
        """Return the motion of the window; its top and left must be multiples of the flow's tiles."""
        return replace(flow, tiles=np.ascontiguousarray(flow.tiles[self.parts(flow.tile_px)]))

    def positions(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of (n, 2) raw (y, x) that lie in the window, relative to it."""
        moved = positions - np.array([self.top, self.left])
        inside = ((moved >= 0) & (moved < np.array([self.height, self.width]))).all(axis=1)
        return np.asarray(moved[inside], np.int64)


def region_of_interest(crop: str, zoom: float, shape: tuple[int, int]) -> Window | None:
    """Return the part of frames of `shape` (H, W) that is to be processed, with even sides; None: all.

    crop: "Y,X,H,W", raw pixels of the reference: first row and column, height and width; '' = the middle, 1 / `zoom` of height and width.
    Raises SettingsError where it does not lie in the frame, or is smaller than 16 pixels.

    >>> region_of_interest("101,60,64,64", 1.0, (480, 640)), region_of_interest("", 2.0, (480, 640))
    (Window(top=100, left=60, height=66, width=64), Window(top=120, left=160, height=240, width=320))
    """
    if crop:
        top, left, height, width = parsed_crop(crop)
        name = f"crop {crop}"
    elif zoom > 1:
        height, width = (2 * round(n / zoom / 2) for n in shape)
        top, left = ((n - side) // 4 * 2 for n, side in zip(shape, (height, width), strict=True))
        name = f"zoom {zoom:g}"
    else:
        return None
    if top + height > shape[0] or left + width > shape[1]:
        raise SettingsError(f"{name}: must lie in the frames, {shape[0]} rows of {shape[1]} pixels")
    if min(height, width) < LEAST_SIDE_PX:
        raise SettingsError(f"{name}: height and width must be at least {LEAST_SIDE_PX} raw pixels, not {height} x {width}")
    first = top // 2 * 2, left // 2 * 2
    last = (min(-(-(start + length) // 2) * 2, end) for start, length, end in ((top, height, shape[0]), (left, width, shape[1])))
    region = Window(*first, *(end - start for end, start in zip(last, first, strict=True)))
    return None if region == (0, 0, *shape) else region
