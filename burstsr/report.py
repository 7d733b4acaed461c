"""Record of a run: collects its facts, reports progress, checks for cancellation."""

from __future__ import annotations

import logging
import math
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from threading import Event
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from burstsr import __version__
from burstsr.align import certain, coverage, expected_gain_db, rigid_motion, sampling_uniformity, shifts, subpixel_phases, unknown_motion
from burstsr.core import jit_events
from burstsr.core.blur import BlurKernel
from burstsr.core.burst import Burst
from burstsr.core.errors import Cancelled
from burstsr.core.flow import Flow
from burstsr.core.jit_events import COMPILING as COMPILING
from burstsr.core.noise import Noise
from burstsr.core.provenance import Provenance
from burstsr.core.report import ExposureRatio, FrameReport, LateralReport, LensBlurReport, NoiseReport, ReconstructionReport, Report
from burstsr.core.sensor import shows_nothing
from burstsr.noise import estimate_snr
from burstsr.reconstruct import Reconstruction
from burstsr.settings import Settings

_LOG = logging.getLogger(__name__)
Progress = Callable[[str, int, int], None]
Cancel = Callable[[], bool] | Event
_P = ParamSpec("_P")
_T = TypeVar("_T")
_BLURRED = "blurred: sharper frames carry more detail"
_OTHER_SCENE, _DIFFERS = "show another scene", "differ from the reference everywhere"
_LIBRARIES = ("numpy", "scipy", "numba", "rawpy", "tifffile", "imagecodecs", "opencv-python")


@dataclass(frozen=True)
class Finished:
    """Outcome of the stages.

    reference: index among the frames of the scene. defects: number of repaired pixels. tuned: settings adapted to the burst. output_noise: of the result,
    None if not measured.
    """

    reference: int
    noise: Noise
    noise_source: str
    defects: int
    tuned: Settings
    output_noise: Noise | None


