"""Raw exposures, and bursts of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from burstsr.core.cfa import Cfa
from burstsr.core.equality import EqualByContent
from burstsr.core.errors import BurstError, SettingsError
from burstsr.core.gain import GainField
from burstsr.core.lateral import LateralAberration
from burstsr.core.noise import Noise
from burstsr.core.observation import UNKNOWN, Observation


@dataclass(frozen=True, eq=False)
class Levels(EqualByContent):
    """Black and white level.

    black: (2, 2) float64, black level in DN of the sites (y % 2, x % 2); fractions allowed.
    white: DN of sensor saturation.
    saturation: sample at white; other than 1 in brackets only, where samples of all exposures have common units.
    """

    black: NDArray[np.float64]
    white: float
    saturation: float = 1.0

    def scale(self) -> NDArray[np.float64]:
        """Return the factor, shaped as black, from DN above black to samples, 1.0 = saturation (of the shortest exposure of a bracket)."""
        return self.saturation / (self.white - self.black)


@dataclass(frozen=True, eq=False)
class Colour(EqualByContent):
    """Colour calibration of a camera (DNG 1.4, chapter 6).

    as_shot_neutral: (3,) camera RGB of a neutral object; its inverse is the white balance.
    xyz_to_camera: (3, 3) from CIE XYZ (D65 white unless the file says otherwise) to camera RGB; None where the camera is unknown.
    measured: whether that is from a calibration, and replaces that of the file in results too.
    """

    as_shot_neutral: NDArray[np.float64]
    xyz_to_camera: NDArray[np.float64] | None = None
    measured: bool = False


@dataclass(frozen=True, eq=False)
class FrameInfo(EqualByContent):
    """Description of a raw file, without its pixels.

    path: the file (simulated frames: a name). shape: (H, W) of the visible area. cfa: a name or an array becomes a `Cfa`.
    noise: per-channel model, None where the file has none. orientation: TIFF/EXIF code 1 to 8. camera: make and model in one string.
    iso, exposure_s, aperture (f-number), focal_mm: 0 where unknown. time: capture time with sub-seconds, None where unknown.
    crop: (top, left, bottom, right) of the camera's default crop, in raw pixels; None: the whole area.
    gain: of samples by position (a DNG's gain maps), relative to the mean gain, to which `noise` refers; None: uniform.
    observation: what astronomical files tell beside.
    own_noise: of this frame's samples in the common units of a bracket; None: the burst's noise model holds.
    lateral: chromatic aberration of the lens; None: unknown.
    """

    path: Path
    shape: tuple[int, int]
    cfa: Cfa
    levels: Levels
    colour: Colour
    camera: str = ""
    noise: Noise | None = None
    orientation: int = 1
    iso: float = 0.0
    exposure_s: float = 0.0
    aperture: float = 0.0
    focal_mm: float = 0.0
    time: datetime | None = None
    crop: tuple[float, float, float, float] | None = None
    gain: GainField | None = None
    observation: Observation = UNKNOWN
    own_noise: Noise | None = None
    lateral: LateralAberration | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "cfa", Cfa.of(self.cfa))

    @property
    def cfa_order(self) -> str:
        """Return the name of the CFA, such as "RGGB"."""
        return self.cfa.name


@dataclass(frozen=True, eq=False)
class Frame:
    """One raw exposure: `mosaic` is (H, W) uint16 DN of the visible area, C order.

    Frames read from files may decode it in the background, or map it from a file: hold frames, and access `mosaic` where it is used.
    """

    info: FrameInfo
    mosaic: NDArray[np.uint16]

    def with_mosaic(self, mosaic: NDArray[np.uint16]) -> Frame:
        """Return the frame with other pixels, stored like this frame's: for data derived from every frame of a burst."""
        return replace(self, mosaic=mosaic)

    def noise(self, of_burst: Noise) -> Noise:
        """Return the noise model of this frame's samples: its own, in a bracket, else that of the burst."""
        return self.info.own_noise or of_burst

    def with_info(self, info: FrameInfo) -> Frame:
        """Return the same pixels with another description; they may still be being decoded."""
        return replace(self, info=info)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frame) and self.info == other.info and np.array_equal(self.mosaic, other.mosaic)

    def __hash__(self) -> int:
        return hash(self.info)  # not the pixels: they may still have to be decoded


@dataclass(frozen=True)
class Burst:
    """Frames of one scene by one camera: same size, CFA order, levels and exposure. Sorted by file name."""

    name: str
    frames: tuple[Frame, ...]

    @classmethod
    def from_arrays(
        cls,
        mosaics: Iterable[ArrayLike],
        cfa: Cfa | str | ArrayLike = "RGGB",
        *,
        black: ArrayLike = 0.0,
        white: float = 65535.0,
        noise: Noise | None = None,
        as_shot_neutral: ArrayLike = (1.0, 1.0, 1.0),
        xyz_to_camera: ArrayLike | None = None,
        name: str = "burst",
    ) -> Burst:
        """Make a burst from arrays, without files.

        mosaics: (H, W) integers 0 to 65535, DN, of one size, both sides even. cfa: "RGGB", "BGGR", "GRBG" or "GBRG", the (2, 2) channels of the sites
        (0 red, 1 green, 2 blue), "X-Trans", "quad RGGB", or a `Cfa`; "mono" for frames without filters, whose noise has one channel, and which have no use
        for as_shot_neutral and xyz_to_camera. black: black level in DN, a number or (2, 2) for the sites (y % 2, x % 2). white: saturation in DN. noise:
        of samples, 0 = black, 1 = white; None: estimated. as_shot_neutral: (3,) camera RGB of a neutral object. xyz_to_camera: (3, 3), None if unknown.
        Raises SettingsError for invalid values, BurstError for no frames.
        """
        pattern = Cfa.of(cfa)
        levels = Levels(_black_of_sites(black), float(white))
        matrix = None if xyz_to_camera is None else np.array(xyz_to_camera, np.float64)
        colour = Colour(np.ones(1)) if pattern.is_mono else Colour(np.array(as_shot_neutral, np.float64), matrix)
        frames = []
        for index, given in enumerate(mosaics):
            mosaic = np.asarray(given)
            if mosaic.ndim != 2 or mosaic.dtype.kind not in "iu" or mosaic.size == 0 or mosaic.min() < 0 or mosaic.max() > 65535:
                raise SettingsError(f"mosaics[{index}] must be (height, width) integers from 0 to 65535, not {mosaic.dtype} of shape {mosaic.shape}")
            info = FrameInfo(Path(f"frame_{index:03d}"), (mosaic.shape[0], mosaic.shape[1]), pattern, levels, colour, noise=noise)
            frames.append(Frame(info, np.ascontiguousarray(mosaic, np.uint16)))
        if not frames:
            raise BurstError("mosaics: a burst must have at least one frame")
        return cls(name, tuple(frames))

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    @property
    def info(self) -> FrameInfo:
        """Return the first frame's description; burst properties are the same in all."""
        return self.frames[0].info


def _black_of_sites(black: ArrayLike) -> NDArray[np.float64]:
    try:
        return np.array(np.broadcast_to(np.asarray(black, np.float64), (2, 2)))
    except (ValueError, TypeError) as error:
        raise SettingsError(f"black must be a number, or (2, 2) numbers, not {black!r}") from error
