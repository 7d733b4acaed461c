"""DNG output: the result (LinearRaw) and simulated frames (CFA).

Lossless JPEG tiles are decoded identically by Adobe's SDK, LibRaw, dcraw, darktable and RawTherapee, at half to two thirds of the size.
Results have the layout of Adobe's own files: a thumbnail first, the raw data and a larger preview in sub-directories.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from burstsr import __version__
from burstsr.core import large_arrays
from burstsr.core.burst import Frame, FrameInfo
from burstsr.core.errors import OutputError
from burstsr.core.noise import Noise
from burstsr.core.result import Result
from burstsr.core.srgb import XYZ_TO_SRGB
from burstsr.io import tags as t
from burstsr.io import tiff
from burstsr.io.atomic import atomic
from burstsr.io.dng_previews import preview_image, thumbnail_image
from burstsr.io.exif import camera_tags, exposure_tags, with_version
from burstsr.io.inherited_tags import inherited, without_colour
from burstsr.io.segments import cfa_tiles, linear_tiles
from burstsr.io.tiff import BYTE, LONG, RATIONAL, SHORT, SRATIONAL, Directory, Entry, Image, doubles, integers, rationals, text
from burstsr.io.xmp import packet

# Nominal colour of a camera nobody knows: its RGB is linear sRGB (IEC 61966-2-1, D65)
NOMINAL_XYZ_TO_CAMERA = np.round(XYZ_TO_SRGB, 7)
_TILE = 512
_CROP_INSET = 8  # pixels that demosaicing spoils at the border; Adobe's SDK warns of less
_VERSION_1_4 = integers(BYTE, 1, 4, 0, 0)
_LOSSLESS_JPEG = 7


def write_dng(path: str | Path, result: Result, preview: NDArray[np.uint8] | None = None) -> None:
    """Write a result as 16-bit LinearRaw: camera RGB clipped to 0 .. 1, BlackLevel 0, WhiteLevel 65535 = 1.0, neither white-balanced nor oriented.

    The result of a bracket is divided by its brightest value, if that is above 1, and BaselineExposure raised by as many stops: so it appears as exposed as
    its reference, and the highlights remain.

    Colour, EXIF, GPS, XMP and orientation are copied from the reference's file if it exists (`io.inherited_tags`), else from its FrameInfo; a camera
    without a matrix gets NOMINAL_XYZ_TO_CAMERA. DefaultCrop and FocalPlaneResolution are the reference's, scaled. NoiseProfile is `result.noise_model`.
    A monochrome result has one sample per pixel, and no colour tags.
    preview: (h, w, 3) uint8 sRGB of the crop, not oriented, for the embedded JPEG and thumbnail; without it, the raw data is the file's only image.
    Raises OutputError, also beyond 4 GB.
    """
    (height, width, samples), coloured = result.image.shape, not result.reference.cfa.is_mono
    first, exif, gps = inherited(result.reference.path, (width / result.reference.shape[1], height / result.reference.shape[0]))
    first = without_colour(first) if result.reference.colour.measured else first
    camera = {
        **_description(result.reference, with_colour=coloured and t.MATRIX_1 not in first, with_neutral=coloured and not {t.NEUTRAL, t.WHITE_XY} & set(first)),
        **first,
        **_identity(),
        t.ORIENTATION: integers(SHORT, result.reference.orientation),
        **_provenance_tag(result, first.get(t.XMP)),
    }
    top = brightest(result)
    if top > 1:
        stops = float((camera[t.BASELINE_EXPOSURE].numbers() or (0.0,))[0]) + math.log2(top)
        camera |= {t.BASELINE_EXPOSURE: rationals([stops], SRATIONAL), t.SATURATION: doubles([65535 / top])}
    tile = _tile_shape(height, width)
    raw = {
        **_layout(height, width, samples=samples, bits=16, photometric=t.LINEAR_PHOTOMETRIC, tile=tile),
        t.BLACK_REPEAT: integers(SHORT, 1, 1),
        t.BLACK: integers(LONG, *[0] * samples),
        t.WHITE: integers(LONG, *[65535] * samples),
        **_crop_tags(result),
        **_noise_tag(result.noise_model),
    }
    inner = {tiff.EXIF_DIRECTORY: with_version({**exposure_tags(result.reference), **exif}), tiff.GPS_DIRECTORY: gps}
    tiles = linear_tiles(result.image, tile, top)
    if preview is None:
        _write(path, [Image({**camera, **raw}, tiles, tiled=True)], inner)
    else:
        _write(path, [thumbnail_image(preview, camera), Image(raw, tiles, tiled=True), preview_image(preview)], inner)


def brightest(result: Result) -> float:
    """Return the brightest value of a bracket's result, at least 1; 1 for other results."""
    return max(1.0, min(float(large_arrays.largest(result.image).max()), result.peak)) if result.peak > 1 else 1.0


