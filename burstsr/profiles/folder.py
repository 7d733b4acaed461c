"""The user's profile folder, and the selection of records for a burst."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from burstsr.core.burst import FrameInfo
from burstsr.core.errors import InputFileError, SettingsError
from burstsr.profiles.files import SUFFIXES, read_record
from burstsr.profiles.records import BURST, EDGE, FRAME, ColourRecord, DefectRecord, LensRecord, NoiseRecord, Record, now, triple

_LOG = logging.getLogger("burstsr.calibration")
FOLDER_VARIABLE = "BURSTSR_PROFILES"
_SAME_ISO = 0.02  # relative tolerance for equal ISO
_FARTHEST_ISO = 4.0  # maximum extrapolation factor of a fit over ISO


@dataclass(frozen=True)
class Matched:
    """Calibration of a burst's camera; None where unknown. sources: the file of each of `noise`, `lens`, `defects` and `colour`."""

    noise: NoiseRecord | None
    lens: LensRecord | None
    defects: DefectRecord | None
    sources: Mapping[str, str]
    colour: ColourRecord | None = None


def profile_folder(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Return the folder of the user's records: BURSTSR_PROFILES, else `burstsr/profiles` in the platform's configuration folder."""
    if environment.get(FOLDER_VARIABLE):
        return Path(environment[FOLDER_VARIABLE])
    home = Path(environment.get("USERPROFILE" if platform == "win32" else "HOME") or Path.home())
    if platform == "win32":
        base = Path(environment.get("APPDATA") or home / "AppData" / "Roaming")
    elif platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    return base / "burstsr" / "profiles"


def file_name(record: Record) -> str:
    """Return the file name of a record in the folder: camera, kind, ISO, without blanks or special characters."""
    camera = re.sub(r"[^a-z0-9]+", "-", record.camera.casefold()).strip("-") or "unknown"
    if isinstance(record, LensRecord):
        last = "".join([f"-{record.focal_mm:g}mm" if record.focal_mm else "", f"-f{record.aperture:g}" if record.aperture else ""])
    else:
        last = "" if isinstance(record, ColourRecord) else f"-iso{record.iso:g}"
    return f"{camera}-{record.kind}{last}.json"


def read_profiles(folder: Path) -> list[tuple[Path, Record]]:
    """Read all records of a folder, by name; other files are ignored and logged. [] where the folder does not exist."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            try:
                found.append((path, read_record(path)))
            except InputFileError as error:
                _LOG.warning("ignored: %s", error)
    return found


def match(records: Iterable[tuple[Path, Record]], info: FrameInfo) -> Matched:
    """Select the records for a frame's camera: noise at its ISO, or fitted over ISO; the lens at its aperture and focal length; defects of its size.

    A lens measured from a burst may be of blur that is not there, and is only used where it is named (`--profile`). Noise measured from a burst is
    less certain than the file's own NoiseProfile, which it does not replace, and than flat fields. Noise measured from a single frame is never selected.
    """
    own = [(path, record) for path, record in records if _same_camera(record.camera, info.camera)]
    exact_profile = info.noise is not None and bool(np.all(info.noise.alpha + info.noise.beta > 0))
    noises = [(path, r) for path, r in own if isinstance(r, NoiseRecord) and r.method != FRAME and not (exact_profile and r.method == BURST)]
    if any(r.method != BURST for _, r in noises):
        noises = [(path, r) for path, r in noises if r.method != BURST]
    exact = [(path, r) for path, r in noises if abs(r.iso - info.iso) <= _SAME_ISO * info.iso]
    sources: dict[str, str] = {}
    noise = max(exact, key=lambda item: item[1].date)[1] if exact else None
    if noise is not None:
        sources["noise"] = str(next(path for path, r in exact if r is noise))
    elif noises and info.iso > 0 and min(r.iso for _, r in noises) / _FARTHEST_ISO <= info.iso <= max(r.iso for _, r in noises) * _FARTHEST_ISO:
        noise = over_iso([r for _, r in noises], info.iso)
        sources["noise"] = f"{', '.join(path.name for path, _ in noises)} in {noises[0][0].parent}, at ISO {info.iso:g}"
    lens = _latest([(p, r) for p, r in own if isinstance(r, LensRecord) and r.method == EDGE and _same_lens(r, info)], sources, "lens")
    defects = _latest([(p, r) for p, r in own if isinstance(r, DefectRecord) and r.shape == info.shape], sources, "defects")
    colour = _latest([(p, r) for p, r in own if isinstance(r, ColourRecord)], sources, "colour")
    assert lens is None or isinstance(lens, LensRecord)
    assert defects is None or isinstance(defects, DefectRecord)
    assert colour is None or isinstance(colour, ColourRecord)
    return Matched(noise, lens, defects, sources, colour)


def over_iso(records: Sequence[NoiseRecord], iso: float) -> NoiseRecord:
    """Interpolate noise at `iso` from records at other ISOs: alpha = a0 + a1 ISO, beta = b0 + b1 ISO + b2 ISO^2, no coefficient negative.

    Least squares of relative errors. From a single record alpha grows with the ISO and beta with its square; from two beta has no linear term.
    Raises SettingsError for no records, or for an ISO that is not above 0.
    """
    if not records or not iso > 0 or min(r.iso for r in records) <= 0:
        raise SettingsError(f"iso = {iso:g}: a fit of noise over ISO requires ISO values above 0")
    from scipy.optimize import nnls  # takes long to import

    isos, unit = np.array([r.iso for r in records]), float(np.mean([r.iso for r in records]))
    powers = {1: ((1,), (2,)), 2: ((0, 1), (0, 2))}.get(len({r.iso for r in records}), ((0, 1), (0, 1, 2)))
    found = []
    for name, terms in zip(("alpha", "beta"), powers, strict=True):
        fitted = np.zeros(3)
        for channel in range(3):
            values = np.maximum([getattr(r, name)[channel] for r in records], 0.0)
            weight = 1 / np.maximum(values, 1e-3 * max(values.max(), 1e-15))
            design = np.stack([(isos / unit) ** p for p in terms], axis=1)
            coefficients, _ = nnls(design * weight[:, None], values * weight)
            fitted[channel] = sum(c * (iso / unit) ** p for c, p in zip(coefficients, terms, strict=True))
        found.append(triple(fitted))
    return NoiseRecord(records[0].camera, float(iso), now(), "interpolated over ISO", found[0], found[1])


def _same_camera(a: str, b: str) -> bool:
    """Whether two names mean the same camera, ignoring the maker, case and blanks."""
    a, b = (" ".join(name.casefold().split()) for name in (a, b))
    return bool(a and b) and (a == b or a.endswith(f" {b}") or b.endswith(f" {a}"))


def _same_lens(record: LensRecord, info: FrameInfo) -> bool:
    pairs = ((record.aperture, info.aperture), (record.focal_mm, info.focal_mm))
    return all(recorded is None or not recorded or not actual or abs(recorded - actual) <= 0.02 * actual for recorded, actual in pairs)


def _latest(found: Sequence[tuple[Path, Record]], sources: dict[str, str], name: str) -> Record | None:
    if not found:
        return None
    path, record = max(found, key=lambda item: item[1].date)
    sources[name] = str(path)
    return record
