"""Noise of a single frame: that of its calmest blocks at each level. What of their variance is structure, or grain of what is shown, remains unknown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from burstsr.core.burst import Burst, Frame
from burstsr.noise.fit import NoiseFit
from burstsr.noise.floor import Floors, floors, pairs_of_one_bin
from burstsr.noise.from_burst import blocks_of_site, cut, windows
from burstsr.noise.line import line_below
from burstsr.noise.patterns import as_bayer_burst, of_samples
from burstsr.noise.structure import Split, unsplit

_WINDOWS, _MOST_BLOCKS = 8, 600


def measure_frame(frame: Frame) -> NoiseFit:
    """Estimate the noise model of a frame, with standard errors, from up to eight windows of 512 x 512 raw pixels.

    Blocks are ranked by the other sites of the CFA, whose noise is independent. Texture in every block of a level makes the estimate too high, never too
    low: the errors include the rise of the floors from the calmest blocks to the next.
    """
    bayer, factor = as_bayer_burst(Burst("frame", (frame,)))
    cfa = bayer.info.cfa
    channels: list[list[Split]] = [[], [], []]
    for window in windows(bayer.info.shape, _WINDOWS):
        part = [cut(bayer.frames[0], window)]
        found = unsplit([blocks_of_site(part, [None], site) for site in np.ndindex(2, 2)])
        for site, split in zip(np.ndindex(2, 2), found, strict=True):
            for channel in (0, 1, 2) if cfa.is_mono else (cfa.channel(*site),):
                channels[channel].append(split)
    low = float(-(frame.info.levels.black * frame.info.levels.scale()).max())
    return of_samples(_with_texture_error(floors(channels, low, _MOST_BLOCKS)), factor)


def _with_texture_error(found: Floors) -> NoiseFit:
    fitted, rise = line_below(found), texture_rise(found)
    alpha, beta = (np.hypot(error, rise * value) for error, value in ((fitted.alpha_error, fitted.noise.alpha), (fitted.beta_error, fitted.noise.beta)))
    return replace(fitted, alpha_error=alpha, beta_error=beta)


def texture_rise(found: Floors) -> float:
    """Return how much higher the floors of less calm blocks are, relative, median over levels and channels; at least 0."""
    rises = []
    for level, ceiling in zip(found.level, found.ceiling, strict=True):
        pair = pairs_of_one_bin(level)
        rises.append(ceiling[pair + 1] / ceiling[pair] - 1)
    together = np.concatenate(rises)
    return max(float(np.median(together)), 0.0) if together.size else 1.0
