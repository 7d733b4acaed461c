"""Outliers of a bracket's reference, as `robustness.reference_outliers`, with votes exposure by exposure: none of frames that are clipped or too dark there.

Frames that are so noisy that they could not tell an outlier are no witnesses: two others that can, and contradict the reference, suffice.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.bracket.pairs import PairModels
from burstsr.bracket.precision import clipped_cells, smooth_level, warped
from burstsr.core.burst import Frame
from burstsr.core.cfa import GREEN
from burstsr.core.flow import Flow
from burstsr.core.noise import MODEL_ERROR, Noise
from burstsr.core.sensor import CLIPPED
from burstsr.robustness import RepairedReference, RobustnessModel, Witnesses, majority, median_of_finite, repair_reference, variance_of_means
from burstsr.settings import Settings

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
_FEWEST, _FEWEST_CELLS = 2, 4  # contradicting frames, and cells, without which there is no outlier
_LEAST_SNR = 2.0  # of a 3 x 3 mean of a frame at the reference's level, to have a vote
_ABLE = 12.0  # squared difference between the reference and the others, in variances of a frame's own difference from it, that this frame can tell
_WITNESSED = 6.0  # the same, of the frame's own difference, that contradicts the reference where only two frames can tell
_STRUCTURE = 0.5  # the same, in local variances of the scene
_LEAST_VARIANCE = 1e-14
_SOLID = 3  # side of the least square of cells that belong to an object
_SHARE = 0.3  # of an outlier's area: what another frame shows elsewhere may be the same object, moved
_AROUND = 32  # cells around an outlier, and as many as it is long, in which such are sought


class _Votes(RobustnessModel):
    """The reference's statistics in common units, with the votes of all exposures. Frames show nothing where they are clipped, and no more than it can."""

    def shown(self, frame: Frame, flow: Flow, at: NDArray[np.int64]) -> Floats:
        """See `RobustnessModel.shown`."""
        out = super().shown(frame, flow, at)
        own = frame.info.levels.saturation
        if own < 1:
            out[:, out[:3].max(axis=0) >= np.float32(CLIPPED * own)] = np.nan
        return np.minimum(out, np.float32(self._reference.info.levels.saturation))


def repaired_reference(models: PairModels, flows: Sequence[Flow], settings: Settings) -> RepairedReference | None:
    """Return the reference with its outliers repaired from the other frames; None if there are none. models: with robustness of all frames."""
    contradicting, covering = models.votes()
    if np.count_nonzero(contradicting >= _FEWEST) < _FEWEST_CELLS:
        return None
    frames, index, noise = models.frames, models.index, models.noise
    level = smooth_level(frames[index])
    for i, frame in enumerate(frames):
        if i != index:
            covering -= _silent(frame, flows[i], level, frame.noise(noise))
    others = [frame.noise(noise) for i, frame in enumerate(frames) if i != index]
    usual = Noise(np.mean([n.alpha for n in others], axis=0), np.mean([n.beta for n in others], axis=0), noise.gain)
    votes = _Votes(frames[index], frames[index].noise(noise), settings.robustness)
    votes.contradicting, votes.covering = contradicting, np.maximum(covering, contradicting)
    return repair_reference(frames, index, flows, votes, usual, _witnesses(votes, frames, index, flows, noise))


def _silent(frame: Frame, flow: Flow, level: Floats, noise: Noise) -> NDArray[np.uint16]:
    """Return (H/2, W/2) 1 where a frame has no vote: it is clipped, or too dark to show what the reference shows."""
    dark = level < np.float32(_LEAST_SNR) * np.sqrt((noise.alpha[GREEN] * level + noise.beta[GREEN]) / 18)
    return np.asarray(dark | (warped(clipped_cells(frame), flow) > 0), np.uint16)


def _witnesses(votes: _Votes, frames: Sequence[Frame], index: int, flows: Sequence[Flow], noise: Noise) -> Witnesses:
    """Return which frames can tell what is wrong with the reference at cells that two or more contradict, and where enough of them do."""
    at = tuple(np.argwhere(votes.contradicting >= _FEWEST).T)
    noises = [frame.noise(noise) for frame in frames]
    precision = [float(1 / np.maximum(n.variance(np.median(votes.mean[GREEN]), GREEN), _LEAST_VARIANCE)) for n in noises]
    shown = np.stack([votes.shown(frame, flow, np.stack(at, -1)) for frame, flow in zip(frames, flows, strict=True)])
    shown[index] = np.nan
    *levels, structure = np.nan_to_num(median_of_finite(shown.reshape(len(frames), -1), np.array(precision, np.float32))).reshape(4, -1)
    reference, scene, shown = votes.mean[:, at[0], at[1]], np.stack(levels), shown[:, :3]
    wrong = ((reference - scene) ** 2).sum(axis=0)
    gain = noise.gain.cells(frames[index].info.shape)[:, at[0], at[1]] if noise.gain else None
    of_means = np.stack([variance_of_means(n, scene, gain).sum(axis=0) for n in noises])
    variance = of_means + of_means[index] + ((MODEL_ERROR * scene) ** 2).sum(axis=0)
    tells = np.isfinite(shown[:, GREEN]) & (wrong > _ABLE * variance)
    contradicts = tells & (((reference - shown) ** 2).sum(axis=1) > _WITNESSED * variance)
    enough = tells.sum(axis=0) >= _FEWEST
    few, strong = np.zeros(votes.contradicting.shape, bool), majority(votes.contradicting, votes.covering)
    few[at] = enough & (wrong > _STRUCTURE * structure) & (contradicts.sum(axis=0) == tells.sum(axis=0))
    able = np.ones((len(frames), *few.shape), bool)
    able[:, at[0], at[1]] = tells | ~enough
    return Witnesses(strong | _seen_nowhere_else(few, strong, votes.contradicting), list(able), precision)


def _seen_nowhere_else(few: Mask, strong: Mask, contradicting: NDArray[np.uint16]) -> Mask:
    """Return the cells `few`, which only few frames contradict, but those of objects that another frame may show at another place.

    Such objects move: where a frame shows them it contradicts the reference, which the others do not.
    """
    clear = few | strong
    near = cv2.dilate(clear.astype(np.uint8), np.ones((7, 7), np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    elsewhere = cv2.morphologyEx(((contradicting > 0) & (near == 0)).astype(np.uint8), cv2.MORPH_OPEN, np.ones((_SOLID, _SOLID), np.uint8))
    _, objects, sizes, _ = cv2.connectedComponentsWithStats(elsewhere, connectivity=8)
    area, certain = np.bincount(labels[clear], minlength=count), np.bincount(labels[strong], minlength=count)
    sizes[0, cv2.CC_STAT_AREA] = 0  # no object
    size = sizes[:, cv2.CC_STAT_AREA][objects]
    kept = np.ones(count, bool)
    for i in np.flatnonzero(2 * certain < area):
        left, top, width, height = boxes[i, :4]
        reach = max(_AROUND, width, height)
        window = (slice(max(top - reach, 0), top + height + reach), slice(max(left - reach, 0), left + width + reach))
        kept[i] = size[window].max() < _SHARE * area[i]
    return np.asarray(few & kept[labels])
