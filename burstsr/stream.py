"""Frames one at a time, in memory that does not grow with their number: the merge as a streaming accumulator (Fruchter & Hook 2002 call it drizzle)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from burstsr.align import Aligner
from burstsr.bracket.exposure import exif_ratio
from burstsr.bracket.units import DIFFERENT
from burstsr.core.burst import Burst, Frame
from burstsr.core.checks import check_burst, check_defects, check_flows
from burstsr.core.errors import BurstError, SettingsError
from burstsr.core.flow import Flow
from burstsr.core.mono import one_channel, with_equal_channels
from burstsr.core.report import Report
from burstsr.core.result import Result
from burstsr.core.sensor import shows_nothing
from burstsr.defects import repair_pixels
from burstsr.develop import add_reference_detail, denoise_colour, merge_of, upscale_reference
from burstsr.kernels import kernels
from burstsr.merge import SamePhaseMean
from burstsr.noise import estimate_noise, estimate_snr
from burstsr.prepare import NoiseEstimate
from burstsr.reconstruct import RegisteredFrame
from burstsr.registration import Registered, observe
from burstsr.report import Finished, Record
from burstsr.robustness import RobustnessModel
from burstsr.settings import Settings

Floats = NDArray[np.float32]


class StreamingMerge:
    """Merges frames one at a time; the first one is the reference. `add` every frame, then `finish` once.

    It holds, whatever the number of frames, the reference with its pyramid and local means, two (H', W', 3) float32 arrays of sums, two (H, W) ones of the
    reference's own sampling grid, and flows (a few bytes per tile and frame). Added frames are not held.

    It cannot do what requires all frames at once: merge several exposures (brackets), which are refused; choose the sharpest frame as the reference,
    or the scene that most frames show; measure noise or find defective pixels over the burst; replace outliers of the reference; weigh frames by
    their blur; sharpen by back-projection; check the result against the frames (`safeguard`); reconstruct (mode "best"); measure the noise of
    the result. Otherwise the result is that of `super_resolve` with the first frame as the reference, to rounding.
    """

    def __init__(self, settings: Settings | None = None, bad_pixels: NDArray[np.int64] | None = None, name: str = "stream") -> None:
        """bad_pixels: (n, 2) raw (y, x) of pixels to repair. Raises SettingsError for mode "best", or a reference other than 0."""
        self._settings = settings or Settings()
        if self._settings.mode != "fast":
            raise SettingsError(f'mode must be "fast" where frames are merged as they come, not "{self._settings.mode}"')
        if self._settings.reference not in (None, 0):
            raise SettingsError(f"reference must be 0, the first frame, where frames are merged as they come, not {self._settings.reference}")
        self._bad_pixels = bad_pixels
        self._name = name
        self._accumulation: _Accumulation | None = None
        self._first: Frame | None = None

    def __len__(self) -> int:
        """Return the number of added frames."""
        return len(self._accumulation.flows) if self._accumulation else 0

    def add(self, frame: Frame, flow: Flow | None = None) -> None:
        """Add a frame. flow: its known motion relative to the first frame; None: estimated.

        Raises BurstError for a frame that does not match the first, also in its exposure, SettingsError for a flow that does not fit.
        """
        check_burst(Burst(self._name, (frame,) if self._first is None else (self._first, frame)))
        if self._first is not None:
            _check_exposure(self._first, frame)
        given, frame = frame.info, with_equal_channels(Burst(self._name, (frame,))).frames[0]
        checked = None if flow is None else check_flows([flow], Burst(self._name, (frame,)))[0]
        defects = check_defects(np.zeros((0, 2), np.int64) if self._bad_pixels is None else self._bad_pixels, frame.info.shape)
        repaired = repair_pixels(frame, defects)
        if self._accumulation is None:
            self._first = repaired.with_info(given)
            self._accumulation = _Accumulation(repaired, self._settings, self._name, len(defects))
        self._accumulation.add(repaired, checked)

    def finish(self) -> Result:
        """Return the result of all added frames, and end the accumulator. It has `weight`, but no noise model. Raises BurstError without frames."""
        if self._accumulation is None:
            raise BurstError("no frame was added: at least one is needed")
        begun, self._accumulation = self._accumulation, None
        first, self._first = self._first, None
        result = begun.result()
        if first is None or not first.info.cfa.is_mono:
            return result
        return replace(result, image=one_channel(result.image), weight=one_channel(result.weight), reference=first.info)


def _check_exposure(first: Frame, frame: Frame) -> None:
    """Raise BurstError unless two frames have the same exposure, as far as their files tell: common units depend on the shortest of all exposures."""
    ratio = exif_ratio(frame, first)
    if ratio is not None and not 1 / DIFFERENT <= ratio <= DIFFERENT:
        raise BurstError(
            f"{frame.info.path.name}: exposure time times ISO must be that of the first frame, not {ratio:.3g} times as much, where frames are merged "
            "as they come; super_resolve merges brackets"
        )


class _Accumulation:
    """Sums initialised by a reference."""

    def __init__(self, reference: Frame, settings: Settings, name: str, defects: int) -> None:
        model, source = estimate_noise(Burst(name, (reference,)))
        self._noise = NoiseEstimate(replace(model, gain=reference.info.gain), source)
        self._settings, self._defects, self._name = settings, defects, name
        self._tuned = settings.for_snr(estimate_snr(reference, model))
        self._aligner = Aligner(reference, model, self._tuned.align)
        self._robustness = RobustnessModel(reference, model, self._tuned.robustness)
        self._same_phase = SamePhaseMean(reference) if self._tuned.merge.back_projection_iterations > 0 else None
        self._kernel = kernels(reference, model, self._tuned.kernels)
        self._num: Floats | None = None
        self._den: Floats | None = None
        self._record = Record(Burst(name, (reference,)), settings)
        self._means: list[float] = []
        self.frames = [reference]
        self.flows: list[Flow] = []

    def add(self, frame: Frame, flow: Flow | None) -> None:
        """Add a frame to all sums."""
        flow = flow or self._aligner.estimate_flow(frame)
        robustness = observe(self._robustness, frame, flow, self._record)
        if self._same_phase:
            self._same_phase.add(frame, flow, robustness)
        weight = self._tuned.merge.fallback_weight
        merge = merge_of(frame)(self._tuned.scale, self._kernel, weight)
        merge.add(frame, flow, robustness)
        image, sums = merge.result()
        image *= sums + np.float32(weight)  # divisor of the merge
        if self._num is None or self._den is None:
            self._num, self._den = image, sums
        else:
            self._num += image
            self._den += sums
        if self.flows:
            placeholder = np.array([[0, 0 if shows_nothing(frame) else 1]], np.uint16)
            self.frames.append(Frame(frame.info, placeholder))  # its description only; the pixels are no longer needed
        self.flows.append(flow)
        self._means.append(float(robustness.mean(dtype=np.float64)))

    def result(self) -> Result:
        """Return the result of the sums."""
        assert self._num is not None and self._den is not None
        reference = self.frames[0]
        view = RegisteredFrame(reference, self.flows[0], self._robustness.robustness_map(reference, self.flows[0]))
        burst = Registered([view], 0, self._noise.model, self._same_phase)
        weight = np.float32(self._tuned.merge.fallback_weight)
        image = upscale_reference(burst, self._tuned.scale)
        image *= weight
        image += self._num
        image /= self._den + weight
        self._num = None
        if self._same_phase:
            add_reference_detail(image, self._den, burst, self._tuned)
        denoise_colour(image, self._den, burst, self._tuned)
        report = self._report((image.shape[0], image.shape[1]))
        return Result(image, reference.info, self._tuned.scale, None, report, report.provenance, tuple(self.flows), self._den)

    def _report(self, shape: tuple[int, int]) -> Report:
        record = Record(Burst(self._name, tuple(self.frames)), self._settings)
        for i, (flow, mean) in enumerate(zip(self.flows, self._means, strict=True)):
            record.frame(i, flow, np.array([mean], np.float32), reference=i == 0)
        noise = one_channel(self._noise.model) if self.frames[0].info.cfa.is_mono else self._noise.model
        return record.report(shape, Finished(0, noise, self._noise.source, self._defects, self._tuned, None))