def write_cfa_dng(path: str | Path, frame: Frame, bits: int = 14, extra: Directory | None = None) -> None:
    """`frame` as a CFA DNG, or a monochrome one as LinearRaw, in lossless JPEG tiles; `read_frame` and LibRaw give back the very numbers and levels.

    bits: of a raw number, 10 to 16; raised to what the mosaic and the white level need. extra: tags to add or replace, by code. Raises OutputError.
    """
    info = frame.info
    mono = info.cfa.is_mono
    if info.levels.black.min() < 0:
        raise OutputError(f"{path}: a DNG's black level must be at least 0, not {info.levels.black.min():g}")
    height, width = info.shape
    bits = max(bits, 10, int(max(frame.mosaic.max(), info.levels.white)).bit_length())
    tile = _tile_shape(height, width)
    inset = _CROP_INSET if min(info.shape) >= 4 * _CROP_INSET else 0
    directory = {
        **_description(info, with_colour=not mono, with_neutral=not mono),
        **_identity(),
        **_layout(height, width, samples=1, bits=bits, photometric=t.LINEAR_PHOTOMETRIC if mono else t.CFA_PHOTOMETRIC, tile=tile),
        **({t.SOFTWARE: text(f"simulated by burstsr {__version__}")} if mono else _cfa_tags(info)),
        t.BLACK_REPEAT: integers(SHORT, 2, 2),
        t.BLACK: rationals(info.levels.black.ravel()),
        t.WHITE: integers(LONG, round(info.levels.white)),
        t.ACTIVE_AREA: integers(LONG, 0, 0, height, width),
        t.CROP_ORIGIN: integers(LONG, inset, inset),
        t.CROP_SIZE: integers(LONG, width - 2 * inset, height - 2 * inset),
        **_noise_tag(info.noise),
        **(extra or {}),
    }
    _write(path, [Image(directory, cfa_tiles(frame.mosaic, tile, bits), tiled=True)], {tiff.EXIF_DIRECTORY: exposure_tags(info)})


def _cfa_tags(info: FrameInfo) -> Directory:
    return {
        t.CFA_REPEAT: integers(SHORT, *info.cfa.period),
        t.CFA_PATTERN: integers(BYTE, *np.ravel(info.cfa).tolist()),
        t.CFA_PLANE_COLOUR: integers(BYTE, 0, 1, 2),
        t.CFA_LAYOUT: integers(SHORT, 1),
    }


def _write(path: str | Path, images: list[Image], inner: dict[int, Directory]) -> None:
    with atomic(path) as temporary, open(temporary, "wb") as file:
        try:
            tiff.write_tiff(file, images[0], inner, images[1:])
        except OverflowError as error:
            raise OutputError(f"{path}: the image is too large for a DNG ({error})") from error


def _tile_shape(height: int, width: int) -> tuple[int, int]:
    """Return rows and columns of a tile. LibRaw misreads a tile wider than the image, and two tiles that together are as wide as it."""
    rows, columns = (_tile_length(length) for length in (height, width))
    return rows, columns + (16 if 2 * columns == width else 0)


def _tile_length(length: int) -> int:
    """A multiple of 16, at most about _TILE, of which a few cover `length` with little left over."""
    count = -(-length // _TILE)
    return max(16, length // 16 * 16) if count == 1 else -(-length // (16 * count)) * 16


def _layout(height: int, width: int, *, samples: int, bits: int, photometric: int, tile: tuple[int, int]) -> Directory:
    return {
        t.SUBFILE: integers(LONG, 0),
        t.WIDTH: integers(LONG, width),
        t.HEIGHT: integers(LONG, height),
        t.BITS: integers(SHORT, *[bits] * samples),
        t.COMPRESSION: integers(SHORT, _LOSSLESS_JPEG),
        t.PHOTOMETRIC: integers(SHORT, photometric),
        t.SAMPLES: integers(SHORT, samples),
        t.PLANAR: integers(SHORT, 1),  # the samples of a pixel together
        t.TILE_WIDTH: integers(LONG, tile[1]),
        t.TILE_HEIGHT: integers(LONG, tile[0]),
    }


def _identity() -> Directory:
    return {t.SOFTWARE: text(f"burstsr {__version__}"), t.DNG_VERSION: _VERSION_1_4, t.DNG_BACKWARD: _VERSION_1_4}


def _crop_tags(result: Result) -> Directory:
    """Whole numbers where the scaled crop falls on pixels, fractions where it does not."""
    top, left, bottom, right = result.crop
    directory = {}
    for code, pair in ((t.CROP_ORIGIN, (left, top)), (t.CROP_SIZE, (right - left, bottom - top))):
        whole = all(abs(value - round(value)) < 1e-6 for value in pair)
        directory[code] = integers(LONG, *map(round, pair)) if whole else rationals(pair, RATIONAL)
    return directory


def _description(info: FrameInfo, *, with_colour: bool, with_neutral: bool) -> Directory:
    """Camera, orientation and colour as tags."""
    camera = info.camera or "Unknown"
    directory = {
        t.MAKE: text(camera.split()[0]),
        t.MODEL: text(camera),
        **camera_tags(info),
        t.ORIENTATION: integers(SHORT, info.orientation),
        t.UNIQUE_MODEL: text(camera),
        t.BASELINE_EXPOSURE: rationals([0.0], SRATIONAL),
    }
    if with_colour:
        matrix = NOMINAL_XYZ_TO_CAMERA if info.colour.xyz_to_camera is None else info.colour.xyz_to_camera
        directory[t.MATRIX_1] = rationals(matrix.ravel(), SRATIONAL)
        directory[t.ILLUMINANT_1] = integers(SHORT, t.D65)
    if with_neutral:
        directory[t.NEUTRAL] = rationals(info.colour.as_shot_neutral)
    return directory


def _provenance_tag(result: Result, inherited_xmp: Entry | None) -> Directory:
    if result.provenance is None:
        return {}
    return {t.XMP: Entry(BYTE, packet(result.provenance, inherited_xmp.data if inherited_xmp else None))}


def _noise_tag(noise: Noise | None) -> Directory:
    return {} if noise is None else {t.NOISE_PROFILE: doubles(np.stack([noise.alpha, noise.beta], axis=1).ravel())}
