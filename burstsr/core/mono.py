"""Monochrome frames in stages written for three channels: as frames of a Bayer sensor whose three filters are alike.

Inside, noise and images of a monochrome burst have three equal channels, and its frames cells of 2 x 2 samples. The merge gives each pixel the samples of
all three, so nothing is lost. What a caller gives or receives has one channel.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from burstsr.core import large_arrays
from burstsr.core.burst import Burst, Colour, Frame
from burstsr.core.cfa import Cfa
from burstsr.core.noise import Noise

_Channels = TypeVar("_Channels", Noise, NDArray[np.float32], Noise | None, NDArray[np.float32] | None)
_CELL = Cfa.parse("RGGB")
FULL_SHARE = np.array([0.0, 1.0, 0.0], np.float32)  # of R, G, B in the luma of channels that are the same: one of them, whose noise it has


def cell_channels(frame: Frame) -> NDArray[np.int64]:
    """Return the channels (py, px) of one period of a frame's CFA, those of RGGB for a monochrome one."""
    return np.array(_CELL if frame.info.cfa.is_mono else frame.info.cfa, np.int64)


def channel_map(frame: Frame) -> NDArray[np.uint8]:
    """Return the channels (H, W) of a frame's samples, those of RGGB for a monochrome one."""
    return (_CELL if frame.info.cfa.is_mono else frame.info.cfa).channel_map(frame.info.shape)


def sample_channels(frame: Frame) -> NDArray[np.int64]:
    """Return the same, but for a monochrome frame zeros: all samples belong to the first channel, which stands for all."""
    return np.zeros((2, 2), np.int64) if frame.info.cfa.is_mono else cell_channels(frame)


def plane_count(frame: Frame) -> int:
    """Return the number of planes that are reconstructed from frames like this: one where all samples are of one channel, else three."""
    return 1 if frame.info.cfa.is_mono else 3


def with_equal_channels(burst: Burst) -> Burst:
    """Return a monochrome burst with noise and colour of three channels; any other burst as it is."""
    if not burst.info.cfa.is_mono:
        return burst
    white = Colour(np.ones(3))
    infos = [replace(frame.info, colour=white, noise=frame.info.noise and equal_channels(frame.info.noise)) for frame in burst]
    return Burst(burst.name, tuple(frame.with_info(info) for frame, info in zip(burst, infos, strict=True)))


def equal_channels(noise: Noise) -> Noise:
    """Return three channels with the same noise: the mean over those given."""
    return Noise(np.full(3, noise.alpha.mean()), np.full(3, noise.beta.mean()), noise.gain)


def one_channel(value: _Channels) -> _Channels:
    """Return the first of channels that are the same, of a noise model or of the last axis of an array; None as it is."""
    if isinstance(value, Noise):
        return Noise(value.alpha[:1], value.beta[:1], value.gain)
    return None if value is None else large_arrays.copied(value[..., :1])
