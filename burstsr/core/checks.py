"""Validation of frames, motion and defects before any stage. Loops check nothing, so user input is validated here, once."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from burstsr.core import large_arrays
from burstsr.core.burst import Burst, Colour, Frame, FrameInfo, Levels
from burstsr.core.coords import tile_count
from burstsr.core.errors import BurstError, SettingsError
from burstsr.core.fields import check_range, shown
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.result import Result

LEAST_SIDE_PX = 16  # raw pixels: two of the smallest tiles
FARTHEST_PX = 100_000.0  # raw pixels: larger than any sensor; frames need not overlap the reference
_LARGEST_VARIANCE = 100.0  # normalised units; float32 holds its square many times over
_BLACK_TOLERANCE = 0.002  # of full scale, as for files


def checked(burst: Burst, reference: int | None, flows: Sequence[Flow] | None, defects: ArrayLike | None) -> tuple[list[Flow] | None, NDArray[np.int64] | None]:
    """Validate the arguments of `super_resolve`; return flows and defects as the stages expect them. Raises BurstError, SettingsError."""
    check_burst(burst)
    if reference is not None:
        check_range("reference", reference, 0, len(burst) - 1, whole=True)
    if flows is not None and reference is None:
        raise SettingsError("flows require settings.reference, the frame they refer to")
    return (
        None if flows is None else check_flows(flows, burst),
        None if defects is None else check_defects(defects, burst.info.shape),
    )


def check_burst(burst: Burst) -> None:
    """Raise BurstError, naming the frame, unless all frames are valid mosaics that match their descriptions, of one size, CFA order and levels."""
    if len(burst.frames) == 0:
        raise BurstError(f"burst {burst.name!r} has no frames; must have at least one")
    first = burst.frames[0].info
    for frame in burst:
        _check_frame(frame)
        info, place = frame.info, _place(burst, frame.info)
        if info.shape != first.shape:
            raise BurstError(f"{place}: shape must be {first.shape} as in the first frame, not {info.shape}")
        if info.cfa != first.cfa:
            raise BurstError(f"{place}: CFA order must be {first.cfa_order} as in the first frame, not {info.cfa_order}")
        if info.iso != first.iso:  # of a bracket: cameras' levels may depend on it
            continue
        apart = _BLACK_TOLERANCE * (first.levels.white - first.levels.black.max())
        if info.levels.white != first.levels.white or np.abs(info.levels.black - first.levels.black).max() > apart:
            raise BurstError(f"{place}: black and white level must be those of the first frame, {_levels_text(first.levels)}, not {_levels_text(info.levels)}")


def check_flows(flows: Sequence[Flow], burst: Burst) -> list[Flow]:
    """Return the known flows of a burst's frames as float32. Raises SettingsError, naming the frame, for a wrong shape or non-finite values."""
    if len(flows) != len(burst):
        raise SettingsError(f"flows must be one per frame, {len(burst)}, not {len(flows)}")
    return [_flow(flow, burst.info.shape, f"flows[{i}]") for i, flow in enumerate(flows)]


