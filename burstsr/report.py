"""Collects what happens in a run, tells its progress, and hears whether it is to stop."""

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
from burstsr.core.burst import Burst
from burstsr.core.errors import Cancelled
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.provenance import Provenance
from burstsr.core.report import FrameReport, NoiseReport, ReconstructionReport, Report
from burstsr.core.sensor import is_constant
from burstsr.noise import estimate_snr
from burstsr.reconstruct import Reconstruction
from burstsr.settings import Settings

_LOG = logging.getLogger(__name__)
Progress = Callable[[str, int, int], None]
Cancel = Callable[[], bool] | Event
_P = ParamSpec("_P")
_T = TypeVar("_T")
_SOFT = "blurred: sharper frames show more"
_OTHER_SCENE, _DIFFERS = "show another scene", "differ from the reference everywhere"
COMPILING = "compiling (first run)"  # what progress is told as a stage meanwhile
_LIBRARIES = ("numpy", "scipy", "numba", "rawpy", "tifffile", "imagecodecs", "opencv-python")


@dataclass(frozen=True)
class Finished:
    """What the stages found. reference: index among the frames that show the scene. defects: how many pixels were repaired. tuned: settings as they fit the
    burst. output_noise: what is left, None where it was not measured.
    """

    reference: int
    noise: Noise
    noise_source: str
    defects: int
    tuned: Settings
    output_noise: Noise | None


