"""Reading of our own linear images of camera RGB, DNG and float TIFF."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
from numpy.typing import NDArray

from burstsr.core.burst import Colour, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.errors import InputFileError
from burstsr.io import tags as t
from burstsr.io import tiff
from burstsr.io.foreign import foreign_reader
from burstsr.io.image_size import check_page
from burstsr.io.plausible import LARGEST_DN, check_colour_tags, check_invertible, shot_values
from burstsr.io.tags import FileTags

CAMERA_LINEAR = "Linear camera RGB, not white-balanced: 0 is black, 1.0 is sensor saturation (WhiteLevel)"
GREY_LINEAR = "Linear, of a monochrome sensor: 0 is black, 1.0 is sensor saturation (WhiteLevel)"
_REDUCED = 1  # NewSubfileType of previews


class LinearDng(NamedTuple):
    """rgb: (H, W, 3) float32 linear camera RGB, or (H, W, 1) grey, 1.0 = saturation, as stored (not oriented). orientation: EXIF code 1 to 8."""

    rgb: NDArray[np.float32]
    colour: Colour
    orientation: int


def is_linear_dng(path: str | Path) -> bool:
    """Whether a file is a DNG of RGB pixels, not of a mosaic or monochrome."""
    try:
        tags = t.read_tags(Path(path))
        return tags.is_dng and tags.numbers(t.PHOTOMETRIC)[:1] == (t.LINEAR_PHOTOMETRIC,) and tags.numbers(t.SAMPLES)[:1] != (1,)
    except (OSError, ValueError, IndexError):
        return False


def linear_info(path: str | Path, image: LinearDng) -> FrameInfo:
    """Return the metadata of an image read by `read_linear_dng`; its mosaic, which no longer exists, is described as RGGB of 16 bits."""
    tags = t.read_tags(Path(path))
    levels = Levels(np.zeros((2, 2)), 65535.0)
    height, width = image.rgb.shape[:2]
    return FrameInfo(
        Path(path),
        (height, width),
        Cfa.parse("RGGB"),
        levels,
        image.colour,
        camera=t.camera_name(tags),
        orientation=image.orientation,
        **shot_values(Path(path), tags),
        time=t.capture_time(tags),
    )


def read_linear_dng(path: str | Path) -> LinearDng:
    """Read the image of a DNG that `write_dng` wrote. Raises InputFileError for any other file."""
    path = Path(path)
    with foreign_reader(path, "cannot be read"):
        tags = t.read_tags(path)
        photometric = tags.numbers(t.PHOTOMETRIC)
        if not tags.is_dng or not photometric or photometric[0] != t.LINEAR_PHOTOMETRIC:
            raise InputFileError(f"{path}: not a linear DNG as written by burstsr process")
        pixels = _linear_raw(path)
        white, black = tags.numbers(t.SATURATION) or tags.numbers(t.WHITE), tags.numbers(t.BLACK)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or any(black) or not white or not 1 <= white[0] <= LARGEST_DN:
        raise InputFileError(f"{path}: not a linear DNG as written by burstsr (1 or 3 x 16 bits, black level 0, white level 1 to 65535)")
    return _described(path, pixels.astype(np.float32) / np.float32(white[0]), tags)


def camera_colours(info: FrameInfo) -> tiff.Directory:
    """Read levels and colour from the DNG tags of a float TIFF."""
    directory = {t.BLACK: tiff.integers(tiff.LONG, 0), t.WHITE: tiff.integers(tiff.LONG, 1)}
    if info.cfa.is_mono:
        return directory
    directory[t.NEUTRAL] = tiff.rationals(info.colour.as_shot_neutral)
    if info.colour.xyz_to_camera is not None:
        directory[t.MATRIX_1] = tiff.rationals(info.colour.xyz_to_camera.ravel(), tiff.SRATIONAL)
        directory[t.ILLUMINANT_1] = tiff.integers(tiff.SHORT, t.D65)
    return directory


def read_linear_tiff(path: str | Path) -> LinearDng | None:
    """Read the image of a TIFF that `images.write_camera_tiff` wrote; None for another file. Raises InputFileError for a damaged one."""
    path = Path(path)
    with foreign_reader(path, "cannot be read"):
        tags = t.read_tags(path)
        if tags.is_dng or t.NEUTRAL not in tags.first or tags.numbers(t.SAMPLE_FORMAT)[:1] != (3,):
            return None
        with tifffile.TiffFile(path) as file:
            pixels = np.asarray(check_page(file.pages[0], path).asarray())
    if pixels.dtype != np.float32 or pixels.ndim != 3 or pixels.shape[2] != 3 or not np.isfinite(pixels).all():
        raise InputFileError(f"{path}: not a linear TIFF as written by burstsr (3 x 32 bits, finite)")
    return _described(path, pixels, tags)


def _linear_raw(path: Path) -> NDArray[np.generic]:
    """Return the LinearRaw pixels, from the first directory or one of its sub-directories."""
    with tifffile.TiffFile(path) as file:
        first: Any = file.pages[0]
        full = [page for page in (first, *(first.pages or ())) if page.photometric == t.LINEAR_PHOTOMETRIC and not page.subfiletype & _REDUCED]
        if not full:
            raise InputFileError(f"{path}: no full-size LinearRaw image in its first directory or its sub-directories")
        return np.asarray(check_page(full[0], path).asarray())


def _described(path: Path, rgb: NDArray[np.float32], tags: FileTags) -> LinearDng:
    if rgb.shape[2] == 1:
        return LinearDng(rgb, Colour(np.ones(1)), tags.orientation)
    check_colour_tags(path, tags)
    matrix = t.xyz_to_camera(tags)
    check_invertible(path, matrix)
    neutral = t.as_shot_neutral(tags, matrix)
    colour = Colour(np.ones(3) if neutral is None else neutral, matrix)
    return LinearDng(rgb, colour, tags.orientation)
