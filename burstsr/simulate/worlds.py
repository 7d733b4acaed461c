"""Bursts of real-world scenes: motion blur, depth, leaves, rolling shutters, walkers, charts, lenses and dirty sensors, with ground truth.

A world is a stack of flat layers (`Layer`), photographed by a moving camera (`Exposure` of every frame).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from burstsr.core.burst import Burst, Colour, Frame, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.noise import Noise
from burstsr.core.parallel import over_rows
from burstsr.simulate import render_loops
from burstsr.simulate.exposure_paths import second_moments
from burstsr.simulate.scene import gaussian_psf
from burstsr.simulate.sensor import quantised, with_noise

Floats = NDArray[np.float32]
Array = NDArray[np.float64]
_SUBDIVISIONS = 6  # of a raw pixel's side, where layers cover each other


@dataclass(frozen=True)
class Layer:
    """A surface of the scene. rgb: (h, w, 3) linear camera RGB at the truth's scale, in the reference's geometry. opacity: (h, w), None = 1.

    offsets: (frames, 2) displacement (dy, dx) relative to the reference, raw pixels; zero in the reference. velocity: the same per frame's exposure.
    """

    rgb: Floats
    opacity: Floats | None = None
    offsets: Array | None = None
    velocity: Array | None = None


@dataclass(frozen=True)
class Exposure:
    """Exposure of one frame. poses: (H, K, 3) dy, dx (raw pixels), angle (rad) of every row at K moments. gain: relative exposure, 1 = as the reference.

    field: (H, W, 2) displacement of the last layer, reference to frame, raw pixels. defocus_px: Gaussian sigma in addition to the lens. row_offset: (H,).
    """

    poses: Array
    gain: float = 1.0
    field: Array | None = None
    defocus_px: float = 0.0
    magnification: float = 1.0
    row_offset: Array | None = None


@dataclass(frozen=True)
class Camera:
    """The camera of a world. blur_px: (3,) Gaussian sigma of the lens per channel, raw pixels. lateral: (3,) magnification minus 1 per channel.

    vignetting: fraction lost in the corners. hot: (n, 2) positions of hot pixels, with dark current `hot_level`, 1.0 = saturation.
    """

    colour: Colour
    noise: Noise
    iso: float
    blur_px: tuple[float, float, float] = (0.2, 0.2, 0.2)
    lateral: tuple[float, float, float] = (0.0, 0.0, 0.0)
    vignetting: float = 0.0
    hot: NDArray[np.intp] = field(default_factory=lambda: np.zeros((0, 2), np.intp))
    hot_level: Array = field(default_factory=lambda: np.zeros(0))
    bits: int = 14


@dataclass(frozen=True)
class WorldBurst:
    """A burst of a world, with its ground truth.

    truth: (h, w, 3) float32 linear camera RGB without lens, motion and noise, as in the reference (frame 0). flows: (frames, H, W, 2) float32 dense
    motion at the reference's raw pixels, of the front surface there. occluded: (frames, H, W) bool, where that surface is hidden in the frame.
    affected: (h, w) bool, the region affected by the scene's effect. blur_moments: (frames, 3) yy, yx, xx of the motion during the exposure, raw px^2.
    """

    burst: Burst
    truth: Floats
    flows: Floats
    occluded: NDArray[np.bool_]
    affected: NDArray[np.bool_]
    blur_moments: Array
    scale: float


def photograph(
    layers: Sequence[Layer], exposures: Sequence[Exposure], camera: Camera, scale: float, affected: NDArray[np.bool_] | None, rng: np.random.Generator
) -> WorldBurst:
    """Photograph the burst: layers front first, the last one opaque; one exposure per frame, first the reference. `scale`: truth over raw pixels."""
    truth = _composite(layers)
    shape = (round(truth.shape[0] / scale), round(truth.shape[1] / scale))
    margin = 8
    cfa = Cfa.parse("RGGB")
    black = np.full((2, 2), 2.0 ** (camera.bits - 5))
    info = FrameInfo(Path(), shape, cfa, Levels(black, float(2**camera.bits - 1)), camera.colour, "burstsr simulated", camera.noise, 1, camera.iso, 0.01)
    gain = _vignetting(shape, camera.vignetting)
    frames, flows, occluded, moments = [], [], [], []
    cache: dict[float, Floats] = {}
    for index, exposure in enumerate(exposures):
        if exposure.defocus_px not in cache:
            cache[exposure.defocus_px] = _planes(layers, camera, exposure.defocus_px, scale, margin)
        offsets = _offsets(layers, index, exposure.poses.shape[1])
        clean = np.empty(shape, np.float32)
        displacement = exposure.field if exposure.field is not None else np.zeros((*shape, 2))
        magnification = (1 + np.array(camera.lateral)) * exposure.magnification
        subdivisions = _SUBDIVISIONS if len(layers) > 1 else 1
        arguments = (
            cache[exposure.defocus_px],
            margin,
            scale,
            magnification,
            exposure.poses,
            offsets,
            _inverse(displacement),
            subdivisions,
            np.array(cfa),
            clean,
        )
        over_rows(render_loops.expose_layers, shape[0], *arguments)
        clean *= np.asarray(gain * exposure.gain, np.float32)
        if exposure.row_offset is not None:
            clean += exposure.row_offset[:, None].astype(np.float32)
        clean[camera.hot[:, 0], camera.hot[:, 1]] += camera.hot_level.astype(np.float32)
        noisy = with_noise(clean, camera.noise, cfa, 0.0, rng)
        frames.append(Frame(_named(info, index), quantised(noisy, info.levels)))
        flow, hidden = _true_flow(layers, exposure, index, shape, scale)
        flows.append(flow)
        occluded.append(hidden)
        moments.append(second_moments(exposure.poses[shape[0] // 2, :, :2]))
    everywhere = np.ones(truth.shape[:2], np.bool_)
    return WorldBurst(
        Burst("world", tuple(frames)), truth, np.stack(flows), np.stack(occluded), everywhere if affected is None else affected, np.array(moments), scale
    )


def _named(info: FrameInfo, index: int) -> FrameInfo:
    return replace(info, path=Path(f"frame_{index:03d}.dng"), time=datetime(2025, 1, 1, 12) + timedelta(seconds=index / 30))


def _composite(layers: Sequence[Layer]) -> Floats:
    image = layers[-1].rgb.copy()
    for layer in reversed(layers[:-1]):
        opacity = _opacity(layer)[..., None]
        image = opacity * layer.rgb + (1 - opacity) * image
    return np.asarray(image, np.float32)


def _opacity(layer: Layer) -> Floats:
    return np.ones(layer.rgb.shape[:2], np.float32) if layer.opacity is None else layer.opacity


def _planes(layers: Sequence[Layer], camera: Camera, defocus_px: float, scale: float, margin: int) -> Floats:
    """(L, 4, h + 2 margin, w + 2 margin) premultiplied planes after the lens; the last layer mirrored beyond its borders, the others transparent there."""
    height, width = layers[0].rgb.shape[:2]
    planes = np.zeros((len(layers), 4, height + 2 * margin, width + 2 * margin), np.float32)
    for number, layer in enumerate(layers):
        opacity = _opacity(layer)
        last = number == len(layers) - 1
        for channel in range(4):
            plane = opacity if channel == 3 else layer.rgb[..., channel] * opacity
            sigma = float(np.hypot(camera.blur_px[min(channel, 2)] if channel < 3 else camera.blur_px[1], defocus_px)) * scale
            if sigma > 0:
                for axis in (0, 1):
                    plane = ndimage.correlate1d(plane, gaussian_psf(sigma), axis=axis, output=np.float32, mode="reflect")
            planes[number, channel] = np.pad(plane, margin, mode="symmetric") if last else np.pad(plane, margin)
    return planes


def _offsets(layers: Sequence[Layer], index: int, moments: int) -> Array:
    """(L, K, 2) displacement of every layer at every moment of the exposure."""
    t = (np.arange(moments) + 0.5) / moments - 0.5
    offsets = np.zeros((len(layers), moments, 2))
    for number, layer in enumerate(layers):
        if layer.offsets is not None:
            offsets[number] += layer.offsets[index]
        if layer.velocity is not None:
            offsets[number] += t[:, None] * layer.velocity
    return offsets


def _inverse(displacement: Array) -> Array:
    """(H, W, 2) field that takes a displaced position back to where it came from, less that position: fixed point of smooth fields."""
    back = -displacement
    if not displacement.any():
        return back
    y, x = np.mgrid[: displacement.shape[0], : displacement.shape[1]].astype(np.float64)
    for _ in range(8):
        at = np.stack([y + back[..., 0], x + back[..., 1]])
        back = -np.stack([ndimage.map_coordinates(displacement[..., c], at, order=1, mode="nearest") for c in (0, 1)], axis=-1)
    return back


def _true_flow(layers: Sequence[Layer], exposure: Exposure, index: int, shape: tuple[int, int], scale: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Dense flow (H, W, 2) of the front surface at every reference pixel, and where it is hidden in the frame."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    truth_y, truth_x = (((v + 0.5) * scale).astype(int) for v in (y, x))
    front = np.full(shape, len(layers) - 1)
    for number in range(len(layers) - 2, -1, -1):
        front[_opacity(layers[number])[truth_y, truth_x] > 0.5] = number
    moved = np.zeros((*shape, 2))
    for number, layer in enumerate(layers):
        own = front == number
        if layer.offsets is not None:
            moved[own] += layer.offsets[index]
        if number == len(layers) - 1 and exposure.field is not None:
            moved[own] += exposure.field[own]
    hidden = np.zeros(shape, np.bool_)
    for number, layer in enumerate(layers[:-1]):
        occluded = front > number
        offset = layer.offsets[index] if layer.offsets is not None else np.zeros(2)
        rows = np.clip(((y + moved[..., 0] - offset[0] + 0.5) * scale).astype(int), 0, layer.rgb.shape[0] - 1)
        columns = np.clip(((x + moved[..., 1] - offset[1] + 0.5) * scale).astype(int), 0, layer.rgb.shape[1] - 1)
        hidden |= occluded & (_opacity(layer)[rows, columns] > 0.5)
    poses = exposure.poses.mean(axis=1)
    centre_y, centre_x = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    qy, qx = (y + moved[..., 0] - centre_y) / exposure.magnification, (x + moved[..., 1] - centre_x) / exposure.magnification
    row = y.copy()
    for _ in range(6):
        dy, dx, angle = (np.interp(row, np.arange(shape[0]), poses[:, c]) for c in range(3))
        to_y, to_x = qy * np.cos(angle) + qx * np.sin(angle) + dy + centre_y, qx * np.cos(angle) - qy * np.sin(angle) + dx + centre_x
        row = to_y
    return np.stack([to_y - y, to_x - x], axis=-1).astype(np.float32), hidden


def _vignetting(shape: tuple[int, int], strength: float) -> Array:
    y, x = (np.linspace(-1, 1, length) for length in shape)
    return np.asarray(1 - strength * (y[:, None] ** 2 + x**2) / 2)