class Record:
    """Collects a run's facts and reports its progress; knows nothing of how stages work, nor of their order."""

    def __init__(self, burst: Burst, settings: Settings, progress: Progress | None = None, cancel: Cancel | None = None) -> None:
        """progress: called with (stage, frames done, frames). cancel: asked whenever a stage, a frame or a tile begins; Cancelled is raised when it is set."""
        self._burst = burst
        self._settings = settings
        self._progress = progress
        self._cancel = cancel.is_set if isinstance(cancel, Event) else cancel
        self._stage = ""  # none has begun
        self._seconds: dict[str, float] = {}
        self._frames: dict[int, FrameReport] = {}
        self._flow_of: dict[int, Flow] = {}
        self._repaired_share = 0.0
        self._alone_share = 0.0
        self._outcome: Reconstruction | None = None
        self._scenes = [list(range(len(burst)))]
        self._doubt = ""
        self._raised = 1.0
        jit_events.watch(self)
        self._begin()

    def stage(self, name: str) -> None:
        """A stage begins, and the one before it has ended. Raises Cancelled."""
        self._count(self._stage)
        self._at(name)

    def _count(self, name: str) -> None:
        """The time since something was last counted is of stage `name`; what was compiled meanwhile, on the first run, counts as "compile"."""
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
        """A stage begins, or goes on. Raises Cancelled."""
        self._stop_if_cancelled()
        self._stage = name
        self._tell(name)

    def _stop_if_cancelled(self) -> None:
        if self._cancel is not None and self._cancel():
            raise Cancelled(f"{self._burst.name}: cancelled")

    def compiling(self, begun: bool) -> None:
        """Loops are being compiled for the first time, or that has ended."""
        self._tell(COMPILING if begun else self._stage)

    def _begin(self) -> None:
        self._last, self._compiled = time.perf_counter(), jit_events.seconds()

    def timed(self, name: str, call: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
        """Call a part of the stage that is being done and count its time under `name`."""
        self._count(self._stage)
        self._at(self._stage)
        result = call(*arguments, **named)
        self._count(name)
        return result

    def frame(self, index: int, flow: Flow, robustness: NDArray[np.float32], reference: bool) -> None:
        """A frame of the scene, counted among those that show it, was merged with its flow and trust."""
        index = self._scenes[0][index]
        dy, dx, rotation = rigid_motion(flow)
        constant = is_constant(self._burst.frames[index].mosaic)
        if constant and index not in self._frames:
            _LOG.warning("%s: every sample is equal: the frame is blank, or saturated all over", self._burst.frames[index].info.path)
        self._frames[index] = FrameReport(
            self._burst.frames[index].info.path.name,
            reference,
            (round(dy, 4), round(dx, 4)),
            round(flow.error_px, 4) if math.isfinite(flow.error_px) else None,
            round(math.degrees(rotation), 5),
            round(float(robustness.mean(dtype=np.float64)), 4),
            None if reference or robustness.any() else _DIFFERS,
            constant,
        )
        self._flow_of[index] = flow
        self._at(self._stage)

    def blurred(self, blur_px: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        """Blur of the frames that show the scene, and what they count for it."""
        for place, blur, weight in zip(self._scenes[0], blur_px, weights, strict=True):
            facts = self._frames[place]
            why = facts.unused_because or (_SOFT if weight == 0 else None)
            self._frames[place] = replace(facts, blur_px=round(float(blur), 3), weight=round(float(weight), 3), unused_because=why)

    def scenes(self, groups: Sequence[Sequence[int]]) -> None:
        """Frames by what they show; the first group is merged."""
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
        """Share of the image that is the reference's alone, because the other frames contradict it."""
        self._alone_share = share

    @property
    def _flows(self) -> list[Flow]:
        return [self._flow_of[i] for i in sorted(self._flow_of)]

    def doubted(self, doubt: str) -> None:
        """What speaks against the noise model, if anything does."""
        self._doubt = "; ".join(text for text in (self._doubt, doubt) if text)
        if doubt:
            _LOG.info("%s: %s", self._burst.name, doubt)

    def raised(self, factor: float, why: str) -> None:
        """By how much the noise model was raised, and why; 1 and "" where it was not."""
        self._raised = factor
        self.doubted(why)

    def tiles(self, done: int, total: int) -> None:
        """Tiles of the reconstruction are done. Raises Cancelled."""
        self._stop_if_cancelled()
        if self._progress is not None:
            self._progress("reconstruct", done, total)

    def reconstructed(self, outcome: Reconstruction) -> None:
        """The picture was reconstructed."""
        self._outcome = outcome

    def report(self, shape: tuple[int, int], run: Finished) -> Report:
        """All that was collected, when the last stage has ended. shape: (H', W') of the result."""
        self._count(self._stage)
        self._stage = ""
        index = self._scenes[0][run.reference]
        middle = shifts(certain(self._flows))[-1]  # what the motion was worth is told of the middle of the image
        snr = max(estimate_snr(self._burst.frames[index], run.noise), 1.0)
        return Report(
            burst=self._burst.name,
            reference=index,
            frames=tuple(self._frames[i] for i in sorted(self._frames)),
            frames_of_other_scenes=len(self._names(_OTHER_SCENE)),
            other_bursts=tuple(tuple(self._burst.frames[i].info.path.name for i in group) for group in self._scenes[1:] if len(group) > 1),
            coverage=coverage(self._flows, self._settings.scale),
            subpixel_phases=self._phases(),
            sampling_uniformity=sampling_uniformity(middle, self._settings.scale),
            expected_gain_db=expected_gain_db(middle, self._settings.scale, snr),
            advice=self._advice(),
            defects_repaired=run.defects,
            reference_mended=self._repaired_share,
            reference_alone=self._alone_share,
            noise=NoiseReport(run.noise_source, run.noise, self._doubt, self._raised),
            output_noise=run.output_noise,
            reconstruction=_facts(self._outcome),
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
        return subpixel_phases(certain(self._flows), self._settings.scale)

    def _advice(self) -> str | None:
        said = [self._doubt] if self._doubt else []
        for why in (_OTHER_SCENE, _DIFFERS):
            if names := self._names(why):
                said.append(f"{len(names)} of {len(self._burst)} frames {why} and were not used: {', '.join(names)}")
        if names := [self._frames[i].file for i in sorted(self._frames) if self._frames[i].constant]:
            said.append(f"{len(names)} of {len(self._burst)} frames are constant (blank, or completely saturated): {', '.join(names)}")
        for group in self._scenes[1:]:
            if len(group) > 1:
                names = [self._burst.frames[i].info.path.name for i in group]
                said.append(f"{', '.join(names)} show the same scene: process them as a burst of their own")
        if self._used == 1:
            said.append(self._one())
        elif unknown := self._used - len(certain([flow for i, flow in self._flow_of.items() if self._frames[i].used])):
            said.append(unknown_motion(unknown, self._used))
        elif self._phases() == 1:
            said.append("no sub-pixel motion (tripod): noise is averaged, but resolution is not increased; move the camera slightly between frames")
        return "; ".join(said) or None

    def _tell(self, stage: str) -> None:
        if self._progress is not None:
            self._progress(stage, len(self._frames), len(self._burst))


def versions() -> dict[str, str]:
    """Versions of the program, Python and the libraries that touch pixels."""
    found = {"burstsr": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def _facts(outcome: Reconstruction | None) -> ReconstructionReport | None:
    return None if outcome is None else ReconstructionReport(outcome.turns, outcome.residual, outcome.second_looks, outcome.moved)
