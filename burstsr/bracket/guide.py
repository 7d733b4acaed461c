"""The guide of a bracket: its extended reference with the lower noise of longer exposures, and what these say of the dark side of highlights.

Longer exposures have less noise in the shadows, which kernels, the fallback and the detail of the reference would else take from the reference alone.
Beside a highlight that they clip, they also show how dark it is there: by far less than shorter exposures, whose images spread the highlight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.bracket import bound_loops
from burstsr.bracket.extended_reference import ExtendedReference, shown_at_reference
from burstsr.bracket.precision import clipped_cells, green_cells, relative_precision, smooth_level, warped
from burstsr.core.burst import Frame, Levels
from burstsr.core.flow import Flow
from burstsr.core.jit import over_rows
from burstsr.core.noise import Noise
from burstsr.core.resized import resized_rows
from burstsr.demosaic import demosaic, upscale_rows

Floats = NDArray[np.float32]
Views = Sequence[tuple[Frame, Flow, Floats]]
_PASSES = 2  # the level at which precisions are evaluated is that of the last guide
_UNCLIPPED = 0.9  # share of its saturation up to which an exposure limits the image
_ROOM, _ROOM_SIGMAS = 0.5, 2.0  # by how much the image may exceed what it shows: share of the level, and noise sigmas
_ACCEPTED = 0.5  # robustness from which an exposure limits the image
_STRIP = 64  # output rows


@dataclass(frozen=True)
class Guide:
    """samples: (H, W). precision: (H/2, W/2) of them, relative to the burst's noise. level: (H/2, W/2) of green, with little noise.

    longer: (H/2, W/2) whether a longer exposure is in it, by the exposure's index in the views; shown: (H, W) what it shows at the reference's samples.
    """

    samples: Floats
    precision: Floats
    level: Floats
    longer: dict[int, NDArray[np.bool_]]
    shown: dict[int, Floats]


def guide_of(views: Views, reference: int, highlights: ExtendedReference, noise: Noise) -> Guide:
    """Average the extended reference with longer exposures, each weighted by its precision. views: (frame, flow, robustness)."""
    own = views[reference][0].info.levels.saturation
    shown = {i: shown_at_reference(frame, flow) for i, (frame, flow, _) in enumerate(views) if frame.info.levels.saturation < own}
    usable = {i: _usable(*views[i]) for i in shown}
    level = smooth_level(highlights.frame)
    for left in reversed(range(_PASSES)):
        total = np.zeros_like(level)
        for i in np.unique(highlights.source):
            used = highlights.source == i
            total[used] = relative_precision(views[i][0], level, noise)[used]
        values = highlights.samples * _sites(total)
        for i in shown:
            weight = relative_precision(views[i][0], level, noise) * usable[i]
            values += shown[i] * _sites(weight)
            total += weight
        values /= _sites(total)
        if left:
            level = np.maximum(cv2.medianBlur(green_cells(_of_samples(highlights.frame, values)), 3), 0)
    return Guide(np.asarray(values, np.float32), total, np.asarray(level, np.float32), {i: u > 0 for i, u in usable.items()}, shown)


def _usable(frame: Frame, flow: Flow, robustness: Floats) -> Floats:
    """Return the robustness of a longer exposure, 0 where it is clipped."""
    return np.where(warped(clipped_cells(frame), flow) > 0, np.float32(0), robustness)


def _of_samples(frame: Frame, values: Floats) -> Frame:
    return Frame(replace(frame.info, levels=Levels(np.zeros((2, 2)), 1.0)), values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class UpperBound:
    """What a longer exposure says of the image where it is not clipped: at most what it shows, with some room.

    shown: (H, W) at the reference's samples, in units of the bracket, from its own samples, clipped ones included. reference: for their colours.
    robustness: (H/2, W/2) of the exposure. saturation, noise: of its samples.
    """

    shown: Floats
    reference: Frame
    robustness: Floats
    saturation: float
    noise: Noise

    @staticmethod
    def of(frame: Frame, flow: Flow, robustness: Floats, reference: Frame, noise: Noise, shown: Floats | None = None) -> UpperBound:
        """Return the bound by a registered frame. noise: of the burst. shown: `shown_at_reference`, if it is known."""
        return UpperBound(shown_at_reference(frame, flow) if shown is None else shown, reference, robustness, frame.info.levels.saturation, frame.noise(noise))

    def __call__(self, image: Floats, scale: float) -> None:
        """Limit the luma of an image (H', W', 3), in place; what exceeds it is drawn towards the colour of the exposure."""
        single = demosaic(self.reference, self.shown)
        noise = (np.float32(v.mean()) for v in (self.noise.alpha, self.noise.beta))
        constants = (np.float32(_ACCEPTED), np.float32(_UNCLIPPED * self.saturation), np.float32(_ROOM), np.float32(_ROOM_SIGMAS), *noise)
        size = image.shape[0], image.shape[1]

        def limit(first: int, last: int) -> None:
            for top in range(first, last, _STRIP):
                rows = slice(top, min(top + _STRIP, last))
                own, certain = upscale_rows(single, scale, rows.start, rows.stop), resized_rows(self.robustness, size, rows)
                bound_loops.limit(image[rows], own, certain, *constants)

        over_rows(limit, image.shape[0], multiple=_STRIP)


def _sites(of_cells: Floats) -> Floats:
    return np.asarray(np.repeat(np.repeat(of_cells, 2, axis=0), 2, axis=1), np.float32)
