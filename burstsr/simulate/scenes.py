"""Named real-world scenes. Sizes and speeds are in raw pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from burstsr.core.errors import SettingsError
from burstsr.core.noise import Noise
from burstsr.simulate.exposure_paths import exposure_path, rigid_poses, wobble
from burstsr.simulate.scene import camera_colour, unprocess
from burstsr.simulate.textures import bark, blob_mask, branches, smooth_field, smooth_track, test_chart
from burstsr.simulate.trajectories import handheld
from burstsr.simulate.worlds import Camera, Exposure, Floats, Layer, WorldBurst, photograph

_MOMENTS = 16  # of an exposure that blurs


@dataclass(frozen=True)
class Request:
    """Input of a scene. image: (h, w, 3) sRGB, 0 to 1. scale: its pixels per raw pixel."""

    image: Floats
    iso: float = 100.0
    frames: int = 13
    scale: float = 2.0

    @property
    def shape(self) -> tuple[int, int]:
        """Return (H, W) of a frame."""
        return 2 * int(self.image.shape[0] / (2 * self.scale)), 2 * int(self.image.shape[1] / (2 * self.scale))


@dataclass
class _World:
    """A scene under construction: layers front first, one exposure per frame, the camera, and the region affected."""

    layers: list[Layer]
    exposures: list[Exposure]
    camera: Camera
    affected: NDArray[np.bool_] | None = None


def take_scene(name: str, request: Request, rng: np.random.Generator) -> WorldBurst:
    """Photograph the scene `name` (one of SCENES) of a request. Raises SettingsError for an unknown name."""
    if name not in SCENES:
        raise SettingsError(f"scene {name!r}: must be one of {', '.join(SCENES)}")
    height, width = (round(n * request.scale) for n in request.shape)
    request = replace(request, image=np.ascontiguousarray(request.image[:height, :width], np.float32))
    world = _base(request, rng)
    SCENES[name](world, request, rng)
    return photograph(world.layers, world.exposures, world.camera, request.scale, world.affected, rng)


def _base(request: Request, rng: np.random.Generator) -> _World:
    """A static scene, hand-held: 2 px of sway, a rotation of up to 0.3 degrees."""
    colour = camera_colour()
    camera = Camera(colour, Noise.of_iso(request.iso), request.iso)
    motions = handheld(request.frames, rng, 2.0, 0.12)
    exposures = [Exposure(rigid_poses(motion, request.shape[0])) for motion in motions]
    return _World([Layer(unprocess(request.image, colour))], exposures, camera)


def _clean(world: _World, request: Request, rng: np.random.Generator) -> None:
    """Hand-held only."""


def _motion_blur(world: _World, request: Request, rng: np.random.Generator) -> None:
    """Each frame blurred by the hand's path during its exposure: 0 to 4 px long, three frames 4 to 6 px; the reference at most 1.5 px."""
    lengths = rng.uniform(0, 4, request.frames)
    lengths[rng.permutation(np.arange(1, request.frames))[:3]] = rng.uniform(4, 6, min(3, request.frames - 1))
    lengths[0] = rng.uniform(0, 1.5)
    for n, exposure in enumerate(world.exposures):
        path = exposure_path(lengths[n], _MOMENTS, rng)
        path = np.concatenate([path, np.zeros((_MOMENTS, 1))], axis=1)
        world.exposures[n] = replace(exposure, poses=exposure.poses + path)


def _parallax(world: _World, request: Request, rng: np.random.Generator) -> None:
    """Thin branches in front of the background; the camera's translation moves them by about 1 px RMS against it."""
    shape = world.layers[0].rgb.shape[:2]
    opacity = branches(shape, request.scale, rng)
    offsets = smooth_track(request.frames, 1.0, rng)
    world.layers.insert(0, Layer(bark(world.layers[0].rgb, rng), opacity, offsets))
    world.affected = np.asarray(cv2.dilate((opacity > 0.02).astype(np.uint8), np.ones((13, 13), np.uint8)) > 0)


def _leaves(world: _World, request: Request, rng: np.random.Generator) -> None:
    """Leaves in wind: a smooth motion field of 1.2 px RMS and 14 px in size, in about half of the frame."""
    height, width = request.shape
    mask = blob_mask((height, width), 0.5, rng)
    for n, exposure in enumerate(world.exposures):
        field = np.zeros((height, width, 2)) if n == 0 else smooth_field((height, width), 14.0, rng) * 1.2 * mask[..., None]
        world.exposures[n] = replace(exposure, field=field)
    world.affected = np.asarray(cv2.resize(mask.astype(np.float32), world.layers[0].rgb.shape[1::-1]) > 0.05)


def _rolling_shutter(world: _World, request: Request, rng: np.random.Generator) -> None:
    """Tremor during readout: 1.5 px RMS of wobble along the rows, relative to the reference."""
    rows = request.shape[0]
    for n, exposure in enumerate(world.exposures[1:], 1):
        shift = wobble(rows, 1.5, 3.0, rng)
        world.exposures[n] = replace(exposure, poses=exposure.poses + np.concatenate([shift, np.zeros((rows, 1))], axis=1)[:, None, :])


