"""Calibration records: frozen dataclasses that are written to files and read back equal.

Normalised units: 0 = black, 1 = sensor saturation. Triples are in the order R, G, B. Fields that were not measured are None, and absent in files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from burstsr.core.checks import FARTHEST_PX
from burstsr.core.errors import RangeError, SettingsError
from burstsr.core.fields import check_range, shown
from burstsr.core.noise import Noise
from burstsr.simulate import motions_from_record

_LARGEST_ISO = 10_000_000.0
Triple = tuple[float, float, float]
Pair = tuple[float, float]
_LEAST_BETA = 1e-12
_NORMALISED = "variance per unit of signal, normalised units; R, G, B"
_VARIANCE = "variance at no light, normalised units; R, G, B"


def _measured(unit: str) -> Any:  # noqa: ANN401  dataclasses.field keeps its type to itself
    """Declare a required field."""
    return field(metadata={"unit": unit})


def _optional(unit: str) -> Any:  # noqa: ANN401
    """Declare an optional field."""
    return field(default=None, metadata={"unit": unit})


def now() -> str:
    """Return the current time as a record's `date`: ISO 8601, UTC, in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


BURST = "burst"  # a noise record's method that does not replace the NoiseProfile of files
FRAME = "single frame"  # one that is never used by itself: texture counts as noise


@dataclass(frozen=True)
class NoiseRecord:
    """Noise of a camera at one ISO: variance = alpha x + beta per channel (DNG 1.4, NoiseProfile).

    beta is negative where the line of a published table is, of cameras that clip at black: it holds above that level only.
    """

    kind: ClassVar[str] = "noise"
    camera: str = _measured("make and model, as the files name them")
    iso: float = _measured("ISO")
    date: str = _measured("ISO 8601, UTC")
    method: str = _measured("photon transfer, burst, single frame (an upper bound), darktable, or interpolated over ISO")
    alpha: Triple = _measured(_NORMALISED)
    beta: Triple = _measured(f"{_VARIANCE}; negative in some published tables")
    alpha_error: Triple | None = _optional("standard error of alpha")
    beta_error: Triple | None = _optional("standard error of beta")
    black_dn: tuple[Pair, Pair] | None = _optional("raw numbers at no light, by site (y % 2, x % 2)")
    white_dn: float | None = _optional("raw number at saturation")
    read_noise_dn: Triple | None = _optional("standard deviation at no light, raw numbers; R, G, B")
    row_noise_dn: float | None = _optional("standard deviation of what a row shares and changes from frame to frame, raw numbers")
    gain_e_per_dn: Triple | None = _optional("electrons per raw number; R, G, B")
    full_well_e: Triple | None = _optional("electrons at saturation; R, G, B")
    read_noise_e: Triple | None = _optional("standard deviation at no light, electrons; R, G, B")
    prnu: Triple | None = _optional("standard deviation of pixels' sensitivity over its mean; R, G, B")
    level: tuple[tuple[float, ...], ...] | None = _optional("levels of the points behind the fit, normalised units; R, G, B")
    variance: tuple[tuple[float, ...], ...] | None = _optional("variances of the points behind the fit, normalised units; R, G, B")
    unknown: tuple[str, ...] | None = _optional("what the measurement hardly determines, of alpha and beta: their relative errors exceed 0.08 and 0.5")

    def __post_init__(self) -> None:
        for name in ("alpha", "beta"):
            values = getattr(self, name)
            least = 0 if name == "alpha" else -1
            if len(values) != 3 or not np.isfinite(values).all() or min(values) < least or max(values) >= 1:
                raise RangeError(name, f"must be three numbers from {least} to below 1, not {values}")
        if not any(a + b > 0 for a, b in zip(self.alpha, self.beta, strict=True)):
            raise SettingsError(f"alpha {self.alpha} and beta {self.beta} are all 0; no camera is free of noise")
        check_range("iso", self.iso, 0, _LARGEST_ISO)
        if self.white_dn is not None:
            check_range("white_dn", self.white_dn, 1, 65535)
        for level in (level for row in self.black_dn or () for level in row):
            check_range("black_dn", level, -65535, 65535 if self.white_dn is None else self.white_dn - 1)

    @property
    def noise(self) -> Noise:
        """Return the noise model for the pipeline, in which no variance is negative."""
        beta = np.array(self.beta, np.float64)
        return Noise(np.array(self.alpha, np.float64), np.where(beta < 0, _LEAST_BETA, beta))


