"""Headers of FITS files (FITS standard 4.0; keywords of capture programs: SBFITSEXT, N.I.N.A., Siril, CCDCiel). astropy is loaded on first use."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import InputFileError

SUFFIXES = (".fits", ".fit", ".fts", ".fz")
_BLOCK, _CARD = 2880, 80
_START = b"SIMPLE  ="
_FRAME_TYPES = ("light", "dark", "flat", "bias")
_reading = threading.Lock()  # filters of warnings belong to the whole process
Header = Any  # astropy.io.fits.Header


def is_fits(path: Path) -> bool:
    """Whether a file begins as FITS files do. Never raises. A DNG, by its name, is not opened for this: thousands of them are looked at."""
    if path.suffix.lower() == ".dng":
        return False
    try:
        with open(path, "rb") as file:
            return file.read(len(_START)) == _START
    except OSError:
        return False


def is_own_fits(path: Path) -> bool:
    """Whether a FITS file is a result of this program. Never raises, and does without astropy."""
    try:
        with open(path, "rb") as file:
            head = file.read(_BLOCK)
    except OSError:
        return False
    cards = [head[at : at + _CARD] for at in range(0, len(head), _CARD)]
    return head.startswith(_START) and any(card.startswith(b"CREATOR = 'burstsr ") for card in cards)


def astropy_fits(path: Path) -> Any:  # noqa: ANN401  a module that most do not install
    """Return astropy.io.fits. Raises InputFileError that names the extra where it is not installed."""
    try:
        return import_module("astropy.io.fits")
    except ImportError as error:
        raise InputFileError(f"{path}: reading FITS requires the astropy package: pip install 'burstsr[astro]'") from error


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a FITS file, all headers read, values unscaled. Raises InputFileError where it is no valid FITS file, or its pixels cannot be read."""
    fits = astropy_fits(path)
    try:
        with _reading, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = fits.open(path, memmap=False, do_not_scale_image_data=True)
            len(file)
        with file:
            yield file
    except InputFileError:
        raise
    except Exception as error:  # astropy raises anything on damaged files
        raise InputFileError(f"{path}: truncated or corrupt FITS file ({error})") from error


def image_index(file: Any, path: Path) -> int:  # noqa: ANN401  astropy's list of HDUs
    """Return the index of the first HDU with an image: compressed files have an empty one first. Raises InputFileError."""
    for index, unit in enumerate(file):
        if unit.is_image and len(unit.shape) >= 2:
            return index
    raise InputFileError(f"{path}: a FITS file without an image")


def read_header(path: Path) -> Header:
    """Return the header of the first image, completed by that of the first HDU. Raises InputFileError, also for a truncated file."""
    with opened(path) as file:
        index = image_index(file, path)
        unit, size = file[index], path.stat().st_size
        place = unit.fileinfo() if index == 0 else None
        if place is not None and place["datLoc"] + unit.size > size:
            raise InputFileError(f"{path}: truncated: {place['datLoc'] + unit.size - size} bytes of its pixel data are beyond the end of the file at {size}")
        header = unit.header.copy()
        if index:
            for card in file[0].header.cards:
                if card.keyword and card.keyword not in header and card.keyword not in ("SIMPLE", "EXTEND"):
                    header.append(card)
        return header


def read_values(path: Path) -> NDArray[Any]:
    """Return the first image as stored, not scaled, in the machine's byte order. Raises InputFileError."""
    with opened(path) as file:
        values = np.asarray(file[image_index(file, path)].data)
        return values.astype(values.dtype.newbyteorder("="), copy=False)


def number(header: Header, *names: str) -> float | None:
    """Return the first keyword that is a finite number; None without one."""
    for name in names:
        value = _value(header, name)
        try:
            found = float(value) if value is not None and not isinstance(value, bool) else float("nan")
        except (TypeError, ValueError):
            continue
        if np.isfinite(found):
            return found
    return None


def text(header: Header, *names: str) -> str:
    """Return the first keyword that is text, stripped; '' without one."""
    return next((value.strip() for name in names if isinstance(value := _value(header, name), str) and value.strip()), "")


def capture_time(header: Header) -> datetime | None:
    """Return the start of the exposure, DATE-OBS (with TIME-OBS, if it has no time of its own), UTC; None where absent or unreadable."""
    day, clock = text(header, "DATE-OBS"), text(header, "TIME-OBS", "UT", "UTC")
    stated = day if "T" in day else f"{day}T{clock}" if clock else ""
    try:
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", stated.rstrip("Z")))
    except ValueError:
        return None


def frame_type(header: Header) -> str:
    """Return "light", "dark", "flat" or "bias" of IMAGETYP ("Light Frame", "FLAT", "Master Dark" ...); '' where it says none of them."""
    stated = text(header, "IMAGETYP", "FRAME").casefold()
    if "dark" in stated and "flat" in stated:
        return "dark"
    return next((kind for kind in _FRAME_TYPES if kind in stated), "")


def _value(header: Header, name: str) -> Any:  # noqa: ANN401  what a card holds
    try:
        return header.get(name)
    except Exception:  # a card that breaks the standard
        return None
