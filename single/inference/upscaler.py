"""A model at one scale, applied to images of any number of channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burstsr.core.coords import output_length
from burstsr.core.errors import SettingsError
from single.classical import resize
from single.inference.alpha import without_transparent
from single.inference.back_projection import back_projected
from single.inference.colour_guard import within_colours
from single.inference.faces import Face, Faces
from single.inference.noise_level import noise_level

Floats = NDArray[np.float32]
Progress = Callable[[int, int], None]
Run = Callable[[Floats, Progress | None], Floats]  # (C, H, W) -> (C', factor H, factor W)
_LUMA = np.array([65.481, 128.553, 24.966], np.float32) / np.float32(255)  # BT.601, 16 to 235 of 255
_SWING, _FOOT = np.float32(219 / 255), np.float32(16 / 255)


@dataclass(frozen=True)
class Model:
    """The model that made an image. name: with the scale of the network ("srgan-lite-x4"). sha256: of the weights file; None without weights.

    learned: its detail was learned from other images. gan: trained against a discriminator, so that it invents detail.
    faces: crops Y, X, H, W of the input into which it has drawn a face, and outside of which the image is interpolated; none: it made all of the image.
    """

    name: str
    learned: bool
    gan: bool = False
    sha256: str | None = None
    faces: tuple[Face, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the model ready for JSON; `faces` only where there are."""
        found = asdict(self)
        return {**found, "faces": [list(face) for face in self.faces]} if self.faces else {key: found[key] for key in found if key != "faces"}


@dataclass(frozen=True)
class Upscaler:
    """A model at one scale.

    scale: of the result, any above 0. native: that of the network; the rest, native to scale, is resized by antialiased bicubic downwards and Lanczos upwards.
    kind: input of `run`: "y", "rgb" (both sRGB, 0 to 1) or "bayer" planes (`single.descriptor`). classical: interpolation of other channels, such as
    alpha; where run is None, of everything. noise_map: `run` takes, after the colours, planes of the standard deviation of their noise. noise: that of display
    images, 0 to 1; None: estimated from each. back_projection: "off", "low" or "full" (`single.inference.back_projection`). faces: drawn into the
    result afterwards.
    """

    model: Model
    scale: float
    native: float
    kind: str
    run: Run | None
    classical: str = "bicubic"
    noise_map: bool = False
    noise: float | None = None
    back_projection: str = "off"
    faces: Faces | None = None

    def image(self, pixels: Floats, progress: Progress | None = None, noise_map: Floats | None = None) -> Floats:
        """Upscale a display image (H, W, C), 0 to 1, to (round(s H), round(s W), C) float32, 0 to 1: grey, grey and alpha, RGB, or RGB and alpha.

        Alpha is interpolated; colours of transparent pixels do not count. noise_map: (H, W) standard deviation of the noise, where it is known by position.
        Raises SettingsError for other channels, and where the model takes raw mosaics only.
        """
        channels = pixels.shape[2]
        if channels not in (1, 2, 3, 4):
            raise SettingsError(f"image has {channels} channels; must have 1 to 4: grey or RGB, with or without alpha")
        if self.kind == "bayer":
            raise SettingsError(f"model {self.model.name} takes raw mosaics; choose another model for display images")
        alpha = channels % 2 == 0
        colours = without_transparent(pixels) if alpha else pixels
        made = self._at_scale(self._colours(colours, noise_map, progress), pixels.shape[:2])
        if self.faces is not None:
            made = self.faces.drawn(made, colours, self.scale)
        if alpha:
            over = resize(np.ascontiguousarray(pixels[:, :, -1:]), self.scale, self.classical, made.shape[:2])
            made = np.concatenate((made, over), axis=2)
        return np.clip(made, 0, 1, out=made)

    def planes(self, planes: Floats, progress: Progress | None = None) -> Floats:
        """Upscale Bayer planes (4, H, W) to (round(2 s H), round(2 s W), 3) float32; only for kind "bayer"."""
        if self.run is None or self.kind != "bayer":
            raise SettingsError(f"model {self.model.name} takes images, not mosaics")
        made = np.ascontiguousarray(self.run(planes, progress).transpose(1, 2, 0))
        return self._at_scale(made, (2 * planes.shape[1], 2 * planes.shape[2]))

    def rest(self, image: NDArray[Any]) -> Floats:
        """Interpolate channels that the network does not process."""
        return resize(image, self.scale, self.classical)

    def _colours(self, colours: Floats, noise_map: Floats | None, progress: Progress | None) -> Floats:
        """Run the network on one or three channels, and back-project: (native H, native W, C)."""
        if self.run is None:
            return resize(colours, self.native, self.classical)
        level = self.noise
        if level is None:
            level = noise_level(colours) if self.noise_map or self.back_projection == "full" else 0.0
        if noise_map is None:
            noise_map = np.full(colours.shape[:2], level, np.float32)
        made = self._network(colours, noise_map, progress)
        made = back_projected(made, colours, self.native, self.back_projection, max(level, float(noise_map.mean())))
        return within_colours(made, colours) if self.native > 1 and made.shape[2] == 3 and self.kind != "y" else made

    def _network(self, colours: Floats, noise_map: Floats, progress: Progress | None) -> Floats:
        assert self.run is not None
        if self.kind == "y":
            luma = (colours @ _LUMA if colours.shape[2] == 3 else colours[:, :, 0] * _SWING) + _FOOT
            large = resize(colours, self.native, self.classical)
            smooth = (large @ _LUMA if colours.shape[2] == 3 else large[:, :, 0] * _SWING) + _FOOT
            gained = (self.run(np.asarray(luma[None], np.float32), progress)[0] - smooth) / _SWING  # the same in all channels, so that Cb and Cr are kept
            large += gained[:, :, None]
            return large
        three = colours if colours.shape[2] == 3 else np.repeat(colours, 3, axis=2)
        planes = np.concatenate((three.transpose(2, 0, 1), noise_map[None])) if self.noise_map else three.transpose(2, 0, 1)
        made = np.ascontiguousarray(self.run(np.ascontiguousarray(planes), progress).transpose(1, 2, 0))
        return made if colours.shape[2] == 3 else np.ascontiguousarray(made.mean(axis=2, keepdims=True))

    def _at_scale(self, made: Floats, size: tuple[int, ...]) -> Floats:
        if self.scale == self.native:
            return made
        shape = output_length(size[0], self.scale), output_length(size[1], self.scale)
        ratio = self.scale / self.native
        return resize(made, ratio, "bicubic" if ratio < 1 else "lanczos", shape)