@dataclass(frozen=True)
class DefectRecord:
    """Defective pixels, and row and column offsets, of a sensor."""

    kind: ClassVar[str] = "defects"
    camera: str = _measured("make and model, as the files name them")
    iso: float = _measured("ISO")
    date: str = _measured("ISO 8601, UTC")
    method: str = _measured("darks or burst")
    shape: tuple[int, int] = _measured("height and width of the visible area, pixels")
    hot: tuple[tuple[int, int], ...] = _measured("(y, x) of pixels that show light where there is none")
    dead: tuple[tuple[int, int], ...] = _measured("(y, x) of pixels that show too little")
    exposure_s: float | None = _optional("seconds")
    row_offset_dn: tuple[float, ...] | None = _optional("what every row shows too much, raw numbers")
    column_offset_dn: tuple[float, ...] | None = _optional("what every column shows too much, raw numbers")

    def __post_init__(self) -> None:
        check_range("iso", self.iso, 0, _LARGEST_ISO)
        for length in self.shape:
            check_range("shape", length, 2, FARTHEST_PX, whole=True)
        for name in ("hot", "dead"):
            for position in getattr(self, name):
                for value, length in zip(position, self.shape, strict=True):
                    check_range(name, value, 0, length - 1, whole=True)
        for name, length in (("row_offset_dn", self.shape[0]), ("column_offset_dn", self.shape[1])):
            offsets = getattr(self, name)
            if offsets is not None and (len(offsets) != length or not np.abs(offsets).max() <= 65535):
                raise RangeError(name, f"must be {length} numbers between -65535 and 65535, one per line of the frame, not {shown(offsets)}")

    @property
    def positions(self) -> NDArray[np.int64]:
        """Return (n, 2) int64 (y, x) of all defects."""
        return np.array([*self.hot, *self.dead], np.int64).reshape(-1, 2)


_MOST_LATERAL = 0.05
_LARGEST_OF_MATRIX, _LEAST_DETERMINANT = 1000.0, 1e-6
EDGE = "slanted edge"  # a lens's method that is reliable


@dataclass(frozen=True)
class LensRecord:
    """Blur of the lens: its point spread function, without the pixel area."""

    kind: ClassVar[str] = "lens"
    camera: str = _measured("make and model, as the files name them")
    iso: float = _measured("ISO")
    date: str = _measured("ISO 8601, UTC")
    method: str = _measured("slanted edge, or leave-out residual and spectrum")
    psf_sigma_px: float = _measured("standard deviation of the lens's Gaussian blur, raw pixels; of green where channels differ")
    psf_sigma_error_px: float | None = _optional("standard error of psf_sigma_px, raw pixels")
    psf_sigma_rgb_px: Triple | None = _optional("psf_sigma_px of R, G, B")
    lateral_red: Pair | None = _optional("k0, k1: red at p shows what green shows at c + (p - c) (1 + k0 + k1 |p - c|^2 / r^2), r half the diagonal")
    lateral_blue: Pair | None = _optional("k0, k1 of blue")
    mtf50: float | None = _optional("frequency at which contrast has fallen to a half, pixels included; cycles per raw pixel; green")
    frequency: tuple[float, ...] | None = _optional("frequencies of the curve, cycles per raw pixel")
    mtf: tuple[float, ...] | None = _optional("contrast at these frequencies, 1 at none; green")
    places: tuple[dict[str, float], ...] | None = _optional(
        "places of a chart: y_px, x_px, raw pixels of the sensor; psf_sigma_px and error_px of green; mtf50, cycles per raw pixel; edge_deg; red_displaced_px "
        "and blue_displaced_px against green along the edge's normal (normal_y, normal_x)"
    )
    edge_deg: float | None = _optional("angle of the edge against the nearer of the axes, degrees")
    aperture: float | None = _optional("f-number")
    focal_mm: float | None = _optional("focal length, mm")

    @property
    def certain_px(self) -> float:
        """Return psf_sigma_px less its error: what is used, since too wide a blur does more harm than too narrow a one helps."""
        return max(self.psf_sigma_px - (self.psf_sigma_error_px or 0.0), 0.0)

    def __post_init__(self) -> None:
        check_range("psf_sigma_px", self.psf_sigma_px, 0, 10)
        for name in ("lateral_red", "lateral_blue"):
            for value in getattr(self, name) or ():
                check_range(name, value, -_MOST_LATERAL, _MOST_LATERAL)
        check_range("iso", self.iso, 0, _LARGEST_ISO)


