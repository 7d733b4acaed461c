"""The report of a run, typed. Its JSON, `to_dict`, is the record beside every result; its keys are defined here and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from burstsr.core.noise import Noise
from burstsr.core.provenance import Provenance
from burstsr.core.schema import SCHEMA_VERSION, with_both_names


@dataclass(frozen=True)
class ExposureRatio:
    """Exposure (time x sensitivity) of a frame of a bracket relative to the reference.

    value: what is used. error: relative standard error of the measurement; inf where it was impossible. exif: by the files' time and ISO; None if unknown.
    """

    value: float
    error: float
    exif: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the ratio ready for JSON; difference: of what is used from the files', relative."""
        error = round(self.error, 5) if math.isfinite(self.error) else None
        difference = None if self.exif is None else round(self.value / self.exif - 1, 5)
        return {"ratio": round(self.value, 6), "relative_error": error, "exif_ratio": self.exif and round(self.exif, 6), "difference_from_exif": difference}


@dataclass(frozen=True)
class FrameReport:
    """One frame of the burst.

    motion_px: median (dy, dx) relative to the reference, raw pixels; motion_error_px: its standard error; rotation_deg: from +x towards +y.
    All None where the frame was not registered; the error also where the motion cannot be determined.
    robustness: mean over the frame, 0 to 1. blur_px: RMS length of its blur against the reference's, or in
    mode best that of its kernel, raw pixels; None where it was not compared.
    weight: what its samples count, 0 to 1, for its blur. unused_because: None where it was used. constant: all samples are equal (blank), or
    all but one in a thousand saturated. exposure: of a bracket's frame, else None.
    """

    file: str
    reference: bool = False
    motion_px: tuple[float, float] | None = None
    motion_error_px: float | None = None
    rotation_deg: float | None = None
    robustness: float = 0.0
    unused_because: str | None = None
    constant: bool = False
    blur_px: float | None = None
    weight: float = 1.0
    exposure: ExposureRatio | None = None

    @property
    def used(self) -> bool:
        """Whether the frame contributes to the result."""
        return self.unused_because is None

    def to_dict(self) -> dict[str, Any]:
        """Return the report ready for JSON."""
        return {
            "file": self.file,
            "reference": self.reference,
            "motion_px": None if self.motion_px is None else list(self.motion_px),
            **({} if self.motion_px is None else {"motion_error_px": self.motion_error_px}),
            "rotation_deg": self.rotation_deg,
            "robustness": self.robustness,
            "used": self.used,
            "unused_because": self.unused_because,
            "constant": self.constant,
            "blur_px": self.blur_px,
            "weight": self.weight,
            **({} if self.exposure is None else {"exposure": self.exposure.to_dict()}),
        }


@dataclass(frozen=True)
class NoiseReport:
    """The noise model of the samples that the run used.

    source: of the model. warning: "" if none. raised: factor by which the variance was raised, 1 = not at all.
    """

    source: str
    model: Noise
    warning: str = ""
    raised: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return the report ready for JSON."""
        raised = round(self.raised, 2) if self.raised > 1 else None
        return {"source": self.source, "noise_warning": self.warning or None, "raised": raised, **_noise_dict(self.model)}


@dataclass(frozen=True)
class LateralReport:
    """Lateral chromatic aberration. corner_px: displacement of red and of blue against green in the corners, raw pixels, positive away from the centre.

    error_px: standard errors; None where it was given. source: "burst" or "lens record". corrected: whether the result is without what is significant of it.
    """

    corner_px: tuple[float, float]
    error_px: tuple[float, float] | None
    source: str
    corrected: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the report ready for JSON."""
        error = None if self.error_px is None else [round(v, 3) for v in self.error_px]
        return {"corner_px": [round(v, 3) for v in self.corner_px], "error_px": error, "source": self.source, "corrected": self.corrected}


@dataclass(frozen=True)
class LensBlurReport:
    """Blur of the lens as the burst shows it, standard deviation of a Gaussian, raw pixels. corrected_px: what of it was certain, and is corrected."""

    sigma_px: float
    error_px: float
    corrected_px: float

    def to_dict(self) -> dict[str, float]:
        """Return the report ready for JSON."""
        return {name: round(value, 3) for name, value in vars(self).items()}


