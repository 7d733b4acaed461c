"""Tags of raw files: values that LibRaw rounds, drops or ignores (DNG 1.4, chapters 3 and 4; EXIF 2.3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from burstsr.io import tiff
from burstsr.io.tiff import Directory

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, MAKE, MODEL, ORIENTATION, SAMPLES = 256, 257, 258, 259, 262, 271, 272, 274, 277
DESCRIPTION, X_RESOLUTION, Y_RESOLUTION, PLANAR, RESOLUTION_UNIT, PREDICTOR, ICC = 270, 282, 283, 284, 296, 317, 34675
SUBFILE, SOFTWARE, DATE_TIME, SAMPLE_FORMAT, XMP, ROWS_PER_STRIP, TILE_WIDTH, TILE_HEIGHT = 254, 305, 306, 339, 700, 278, 322, 323
CFA_REPEAT, CFA_PATTERN, CFA_PLANE_COLOUR, CFA_LAYOUT, LINEARIZATION = 33421, 33422, 50710, 50711, 50712
DNG_VERSION, DNG_BACKWARD, UNIQUE_MODEL, ACTIVE_AREA, CROP_ORIGIN, CROP_SIZE = 50706, 50707, 50708, 50829, 50719, 50720
BLACK_REPEAT, BLACK, BLACK_DELTA_H, BLACK_DELTA_V, WHITE = 50713, 50714, 50715, 50716, 50717
PREVIEW_PROGRAM, PREVIEW_VERSION, PREVIEW_COLOURS = 50966, 50967, 50970
SATURATION = 65000  # private: DN of the reference's saturation, below WhiteLevel in the result of a bracket
MATRIX_1, MATRIX_2, CALIBRATION_1, CALIBRATION_2, ANALOG_BALANCE, NEUTRAL, WHITE_XY, BASELINE_EXPOSURE = 50721, 50722, 50723, 50724, 50727, 50728, 50729, 50730
ILLUMINANT_1, ILLUMINANT_2, CAMERA_SIGNATURE, PROFILE_SIGNATURE, OPCODES_2, OPCODES_3, NOISE_PROFILE = 50778, 50779, 50931, 50932, 51009, 51022, 51041
EXPOSURE, F_NUMBER, ISO, EXIF_VERSION, TAKEN, FOCAL, SUBSECONDS, SUBSECONDS_TAKEN = 33434, 33437, 34855, 36864, 36867, 37386, 37520, 37521
BLACK_IS_ZERO, RGB_PHOTOMETRIC, YCBCR_PHOTOMETRIC, CFA_PHOTOMETRIC, LINEAR_PHOTOMETRIC = 1, 2, 6, 32803, 34892
_RAW_TYPES = (CFA_PHOTOMETRIC, LINEAR_PHOTOMETRIC, BLACK_IS_ZERO)
D65 = 21
_D65_XY = (0.3127, 0.3290)
_EMBEDDED_WITHIN = 1 << 19  # bytes from the start in which CR3 and RAF keep their EXIF blocks
_AT_LEAST_A_BIT = (1, 7)  # compressions: none, lossless JPEG
_MOST_NUMBERS = 2**17  # of a tag: more than any table of 16 bits, or line of a sensor
_LAST_GPS = 31  # tags of a GPS directory, which begins with its version, 0


@dataclass(frozen=True)
class FileTags:
    """Directories of a raw file. first: IFD 0. raw: the directory of the mosaic (DNG; else the one with most pixel data). exif, gps: as named."""

    first: Directory = field(default_factory=dict)
    raw: Directory = field(default_factory=dict)
    exif: Directory = field(default_factory=dict)
    gps: Directory = field(default_factory=dict)

    @property
    def is_dng(self) -> bool:
        """Whether the file claims to be a DNG."""
        return DNG_VERSION in self.first

    def numbers(self, code: int) -> tuple[float, ...]:
        """Return the values of a tag of the raw or the first directory, at most the first _MOST_NUMBERS; () where absent."""
        entry = self.raw.get(code) or self.first.get(code)
        return entry.numbers(_MOST_NUMBERS) if entry else ()

    def whole(self, code: int) -> int:
        """Return the first value of a tag that is a whole number of 32 bits above 0; 0 where it is something else, or absent."""
        value = (self.numbers(code) or (0.0,))[0]
        return int(value) if 0 < value < 2**32 and value == int(value) else 0

    @property
    def orientation(self) -> int:
        """The EXIF code, 1 to 8; 1 where it is absent, or something else."""
        return orientation_of(self.first)

    def shot(self, code: int) -> float:
        """Return a number of the EXIF directory or, as some writers store it, of the first; 0 where absent, or NaN, as a fraction by 0 is."""
        entry = self.exif.get(code) or self.first.get(code)
        value = entry.numbers(1)[0] if entry and entry.count and entry.kind != tiff.ASCII else 0.0
        return 0.0 if np.isnan(value) else float(value)

    def shot_text(self, code: int) -> str:
        """Return a text of the EXIF directory, or of the first; '' where absent."""
        entry = self.exif.get(code) or self.first.get(code)
        return entry.text() if entry else ""


def orientation_of(directory: Directory) -> int:
    """Return the EXIF code of a directory, 1 to 8; 1 where it is absent, or something else."""
    value = directory[ORIENTATION].numbers(1)[0] if ORIENTATION in directory else 1
    return int(value) if value in range(1, 9) else 1


def read_tags(path: Path) -> FileTags:
    """Read the tags of a TIFF-based raw file, or of the EXIF blocks inside CR3 and RAF; empty where there are none. Raises OSError."""
    with open(path, "rb") as file:
        directories = tiff.read_directories(file)
        if not directories:
            return _embedded_tags(file)
        first = directories[0]
        if DNG_VERSION in first:
            of_type = {kind: [d for d in directories if PHOTOMETRIC in d and d[PHOTOMETRIC].numbers(1)[0] == kind] for kind in _RAW_TYPES}
            mosaics = [*of_type[CFA_PHOTOMETRIC], *of_type[LINEAR_PHOTOMETRIC]] or of_type[BLACK_IS_ZERO]
            full = [d for d in mosaics if SUBFILE not in d or d[SUBFILE].numbers(1)[0] == 0] or mosaics
        else:
            full = directories
        raw = max(full, key=lambda d: sum(count for _, count in tiff.segments(d)), default={})
        inner = [tiff.read_directory(file, first[code]) if code in first else {} for code in (tiff.EXIF_DIRECTORY, tiff.GPS_DIRECTORY)]
        return FileTags(first, raw, *inner)


def _embedded_tags(file: BinaryIO) -> FileTags:
    file.seek(0)
    head = file.read(_EMBEDDED_WITHIN)
    first: Directory = {}
    exif: Directory = {}
    gps: Directory = {}
    for magic in (b"II*\0", b"MM\0*"):
        start = head.find(magic)
        while start >= 0:
            directories = tiff.read_directories(file, start)
            found = directories[0] if directories else {}
            if MAKE in found and MAKE not in first:
                first = found
                if tiff.EXIF_DIRECTORY in found:
                    exif = exif or tiff.read_directory(file, found[tiff.EXIF_DIRECTORY], start)
                if tiff.GPS_DIRECTORY in found:
                    gps = gps or tiff.read_directory(file, found[tiff.GPS_DIRECTORY], start)
            elif TAKEN in found:
                exif = exif or found
            elif 0 in found and max(found) <= _LAST_GPS:
                gps = gps or found
            start = head.find(magic, start + 4)
    return FileTags(first=first, exif=exif, gps=gps)


def is_own_result(path: Path) -> bool:
    """Whether a file is a linear DNG that this program wrote. Never raises."""
    try:
        tags = read_tags(path)
        linear = tags.is_dng and tags.numbers(PHOTOMETRIC)[:1] == (LINEAR_PHOTOMETRIC,)
    except (OSError, ValueError, IndexError, OverflowError, struct.error):
        return False
    return linear and tags.shot_text(SOFTWARE).startswith("burstsr ")


def missing_bytes(path: Path, tags: FileTags) -> int:
    """Return the number of bytes of pixel data beyond the end of the file; 0 = complete."""
    end = max((offset + count for offset, count in tiff.segments(tags.raw)), default=0)
    return max(0, end - path.stat().st_size)


def lacks_pixels(tags: FileTags) -> bool:
    """Whether a DNG's pixel data is far too short for its size. LibRaw then returns uninitialised memory without an error.

    Lossless JPEG needs a bit per sample even where all are equal; other compressions are left to their decoders.
    """
    height, width, compression = ((tags.numbers(code) or (0.0,))[0] for code in (HEIGHT, WIDTH, COMPRESSION))
    return tags.is_dng and compression in _AT_LEAST_A_BIT and 16 * sum(count for _, count in tiff.segments(tags.raw)) < height * width


def camera_name(tags: FileTags) -> str:
    """Join make and model in one string, without repeating the make."""
    make, model = tags.shot_text(MAKE), tags.shot_text(MODEL)
    both = model if model.lower().startswith(make.lower()) else f"{make} {model}"
    return both.strip() or tags.shot_text(UNIQUE_MODEL)


def capture_time(tags: FileTags) -> datetime | None:
    """Return DateTimeOriginal (else DateTime) with its sub-seconds, in the camera's clock; None where absent or unreadable."""
    for code, fraction_code in ((TAKEN, SUBSECONDS_TAKEN), (DATE_TIME, SUBSECONDS)):
        try:
            moment = datetime.strptime(tags.shot_text(code), "%Y:%m:%d %H:%M:%S")
        except ValueError:
            continue
        digits = tags.shot_text(fraction_code)
        return moment + timedelta(microseconds=int(digits[:6].ljust(6, "0"))) if digits.isdecimal() else moment
    return None


