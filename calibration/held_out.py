"""Prediction of held-out frames of a burst: how well an image of the others explains their samples, by the blur of the lens that is assumed.

The image is blurred as the reconstruction assumes (`reconstruct.apply_lens_blur`), interpolated, integrated over square pixels at the samples' positions, and
compared with them, relative to the noise.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.align import select_reference
from burstsr.core.burst import Burst, Frame
from burstsr.core.flow import Flow
from burstsr.core.mono import with_equal_channels
from burstsr.core.noise import Noise
from burstsr.core.sensor import samples
from burstsr.noise import estimate_noise
from burstsr.pipeline import super_resolve
from burstsr.reconstruct import apply_lens_blur, lens_taps
from burstsr.settings import ReconstructSettings, Settings
from calibration.crop import crop_middle
from calibration.noise import make_aligner

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
FEWEST = 4  # frames
_SCALE = 2.0
_MOST_FRAMES = 13
_EVERY = 3  # frame that is held out
_CLIPPED = 0.98
_FINER = 4  # subdivisions of a pixel's side for its average
_BORDER = 16
_OUTLIER = 25.0  # squared residual over variance at which it is limited
_BLOCKS = 4  # per axis and frame, whose misfits are compared


def best_settings(sigma: float, reference: int | None) -> Settings:
    """Return settings of mode best for a lens of that blur, raw pixels."""
    lens = ReconstructSettings(psf_sigma_px=sigma, measure_lens_blur=False)
    return Settings(scale=_SCALE, mode="best", reference=reference, measure_noise=False, reconstruct=lens)


class HeldOut:
    """The centre of a burst of at least FEWEST frames, of equal exposure, a third of which is held out."""

    def __init__(self, burst: Burst, part_px: int) -> None:
        some = np.unique(np.linspace(0, len(burst) - 1, min(len(burst), _MOST_FRAMES)).astype(int))
        self._part = crop_middle(with_equal_channels(Burst(burst.name, tuple(burst.frames[i] for i in some))), part_px)
        self._noise, _ = estimate_noise(self._part, make_aligner)
        self._reference = select_reference(self._part, self._noise)
        estimate_flow = make_aligner(self._part.frames[self._reference], self._noise)
        zero = Flow.zero(self._part.info.shape, 16)
        self._flows = [zero if i == self._reference else estimate_flow(frame) for i, frame in enumerate(self._part)]
        others = [i for i in range(len(self._part)) if i != self._reference]
        self._left_out = others[1::_EVERY]
        self._kept = [self._reference, *(i for i in others if i not in self._left_out)]
        self._found: dict[float, Doubles] = {}

    def misfits(self, sigma: float) -> Doubles:
        """Return (frames, blocks): mean squared residual over noise variance, in blocks of the held-out frames, with a lens of `sigma`, raw pixels."""
        if sigma not in self._found:
            self._found[sigma] = self._measured(sigma)
        return self._found[sigma]

    def _measured(self, sigma: float) -> Doubles:
        some = Burst(self._part.name, tuple(self._part.frames[i] for i in self._kept))
        image = super_resolve(some, best_settings(sigma, 0), flows=[self._flows[i] for i in self._kept]).image
        seen = apply_lens_blur(image, lens_taps(sigma, _SCALE))
        return np.array([_misfits(self._part.frames[i], self._flows[i], seen, self._noise) for i in self._left_out])


def _misfits(frame: Frame, flow: Flow, seen: Floats, noise: Noise) -> Doubles:
    height, width = frame.info.shape
    y, x = np.meshgrid(np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64), indexing="ij")
    back = flow.inverse().at(y, x)
    guess = np.zeros((height, width), np.float32)
    parts = (np.arange(_FINER) + 0.5) / _FINER - 0.5
    colours = frame.info.cfa.channel_map((height, width)).astype(int)
    for dy in parts:
        for dx in parts:
            rows, columns = (((v + 0.5 + d) * _SCALE - 0.5).astype(np.float32) for v, d in ((y + back[..., 0], dy), (x + back[..., 1], dx)))
            shown = cv2.remap(seen, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)  # linear interpolation would blur by 0.2 px
            guess += np.take_along_axis(shown.reshape(height, width, -1), colours[..., None], 2)[..., 0] / _FINER**2
    values = samples(frame.mosaic, frame.info.levels)
    variance = noise.alpha[colours] * np.maximum(guess, 0) + noise.beta[colours]
    usable = (values < _CLIPPED) & (guess < _CLIPPED)
    square = np.where(usable, np.minimum((values - guess) ** 2 / variance, _OUTLIER), np.nan)[_BORDER:-_BORDER, _BORDER:-_BORDER]
    blocks = [block for rows in np.array_split(square, _BLOCKS) for block in np.array_split(rows, _BLOCKS, axis=1)]
    return np.array([float(np.nanmean(block)) if np.isfinite(block).any() else np.nan for block in blocks])
