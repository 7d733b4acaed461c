"""Region of interest: frames are registered as a whole, then merged and reconstructed only where the result is wanted."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from burstsr.core import large_arrays
from burstsr.core.burst import FrameInfo
from burstsr.core.quantise import unpacked
from burstsr.core.window import Window, region_of_interest
from burstsr.reconstruct import RegisteredFrame
from burstsr.registration import Registered
from burstsr.settings import Settings

_MARGIN_PX = 40  # raw pixels around a region on which its pixels may depend, beside motion: reconstruction's margin, kernels, two tiles of motion
_MOTION_PERCENT = 95  # of the tiles' motion that a window has room for: a few lost tiles must not widen it to the whole frame
_LARGEST_DENOMINATOR = 16  # of scales for which the pixels of a region are exactly those of the whole image; others are displaced by part of a pixel
_Image = TypeVar("_Image", NDArray[np.float32], NDArray[np.float32] | None)


@dataclass(frozen=True)
class Region:
    """The part of the reference that a result shows. wanted: None = all of it. window: it and what it depends on."""

    wanted: Window | None
    window: Window
    scale: float

    def cut(self, image: _Image) -> _Image:
        """Return the wanted part of an image of the window, (h, w, ...); None as it is."""
        if self.wanted is None or image is None:
            return image
        return large_arrays.copied(image[self.wanted.output(self.scale, (self.window.top, self.window.left))])

    def cells(self, values: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the wanted part of the robustness per CFA cell of the window, unpacked."""
        if self.wanted is None:
            return unpacked(values)
        inner = self.wanted._replace(top=self.wanted.top - self.window.top, left=self.wanted.left - self.window.left)
        return np.ascontiguousarray(unpacked(values)[inner.cells])

    def info(self, info: FrameInfo) -> FrameInfo:
        """Return the description of the wanted part of a frame."""
        return self.wanted.info(info) if self.wanted else info

    @property
    def origin(self) -> tuple[int, int]:
        """Return the raw (y, x) of the result's first pixel in the reference."""
        return (self.wanted.top, self.wanted.left) if self.wanted else (0, 0)


def cut_to_region(registered: Registered, defects: NDArray[np.int64], settings: Settings) -> tuple[Registered, NDArray[np.int64], Region]:
    """Return a registered burst and its defects, (n, 2) raw (y, x), in the window of the region that `settings` ask for. Raises SettingsError."""
    shape = registered.views[0].frame.info.shape
    wanted = region_of_interest(settings.crop, settings.zoom, shape)
    whole = Window(0, 0, *shape)
    if wanted is None:
        return registered, defects, Region(None, whole, settings.scale)
    window = window_around(registered, wanted, settings.scale)
    return cut_to_window(registered, window), window.positions(defects), Region(wanted, window, settings.scale)


def cut_to_window(registered: Registered, window: Window) -> Registered:
    """Return a window of a registered burst; it begins at tiles of all flows."""
    views = [_view(view, window) for view in registered.views]
    gain = registered.noise.gain and registered.noise.gain.cropped(window.top, window.left)
    return replace(
        registered,
        views=views,
        noise=replace(registered.noise, gain=gain),
        same_phase=registered.same_phase and registered.same_phase.cut(window),
        extended=registered.extended and window.frame(registered.extended),
        extended_samples=None if registered.extended_samples is None else np.ascontiguousarray(registered.extended_samples[window.area]),
    )


def window_around(registered: Registered, wanted: Window, scale: float, margin_px: float = _MARGIN_PX) -> Window:
    """Return the wanted region with `margin_px` and the motion around it; it begins at tiles of all flows, at the CFA's period, and at output pixels."""
    info = registered.views[0].frame.info
    multiple = math.lcm(2, *info.cfa.period, *(view.flow.tile_px for view in registered.views))
    denominator = Fraction(scale).limit_denominator(_LARGEST_DENOMINATOR).denominator
    near = wanted.around(margin_px, multiple, info.shape)
    motion = max(float(np.percentile(np.abs(view.flow.tiles[near.parts(view.flow.tile_px)]), _MOTION_PERCENT)) for view in registered.views)
    return wanted.around(margin_px + motion, math.lcm(multiple, denominator), info.shape)


def _view(view: RegisteredFrame, window: Window) -> RegisteredFrame:
    return replace(
        view,
        frame=window.frame(view.frame),
        flow=window.flow(view.flow),
        robustness=view.robustness[window.cells].copy(),
        precision=None if view.precision is None else np.ascontiguousarray(view.precision[window.cells]),
        filled=view.filled and window.frame(view.filled),
    )
