"""`process --darks --flats --bias`: which calibration frames belong to a burst, and what they make of it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from burstsr.core.errors import BurstError, SettingsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from burstsr.core.burst import Burst, Frame, FrameInfo
    from burstsr.io.discover import Discovery
    from burstsr.profiles.apply import CalibrationInputs

log = logging.getLogger(__name__)
KIND = "calibration frames"  # of files that are passed over as lights
_SAME = 0.02  # relative difference of times and ISOs that counts as none
_SAME_C = 1.0  # degrees Celsius
_FEWEST_FOR_DEFECTS = 3
_HOT = 0.1  # of saturation: dark signal above which a pixel is repaired; less is subtracted, which keeps what falls onto it


@dataclass(frozen=True)
class CalibrationFrames:
    """Frames of the folders that are named."""

    darks: tuple[FrameInfo, ...] = ()
    flats: tuple[FrameInfo, ...] = ()
    bias: tuple[FrameInfo, ...] = ()

    @property
    def paths(self) -> set[Path]:
        """Return the files of all frames."""
        return {info.path.resolve() for info in (*self.darks, *self.flats, *self.bias)}


@dataclass(frozen=True)
class Applied:
    """A calibrated burst. bad: (n, 2) (y, x) of pixels to repair. sources: what was used, ready for JSON."""

    burst: Burst
    bad: NDArray[np.int64]
    sources: dict[str, str]


def find(known: CalibrationInputs) -> CalibrationFrames | None:
    """Find the frames of --darks, --flats and --bias; None without any of these. Raises SettingsError for a path without frames."""
    if not (known.darks or known.flats or known.bias):
        return None
    return _found(known.darks, known.flats, known.bias)


def lights(found: Discovery, frames: CalibrationFrames | None) -> Discovery:
    """Return a discovery without calibration frames: those named as such, and those whose files say that they are."""
    from burstsr.io.folders import Problem

    own = frames.paths if frames else set()
    bursts, others = [], []
    for burst in found.bursts:
        kept = tuple(info for info in burst.infos if info.observation.frame_type in ("", "light") and info.path.resolve() not in own)
        others += [Problem(i.path, f"{i.path}: a calibration frame", KIND) for i in burst.infos if i not in kept]
        if kept:
            bursts.append(replace(burst, infos=kept))
    return replace(found, bursts=tuple(bursts), passed_over=(*found.passed_over, *others)) if others else found


def calibration_of(known: CalibrationInputs) -> Callable[[Burst], Applied] | None:
    """Return a function that calibrates a burst; None without calibration frames. It raises BurstError where none fit the burst."""
    frames = find(known)
    return None if frames is None else lambda burst: _apply(burst, frames)


def _apply(burst: Burst, frames: CalibrationFrames) -> Applied:
    """Return the burst calibrated, exposure by exposure, since a bracket has several."""
    import numpy as np

    from calibration.masters import Masters, calibrated

    gain, bad, done = None, [], {}
    sources: dict[str, list[str]] = {}
    for seconds in dict.fromkeys(frame.info.exposure_s for frame in burst):
        light = _typical([frame.info for frame in burst if frame.info.exposure_s == seconds])
        darks, flats, bias = (_matching(kind, infos, light) for kind, infos in (("dark", frames.darks), ("flat", frames.flats), ("bias", frames.bias)))
        for name, infos in (("darks", darks), ("flats", flats), ("bias", bias)):
            sources.setdefault(name, []).extend([_source(infos)] if infos else [])
        base = _median(_paths(bias)) if bias else None
        dark = _black(light) if base is None else base
        if darks:
            dark, defects, how = _dark(light, darks, base)
            bad.append(defects)
            sources["darks"][-1] += how
        if flats and gain is None:
            gain, dead = _gain(flats, base if base is not None else np.float32(np.median(dark)))
            bad.append(dead)
        done[seconds] = Masters(dark, gain)
    calibrated_frames = tuple(calibrated(frame, done[frame.info.exposure_s]) for frame in burst)
    found = {name: "; ".join(dict.fromkeys(texts)) for name, texts in sources.items() if texts}
    return Applied(replace(burst, frames=calibrated_frames), np.unique(np.concatenate([np.zeros((0, 2), np.int64), *bad]), axis=0), found)


def _dark(light: FrameInfo, darks: tuple[FrameInfo, ...], base: NDArray[np.float32] | None) -> tuple[NDArray[np.float32], NDArray[np.int64], str]:
    """Return the dark for frames like `light`, (n, 2) (y, x) of pixels to repair, and by what it was scaled, ready for a sentence."""
    import numpy as np

    from calibration.masters import dark_current_ratio, scaled_dark

    dark, defects = _dark_and_defects(_paths(darks))
    ratio, how = dark_current_ratio(light, darks[0]), ""
    if _differ(light, darks[0]):
        what = "their dark current is scaled by" if base is not None else "without --bias only what exceeds their median is scaled, by"
        log.warning("%s: darks of %s for lights of %s: %s %.3g", light.path.parent, _conditions(darks[0]), _conditions(light), what, ratio)
        dark = scaled_dark(dark, np.float32(np.median(dark)) if base is None else base, ratio)
        how = f", scaled by {ratio:.3g}"
    level = float(np.median(dark))
    excess = (dark[tuple(defects.T)] - level) / (light.levels.white - level)
    return dark, defects[(excess > _HOT) | (excess < 0)], how


def _typical(infos: Sequence[FrameInfo]) -> FrameInfo:
    """Return the description of the first frame, at the median temperature of all."""
    import numpy as np

    found = [info.observation.temperature_c for info in infos]
    known = [temperature for temperature in found if temperature is not None]
    middle = float(np.median(known)) if known else None
    return replace(infos[0], observation=replace(infos[0].observation, temperature_c=middle))


def _matching(kind: str, infos: Sequence[FrameInfo], light: FrameInfo) -> tuple[FrameInfo, ...]:
    """Return the frames for lights like `light`: of darks those nearest in exposure, then in temperature. Raises BurstError where none fit."""
    if not infos:
        return ()
    fitting = [info for info in infos if _mismatch(kind, info, light) is None]
    if not fitting:
        what = _mismatch(kind, infos[0], light)
        raise BurstError(f"{infos[0].path}: no {kind} frame for {light.path}: {what}")
    if kind != "dark":
        return tuple(fitting)
    time = min((info.exposure_s for info in fitting), key=lambda s: abs(math.log(s / light.exposure_s)) if s > 0 < light.exposure_s else 0.0)
    fitting = [info for info in fitting if abs(info.exposure_s - time) <= _SAME * time]
    warm = light.observation.temperature_c
    known = [info.observation.temperature_c for info in fitting if info.observation.temperature_c is not None]
    if warm is None or len(known) < len(fitting):
        return tuple(fitting)
    nearest = min(known, key=lambda c: abs(c - warm))
    return tuple(info for info, c in zip(fitting, known, strict=True) if abs(c - nearest) <= _SAME_C)


def _mismatch(kind: str, info: FrameInfo, light: FrameInfo) -> str | None:
    """Return how a calibration frame differs from lights where it must not; None where it fits."""
    pairs = [("size", info.shape, light.shape), ("CFA order", info.cfa_order, light.cfa_order), ("white level", info.levels.white, light.levels.white)]
    if info.camera and light.camera:
        pairs.append(("camera", info.camera.casefold(), light.camera.casefold()))
    if kind == "flat" and info.observation.filter_name and light.observation.filter_name:
        pairs.append(("filter", info.observation.filter_name, light.observation.filter_name))
    if kind != "flat" and info.iso and light.iso and abs(info.iso - light.iso) > _SAME * light.iso:
        pairs.append(("ISO or gain", info.iso, light.iso))
    if info.path.suffix == light.path.suffix and info.path.suffix.lower().startswith(".f"):
        pairs.append(("order of rows", info.orientation, light.orientation))
    return next((f"{what} {own}, not {other}" for what, own, other in pairs if own != other), None)


def _differ(light: FrameInfo, dark: FrameInfo) -> bool:
    apart = light.exposure_s > 0 < dark.exposure_s and abs(light.exposure_s - dark.exposure_s) > _SAME * light.exposure_s
    warm, cold = light.observation.temperature_c, dark.observation.temperature_c
    return apart or (warm is not None and cold is not None and abs(warm - cold) > _SAME_C)


def _conditions(info: FrameInfo) -> str:
    temperature = info.observation.temperature_c
    return f"{info.exposure_s:g} s" + ("" if temperature is None else f" at {temperature:.1f} C")


def _source(infos: Sequence[FrameInfo]) -> str:
    return f"{len(infos)} frames of {infos[0].path.parent}, {_conditions(infos[0])}"


@lru_cache(4)
def _found(darks: tuple[Path, ...], flats: tuple[Path, ...], bias: tuple[Path, ...]) -> CalibrationFrames:
    return CalibrationFrames(_infos("darks", darks), _infos("flats", flats), _infos("bias", bias))


def _infos(option: str, paths: tuple[Path, ...]) -> tuple[FrameInfo, ...]:
    from burstsr.io.discover import discover
    from burstsr.io.grouping import Grouping

    if not paths:
        return ()
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise SettingsError(f"--{option}: no such file or folder: {', '.join(missing)}")
    found = discover(paths, Grouping(gap_s=math.inf, split_exposures=True))
    for problem in found.problems:
        log.warning("--%s: rejected: %s", option, problem.reason)
    kind = option.removesuffix("s") if option != "bias" else option
    infos = [info for burst in found.bursts for info in burst.infos if info.observation.frame_type in ("", kind)]
    if not infos:
        raise SettingsError(f"--{option}: no {kind} frames in {', '.join(map(str, paths))}")
    return tuple(infos)


@lru_cache(1)
def _median(paths: tuple[Path, ...]) -> NDArray[np.float32]:
    from calibration.masters import median_frame

    return median_frame(_frames(paths))


@lru_cache(2)
def _dark_and_defects(paths: tuple[Path, ...]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the master dark, and (n, 2) (y, x) of hot and dead pixels. Raises BurstError for frames that are not dark."""
    import numpy as np

    from burstsr.core.burst import Burst
    from calibration.checks import check_master_darks
    from calibration.defects import measure_defects
    from calibration.masters import median_frame

    frames = _frames(paths)
    check_master_darks(frames[:: max(1, len(frames) - 1)])
    dark = median_frame(frames)
    if len(frames) < _FEWEST_FOR_DEFECTS:
        return dark, np.zeros((0, 2), np.int64)
    try:
        return dark, measure_defects(Burst("darks", frames), "darks").positions
    except BurstError as error:  # darks with much glow or dark current
        log.info("hot pixels are only subtracted: %s", error)
        return dark, np.zeros((0, 2), np.int64)


def _gain(flats: tuple[FrameInfo, ...], floor: NDArray[np.float32] | np.float32) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the gain of flats, and pixels beyond correction. Raises BurstError for frames that are too dark or saturated."""
    from calibration.checks import check_master_flats
    from calibration.masters import flat_gain

    frames = _frames(_paths(flats))
    check_master_flats(frames)
    return flat_gain(frames, floor)


def _black(light: FrameInfo) -> NDArray[np.float32]:
    """Return the black level of the files, (H, W)."""
    import numpy as np

    height, width = light.shape
    return np.tile(light.levels.black.astype(np.float32), (height // 2, width // 2))


def _paths(infos: Sequence[FrameInfo]) -> tuple[Path, ...]:
    return tuple(info.path for info in infos)


def _frames(paths: tuple[Path, ...]) -> tuple[Frame, ...]:
    from burstsr.io.raw import read_frame

    return tuple(map(read_frame, paths))
