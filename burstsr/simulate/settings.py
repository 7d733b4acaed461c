"""Settings of the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Colour
from burstsr.core.cfa import NAMES, Cfa
from burstsr.core.checks import check_noise
from burstsr.core.deprecated import takes_old_names
from burstsr.core.errors import RangeError
from burstsr.core.fields import check_range
from burstsr.core.noise import Noise
from burstsr.simulate.motion import FrameMotion

PIXEL_SHIFTS = {"pixel-shift-4": 4, "pixel-shift-16": 16}  # frames of a set
MOTIONS = ("handheld", "tripod", "jiggle", *PIXEL_SHIFTS)
_WHOLE = ("frames", "bits", "hot_pixels", "orientation")


@dataclass(frozen=True)
class MovingObject:
    """A textured disc that crosses the scene on a straight path, in integer pixels of the truth."""

    centre: tuple[float, float] = (0.5, 0.35)  # (y, x) in the reference, fractions of height and width; 0 to 1
    radius: float = 0.12  # fraction of the frame's shorter side; above 0, to 0.5
    velocity_px: tuple[float, float] = (0.7, 3.0)  # (y, x) raw pixels per frame; -1000 to 1000

    def __post_init__(self) -> None:
        check_range("radius", self.radius, 1e-6, 0.5)
        for values, low, high in ((self.centre, 0, 1), (self.velocity_px, -1000, 1000)):
            for value in values:
                check_range("centre" if low == 0 else "velocity_px", value, low, high)


@dataclass(frozen=True)
class Flicker:
    """A flickering lamp: a neutral disc, at full intensity in the reference, at random intensity in every other frame."""

    centre: tuple[float, float] = (0.3, 0.7)  # (y, x), fractions of height and width; 0 to 1
    radius_px: float = 4.0  # raw pixels; above 0
    level: float = 0.9  # green sample at full intensity; 0 to 1

    def __post_init__(self) -> None:
        check_range("radius_px", self.radius_px, 1e-6, 10_000)
        check_range("level", self.level, 0, 1)
        for value in self.centre:
            check_range("centre", value, 0, 1)


@takes_old_names("simulate")
@dataclass(frozen=True)
class SimulateSettings:
    """What to simulate. Defaults: 13 hand-held frames of a 14-bit phone-like sensor at ISO 400, half the size of the image."""

    frames: int = 13  # exposures; 1 to 1000
    scale: float = 2.0  # truth pixels per raw pixel, per axis; 1 to 4
    iso: float = 400.0  # sets the noise, where `noise` is None, by Noise.of_iso; above 0
    noise: Noise | None = None  # explicit model, per channel
    motion: Literal["handheld", "tripod", "jiggle", "pixel-shift-4", "pixel-shift-16"] | tuple[FrameMotion, ...] = (
        "handheld"  # explicit: the first `frames` of them, relative to the first
    )
    deviation_px: float = 2.0  # handheld: standard deviation per axis, raw pixels; >= 0
    rotation_deg: float = 0.06  # handheld: standard deviation of the rotation, degrees; 0 to 5
    rolling_shutter: float = 0.0  # handheld: readout time in frame intervals per 1000 rows; 0 to 1
    tripod_residue_px: float = 0.0  # tripod: standard deviation per axis, raw pixels; >= 0
    blur_sigma_px: float = 0.2  # lens: Gaussian, raw pixels; 0 to 10. 0.2 is diffraction at f/1.8, 550 nm (0.42 lambda N = 0.42 um) on 2 um pixels
    psf: NDArray[np.float64] | None = None  # lens: (odd, odd) weights at pixels of the truth, instead of the Gaussian
    vignetting: float = 0.0  # lens: fraction of the light lost in the corners; the gain map that corrects it is `SimulatedBurst.gain`; 0 to 0.9
    cfa: str = "RGGB"  # RGGB, BGGR, GRBG, GBRG, each of them with "quad " before it, X-Trans, or mono, which sees the green channel
    bits: int = 14  # white level 2^bits - 1; 10 to 16
    black_dn: tuple[tuple[float, float], tuple[float, float]] | None = None  # per site (y % 2, x % 2), fractions allowed; None = 2^(bits - 5)
    row_noise: float = 0.0  # standard deviation of each row's offset, normalised units; >= 0
    hot_pixels: int = 0  # pixels with a dark current of 0.1 to 1 of saturation, the same in all frames; >= 0
    moving_object: MovingObject | None = None
    flicker: Flicker | None = None
    orientation: int = 1  # TIFF/EXIF code of the frames; 1 to 8; pixels are not rotated
    exposures_ev: tuple[float, ...] = ()  # of the frames, in turn, relative to the truth; -16 to 16; () = 0 for all
    linear: bool = False  # the image is linear camera RGB already, 1.0 = saturation
    colour: Colour | None = None  # the camera's colour; None = burstsr.simulate.scene.camera_colour()

    def exposure(self, index: int) -> float:
        """Return the exposure of a frame relative to that in which 1.0 of the truth is saturation."""
        return float(2.0 ** self.exposures_ev[index % len(self.exposures_ev)]) if self.exposures_ev else 1.0

    def __post_init__(self) -> None:
        ranges = {
            "frames": (1, 1000),
            "scale": (1, 4),
            "iso": (1, 10_000_000),
            "deviation_px": (0, 1000),
            "rotation_deg": (0, 5),
            "rolling_shutter": (0, 1),
            "tripod_residue_px": (0, 1000),
            "blur_sigma_px": (0, 10),
            "vignetting": (0, 0.9),
            "bits": (10, 16),
            "row_noise": (0, 1),
            "hot_pixels": (0, 1_000_000),
            "orientation": (1, 8),
        }
        for name, (low, high) in ranges.items():
            check_range(name, getattr(self, name), low, high, whole=name in _WHOLE)
        for value in self.exposures_ev:
            check_range("exposures_ev", value, -16, 16)
        if self.cfa not in NAMES:
            raise RangeError("cfa", f"must be one of {', '.join(NAMES)}, not {self.cfa!r}")
        if isinstance(self.motion, str):
            if self.motion not in MOTIONS:
                raise RangeError("motion", f"must be one of {', '.join(MOTIONS)}, or a sequence of motions, not {self.motion!r}")
            if PIXEL_SHIFTS.get(self.motion, self.frames) != self.frames:
                raise RangeError("frames", f"must be {PIXEL_SHIFTS[self.motion]} for motion {self.motion}, not {self.frames}")
        elif len(self.motion) < self.frames:
            raise RangeError("motion", f"has {len(self.motion)} motions for {self.frames} frames; there must be one per frame")
        if self.noise is not None:
            check_noise(self.noise, channels=len(Cfa.parse(self.cfa).channels))
        if self.black_dn is not None and not 0 <= np.min(self.black_dn) <= np.max(self.black_dn) < 2**self.bits - 1:
            raise RangeError("black_dn", f"must be at least 0 and below the white level {2**self.bits - 1}, not {self.black_dn}")
