"""The result of the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast
from warnings import warn

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import FrameInfo
from burstsr.core.deprecated import renamed_fields
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.provenance import Provenance
from burstsr.core.report import Report

Floats = NDArray[np.float32]


def _current(given: dict[str, object]) -> dict[str, object]:
    """Map old arguments of a Result: `noise` may be the model (its old meaning), or the map (the property's name)."""
    if "noise" in given:
        noise = given.pop("noise")
        if noise is None or isinstance(noise, Noise):
            warn("the argument noise of Result is noise_model now", DeprecationWarning, stacklevel=4)
            given["noise_model"] = noise
        else:
            given["variance"] = noise
    return given


@renamed_fields(_current, rgb="image")
@dataclass(frozen=True, eq=False)
class Result:
    """One image from a burst, with its metadata and maps.

    image: (H', W', 3) = (round(s H), round(s W), 3) float32 linear camera RGB, 1.0 = sensor saturation, not white-balanced, not oriented, no NaN.
    reference: the frame whose geometry, colour and metadata the image has. scale: s, output pixels per raw pixel.
    noise_model: variance of flat, grey areas by level, per channel; None where it was not measured. report: of the run. provenance: None if
    unknown. flows: of every frame of the burst against the reference, None for frames of another scene, or without a burst.
    peak: of a bracket, the saturation of its shortest exposure, which the image may reach, relative to the reference's; else 1.
    origin: raw (y, x) of the first pixel in the reference's frame, where a region of interest was asked for; `reference` then describes that region.
    With `keep_maps` also: weight, (H', W', 3) float32, effective samples of each colour in a pixel; variance, (H', W', 3) float32 (`noise`);
    robustness, (H/2, W/2) float32, 0 to 1, per frame and CFA cell of the reference, None for frames of another scene. Otherwise None, or empty.
    """

    image: Floats
    reference: FrameInfo
    scale: float
    noise_model: Noise | None = None
    report: Report = field(default_factory=Report)
    provenance: Provenance | None = None
    flows: tuple[Flow | None, ...] = ()
    weight: Floats | None = None
    variance: Floats | None = None
    robustness: tuple[Floats | None, ...] = ()
    peak: float = 1.0
    origin: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if not isinstance(self.report, Report):  # its JSON form, as in earlier versions
            object.__setattr__(self, "report", Report(extra=dict(self.report)))

    @property
    def noise(self) -> Floats | None:
        """Return the (H', W', 3) float32 noise variance of every pixel, with maps, else None.

        For one release, without maps, it is the noise model under its old name, with a warning.
        """
        if self.variance is None and self.noise_model is not None:
            warn("Result.noise is the map of variances (keep_maps=True) now; the model is Result.noise_model", DeprecationWarning, stacklevel=2)
            return cast(Floats, self.noise_model)
        return self.variance

    @property
    def rgb(self) -> Floats:
        """Return `image`; its old name, for one release."""
        warn("Result.rgb is Result.image now", DeprecationWarning, stacklevel=2)
        return self.image

    @property
    def crop(self) -> tuple[float, float, float, float]:
        """Return (top, left, bottom, right) of the reference's crop, in output pixels; the whole image without one."""
        height, width = self.image.shape[:2]
        if self.reference.crop is None:
            return 0.0, 0.0, float(height), float(width)
        y, x = height / self.reference.shape[0], width / self.reference.shape[1]
        top, left, bottom, right = self.reference.crop
        return top * y, left * x, bottom * y, right * x
