"""From a burst of several exposures to frames in common units: reference, exposure ratios, and each frame's noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from burstsr.align import select_reference
from burstsr.bracket.blocks import Blocks, block_levels, blocks_of
from burstsr.bracket.exposure import exif_ratio, measure_ratios, quantile_ratios
from burstsr.core import large_arrays
from burstsr.core.burst import Burst, Frame
from burstsr.core.noise import Noise
from burstsr.core.report import ExposureRatio
from burstsr.core.sensor import shows_nothing
from burstsr.noise import estimate_of_frames
from burstsr.prepare import NoiseEstimate
from burstsr.report import Record

Floats = NDArray[np.float32]

DIFFERENT = 1.1  # EXIF exposures or ISOs whose ratio is larger belong to a bracket
_DIFFERENT_UNKNOWN = 1.3  # the same of measured ratios, without EXIF: lamps flicker
_SAME = 1.2  # exposures within this ratio are compared for sharpness
_TOO_DARK, _TOO_BRIGHT = 0.005, 0.9  # levels between which an area counts as well exposed
_SNR = 2.0  # of a sample, the least that counts as well exposed


@dataclass(frozen=True)
class Bracket:
    """A bracket in common units. burst: its frames, whose samples are equal where the scene is. reference: index. ratios: of each frame to it.

    noise: of the noisiest frame, the unit in which frames are weighed. peak: saturation of the shortest exposure relative to the reference's: what 1.0 is.
    """

    burst: Burst
    reference: int
    ratios: tuple[ExposureRatio, ...]
    noise: NoiseEstimate
    peak: float

    def in_reference_units(self, image: Floats, variance: Floats | None, model: Noise | None) -> tuple[Floats, Floats | None, Noise | None, Noise]:
        """Return a result in units of the reference's saturation: its image, variance map and noise model; and the noise model of the reference's samples."""
        for rows in large_arrays.strips(image):
            image[rows] *= np.float32(self.peak)
            if variance is not None:
                variance[rows] *= np.float32(self.peak**2)
        given = scaled_noise(self.burst.frames[self.reference].noise(self.noise.model), self.peak)
        return image, variance, None if model is None else scaled_noise(model, self.peak), given


def bracket_of(burst: Burst, reference: int | None, record: Record) -> Bracket | None:
    """Return a burst whose exposures differ in common units; None for others, which stay as they are. reference: index; None: chosen."""
    if len(burst) < 2 or not _may_differ(burst):
        return None
    if not _known(burst) and not _brightness_differs([block_levels(frame) for frame in burst]):
        return None
    noises, source = _noises(burst)
    blocks = [blocks_of(frame, noise) for frame, noise in zip(burst, noises, strict=True)]
    index = _reference(burst, noises, blocks) if reference is None else reference
    ratios = measure_ratios(burst.frames, blocks, index)
    peak = max(1 / ratio.value for ratio in ratios)
    frames = [_normalised(frame, noise, 1 / (ratio.value * peak)) for frame, noise, ratio in zip(burst, noises, ratios, strict=True)]
    own = [frame.info.own_noise for frame in frames if frame.info.own_noise]
    worst = Noise(np.max([n.alpha for n in own], axis=0), np.max([n.beta for n in own], axis=0), burst.info.gain)
    record.exposures(ratios)
    return Bracket(Burst(burst.name, tuple(frames)), index, tuple(ratios), NoiseEstimate(worst, source), peak)


def scaled_noise(noise: Noise, gain: float) -> Noise:
    """Return the noise of samples multiplied by `gain`."""
    return Noise(noise.alpha * gain, noise.beta * gain**2, noise.gain)


def _known(burst: Burst) -> bool:
    return all(frame.info.exposure_s > 0 and frame.info.iso > 0 for frame in burst)


def _may_differ(burst: Burst) -> bool:
    """Whether the files' exposures differ, or are unknown."""
    if not _known(burst):
        return True
    for values in ([f.info.exposure_s * f.info.iso for f in burst], [f.info.iso for f in burst]):
        if max(values) > DIFFERENT * min(values):
            return True
    return False


def _brightness_differs(levels: Sequence[NDArray[np.float64]]) -> bool:
    """Whether some frame is brighter or darker than the middle one at all quantiles that neither clips: not where only a part of the scene differs."""
    middle = levels[len(levels) // 2]
    for other in levels:
        ratios = quantile_ratios(middle, other)
        if ratios and (min(ratios) > _DIFFERENT_UNKNOWN or max(ratios) < 1 / _DIFFERENT_UNKNOWN):
            return True
    return False


def _normalised(frame: Frame, noise: Noise, saturation: float) -> Frame:
    levels = replace(frame.info.levels, saturation=saturation)
    return frame.with_info(replace(frame.info, levels=levels, own_noise=replace(scaled_noise(noise, saturation), gain=frame.info.gain)))


def _noises(burst: Burst) -> tuple[list[Noise], str]:
    """Return each frame's noise model, in units of its own saturation, from the files or estimated, and its source. Frames of one ISO share it."""
    given = [frame.info.noise for frame in burst]
    if all(noise is not None and np.all(noise.alpha + noise.beta > 0) for noise in given):
        return [noise for noise in given if noise is not None], "NoiseProfile"
    of_iso: dict[float, Noise] = {}
    for iso in {frame.info.iso for frame in burst}:
        of_iso[iso] = estimate_of_frames([frame for frame in burst if frame.info.iso == iso and not shows_nothing(frame)] or list(burst.frames))
    return [of_iso[frame.info.iso] for frame in burst], "estimated"


def _reference(burst: Burst, noises: Sequence[Noise], blocks: Sequence[Blocks]) -> int:
    """Return the index of the sharpest of the frames that expose most of the scene well."""
    scores = [_well_exposed(b) for b in blocks]
    best = int(np.argmax(scores))
    alike = [i for i, (frame, b) in enumerate(zip(burst, blocks, strict=True)) if _similar(frame, burst.frames[best], b, blocks[best])]
    if len(alike) == 1:
        return best
    chosen = select_reference(Burst(burst.name, tuple(burst.frames[i] for i in alike)), noises[best])
    return alike[chosen]


def _similar(frame: Frame, best: Frame, blocks: Blocks, best_blocks: Blocks) -> bool:
    """Whether two frames have nearly the same exposure and sensitivity."""
    ratio = exif_ratio(frame, best) or float(np.median(blocks.grey) / max(float(np.median(best_blocks.grey)), 1e-9))
    return 1 / _SAME < ratio < _SAME and 1 / _SAME < (frame.info.iso or 1) / (best.info.iso or 1) < _SAME


def _well_exposed(blocks: Blocks) -> float:
    """Return the share of a frame that is neither clipped nor dark."""
    level = blocks.grey
    deviation = np.sqrt(blocks.variance(level))
    return float(np.mean(blocks.valid.all(axis=0) & (level > _TOO_DARK) & (level > _SNR * deviation) & (level < _TOO_BRIGHT)))