def _walkers(world: _World, request: Request, rng: np.random.Generator) -> None:
    """Four textured patches that cross the scene at 7 to 15 px per frame."""
    height, width = world.layers[0].rgb.shape[:2]
    affected = np.zeros((height, width), np.bool_)
    background = world.layers[0].rgb
    for _ in range(4):
        radius = rng.uniform(0.06, 0.1) * min(height, width)
        centre = rng.uniform(0.2, 0.8, 2) * (height, width)
        angle, speed = rng.uniform(0, 2 * np.pi), rng.uniform(7, 15)
        step = np.array([np.sin(angle), np.cos(angle)]) * speed
        offsets = np.outer(np.arange(request.frames), step)
        y, x = np.ogrid[:height, :width]
        opacity = np.clip(radius - np.hypot((y - centre[0]) * 0.8, x - centre[1]) + 0.5, 0, 1).astype(np.float32)
        texture = np.roll(background[::-1, ::-1], rng.integers(0, min(height, width), 2), (0, 1)) * np.float32(rng.uniform(0.5, 1.2))
        world.layers.insert(0, Layer(np.clip(texture, 0, 1), opacity, offsets, step * 0.3))
        for offset in offsets:
            shift = ndimage.shift(opacity, offset * request.scale, order=0, cval=0) > 0.02
            affected |= shift
    world.affected = affected


def _chart(world: _World, request: Request, rng: np.random.Generator) -> None:
    """A test chart: zone plate, Siemens star, stripes and text, through a lens of 0.3 px."""
    height, width = world.layers[0].rgb.shape[:2]
    world.layers[-1] = Layer(unprocess(test_chart(height, width, rng), world.camera.colour))
    world.camera = replace(world.camera, blur_px=(0.3, 0.3, 0.3))


def _turning(world: _World, request: Request, rng: np.random.Generator) -> None:
    """Large motion: up to 40 px of shift and 1 degree of rotation over the burst."""
    rows = request.shape[0]
    direction = rng.normal(size=2)
    direction *= 40 / np.linalg.norm(direction)
    for n, exposure in enumerate(world.exposures):
        t = n / max(request.frames - 1, 1)
        drift = np.array([*(direction * t), np.deg2rad(t) * rng.choice([-1, 1])])
        world.exposures[n] = replace(exposure, poses=exposure.poses + np.broadcast_to(drift, (rows, 1, 3)))


def _dirty_sensor(world: _World, request: Request, rng: np.random.Generator) -> None:
    """Hot pixels (one in 500), row offsets that change from frame to frame, and constant column offsets of the readout."""
    height, width = request.shape
    count = height * width // 500
    hot = np.stack(np.unravel_index(rng.choice(height * width, count, replace=False), (height, width)), -1)
    world.camera = replace(world.camera, hot=hot.astype(np.intp), hot_level=rng.uniform(0.05, 1, count))
    for n, exposure in enumerate(world.exposures):
        world.exposures[n] = replace(exposure, row_offset=rng.normal(0, 0.0015, height))


def _flicker(world: _World, request: Request, rng: np.random.Generator) -> None:
    """Flickering lamps and jittering shutters: exposure varies by 5 % RMS from frame to frame."""
    for n, exposure in enumerate(world.exposures[1:], 1):
        world.exposures[n] = replace(exposure, gain=float(np.clip(1 + rng.normal(0, 0.05), 0.8, 1.2)))


def _aberration(world: _World, request: Request, rng: np.random.Generator) -> None:
    """A soft lens: blur of 0.45 px, lateral chromatic aberration of half a pixel in the corners, 40 % of vignetting."""
    half = np.hypot(*request.shape) / 2
    world.camera = replace(world.camera, blur_px=(0.5, 0.45, 0.55), lateral=(0.5 / half, 0.0, -0.4 / half), vignetting=0.4)


def _focus_breathing(world: _World, request: Request, rng: np.random.Generator) -> None:
    """Focus hunting: up to 0.8 px of defocus, and a correlated change of magnification of up to 0.4 %."""
    for n, exposure in enumerate(world.exposures[1:], 1):
        defocus = float(rng.uniform(0, 0.8))
        world.exposures[n] = replace(exposure, defocus_px=round(defocus, 2), magnification=1 + 0.005 * defocus)


SCENES: dict[str, Callable[[_World, Request, np.random.Generator], None]] = {
    "clean": _clean,
    "motion-blur": _motion_blur,
    "parallax": _parallax,
    "leaves": _leaves,
    "rolling-shutter": _rolling_shutter,
    "walkers": _walkers,
    "chart": _chart,
    "turning": _turning,
    "dirty-sensor": _dirty_sensor,
    "flicker": _flicker,
    "aberration": _aberration,
    "focus-breathing": _focus_breathing,
}
