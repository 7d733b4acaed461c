"""The simulator, top to bottom: image, scene, motion, exposure, noise, DN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Burst, Colour, Frame, FrameInfo, Levels
from burstsr.core.cfa import GREEN, Cfa
from burstsr.core.deprecated import renamed_attributes
from burstsr.core.errors import SettingsError
from burstsr.core.mono import one_channel
from burstsr.core.noise import Noise
from burstsr.simulate import trajectories
from burstsr.simulate.dynamic_scene import DynamicScene, build_scene
from burstsr.simulate.motion import FrameMotion, relative_to_first
from burstsr.simulate.scene import apply_psf, camera_colour, crop_truth, frame_shape, unprocess
from burstsr.simulate.sensor import expose, margin_for, quantised, with_noise
from burstsr.simulate.settings import PIXEL_SHIFTS, SimulateSettings
from burstsr.simulate.vignetting import corner_gain, gain_at_pixels

CAMERA = "burstsr simulated"
START = datetime(2025, 1, 1, 12, 0, 0)
EXPOSURE_S = 1 / 100
_MARGIN_PX = 1024  # pixels of scene beyond the truth's borders that motion may reach in a small image


@renamed_attributes(mask_mover="moving_object_mask", mask_mover_ever="moving_object_mask_any_frame")
@dataclass(frozen=True)
class SimulatedBurst:
    """A simulated burst with its ground truth.

    truth: (round(s H), round(s W), 3) float32 linear camera RGB, of a monochrome sensor (.., 1), before the lens, 1.0 = saturation, as in the reference
    (frame 0); a linear image may exceed 1, which only the frames clip.
    motions: one per frame, the first zero. noise: the model used; row noise, hot pixels and quantisation are additional.
    moving_object_mask, moving_object_mask_any_frame: truth's height and width, bool: pixels of the moving object in the reference, and in any frame, in the
    reference's geometry; None without one. hot_pixels: (n, 2) their raw (y, x).
    gain: (points down, points across) of the map that corrects vignetting, for the files' OpcodeList2; None without. The burst's frames
    are uncorrected, darker in the corners.
    """

    burst: Burst
    truth: NDArray[np.float32]
    motions: tuple[FrameMotion, ...]
    settings: SimulateSettings
    noise: Noise
    moving_object_mask: NDArray[np.bool_] | None
    moving_object_mask_any_frame: NDArray[np.bool_] | None
    hot_pixels: NDArray[np.intp]
    gain: NDArray[np.float32] | None = None


def simulate_burst(image: NDArray[Any], settings: SimulateSettings, rng: np.random.Generator, name: str = "simulated") -> SimulatedBurst:
    """Simulate a burst of `image`, (h, w, 3) sRGB: floats 0 to 1, or uint8, or uint16; with settings.linear, floats of linear camera RGB.

    Motion, objects, hot pixels and noise use separate random streams: another ISO does not change the motion.
    Raises SettingsError for an image of another shape, or too small for the scale.
    """
    motion_rng, object_rng, hot_rng, *noise_rngs = rng.spawn(3 + settings.frames)
    colour = settings.colour or camera_colour()
    cfa = Cfa.parse(settings.cfa)
    noise = settings.noise or (one_channel(Noise.of_iso(settings.iso)) if cfa.is_mono else Noise.of_iso(settings.iso))
    if image.ndim != 3 or image.shape[2] != 3:
        raise SettingsError(f"image must have shape (height, width, 3), not {image.shape}")
    shape = frame_shape((image.shape[0], image.shape[1]), settings.scale)
    light = _light(crop_truth(image, shape, settings.scale))
    background = light if settings.linear else unprocess(light, colour)
    motions = _motions(settings, motion_rng)
    margin = _margin(motions, shape, settings.scale)
    stage = build_scene(background, settings, colour, object_rng)
    gain = corner_gain(settings.vignetting) if settings.vignetting > 0 else None
    lost = None if gain is None else gain_at_pixels(gain, shape)
    hot, hot_light = _hot_pixels(shape, settings.hot_pixels, hot_rng)
    info = FrameInfo(
        path=Path(),
        shape=shape,
        cfa=cfa,
        levels=_levels(settings),
        colour=Colour(np.ones(1)) if cfa.is_mono else colour,
        camera=CAMERA,
        noise=noise,
        orientation=settings.orientation,
        iso=settings.iso,
        exposure_s=EXPOSURE_S,
    )
    camera = _Camera(info, noise, margin, lost, hot, hot_light)
    frames = _frames(stage, motions, noise_rngs, settings, camera)
    moves = settings.moving_object is not None
    return SimulatedBurst(
        burst=Burst(name, frames),
        truth=stage.image(0)[..., GREEN, None] if cfa.is_mono else stage.image(0),
        motions=motions,
        settings=settings,
        noise=noise,
        moving_object_mask=stage.moving_object_mask([0]) if moves else None,
        moving_object_mask_any_frame=stage.moving_object_mask(range(settings.frames)) if moves else None,
        hot_pixels=hot,
        gain=gain,
    )


@dataclass(frozen=True)
class _Camera:
    """info: of every frame, but for name, time and exposure. margin: pixels of scene around the truth. lost: factor of vignetting; None: without.

    hot: (n, 2) raw (y, x), with `hot_light`, (n,) samples, more than the scene.
    """

    info: FrameInfo
    noise: Noise
    margin: int
    lost: NDArray[np.float32] | None
    hot: NDArray[np.intp]
    hot_light: NDArray[np.float32]


def _frames(
    stage: DynamicScene, motions: Sequence[FrameMotion], noise_rngs: Sequence[np.random.Generator], settings: SimulateSettings, camera: _Camera
) -> tuple[Frame, ...]:
    """Expose all frames."""
    info, hot = camera.info, camera.hot
    planes = _planes(stage, 0, settings, camera.margin)
    frames = []
    for index, (motion, noise_rng) in enumerate(zip(motions, noise_rngs, strict=True)):
        if not stage.still and index > 0:
            planes = _planes(stage, index, settings, camera.margin)
        clean = expose(planes, camera.margin, settings.scale, motion, info.shape, info.cfa)
        if camera.lost is not None:
            clean /= camera.lost
        clean[hot[:, 0], hot[:, 1]] += camera.hot_light
        if settings.exposures_ev:
            clean *= np.float32(settings.exposure(index))
        time = START + timedelta(microseconds=round(index * trajectories.FRAME_INTERVAL_S * 1e6))
        noisy = with_noise(clean, camera.noise, info.cfa, settings.row_noise, noise_rng)
        of_frame = replace(info, path=Path(f"frame_{index:03d}.dng"), time=time, exposure_s=EXPOSURE_S * settings.exposure(index))
        frames.append(Frame(of_frame, quantised(noisy, info.levels)))
    return tuple(frames)


def _light(image: NDArray[Any]) -> NDArray[np.float32]:
    if image.dtype.kind == "u":
        return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
    if not np.isfinite(image).all():
        raise SettingsError("image has NaN or infinite pixels")
    return np.asarray(image, np.float32)


def _motions(settings: SimulateSettings, rng: np.random.Generator) -> tuple[FrameMotion, ...]:
    if not isinstance(settings.motion, str):
        return relative_to_first(settings.motion[: settings.frames])
    if settings.motion == "handheld":
        return trajectories.handheld(settings.frames, rng, settings.deviation_px, settings.rotation_deg, settings.rolling_shutter)
    if settings.motion == "tripod":
        return trajectories.tripod(settings.frames, rng, settings.tripod_residue_px)
    if settings.motion in PIXEL_SHIFTS:
        return trajectories.pixel_shift(settings.frames)
    return trajectories.jiggle(settings.frames, settings.scale)


def _margin(motions: tuple[FrameMotion, ...], shape: tuple[int, int], scale: float) -> int:
    """Return the pixels of scene beyond the truth's borders. Raises SettingsError for motion larger than the mirrored image supports."""
    margin = margin_for(motions, shape, scale)
    most = max(_MARGIN_PX, *(round(length * scale) for length in shape))
    if margin > most:
        raise SettingsError(f"motion must stay within {most / scale:.0f} raw pixels of the first frame for images of this size, not {margin / scale:.0f}")
    return margin


def _levels(settings: SimulateSettings) -> Levels:
    black = np.full((2, 2), 2.0 ** (settings.bits - 5)) if settings.black_dn is None else np.array(settings.black_dn, np.float64)
    return Levels(black, float(2**settings.bits - 1))


def _hot_pixels(shape: tuple[int, int], count: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    places = rng.choice(shape[0] * shape[1], size=min(count, shape[0] * shape[1]), replace=False)
    return np.stack(np.unravel_index(places, shape), axis=-1).astype(np.intp), rng.uniform(0.1, 1.0, len(places)).astype(np.float32)


def _planes(stage: DynamicScene, frame: int, settings: SimulateSettings, margin: int) -> NDArray[np.float32]:
    planes = apply_psf(stage.image(frame), settings.blur_sigma_px * settings.scale, settings.psf, margin)
    return planes[GREEN : GREEN + 1] if settings.cfa == "mono" else planes
