"""Comparison of a bracket's frames with the reference, exposure by exposure: both limited to the levels that neither clips, with the noise of both.

So limited, areas that one of them clips are flat in both: they neither align nor contradict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from burstsr.align import Aligner
from burstsr.bracket.units import scaled_noise
from burstsr.core.burst import Frame
from burstsr.core.coords import tile_centre
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.sensor import CLIPPED
from burstsr.robustness import RobustnessModel
from burstsr.settings import Settings

Floats = NDArray[np.float32]
Key = tuple[float, float]
_FAR_EV = 2.5  # difference of exposures beyond which a frame is aligned with one between
_STEPS_PER_EV = 3.0  # frames whose exposures agree to a third of a stop are compared with the same image of the reference


@dataclass(frozen=True)
class Pair:
    """A frame and the reference in units of `top`, the level from which one of them is clipped. louder: the larger noise of both; mean: that of their mean."""

    reference: Frame
    top: float
    louder: Noise
    mean: Noise

    def limited(self, frame: Frame) -> Frame:
        """Return a frame limited to the common levels, in their units."""
        return limited(frame, self.top)


def limited(frame: Frame, top: float) -> Frame:
    """Return a frame clipped at the level `top`, which becomes 1.0."""
    levels = frame.info.levels
    relative = top / levels.saturation
    mosaic = frame.mosaic
    if relative < 1:
        rows, columns = levels.black.shape
        most = np.rint(levels.black + relative * (levels.white - levels.black)).astype(np.uint16)
        mosaic = np.minimum(mosaic, np.tile(most, (-(-mosaic.shape[0] // rows), -(-mosaic.shape[1] // columns)))[: mosaic.shape[0], : mosaic.shape[1]])
    info = replace(frame.info, levels=replace(levels, saturation=levels.saturation / top), own_noise=None)
    return Frame(info, mosaic)


class PairModels:
    """Alignment and robustness of a bracket's frames against its reference, frames[index]; models are made once per exposure.

    A frame whose exposure is far from the reference's is aligned with one between them, whose flow is known: the closer, the more do both see well.
    """

    def __init__(self, frames: Sequence[Frame], index: int, settings: Settings, noise: Noise) -> None:
        self.frames, self.index, self.noise = frames, index, noise
        self._settings = settings
        self._keys = [self._key(frame) for frame in frames]
        self._aligners: dict[tuple[int, Key], tuple[Pair, Aligner]] = {}
        self._robustness: dict[Key, tuple[Pair, RobustnessModel]] = {}
        self._flows: dict[int, Flow] = {}

    @property
    def order(self) -> list[int]:
        """Return the indices of the frames in the order in which they must be aligned: from the reference's exposure outwards."""
        return sorted(range(len(self.frames)), key=lambda i: (i != self.index, abs(self._ev(i)), i))

    def _key(self, frame: Frame) -> Key:
        """Return what frames of one exposure and sensitivity have in common."""
        exposure = round(_STEPS_PER_EV * float(np.log2(frame.info.levels.saturation / self.frames[self.index].info.levels.saturation)))
        return exposure, round(_STEPS_PER_EV * float(np.log2(max(float(frame.noise(self.noise).beta.mean()), 1e-30))))

    def _ev(self, i: int) -> float:
        return self._keys[i][0] / _STEPS_PER_EV

    def _anchor(self, i: int) -> int:
        """Return the index of the frame with which frame i is aligned: the reference, or the nearest in exposure of those between."""
        own = self._ev(i)
        if abs(own) <= _FAR_EV:
            return self.index
        between = [j for j in self._flows if 0 < self._ev(j) / own < 1 and abs(self._ev(j)) <= abs(own) - 0.5]
        return min(between, key=lambda j: (abs(own - self._ev(j)), self._flows[j].error_px, j), default=self.index)

    def pair(self, anchor: int, i: int) -> Pair:
        """Return the frames of frame i's exposure compared with an anchor."""
        return self._pair(anchor, self._keys[i])

    def _pair(self, anchor: int, key: Key) -> Pair:
        """Return the frames of an exposure compared with an anchor."""
        first, members = self.frames[anchor], [frame for frame, k in zip(self.frames, self._keys, strict=True) if k == key]
        top = CLIPPED * min(f.info.levels.saturation for f in (first, *members))
        own, *others = (scaled_noise(f.noise(self.noise), 1 / top) for f in (first, *members))
        alpha, beta = (np.mean([getattr(n, name) for n in others], axis=0) for name in ("alpha", "beta"))
        louder = Noise(np.maximum(own.alpha, alpha), np.maximum(own.beta, beta), self.noise.gain)
        return Pair(limited(first, top), top, louder, Noise((own.alpha + alpha) / 2, (own.beta + beta) / 2, self.noise.gain))

    def estimate_flow(self, i: int) -> Flow:
        """Return the flow of frame i against the reference; called in `order`."""
        anchor, key = self._anchor(i), self._keys[i]
        if (anchor, key) not in self._aligners:
            pair = self._pair(anchor, key)
            self._aligners[anchor, key] = pair, Aligner(pair.reference, pair.louder, self._settings.align)
        pair, aligner = self._aligners[anchor, key]
        flow = aligner.estimate_flow(pair.reference if i == anchor else pair.limited(self.frames[i]))
        self._flows[i] = flow if anchor == self.index else _composed(self._flows[anchor], flow)
        return self._flows[i]

    def robustness_map(self, frame: Frame, flow: Flow) -> Floats:
        """Return the robustness, (H/2, W/2), of a frame."""
        key, reference = self._key(frame), self.frames[self.index]
        if key not in self._robustness:
            pair = self._pair(self.index, key)
            self._robustness[key] = pair, RobustnessModel(pair.reference, pair.mean, self._settings.robustness)
        pair, model = self._robustness[key]
        return model.robustness_map(pair.reference if frame is reference else pair.limited(frame), flow)

    def votes(self) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Return how many of the frames passed to `robustness_map` contradict the reference at each of its CFA cells, and how many cover it, (H/2, W/2)."""
        models = [model for _, model in self._robustness.values()]
        return tuple(np.sum([getattr(m, name) for m in models], axis=0, dtype=np.uint16) for name in ("contradicting", "covering"))  # type: ignore[return-value]


def _composed(first: Flow, second: Flow) -> Flow:
    """Return p -> first(p) + second(p + first(p)) on the tiles of `second`."""
    y, x = (tile_centre(np.arange(n), second.tile_px) for n in second.tiles.shape[:2])
    before = first.at(y[:, None], x[None])
    after = second.at(y[:, None] + before[..., 0], x[None] + before[..., 1])
    return Flow((before + after).astype(np.float32), second.tile_px, float(np.hypot(first.error_px, second.error_px)))
