"""Scene changes during the burst: a moving object and a lamp, drawn into the pixels of the truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Colour
from burstsr.simulate.settings import SimulateSettings


@dataclass(frozen=True)
class DynamicScene:
    """A static background with a moving object and a lamp in front.

    background: (h, w, 3) float32. disc: (h, w) bool, the moving object in the reference, or None. offsets: (frames, 2) its displacement in integer truth
    pixels, zero in the reference. lamp: (h, w) bool, or None. lamp_rgb: (frames, 3) its colour in every frame.
    """

    background: NDArray[np.float32]
    disc: NDArray[np.bool_] | None
    offsets: NDArray[np.intp]
    lamp: NDArray[np.bool_] | None
    lamp_rgb: NDArray[np.float32]

    @property
    def still(self) -> bool:
        """Whether the scene is the same in all frames."""
        return self.disc is None and self.lamp is None

    def image(self, frame: int) -> NDArray[np.float32]:
        """Return the (h, w, 3) scene during `frame`, in the reference's geometry; frame 0 is the truth. The lamp is in front."""
        if self.still:
            return self.background
        image = self.background.copy()
        if self.disc is not None:
            to, came_from = _shifted(self.disc, self.offsets[frame])
            image[to] = self.background[::-1, ::-1][came_from]  # texture: the opposite part of the image, rotated by 180 degrees
        if self.lamp is not None:
            image[self.lamp] = self.lamp_rgb[frame]
        return image

    def moving_object_mask(self, frames: Iterable[int]) -> NDArray[np.bool_]:
        """Return (h, w) where the moving object is in any of `frames`, in the reference's geometry."""
        mask = np.zeros(self.background.shape[:2], np.bool_)
        if self.disc is not None:
            for frame in frames:
                mask[_shifted(self.disc, self.offsets[frame])[0]] = True
        return mask


def build_scene(background: NDArray[np.float32], settings: SimulateSettings, colour: Colour, rng: np.random.Generator) -> DynamicScene:
    """Build the scene of a burst. The object's path is rounded to integer truth pixels; the lamp's intensity is drawn from `rng`."""
    shape, frames, scale = background.shape[:2], settings.frames, settings.scale
    moving, flicker = settings.moving_object, settings.flicker
    offsets, disc, lamp, lamp_rgb = np.zeros((frames, 2), np.intp), None, None, np.zeros((frames, 3), np.float32)
    if moving is not None:
        disc = _disc(shape, moving.centre, moving.radius * min(shape))
        offsets = np.rint(np.outer(np.arange(frames), moving.velocity_px) * scale).astype(np.intp)
    if flicker is not None:
        lamp = _disc(shape, flicker.centre, flicker.radius_px * scale)
        brightness = rng.uniform(0, 1, frames)
        brightness[0] = 1.0
        lamp_rgb = np.outer(brightness * flicker.level, colour.as_shot_neutral).astype(np.float32)
    return DynamicScene(background, disc, offsets, lamp, lamp_rgb)


def _disc(shape: tuple[int, ...], centre: tuple[float, float], radius: float) -> NDArray[np.bool_]:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((y + 0.5 - centre[0] * shape[0]) ** 2 + (x + 0.5 - centre[1] * shape[1]) ** 2 <= radius**2)


def _shifted(mask: NDArray[np.bool_], offset: NDArray[np.intp]) -> tuple[tuple[NDArray[np.intp], ...], tuple[NDArray[np.intp], ...]]:
    """Return the indices of the mask's pixels after the shift, as far as they stay inside, and their original indices."""
    y, x = np.nonzero(mask)
    to_y, to_x = y + offset[0], x + offset[1]
    inside = (to_y >= 0) & (to_y < mask.shape[0]) & (to_x >= 0) & (to_x < mask.shape[1])
    return (to_y[inside], to_x[inside]), (y[inside], x[inside])