@dataclass(frozen=True)
class ReconstructionReport:
    """Reconstruction of mode "best". outer_iterations: mean over tiles. residual: squared residual over variance, mean over probed tiles' samples; about 1.

    rechecked_tiles: share of tiles in which rejected frames were reconsidered. moved: share of tiles whose motion was refined.
    """

    outer_iterations: float
    residual: float
    rechecked_tiles: float
    moved: float

    def to_dict(self) -> dict[str, float]:
        """Return the report ready for JSON."""
        values = {"outer_iterations": self.outer_iterations, "residual": self.residual, "rechecked_tiles": self.rechecked_tiles, "moved": self.moved}
        return {name: round(value, 4) for name, value in values.items()}


@dataclass(frozen=True)
class Report(Mapping[str, Any]):
    """Report of a run. Also a read-only mapping of its JSON form: `report["frames"]` is `report.to_dict()["frames"]`.

    reference: index among all frames. other_bursts: names of frames of each further scene. coverage: 0 to 1, share of the sub-pixel phases that
    the frames show; subpixel_phases: number of phase cells. sampling_uniformity, expected_gain_db: value of the motion. reference_mended: share of
    the reference replaced by the other frames. output_noise: noise of the result, None where it was not measured. settings: adapted to the burst.
    shape: (H', W'). seconds: by stage. extra: JSON keys and values added or changed by callers.
    """

    burst: str = ""
    reference: int = 0
    frames: tuple[FrameReport, ...] = ()
    frames_of_other_scenes: int = 0
    other_bursts: tuple[tuple[str, ...], ...] = ()
    coverage: float = 0.0
    subpixel_phases: int = 1
    sampling_uniformity: float = 0.0
    expected_gain_db: float = 0.0
    advice: str | None = None
    defects_repaired: int = 0
    reference_mended: float = 0.0
    reference_alone: float = 0.0
    noise: NoiseReport | None = None
    output_noise: Noise | None = None
    reconstruction: ReconstructionReport | None = None
    lateral: LateralReport | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    shape: tuple[int, int] = (0, 0)
    seconds: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    provenance: Provenance | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    lens_blur: LensBlurReport | None = None

    @property
    def frames_used(self) -> int:
        """Return the number of frames that contribute to the result, including the reference."""
        return sum(frame.used for frame in self.frames)

    def with_facts(self, **facts: Any) -> Report:  # noqa: ANN401  whatever JSON takes
        """Return the report with entries of its JSON form added or changed."""
        return replace(self, extra={**self.extra, **facts})

    def to_dict(self) -> dict[str, Any]:
        """Return the report ready for JSON; empty without a run. Renamed keys are included under their old names too."""
        return with_both_names({**(self._own() if self.frames else {}), **self.extra})

    def _own(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "burst": self.burst,
            "reference": self.reference,
            "frames": [frame.to_dict() for frame in self.frames],
            "frames_used": self.frames_used,
            "frames_of_other_scenes": self.frames_of_other_scenes,
            "other_bursts": [list(names) for names in self.other_bursts],
            "coverage": round(self.coverage, 4),
            "subpixel_phases": self.subpixel_phases,
            "sampling_uniformity": round(self.sampling_uniformity, 4),
            "expected_gain_db": round(self.expected_gain_db, 2),
            "advice": self.advice,
            "defects_repaired": self.defects_repaired,
            "reference_mended": round(self.reference_mended, 6),
            "reference_alone": round(self.reference_alone, 6),
            "noise": self.noise and self.noise.to_dict(),
            "output_noise": self.output_noise and _noise_dict(self.output_noise),
            "reconstruction": self.reconstruction and self.reconstruction.to_dict(),
            **({} if self.lateral is None else {"lateral": self.lateral.to_dict()}),
            **({} if self.lens_blur is None else {"lens_blur": self.lens_blur.to_dict()}),
            "settings": dict(self.settings),
            "shape": list(self.shape),
            "seconds": {name: round(s, 3) for name, s in self.seconds.items()},
            "versions": dict(self.versions),
            "provenance": self.provenance and self.provenance.to_dict(),
        }

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401  whatever JSON takes
        return self.to_dict()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())

    def __len__(self) -> int:
        return len(self.to_dict())


def _noise_dict(noise: Noise) -> dict[str, list[float]]:
    return {"alpha": [float(a) for a in noise.alpha], "beta": [float(b) for b in noise.beta]}
