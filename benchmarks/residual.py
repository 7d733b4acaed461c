"""`burstsr benchmark residual`: how well the merge predicts frames that it has not seen. For real bursts, which have no truth.

Frames are left out in turn. The others are merged, the forward model predicts the one left out, and the squared residual is divided by the variance
that noise explains: the frame's own (alpha x + beta), and what noise the prediction carries, found by predicting again from frames with as much noise
added. 1.0 = all that is unexplained is noise; more = blur, false detail, misalignment, things that moved, or a noise model that is too small.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.forward import predicted
from benchmarks.ratios import NAMES, Ratios, as_ratios
from benchmarks.shots import Mode
from benchmarks.table import cell, markdown
from burstsr import super_resolve
from burstsr.align import Aligner, select_reference
from burstsr.core.burst import Burst, Frame
from burstsr.core.cfa import Cfa
from burstsr.core.errors import SettingsError
from burstsr.core.fields import check_range
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.sensor import CHANNEL_SHARE, samples, stabilise
from burstsr.defects import find_defects, repair_pixels
from burstsr.demosaic import demosaic, upscale
from burstsr.noise import estimate_noise, estimate_snr
from burstsr.settings import Settings

Floats = NDArray[np.float32]
METHODS = ("merge", "single")
_ONE_AT_A_TIME = 10  # frames up to which every frame is left out alone
_FOLDS = 5
_CLIPPED = 0.98
_PROBE = 1.0  # of the noise's deviation: added to find how much noise a prediction carries; comes out 2 to 6 % of the frame's variance too large, weaker
# probes up to 130 % for a single frame, whose demosaicing decides (measured on Kodak 08 and 23 against a second realisation of the noise)
_DARKEST = 0.01  # quantile of a frame's samples: a prediction below it is judged by the noise at it
_AVERAGED_PX = 15  # that share is averaged over so many raw pixels
_STRUCTURE = 0.5  # slope per raw pixel, in deviations of one sample's noise, from which a place counts as structure


@dataclass(frozen=True)
class Plan:
    """How to measure. folds: every folds-th frame is left out at a time; None = one at a time up to 10 frames, else 5 folds.

    scale: of the merged image. reference: the frame that stays in every merge; None = the sharpest. noise: compared with; None = the burst's.
    mode: the program's, by which the frames that are left are merged.
    """

    folds: int | None = None
    scale: float = 2.0
    reference: int | None = None
    noise: Noise | None = None
    mode: Mode = "fast"


@dataclass(frozen=True)
class Residual:
    """The result. frames: ratios of every frame left out, per method. total: of all of them together."""

    burst: str
    reference: str
    noise: Noise
    noise_source: str
    plan: Plan
    frames: dict[str, dict[str, Ratios]]
    total: dict[str, Ratios]


def measure(burst: Burst, plan: Plan, progress: Callable[[int, int], None], seed: int = 0) -> Residual:
    """Leave out, merge, predict, compare. Raises SettingsError for a burst of fewer than three frames, or a plan that does not fit it."""
    if len(burst) < 3:
        raise SettingsError(f"burst {burst.name!r} has {len(burst)} frames: at least 3 are needed to leave one out")
    own, source = estimate_noise(burst)
    reference = select_reference(burst, own) if plan.reference is None else plan.reference
    check_range("reference", reference, 0, len(burst) - 1)
    folds = _folds(len(burst), reference, plan.folds)
    bench = _Bench(burst, reference, own, plan, np.random.default_rng(seed))
    collected: dict[str, dict[str, dict[str, Floats]]] = {}
    for done, fold in enumerate(folds):
        progress(done, len(folds))
        collected |= bench.leave_out(fold)
    progress(len(folds), len(folds))
    frames = {name: {method: as_ratios(values[method]) for method in METHODS} for name, values in collected.items()}
    together = {m: {part: np.concatenate([values[m][part] for values in collected.values()]) for part in NAMES} for m in METHODS}
    info = burst.frames[reference].info
    noise, origin = (own, source) if plan.noise is None else (plan.noise, "given")
    return Residual(burst.name, info.path.name, noise, origin, plan, frames, {method: as_ratios(together[method]) for method in METHODS})


class _Bench:
    """A burst ready to leave frames out of."""

    def __init__(self, burst: Burst, reference: int, noise: Noise, plan: Plan, rng: np.random.Generator) -> None:
        self._burst, self._reference, self._own, self._plan, self._rng = burst, reference, noise, plan, rng
        self._noise = plan.noise or noise
        self._settings = Settings(scale=plan.scale, mode=plan.mode, reference=0, measure_noise=False)
        self._defects = find_defects(burst, noise, self._settings.defects)
        frame = repair_pixels(burst.frames[reference], self._defects)
        self._aligner = Aligner(frame, noise, self._settings.for_snr(estimate_snr(frame, noise)).align)
        self._singles = (upscale(demosaic(frame), plan.scale), upscale(demosaic(self._probed(frame)), plan.scale))

    def leave_out(self, fold: list[int]) -> dict[str, dict[str, dict[str, Floats]]]:
        """Squared residuals over variances of the frames of `fold`: by frame, method and part of the image."""
        kept = [self._reference, *(i for i in range(len(self._burst)) if i not in (*fold, self._reference))]
        frames = tuple(self._burst.frames[i] for i in kept)
        merged, probed = (super_resolve(Burst(self._burst.name, f), self._settings).image for f in (frames, tuple(map(self._probed, frames))))
        structure = self._structure(merged)
        found = {}
        for i in fold:
            frame = self._burst.frames[i]
            flow = self._aligner.estimate_flow(repair_pixels(frame, self._defects))
            pairs = zip(METHODS, ((merged, probed), self._singles), strict=True)
            found[frame.info.path.name] = {method: self._ratios(frame, flow, pair, structure) for method, pair in pairs}
        return found

    def _ratios(self, frame: Frame, flow: Flow, images: tuple[Floats, Floats], structure: NDArray[np.bool_]) -> dict[str, Floats]:
        """Ratios of one frame and method, per part of the image. images: the method's, and the same with probing noise."""
        info = frame.info
        x = samples(frame.mosaic, info.levels)
        prediction, probed = (predicted(image, self._plan.scale, flow, info.cfa, info.shape) for image in images)
        guess = prediction.samples
        usable = prediction.seen & (x < _CLIPPED) & (guess < _CLIPPED)
        usable[tuple(self._defects.T)] = False
        level = np.maximum(guess, np.quantile(x, _DARKEST))
        change = (probed.samples - guess) ** 2 / (_variance(level, self._own, info.cfa) * np.float32(_PROBE**2))
        share = cv2.blur(change, (_AVERAGED_PX, _AVERAGED_PX))
        variance = _variance(level, self._noise, info.cfa)
        square = (x - guess) ** 2
        ratio, alone = square / (variance * (1 + share)), square / variance
        nearest = tuple(np.clip(np.rint(prediction.places[..., k]).astype(int), 0, n - 1) for k, n in enumerate(info.shape))
        where = structure[nearest]
        return {"all": ratio[usable], "structure": ratio[usable & where], "flat": ratio[usable & ~where], "frame": alone[usable]}

    def _structure(self, image: Floats) -> NDArray[np.bool_]:
        """(H, W) where the merged image has slopes that a frame can see above its noise."""
        height, width = self._burst.info.shape
        grey = cv2.resize(image @ CHANNEL_SHARE, (width, height), interpolation=cv2.INTER_AREA)
        smooth = cv2.GaussianBlur(stabilise(np.asarray(grey, np.float32), self._own), (0, 0), 1.0)
        gradient = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.125))
        return np.asarray(cv2.dilate(gradient, np.ones((3, 3), np.uint8)) > _STRUCTURE)

    def _probed(self, frame: Frame) -> Frame:
        """The frame with more noise: _PROBE times the deviation it has is added."""
        levels, info = frame.info.levels, frame.info
        x = samples(frame.mosaic, levels)
        added = np.float32(_PROBE) * np.sqrt(_variance(x, self._own, info.cfa)) * self._rng.standard_normal(x.shape, np.float32)
        per_site = np.tile(levels.white - levels.black, (x.shape[0] // 2, x.shape[1] // 2))
        return replace(frame, mosaic=np.clip(np.rint(frame.mosaic + added * per_site), 0, 65535).astype(np.uint16))


def as_json(result: Residual) -> dict[str, Any]:
    """The result as one JSON object."""
    origin = {"burst": result.burst, "reference": result.reference, "scale": result.plan.scale, "mode": result.plan.mode, "noise_source": result.noise_source}
    noise = {"alpha": result.noise.alpha.tolist(), "beta": result.noise.beta.tolist()}
    frames = {name: {method: r.as_json() for method, r in methods.items()} for name, methods in result.frames.items()}
    return {"benchmark": "residual", **origin, "noise": noise, "total": {m: r.as_json() for m, r in result.total.items()}, "frames": frames}


def as_text(result: Residual) -> str:
    """The result as Markdown."""
    head = ["left out", "predicted from", "median", "mean", "flat, median", "flat, mean", "structure, median", "structure, mean", "over frame's noise"]
    titles = {"merge": "the others", "single": "the reference alone"}
    rows = []
    for name, methods in {**result.frames, "all": result.total}.items():
        for method, r in methods.items():
            numbers = [cell(v, 3) for part in ("all", "flat", "structure") for v in (r.median[part], r.mean[part])]
            rows.append([name, titles[method], *numbers, cell(r.mean["frame"], 3)])
    shared = f"structure is {100 * result.total['merge'].structure_share:.1f} % of the samples"
    plan = f"x{result.plan.scale:g}, mode {result.plan.mode}"
    text = f"{result.burst}: reference {result.reference}, {plan}, noise {result.noise_source}; {shared}.\n\n{markdown(head, rows)}\n\n"
    return text + "Squared residual over the variance that noise explains: 1 = all of it. The last column leaves out the prediction's own noise."


def _folds(frames: int, reference: int, folds: int | None) -> list[list[int]]:
    others = [i for i in range(frames) if i != reference]
    count = len(others) if folds is None and frames <= _ONE_AT_A_TIME else folds or _FOLDS
    if not 2 <= count <= len(others):
        raise SettingsError(f"folds = {count}: allowed is 2 to {len(others)} for {frames} frames, one of them the reference")
    return [others[k::count] for k in range(count)]


def _variance(level: Floats, noise: Noise, cfa: Cfa) -> Floats:
    """(H, W) variance of samples with mean `level`."""
    alpha, beta = (v[cfa.channel_map((level.shape[0], level.shape[1]))].astype(np.float32) for v in (noise.alpha, noise.beta))
    return np.asarray(np.maximum(alpha * np.maximum(level, 0) + beta, 1e-12), np.float32)
