"""Values of metadata that a photograph cannot have show that its file is damaged: it is refused, since they would reach results or their metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import InputFileError
from burstsr.io import tags as t
from burstsr.io.tags import FileTags

LARGEST_DN = 65536.0  # some writers state one above the largest number of 16 bits
_INVERTIBLE = (1e-9, 1e9)  # least and largest determinant of a colour matrix


class _Range(NamedTuple):
    """Name of a tag, and the values that it may have. above: the least is not allowed itself. unknown: 0, for what nobody knows, is allowed too."""

    name: str
    least: float
    most: float
    above: bool = False
    unknown: bool = False


_SHOT = {
    "iso": (t.ISO, _Range("ISO", 0.01, 10_000_000, unknown=True)),
    "exposure_s": (t.EXPOSURE, _Range("ExposureTime", 1e-9, 1_000_000, unknown=True)),
    "aperture": (t.F_NUMBER, _Range("FNumber", 0.01, 10_000, unknown=True)),
    "focal_mm": (t.FOCAL, _Range("FocalLength", 0.001, 1_000_000, unknown=True)),
}
_COLOUR = {
    t.MATRIX_1: _Range("ColorMatrix1", -1000, 1000),
    t.MATRIX_2: _Range("ColorMatrix2", -1000, 1000),
    t.CALIBRATION_1: _Range("CameraCalibration1", -1000, 1000),
    t.CALIBRATION_2: _Range("CameraCalibration2", -1000, 1000),
    t.ANALOG_BALANCE: _Range("AnalogBalance", 0, 1000, above=True),
    t.NEUTRAL: _Range("AsShotNeutral", 0, 1000, above=True),
    t.WHITE_XY: _Range("AsShotWhiteXY", 0, 1, above=True),
}
_LEVELS = {
    t.BLACK: _Range("BlackLevel", -LARGEST_DN, LARGEST_DN),
    t.BLACK_DELTA_H: _Range("BlackLevelDeltaH", -LARGEST_DN, LARGEST_DN),
    t.BLACK_DELTA_V: _Range("BlackLevelDeltaV", -LARGEST_DN, LARGEST_DN),
    t.WHITE: _Range("WhiteLevel", 1, LARGEST_DN),
}


def shot_values(path: Path, tags: FileTags) -> dict[str, Any]:
    """Return iso, exposure_s, aperture and focal_mm, 0 where unknown (absent, or a fraction by 0). Raises InputFileError for values that no shot has."""
    found = {name: tags.shot(code) for name, (code, _) in _SHOT.items()}
    for name, value in found.items():
        code, allowed = _SHOT[name]
        _check(path, f"tag {allowed.name} ({code})", allowed, (value,))
    return found


def check_shot(path: Path, **values: float) -> dict[str, Any]:
    """Return the values, of the names of `shot_values`, as they are. Raises InputFileError for those that no shot has."""
    for name, value in values.items():
        _check(path, _SHOT[name][1].name, _SHOT[name][1], (value,))
    return values


def check_level_tags(path: Path, tags: FileTags) -> None:
    """Raise InputFileError for levels that are no numbers of a sensor of up to 16 bits."""
    _check_all(path, tags, _LEVELS)


def check_levels_apart(path: Path, black: NDArray[np.float64], white: float) -> None:
    """Raise InputFileError unless white, DN, is at least 1 above all black levels."""
    if not (np.isfinite(black).all() and float(black.max()) + 1 <= white <= LARGEST_DN):
        raise InputFileError(f"{path}: black level must be below white level, not {black.ravel().tolist()} and {white:g}")


def check_colour_tags(path: Path, tags: FileTags) -> None:
    """Raise InputFileError for colours of three channels with values that no camera has, such as NaN. Matrices of zeros count as absent."""
    _check_all(path, tags, _COLOUR)


def check_invertible(path: Path, matrix: NDArray[np.float64] | None) -> None:
    """Raise InputFileError for a (3, 3) matrix from XYZ to the camera that has no inverse, which no camera has. None: unknown."""
    least, most = _INVERTIBLE
    if matrix is not None and not least < abs(np.linalg.det(matrix)) < most:
        raise InputFileError(
            f"{path}: tags ColorMatrix, CameraCalibration and AnalogBalance make {matrix.round(6).tolist()}; must be a matrix that has an inverse"
        )


def _check_all(path: Path, tags: FileTags, ranges: Mapping[int, _Range]) -> None:
    for code, allowed in ranges.items():
        _check(path, f"tag {allowed.name} ({code})", allowed, tags.numbers(code))


def _check(path: Path, what: str, allowed: _Range, values: Sequence[float]) -> None:
    numbers = np.asarray(values, np.float64)
    wrong = ~((numbers > allowed.least if allowed.above else numbers >= allowed.least) & (numbers <= allowed.most))
    if allowed.unknown:
        wrong &= numbers != 0
    if wrong.any():
        least = f"{'0 (unknown) or ' if allowed.unknown else ''}{'above' if allowed.above else 'between'} {allowed.least:g}"
        must = f"{least} and {'at most ' if allowed.above else ''}{allowed.most:g}"
        raise InputFileError(f"{path}: {what} is {numbers[wrong][0]:g}; must be {must}")
