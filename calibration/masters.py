"""Master frames: medians of darks, bias frames and flats, and what they make of a light frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.gain import GainField
from burstsr.core.noise import Noise
from burstsr.io.rescaling import RESCALED_BLACK, RESCALED_WHITE

Floats = NDArray[np.float32]
Sample = TypeVar("Sample", bound=np.generic)
DOUBLING_C = 6.0  # degrees Celsius by which dark current doubles (Janesick 2001, "Scientific Charge-Coupled Devices", chapter 7)
_ROWS = 256
_GAINS = 0.1, 10.0  # range of a flat's gains; pixels beyond it are defective
_FIELD_POINTS = 64


@dataclass(frozen=True)
class Masters:
    """What is subtracted from a light frame, and by what it is multiplied.

    dark: (H, W) DN without light at the light's exposure and temperature, black level included. gain: (H, W), mean 1 per channel; None: no flats.
    """

    dark: Floats
    gain: Floats | None = None


def median_frame(frames: Sequence[Frame]) -> Floats:
    """Return the (H, W) median of frames, DN: a cosmic ray in one of three or more does not count."""
    out = np.empty(frames[0].info.shape, np.float32)
    for first in range(0, len(out), _ROWS):
        out[first : first + _ROWS] = np.median([frame.mosaic[first : first + _ROWS] for frame in frames], axis=0)
    return out


def scaled_dark(dark: Floats, floor: Floats | np.float32, ratio: float) -> Floats:
    """Return the dark with `ratio` times the dark current. floor: DN without dark current: the master bias, or a level."""
    return dark if ratio == 1 else np.asarray(floor + np.float32(ratio) * (dark - floor), np.float32)


def dark_current_ratio(light: FrameInfo, dark: FrameInfo) -> float:
    """Return the dark current of an exposure over that of another, by times and temperatures; what is unknown counts as equal."""
    ratio = light.exposure_s / dark.exposure_s if light.exposure_s > 0 and dark.exposure_s > 0 else 1.0
    warm, cold = light.observation.temperature_c, dark.observation.temperature_c
    return ratio if warm is None or cold is None else ratio * 2.0 ** ((warm - cold) / DOUBLING_C)


def flat_gain(flats: Sequence[Frame], floor: Floats | np.float32) -> tuple[Floats, NDArray[np.int64]]:
    """Return gains that even out what flats show, (H, W), mean 1 per channel, and (n, 2) (y, x) of pixels beyond correction.

    floor: DN of the flats without light. Each flat is divided by its channels' medians, so that the light may change from one to the next.
    """
    cfa, shape = flats[0].info.cfa, flats[0].info.shape
    floor = np.broadcast_to(np.float32(floor) if np.ndim(floor) == 0 else floor, shape)
    levels = [{site: max(float(np.median(_plane(light.mosaic - floor, cfa, site))), 1e-6) for site in cfa.sites()} for light in flats]
    flat = np.empty(shape, np.float32)
    for y, x in cfa.sites():
        under, out = _plane(floor, cfa, (y, x)), _plane(flat, cfa, (y, x))
        for first in range(0, len(out), _ROWS):
            rows = slice(first, first + _ROWS)
            lights = [(_plane(light.mosaic, cfa, (y, x))[rows] - under[rows]) / level[y, x] for light, level in zip(flats, levels, strict=True)]
            out[rows] = np.median(lights, axis=0)
    bad = ~((flat > _GAINS[0]) & (flat < _GAINS[1]))
    gain = np.where(bad, np.float32(1), 1 / np.where(bad, np.float32(1), flat))
    for channel in range(len(cfa.channels)):
        mean = float(np.mean([_plane(gain, cfa, site).mean() for site in cfa.sites(channel)]))
        for site in cfa.sites(channel):
            plane = _plane(gain, cfa, site)
            plane /= np.float32(mean)
    return np.asarray(gain, np.float32), np.argwhere(bad)


def calibrated(frame: Frame, masters: Masters) -> Frame:
    """Return the light frame without dark signal, evened out: 16 bits from RESCALED_BLACK to RESCALED_WHITE; saturated samples stay so."""
    white, black = frame.info.levels.white, float(np.median(masters.dark))
    gain = np.float32((RESCALED_WHITE - RESCALED_BLACK) / (white - black))
    out = np.empty_like(frame.mosaic)
    mosaic = frame.mosaic
    for first in range(0, len(out), _ROWS):
        rows = slice(first, first + _ROWS)
        light = (mosaic[rows] - masters.dark[rows]) * gain
        if masters.gain is not None:
            light *= masters.gain[rows]
        out[rows] = np.clip(np.rint(light + np.float32(RESCALED_BLACK)), 0, RESCALED_WHITE)
        out[rows][mosaic[rows] >= white] = RESCALED_WHITE
    return frame.with_mosaic(out).with_info(_info(frame.info, black, masters))


def _info(info: FrameInfo, black: float, masters: Masters) -> FrameInfo:
    """Return the description of a calibrated frame."""
    white = info.levels.white
    old = float(info.levels.black.mean())
    unit, shift = (white - black) / (white - old), (black - old) / (white - old)  # x = unit x' + shift
    noise = info.noise
    if noise is not None:
        noise = Noise(noise.alpha / unit, np.maximum(noise.alpha * shift + noise.beta, 1e-12) / unit**2)
    facts = info.observation
    if facts.gain_e_per_dn is not None:
        facts = replace(facts, gain_e_per_dn=facts.gain_e_per_dn * (white - black) / (RESCALED_WHITE - RESCALED_BLACK))
    field = info.gain
    if masters.gain is not None and field is None:
        field = _field(masters.gain, info.cfa)
    return replace(info, levels=Levels(np.full((2, 2), RESCALED_BLACK), RESCALED_WHITE), noise=noise, observation=facts, gain=field)


def _field(gain: Floats, cfa: Cfa) -> GainField:
    """Return the smooth part of a flat's gains, of each channel (all alike unless it is a Bayer sensor)."""
    down, across = (min(length // 2, _FIELD_POINTS) for length in gain.shape)

    def averaged(planes: list[Floats]) -> Floats:
        return np.asarray(np.mean([cv2.resize(np.ascontiguousarray(plane), (across, down), interpolation=cv2.INTER_AREA) for plane in planes], axis=0))

    of_channel = [averaged([_plane(gain, cfa, site) for site in cfa.sites(channel)] if cfa.is_bayer else [gain]) for channel in range(3)]
    return GainField(np.stack(of_channel).astype(np.float32), (gain.shape[0], gain.shape[1]))


def _plane(image: NDArray[Sample], cfa: Cfa, site: tuple[int, int]) -> NDArray[Sample]:
    """Return a view of the samples of a site."""
    return image[site[0] :: cfa.period[0], site[1] :: cfa.period[1]]