def check_defects(defects: ArrayLike, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return (n, 2) int64 positions (y, x) of defects in frames of `shape` (H, W). Raises SettingsError for anything else."""
    found = np.asarray(defects)
    if found.size == 0:
        return np.zeros((0, 2), np.int64)
    if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "iu":
        raise SettingsError(f"bad_pixels must be integers of shape (n, 2), not {found.dtype} of shape {found.shape}")
    outside = (found < 0) | (found >= np.array(shape))
    if outside.any():
        position = found[outside.any(axis=1)][0].tolist()
        raise SettingsError(f"bad_pixels must be positions (y, x) in frames of {shape[0]} x {shape[1]}, not {tuple(position)}")
    return found.astype(np.int64)


def check_result(image: Result) -> None:
    """Raise SettingsError unless a result to be written is finite RGB, or grey if its reference is monochrome, with a valid description."""
    rgb, channels = image.image, len(image.reference.cfa.channels)
    if not isinstance(rgb, np.ndarray) or rgb.ndim != 3 or rgb.shape[2] != channels or rgb.size == 0 or rgb.dtype.kind != "f":
        given = f"{rgb.dtype} of shape {rgb.shape}" if isinstance(rgb, np.ndarray) else type(rgb).__name__
        raise SettingsError(f"result: image must be floating point of shape (height, width, {channels}), not {given}")
    if not np.isfinite(sum(float(rgb[rows].sum(dtype=np.float64)) for rows in large_arrays.strips(rgb))):
        raise SettingsError("result: image must be finite, and has NaN or infinite values")
    check_range("result: scale", image.scale, 1e-3, 1e3)
    check_range("result: orientation", image.reference.orientation, 1, 8, whole=True)
    if channels == 3:
        check_colour(image.reference.colour, "result")
    if image.noise_model is not None:
        check_noise(image.noise_model, "result: noise", channels)


def check_noise(noise: Noise, place: str = "noise", channels: int = 3) -> None:
    """Raise SettingsError unless alpha and beta are a finite variance per channel, none negative."""
    count = {1: "one number", 3: "three numbers"}[channels]
    for name in ("alpha", "beta"):
        values = _numbers(getattr(noise, name), (channels,))
        if values is None or values.min() < 0 or values.max() > _LARGEST_VARIANCE:
            raise SettingsError(f"{place}: {name} must be {count} between 0 and {_LARGEST_VARIANCE:g}, not {shown(getattr(noise, name))}")


def check_levels(levels: Levels, place: str) -> None:
    """Raise SettingsError unless black is (2, 2) finite DN, and white at least 1 DN above."""
    black = _numbers(levels.black, (2, 2))
    if black is None or np.abs(black).max() > 2**24:
        raise SettingsError(f"{place}: black level must be (2, 2) finite DN, not {shown(levels.black)}")
    if not isinstance(levels.white, Real) or not black.max() + 1 <= levels.white <= 2**24:
        raise SettingsError(f"{place}: white level must be at least 1 DN above the black level {black.max():g}, not {shown(levels.white)}")


def check_colour(colour: Colour, place: str) -> None:
    """Raise SettingsError unless the neutral is three numbers above 0, and the matrix, if any, (3, 3) and invertible."""
    neutral = _numbers(colour.as_shot_neutral, (3,))
    if neutral is None or neutral.min() < 1e-6 or neutral.max() > 1e6:
        raise SettingsError(f"{place}: as_shot_neutral must be three numbers above 0, not {shown(colour.as_shot_neutral)}")
    if colour.xyz_to_camera is not None:
        matrix = _numbers(colour.xyz_to_camera, (3, 3))
        if matrix is None or not 1e-9 < np.abs(np.linalg.det(matrix)) < 1e9:
            raise SettingsError(f"{place}: xyz_to_camera must be a (3, 3) matrix that has an inverse, not {shown(colour.xyz_to_camera)}")


def _check_frame(frame: Frame) -> None:
    """Raise BurstError unless the frame's description is valid, and matches its pixels, if they are decoded."""
    info = frame.info
    place = str(info.path)
    try:
        for name, value in zip(("height", "width"), info.shape, strict=True):
            check_range(f"{place}: {name}", value, LEAST_SIDE_PX, FARTHEST_PX, whole=True)
            if value % 2:
                raise BurstError(f"{place}: {name} must be even, for whole cells of 2 x 2 samples, not {value}")
        info.cfa.require_dense(place)
        check_levels(info.levels, place)
        if not info.cfa.is_mono:
            check_colour(info.colour, place)
        if info.noise is not None:
            check_noise(info.noise, f"{place}: noise", len(info.cfa.channels))
        check_range(f"{place}: orientation", info.orientation, 1, 8, whole=True)
    except BurstError:
        raise
    except (SettingsError, ValueError, TypeError) as error:
        raise BurstError(str(error)) from error
    if "mosaic" in vars(frame):  # others are still being decoded, which guarantees the format
        mosaic = frame.mosaic
        if not isinstance(mosaic, np.ndarray) or mosaic.dtype != np.uint16 or mosaic.shape != info.shape:
            given = f"{mosaic.dtype} of shape {mosaic.shape}" if isinstance(mosaic, np.ndarray) else type(mosaic).__name__
            raise BurstError(f"{place}: mosaic must be uint16 of shape {info.shape}, not {given}")


def _flow(flow: Flow, shape: tuple[int, int], place: str) -> Flow:
    check_range(f"{place}.tile_px", flow.tile_px, 1, FARTHEST_PX, whole=True)
    expected = (*(tile_count(length, flow.tile_px) for length in shape), 2)
    tiles = np.asarray(flow.tiles)
    if tiles.shape != expected or tiles.dtype.kind not in "fiu":
        raise SettingsError(f"{place}.tiles must be numbers of shape {expected} for tiles of {flow.tile_px} pixels, not {tiles.dtype} of shape {tiles.shape}")
    wrong = ~(np.abs(tiles) <= FARTHEST_PX)
    if wrong.any():
        raise SettingsError(f"{place}.tiles must be between {-FARTHEST_PX:g} and {FARTHEST_PX:g} raw pixels, not {tiles[wrong][0]:g}")
    if not flow.error_px >= 0:
        raise SettingsError(f"{place}.error_px must be 0 or more raw pixels, not {flow.error_px:g}")
    return Flow(np.ascontiguousarray(tiles, np.float32), int(flow.tile_px), float(flow.error_px))


def _numbers(values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    """Return the values as float64, or None unless they are finite and of that shape."""
    try:
        found = np.asarray(values, np.float64)
    except (ValueError, TypeError):
        return None
    return found if found.shape == shape and np.isfinite(found).all() else None


def _place(burst: Burst, info: FrameInfo) -> str:
    return f"burst {burst.name!r}, {info.path}"


def _levels_text(levels: Levels) -> str:
    return f"{np.asarray(levels.black).ravel().tolist()} and {levels.white:g}"