def xyz_to_camera(tags: FileTags) -> NDArray[np.float64] | None:
    """Return (3, 3) AnalogBalance x CameraCalibration x ColorMatrix for the illuminant nearest to daylight: D65, else the second, else the first."""
    matrices = {1: tags.numbers(MATRIX_1), 2: tags.numbers(MATRIX_2)}
    illuminants = {1: tags.numbers(ILLUMINANT_1), 2: tags.numbers(ILLUMINANT_2)}
    usable = [n for n in (2, 1) if len(matrices[n]) == 9 and np.isfinite(matrices[n]).all() and np.any(matrices[n])]
    if not usable:
        return None
    best = next((n for n in usable if illuminants[n] and illuminants[n][0] == D65), usable[0])
    matrix = np.reshape(matrices[best], (3, 3))
    calibration = tags.numbers({1: CALIBRATION_1, 2: CALIBRATION_2}[best])
    if len(calibration) == 9 and tags.shot_text(CAMERA_SIGNATURE) == tags.shot_text(PROFILE_SIGNATURE):
        matrix = np.reshape(calibration, (3, 3)) @ matrix
    balance = tags.numbers(ANALOG_BALANCE)
    return np.diag(balance) @ matrix if len(balance) == 3 else matrix


def as_shot_neutral(tags: FileTags, matrix: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """Return (3,) camera RGB of a neutral object, green = 1, from AsShotNeutral or AsShotWhiteXY, else of daylight white; None where unavailable."""
    neutral = np.array(tags.numbers(NEUTRAL), float)
    xy = tags.numbers(WHITE_XY)
    if len(xy) != 2 or not xy[1] > 0:
        xy = _D65_XY
    if neutral.shape != (3,) and matrix is not None:
        neutral = matrix @ np.array([xy[0] / xy[1], 1.0, (1 - xy[0] - xy[1]) / xy[1]])
    usable = neutral.shape == (3,) and bool(np.isfinite(neutral).all()) and bool((neutral > 0).all())
    return neutral / neutral[1] if usable else None