@dataclass(frozen=True)
class ColourRecord:
    """Colour of a camera in daylight: takes the place of the files' own matrix."""

    kind: ClassVar[str] = "colour"
    camera: str = _measured("make and model, as the files name them")
    iso: float = _measured("ISO")
    date: str = _measured("ISO 8601, UTC")
    method: str = _measured("24 patches")
    xyz_to_camera: tuple[Triple, Triple, Triple] = _measured("rows: from CIE XYZ, D65 white, to camera RGB (DNG: ColorMatrix1, CalibrationIlluminant1 D65)")
    neutral: Triple | None = _optional("camera RGB of the chart's greys, green 1")
    delta_e_mean: float | None = _optional("mean colour difference of the patches after the fit, CIE 1976")
    delta_e_max: float | None = _optional("largest colour difference of the patches")
    corners_px: tuple[Pair, ...] | None = _optional("x, y of the centres of dark skin, bluish green, black, white in the frame, raw pixels of the sensor")

    def __post_init__(self) -> None:
        check_range("iso", self.iso, 0, _LARGEST_ISO)
        matrix = np.array(self.xyz_to_camera, np.float64)
        if not np.isfinite(matrix).all() or np.abs(matrix).max() > _LARGEST_OF_MATRIX or abs(np.linalg.det(matrix)) < _LEAST_DETERMINANT:
            raise RangeError("xyz_to_camera", f"must be a matrix that has an inverse, not {self.xyz_to_camera}")


@dataclass(frozen=True)
class MotionRecord:
    """Camera motion between frames. Also a motion file: `simulate --motion` and `process --motion` take it."""

    kind: ClassVar[str] = "motion"
    camera: str = _measured("make and model, as the files name them")
    iso: float = _measured("ISO")
    date: str = _measured("ISO 8601, UTC")
    method: str = _measured("flows, gyroscope or lattice")
    frame_interval_s: float = _measured("seconds from frame to frame; 0 where unknown")
    motions: tuple[dict[str, float], ...] = _measured("per frame: dy_px, dx_px raw pixels, rotation_rad radians, their slopes per row; first frame zero")
    deviation_px: Pair | None = _optional("standard deviation of y and of x within a burst, raw pixels")
    rotation_deviation_rad: float | None = _optional("standard deviation of the rotation within a burst, radians")
    speed_px: Pair | None = _optional("root mean square of y and of x from frame to frame, raw pixels")
    correlation_time_s: float | None = _optional("time after which the motion's autocorrelation has fallen to 1/e, seconds")
    tremor_hz: float | None = _optional("frequency of the strongest motion from 4 to 14 Hz, hertz")
    bursts: int | None = _optional("bursts, or pieces of the log, behind the statistics")
    readout_s: float | None = _optional("time from the first row's read-out to the last's, seconds")
    readout_error_s: float | None = _optional("standard error of readout_s, seconds")
    focal_px: float | None = _optional("focal length, raw pixels")
    angles_rad: tuple[Pair, ...] | None = _optional(
        "per frame: rotation of the camera about x (along the sensor's rows, right) and y (along its columns, down), radians, right-handed (z: to the scene), "
        "that makes the motion: atan(dy / F), -atan(dx / F)"
    )

    def __post_init__(self) -> None:
        check_range("iso", self.iso, 0, _LARGEST_ISO)
        motions_from_record([dict(motion) for motion in self.motions])


Record = NoiseRecord | DefectRecord | LensRecord | ColourRecord | MotionRecord
KINDS: dict[str, type[Record]] = {c.kind: c for c in (NoiseRecord, DefectRecord, LensRecord, ColourRecord, MotionRecord)}


def triple(values: NDArray[np.floating]) -> Triple:
    """Convert three numbers to a record's field."""
    return (float(values[0]), float(values[1]), float(values[2]))
