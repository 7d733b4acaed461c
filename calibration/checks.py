"""Validity of calibration frames: darks without light, flats neither too dark nor saturated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from burstsr.core.burst import Burst, Frame
from burstsr.core.errors import BurstError
from burstsr.core.sensor import samples

_BLACK_ERROR = 0.02, 0.1  # of saturation: tolerance of a dark's level against the file's black level, and against one of 0, which is often wrong
_PART = 16  # side, in samples, of the parts of a dark that are compared
_GLOW = 0.03  # of saturation: tolerated excess of a part, for amplifier glow
_BRIGHTEST_FLAT = 0.05  # of saturation: below it read noise hides how variance grows with the signal
_SATURATED = 0.5  # share of a channel's samples at white above which an exposure is not used for it
_BLIND = 0.9  # share of the samples of every channel at white above which a burst is unusable
_FEWEST = 2  # exposures
_CHANNELS = ("red", "green", "blue")  # the first also stands for the one of a monochrome sensor


def check_darks(darks: Sequence[Frame], flats: Sequence[Sequence[Frame]] = ()) -> None:
    """Raise BurstError, naming the file, for a frame that is not dark. flats: the exposures of the darks; all must be brighter."""
    dimmest = min(((_level(group[0]), group[0]) for group in flats), key=lambda found: found[0], default=None)
    for dark in darks:
        level, most = _level(dark), _BLACK_ERROR[0 if dark.info.levels.black.any() else 1]
        if dimmest is not None and level > dimmest[0] + _step(dark):
            flat = f"{dimmest[1].info.path} ({dimmest[0]:.2%})"
            raise BurstError(f"{dark.info.path}: not a dark frame: its median is {level:.2%} of saturation, above that of the flat {flat}; are they swapped?")
        if level > most:
            raise BurstError(f"{dark.info.path}: not a dark frame: its median is {level:.2%} of saturation, and must be at most {most:.0%}; cover the lens")
        if _glow(dark) > _GLOW:
            raise BurstError(f"{dark.info.path}: not a dark frame: parts of it are brighter than the rest by {_glow(dark):.0%} of saturation; cover the lens")


def check_flats(flats: Sequence[Sequence[Frame]], darks: int) -> None:
    """Raise BurstError, naming files, if all exposures are too dark, or too many are saturated. darks: whether there are any, 1 or 0."""
    if not flats:
        return
    brightest = max((group[0] for group in flats), key=_level)
    if _level(brightest) < _BRIGHTEST_FLAT:
        found = f"the brightest of {len(flats)} exposures has a median of {_level(brightest):.2%} of saturation"
        raise BurstError(f"{brightest.info.path}: the flats are too dark: {found}, but must reach {_BRIGHTEST_FLAT:.0%}; expose longer")
    for channel, name in enumerate(_CHANNELS[: len(brightest.info.cfa.channels)]):
        full = [group[0] for group in flats if _at_white(group[0], channel) > _SATURATED]
        if full and len(flats) - len(full) + darks < _FEWEST:
            found = f"{name} is at white in {len(full)} of {len(flats)} exposures"
            raise BurstError(f"{full[0].info.path}: the flats are saturated: {found}; at least two must not be (darks count as one); expose less")


def check_master_darks(darks: Sequence[Frame]) -> None:
    """Raise BurstError, naming the file, for a dark with light. Glow and dark current, which are to be subtracted, may be strong."""
    for dark in darks:
        if _level(dark) > _BLACK_ERROR[1]:
            found = f"its median is {_level(dark):.2%} of saturation, and must be at most {_BLACK_ERROR[1]:.0%}"
            raise BurstError(f"{dark.info.path}: not a dark frame: {found}; cover the lens")


def check_master_flats(flats: Sequence[Frame]) -> None:
    """Raise BurstError, naming the file, for a flat that is too dark, or of which a channel is mostly saturated."""
    for flat in flats:
        if _level(flat) < _BRIGHTEST_FLAT:
            raise BurstError(f"{flat.info.path}: the flat is too dark: its median is {_level(flat):.2%} of saturation, and must reach {_BRIGHTEST_FLAT:.0%}")
        white = max(_at_white(flat, channel) for channel in range(len(flat.info.cfa.channels)))
        if white > _SATURATED:
            raise BurstError(f"{flat.info.path}: the flat is saturated: {white:.0%} of a channel is at white; expose less")


def check_burst_light(burst: Burst) -> None:
    """Raise BurstError, naming the file, for a burst that is almost completely saturated, from which nothing can be measured."""
    for frame in burst.frames[:: max(1, len(burst) - 1)]:
        white = min(_at_white(frame, channel) for channel in range(len(frame.info.cfa.channels)))
        if white > _BLIND:
            raise BurstError(f"{frame.info.path}: {white:.0%} of its pixels are saturated; must be at most {_BLIND:.0%}; expose less")


def _glow(frame: Frame) -> float:
    """Return the excess of a frame's brightest parts over the frame; medians, so that hot pixels do not count."""
    x = samples(frame.mosaic, frame.info.levels)
    height, width = (length // _PART * _PART for length in x.shape)
    if not height or not width:
        return 0.0
    parts = x[:height, :width].reshape(height // _PART, _PART, width // _PART, _PART)
    return float(np.quantile(np.median(parts, axis=(1, 3)), 0.99) - np.median(x))


def _level(frame: Frame) -> float:
    return float(np.median(samples(frame.mosaic, frame.info.levels)))


def _step(frame: Frame) -> float:
    """Return one DN in units of samples."""
    return float(np.max(frame.info.levels.scale()))


def _at_white(frame: Frame, channel: int) -> float:
    sites, (py, px) = frame.info.cfa.sites(channel), frame.info.cfa.period
    return float(np.mean([np.mean(frame.mosaic[i::py, j::px] >= frame.info.levels.white) for i, j in sites]))