class Record:
    """Collects a run's facts and reports its progress; independent of the stages and their order."""

    def __init__(self, burst: Burst, settings: Settings, progress: Progress | None = None, cancel: Cancel | None = None) -> None:
        """progress: called with (stage, frames done, frames). cancel: checked before each stage, frame and tile; Cancelled is raised if it is set."""
        self._burst = burst
        self._settings = settings
        self._progress = progress
        self._cancel = cancel.is_set if isinstance(cancel, Event) else cancel
        self._stage = ""  # not started
        self._seconds: dict[str, float] = {}
        self._frames: dict[int, FrameReport] = {}
        self._flow_of: dict[int, Flow] = {}
        self._repaired_share = 0.0
        self._reference_share = 0.0
        self._exposures: dict[int, ExposureRatio] = {}
        self._outcome: Reconstruction | None = None
        self._lateral: LateralReport | None = None
        self._lens_blur: LensBlurReport | None = None
        self._scenes = [list(range(len(burst)))]
        self._noise_warning = ""
        self._raised = 1.0
        jit_events.watch(self)
        self._begin()

    def stage(self, name: str) -> None:
        """Begin a stage, ending the previous one. Raises Cancelled."""
        self._count(self._stage)
        self._at(name)

    def _count(self, name: str) -> None:
        """Add the time since the last count to stage `name`; compilation in between is counted as "compile"."""
        if not name:
            self._begin()
            return
        compiled = jit_events.seconds() - self._compiled
        took = time.perf_counter() - self._last
        self._seconds[name] = self._seconds.get(name, 0.0) + max(took - compiled, 0.0)
        if compiled > 0:
            self._seconds["compile"] = self._seconds.get("compile", 0.0) + min(compiled, took)
        self._begin()

    def _at(self, name: str) -> None:
        """Begin or continue a stage. Raises Cancelled."""
        self._stop_if_cancelled()
        self._stage = name
        self._report_progress(name)

    def _stop_if_cancelled(self) -> None:
        if self._cancel is not None and self._cancel():
            raise Cancelled(f"{self._burst.name}: cancelled")

    def compiling(self, begun: bool) -> None:
        """Report that compilation of loops has begun or ended."""
        self._report_progress(COMPILING if begun else self._stage)

    def _begin(self) -> None:
        self._last, self._compiled = time.perf_counter(), jit_events.seconds()

    def timed(self, name: str, call: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
        """Call a part of the current stage and count its time under `name`."""
        self._count(self._stage)
        self._at(self._stage)
        result = call(*arguments, **named)
        self._count(name)
        return result

    def frame(self, index: int, flow: Flow, robustness: NDArray[np.float32], reference: bool) -> None:
        """Record a frame's flow and robustness. index: among the frames of the scene."""
        index = self._scenes[0][index]
        dy, dx, rotation = rigid_motion(flow)
        constant = shows_nothing(self._burst.frames[index])
        if constant and index not in self._frames:
            _LOG.warning("%s: all samples are equal or saturated: the frame shows nothing", self._burst.frames[index].info.path)
        self._frames[index] = FrameReport(
            self._burst.frames[index].info.path.name,
            reference,
            (round(dy, 4), round(dx, 4)),
            round(flow.error_px, 4) if math.isfinite(flow.error_px) else None,
            round(math.degrees(rotation), 5),
            round(float(robustness.mean(dtype=np.float64)), 4),
            None if reference or robustness.any() else _DIFFERS,
            constant,
            exposure=self._exposures.get(index),
        )
        self._flow_of[index] = flow
        self._at(self._stage)

    def blurred(self, blur_px: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        """Record the blur, RMS raw pixels, of the scene's frames, and the weights derived from it."""
        for index, blur, weight in zip(self._scenes[0], blur_px, weights, strict=True):
            facts = self._frames[index]
            other = None if facts.unused_because == _BLURRED else facts.unused_because
            why = other or (_BLURRED if weight == 0 else None)
            self._frames[index] = replace(facts, blur_px=round(float(blur), 3), weight=round(float(weight), 3), unused_because=why)

    def exposures(self, ratios: Sequence[ExposureRatio]) -> None:
        """Record the exposure of every frame of the scene relative to the reference."""
        self._exposures = {index: ratio for index, ratio in zip(self._scenes[0], ratios, strict=True)}

    def scenes(self, groups: Sequence[Sequence[int]]) -> None:
        """Record the grouping of frames by scene; the first group is processed."""
        self._scenes = [list(group) for group in groups]
        for i in (i for group in groups[1:] for i in group):
            self._frames[i] = FrameReport(self._burst.frames[i].info.path.name, unused_because=_OTHER_SCENE)

    @property
    def _used(self) -> int:
        return sum(facts.used for facts in self._frames.values())

    def _names(self, why: str) -> list[str]:
        return [self._frames[i].file for i in sorted(self._frames) if self._frames[i].unused_because == why]

    def reference_repaired(self, robustness: NDArray[np.float32]) -> None:
        """Store the share of the reference that was replaced. robustness: of its own samples, 0 where repaired."""
        self._repaired_share = 1.0 - float(robustness.mean(dtype=np.float64))

    def safeguarded(self, share: float) -> None:
        """Record the share of the image that is taken from the reference alone, because the other frames contradict it."""
        self._reference_share = share

    @property
    def _flows(self) -> list[Flow]:
        return [self._flow_of[i] for i in sorted(self._flow_of)]

    def noise_warning(self, warning: str) -> None:
        """Record a warning about the noise model; "" for none."""
        self._noise_warning = "; ".join(text for text in (self._noise_warning, warning) if text)
        if warning:
            _LOG.info("%s: %s", self._burst.name, warning)

    def raised(self, factor: float, why: str) -> None:
        """Record the factor by which the noise model was raised, and why; 1 and "" if it was not."""
        self._raised = factor
        self.noise_warning(why)

    def lens_blur(self, facts: LensBlurReport) -> None:
        """Record the blur of the lens."""
        self._lens_blur = facts

    def lateral(self, facts: LateralReport) -> None:
        """Record the lateral chromatic aberration."""
        self._lateral = facts

    def tiles(self, done: int, total: int) -> None:
        """Report progress of the reconstruction. Raises Cancelled."""
        self._stop_if_cancelled()
        if self._progress is not None:
            self._progress("reconstruct", done, total)

    def reconstructed(self, outcome: Reconstruction) -> None:
        """Record the outcome of the reconstruction; the blur of frames is that of their kernels, if it estimated them."""
        self._outcome = outcome
        if any(isinstance(blur, BlurKernel) for blur in outcome.blurs):
            self.blurred(*(np.array(column) for column in zip(*((b.rms_px, b.reliability) if b else (0.0, 1.0) for b in outcome.blurs), strict=True)))

    def report(self, shape: tuple[int, int], run: Finished) -> Report:
        """End the last stage and return the report. shape: (H', W') of the result."""
        self._count(self._stage)
        self._stage = ""
        index = self._scenes[0][run.reference]
        centre_shifts = shifts(certain(self._flows))[-1]  # sampling is evaluated at the image centre
        snr = max(estimate_snr(self._burst.frames[index], run.noise), 1.0)
        scale, cfa = self._settings.scale, self._burst.info.cfa
        return Report(
            burst=self._burst.name,
            reference=index,
            frames=tuple(self._frames[i] for i in sorted(self._frames)),
            frames_of_other_scenes=len(self._names(_OTHER_SCENE)),
            other_bursts=tuple(tuple(self._burst.frames[i].info.path.name for i in group) for group in self._scenes[1:] if len(group) > 1),
            coverage=coverage(self._flows, scale, cfa.period[0]),
            subpixel_phases=self._phases(),
            sampling_uniformity=sampling_uniformity(centre_shifts, scale, cfa.period[0]),
            expected_gain_db=expected_gain_db(centre_shifts, scale, snr, cfa.is_mono),
            advice=self._advice(),
            defects_repaired=run.defects,
            reference_mended=self._repaired_share,
            reference_alone=self._reference_share,
            noise=NoiseReport(run.noise_source, run.noise, self._noise_warning, self._raised),
            output_noise=run.output_noise,
            reconstruction=_facts(self._outcome),
            lateral=self._lateral,
            lens_blur=self._lens_blur,
            settings=asdict(run.tuned),
            shape=shape,
            seconds=dict(self._seconds),
            versions=versions(),
            provenance=self._provenance(),
        )

    def _provenance(self) -> Provenance:
        if self._used == 1:
            return Provenance("digitalCapture", f"Developed from one raw frame by burstsr {__version__}; {self._one()}")
        return Provenance("computationalCapture", f"Merged from {self._used} raw frames by burstsr {__version__}; no detail is learned")

    def _one(self) -> str:
        return f"one frame: {'upscaled' if self._settings.scale > 1 else 'developed'}, not merged"

    def _phases(self) -> int:
        return subpixel_phases(certain(self._flows), self._settings.scale, self._burst.info.cfa.period[0])

    def _advice(self) -> str | None:
        advice = [self._noise_warning] if self._noise_warning else []
        for why in (_OTHER_SCENE, _DIFFERS):
            if names := self._names(why):
                advice.append(f"{len(names)} of {len(self._burst)} frames {why} and were not used: {', '.join(names)}")
        if names := [self._frames[i].file for i in sorted(self._frames) if self._frames[i].constant]:
            advice.append(f"{len(names)} of {len(self._burst)} frames are constant (blank, or completely saturated): {', '.join(names)}")
        for group in self._scenes[1:]:
            if len(group) > 1:
                names = [self._burst.frames[i].info.path.name for i in group]
                advice.append(f"{', '.join(names)} show the same scene: process them as a burst of their own")
        if self._used == 1:
            advice.append(self._one())
        elif unknown := self._used - len(certain([flow for i, flow in self._flow_of.items() if self._frames[i].used])):
            advice.append(unknown_motion(unknown, self._used))
        elif self._phases() == 1:
            advice.append("no sub-pixel motion (tripod): noise is averaged, but resolution is not increased; move the camera slightly between frames")
        return "; ".join(advice) or None

    def _report_progress(self, stage: str) -> None:
        if self._progress is not None:
            self._progress(stage, len(self._frames), len(self._burst))


def versions() -> dict[str, str]:
    """Return the versions of the program, Python and the libraries that process pixels."""
    found = {"burstsr": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def _facts(outcome: Reconstruction | None) -> ReconstructionReport | None:
    return None if outcome is None else ReconstructionReport(outcome.iterations, outcome.residual, outcome.rechecked, outcome.moved)
