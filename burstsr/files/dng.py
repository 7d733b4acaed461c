"""DNG out: the merged picture (LinearRaw) and simulated frames (CFA).

Uncompressed strips and lossless JPEG tiles are the two layouts that Adobe's SDK, LibRaw, dcraw, darktable and RawTherapee all decode to the same
numbers; the picture takes the former, which costs nothing to write, the mosaic the latter, at two thirds of the size.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from burstsr import __version__
from burstsr.files import tags as t
from burstsr.files import tiff
from burstsr.files.atomic import atomic
from burstsr.files.copied import inherited
from burstsr.files.tiff import BYTE, LONG, SHORT, SRATIONAL, UNDEFINED, Directory, Entry, doubles, integers, rationals, text
from burstsr.files.xmp import packet
from burstsr.ground.burst import Frame, FrameInfo, Picture
from burstsr.ground.errors import OutputError
from burstsr.ground.noise import Noise

# Nominal colour of a camera nobody knows: its RGB is linear sRGB (IEC 61966-2-1, D65)
NOMINAL_XYZ_TO_CAMERA = np.array([[3.2404542, -1.5371385, -0.4985314], [-0.969266, 1.8760108, 0.041556], [0.0556434, -0.2040259, 1.0572252]])
_STRIP_BYTES = 1 << 20
_TILE = 512
_CROP_INSET = 8  # pixels that demosaicing spoils at the border; Adobe's SDK warns of less
_VERSION_1_4 = integers(BYTE, 1, 4, 0, 0)
_NONE, _LOSSLESS_JPEG = 1, 7


def write_dng(path: str | Path, picture: Picture) -> None:
    """`picture` as 16-bit LinearRaw: camera RGB clipped to 0 .. 1, BlackLevel 0, WhiteLevel 65535 = 1.0, neither white-balanced nor oriented.

    Inherits colour, EXIF, GPS, XMP and orientation of the reference's file if it is there (`files.copied`), else they come from its FrameInfo; a camera
    without a matrix gets NOMINAL_XYZ_TO_CAMERA. NoiseProfile is `picture.noise`. Raises OutputError, also beyond 4 GB.
    """
    height, width = picture.rgb.shape[:2]
    rows = max(1, _STRIP_BYTES // (width * 6))
    first, exif, gps = inherited(picture.reference.path)
    directory = {
        **_description(picture.reference, with_colour=t.MATRIX_1 not in first, with_neutral=not {t.NEUTRAL, t.WHITE_XY} & set(first)),
        **first,
        t.ORIENTATION: integers(SHORT, picture.reference.orientation),
        **_layout(height, width, samples=3, bits=16, compression=_NONE, photometric=t.LINEAR_PHOTOMETRIC),
        278: integers(LONG, rows),
        t.BLACK_REPEAT: integers(SHORT, 1, 1),
        t.BLACK: integers(LONG, 0, 0, 0),
        t.WHITE: integers(LONG, 65535, 65535, 65535),
        t.CROP_ORIGIN: integers(LONG, 0, 0),
        t.CROP_SIZE: integers(LONG, width, height),
        **_noise_tag(picture.noise),
        **_provenance_tag(picture, first.get(t.XMP)),
    }
    inner = {tiff.EXIF_DIRECTORY: {**exposure_tags(picture.reference), **exif}, tiff.GPS_DIRECTORY: gps}
    _write(path, directory, _strips(picture.rgb, rows), tiff.STRIP_OFFSETS, inner)


def write_cfa_dng(path: str | Path, frame: Frame, bits: int = 14, extra: Directory | None = None) -> None:
    """`frame` as a CFA DNG in lossless JPEG tiles; `read_frame` and LibRaw give back the very numbers and levels.

    bits: of a raw number, 10 to 16; raised to what the mosaic and the white level need. extra: tags to add or replace, by code. Raises OutputError.
    """
    info = frame.info
    height, width = info.shape
    bits = max(bits, 10, int(max(frame.mosaic.max(), info.levels.white)).bit_length())
    tile_height, tile_width = (min(_TILE, max(16, length // 16 * 16)) for length in info.shape)  # LibRaw misreads a tile wider than the picture
    tile_width -= 16 if 2 * tile_width == width else 0  # nor two tiles that make up the width
    inset = _CROP_INSET if min(info.shape) >= 4 * _CROP_INSET else 0
    directory = {
        **_description(info, with_colour=True, with_neutral=True),
        **_layout(height, width, samples=1, bits=bits, compression=_LOSSLESS_JPEG, photometric=t.CFA_PHOTOMETRIC),
        322: integers(LONG, tile_width),
        323: integers(LONG, tile_height),
        t.CFA_REPEAT: integers(SHORT, 2, 2),
        t.CFA_PATTERN: integers(BYTE, *info.cfa.ravel().tolist()),
        t.CFA_PLANE_COLOUR: integers(BYTE, 0, 1, 2),
        t.CFA_LAYOUT: integers(SHORT, 1),
        t.BLACK_REPEAT: integers(SHORT, 2, 2),
        t.BLACK: rationals(info.levels.black.ravel()),
        t.WHITE: integers(LONG, round(info.levels.white)),
        t.ACTIVE_AREA: integers(LONG, 0, 0, height, width),
        t.CROP_ORIGIN: integers(LONG, inset, inset),
        t.CROP_SIZE: integers(LONG, width - 2 * inset, height - 2 * inset),
        **_noise_tag(info.noise),
        **(extra or {}),
    }
    _write(path, directory, _tiles(frame.mosaic, tile_height, tile_width, bits), tiff.TILE_OFFSETS, {tiff.EXIF_DIRECTORY: exposure_tags(info)})


def _write(path: str | Path, directory: Directory, pixels: Iterator[bytes], offsets_tag: int, inner: dict[int, Directory]) -> None:
    with atomic(path) as temporary, open(temporary, "wb") as file:
        try:
            tiff.write_tiff(file, directory, pixels, offsets_tag, inner)
        except OverflowError as error:
            raise OutputError(f"{path}: the picture is too large for a DNG ({error})") from error


def _layout(height: int, width: int, *, samples: int, bits: int, compression: int, photometric: int) -> Directory:
    return {
        t.SUBFILE: integers(LONG, 0),
        t.WIDTH: integers(LONG, width),
        t.HEIGHT: integers(LONG, height),
        t.BITS: integers(SHORT, *[bits] * samples),
        t.COMPRESSION: integers(SHORT, compression),
        t.PHOTOMETRIC: integers(SHORT, photometric),
        t.SAMPLES: integers(SHORT, samples),
        284: integers(SHORT, 1),  # PlanarConfiguration: the samples of a pixel together
        t.SOFTWARE: text(f"burstsr {__version__}"),
        t.DNG_VERSION: _VERSION_1_4,
        t.DNG_BACKWARD: _VERSION_1_4,
    }


def _description(info: FrameInfo, *, with_colour: bool, with_neutral: bool) -> Directory:
    """Camera, orientation and colour as tags."""
    camera = info.camera or "Unknown"
    directory = {
        t.MAKE: text(camera.split()[0]),
        t.MODEL: text(camera),
        t.ORIENTATION: integers(SHORT, info.orientation),
        t.UNIQUE_MODEL: text(camera),
        t.BASELINE_EXPOSURE: rationals([0.0], SRATIONAL),
    }
    if info.time is not None:
        directory[t.DATE_TIME] = text(f"{info.time:%Y:%m:%d %H:%M:%S}")
    if with_colour:
        matrix = NOMINAL_XYZ_TO_CAMERA if info.colour.xyz_to_camera is None else info.colour.xyz_to_camera
        directory[t.MATRIX_1] = rationals(matrix.ravel(), SRATIONAL)
        directory[t.ILLUMINANT_1] = integers(SHORT, t.D65)
    if with_neutral:
        directory[t.NEUTRAL] = rationals(info.colour.as_shot_neutral)
    return directory


def exposure_tags(info: FrameInfo) -> Directory:
    """An Exif directory of what is known of the exposure."""
    directory: dict[int, Entry] = {t.EXIF_VERSION: Entry(UNDEFINED, b"0230")}
    for code, value in ((t.EXPOSURE, info.exposure_s), (t.F_NUMBER, info.aperture), (t.FOCAL, info.focal_mm)):
        if value > 0:
            directory[code] = rationals([value])
    if info.iso > 0:
        directory[t.ISO] = integers(SHORT, min(round(info.iso), 65535))
    if info.time is not None:
        directory[t.TAKEN] = text(f"{info.time:%Y:%m:%d %H:%M:%S}")
        if info.time.microsecond:
            directory[t.SUBSECONDS_TAKEN] = text(f"{info.time.microsecond:06d}")
    return directory


def _provenance_tag(picture: Picture, inherited_xmp: Entry | None) -> Directory:
    if picture.provenance is None:
        return {}
    return {t.XMP: Entry(BYTE, packet(picture.provenance, inherited_xmp.data if inherited_xmp else None))}


def _noise_tag(noise: Noise | None) -> Directory:
    return {} if noise is None else {t.NOISE_PROFILE: doubles(np.stack([noise.alpha, noise.beta], axis=1).ravel())}


def _strips(rgb: NDArray[np.float32], rows: int) -> Iterator[bytes]:
    for first in range(0, rgb.shape[0], rows):
        yield np.rint(np.clip(rgb[first : first + rows], 0, 1) * np.float32(65535)).astype("<u2").tobytes()


def _tiles(mosaic: NDArray[np.uint16], tile_height: int, tile_width: int, bits: int) -> Iterator[bytes]:
    """Lossless JPEG of each tile as two components of half the width, so that the predictor compares sites of one colour."""
    for y in range(0, mosaic.shape[0], tile_height):
        for x in range(0, mosaic.shape[1], tile_width):
            tile = mosaic[y : y + tile_height, x : x + tile_width]
            missing = [(0, tile_height - tile.shape[0]), (0, tile_width - tile.shape[1])]
            full = np.ascontiguousarray(np.pad(tile, missing, mode="reflect"))  # reflection keeps the CFA's order
            pair = full.reshape(tile_height, tile_width // 2, 2)
            yield bytes(imagecodecs.jpeg8_encode(pair, lossless=True, predictor=1, bitspersample=bits))
