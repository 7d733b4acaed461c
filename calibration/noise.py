"""Noise records from flat fields and darks, from a burst, or from a published table of cameras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from burstsr.align import Aligner
from burstsr.core.burst import Burst, Frame, FrameInfo
from burstsr.core.errors import BurstError, SettingsError
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.remosaic import as_bayer
from burstsr.core.sensor import cells
from burstsr.io.raw import read_frame
from burstsr.noise import NoiseFit, estimate, measure, measure_frame
from burstsr.profiles.records import BURST, FRAME, NoiseRecord, now, triple
from burstsr.settings import AlignSettings
from burstsr.simulate.noise_profiles import camera_line
from calibration.checks import check_burst_light
from calibration.photon_transfer import photon_transfer

Pair = tuple[ArrayLike, ArrayLike]
_UNKNOWN = (("alpha", 0.08), ("beta", 0.5))  # relative errors beyond which a value is called unknown
_GRID = 12  # sampled positions per side of a frame for the test of flatness
_FLAT = 0.05  # tolerated relative standard deviation from a smooth surface


@dataclass(frozen=True)
class Flats:
    """Files of one camera at one ISO, by exposure."""

    camera: str
    iso: float
    exposures: tuple[tuple[FrameInfo, ...], ...]


def make_aligner(reference: Frame, noise: Noise) -> Callable[[Frame], Flow]:
    """Return a function that estimates flows against a reference, as in the pipeline."""
    return Aligner(reference, noise, AlignSettings(refine=False)).estimate_flow


def noise_from_burst(burst: Burst) -> NoiseRecord:
    """Measure noise from a burst of any scene, hand-held or not (`burstsr.noise.measure`). Raises BurstError for fewer than three frames."""
    check_burst_light(burst)
    rough = estimate(burst.frames[len(burst) // 2])
    return _record(burst.info, BURST, measure(burst, rough, make_aligner, most_windows=8))


def noise_from_frame(frame: Frame) -> NoiseRecord:
    """Measure noise from the calmest parts of a single frame (`burstsr.noise.measure_frame`): an upper bound where none of a level is flat."""
    check_burst_light(Burst("frame", (frame,)))
    return _record(frame.info, FRAME, measure_frame(frame))


def _record(info: FrameInfo, method: str, found: NoiseFit) -> NoiseRecord:
    black = info.levels.black
    return NoiseRecord(
        camera=info.camera,
        iso=info.iso,
        date=now(),
        method=method,
        alpha=triple(found.noise.alpha),
        beta=triple(found.noise.beta),
        alpha_error=triple(found.alpha_error),
        beta_error=triple(found.beta_error),
        unknown=hardly_known((found.noise.alpha, found.alpha_error), (found.noise.beta, found.beta_error)),
        white_dn=info.levels.white,
        black_dn=((float(black[0, 0]), float(black[0, 1])), (float(black[1, 0]), float(black[1, 1]))),
        level=tuple(tuple(map(float, p.level)) for p in found.points),
        variance=tuple(tuple(map(float, p.variance - p.structure)) for p in found.points),
    )


def hardly_known(alpha: Pair, beta: Pair) -> tuple[str, ...] | None:
    """Return which of alpha and beta, each (values, standard errors) of R, G, B, have a channel whose relative error is too large; None for neither."""
    worst = [float((np.array(error) / np.maximum(value, 1e-30)).max()) for value, error in (alpha, beta)]
    return tuple(name for (name, most), found in zip(_UNKNOWN, worst, strict=True) if found > most) or None


def noise_from_flats(flats: Flats, darks: Sequence[FrameInfo] = ()) -> NoiseRecord:
    """Measure noise from flat fields and darks (`photon_transfer`). Raises BurstError for too few, or for darks of another camera, ISO or size."""
    first = flats.exposures[0][0]
    for info in darks:
        if (info.camera, info.iso, info.shape) != (first.camera, first.iso, first.shape):
            dark, flat = (f"{i.path}, {i.camera}, ISO {i.iso:g}, {i.shape[1]} x {i.shape[0]}" for i in (info, first))
            raise BurstError(f"dark ({dark}) and flat ({flat}) do not match: camera, ISO and size must agree")
    return photon_transfer([[read_frame(i.path) for i in group] for group in flats.exposures], [read_frame(i.path) for i in darks])


def noise_from_table(table: Path, camera: str, iso: float) -> NoiseRecord:
    """Read the noise of a camera from darktable's noiseprofiles.json, interpolated over ISO, negative betas as they are.

    Raises InputFileError, SettingsError for an unknown camera.
    """
    alpha, beta = camera_line(table, camera, iso)
    alpha = np.maximum(alpha, 0)
    if not np.any(alpha + beta > 0):
        raise SettingsError(f"{table}: {camera} at ISO {iso:g} has no positive alpha or beta")
    return NoiseRecord(camera, float(iso), now(), "darktable", triple(alpha), triple(beta))


def combined(records: Sequence[NoiseRecord]) -> NoiseRecord:
    """Combine records of the same camera and ISO: means weighted by their errors."""
    if len(records) == 1:
        return records[0]
    found, errors = [], []
    for name in ("alpha", "beta"):
        values = np.array([getattr(r, name) for r in records])
        weight = 1 / np.maximum([getattr(r, f"{name}_error") or (1, 1, 1) for r in records], 1e-12) ** 2
        found.append(triple((values * weight).sum(axis=0) / weight.sum(axis=0)))
        errors.append(triple(1 / np.sqrt(weight.sum(axis=0))))
    r = records[0]
    unknown = None if all(r.unknown is None for r in records) else hardly_known((found[0], errors[0]), (found[1], errors[1]))
    return NoiseRecord(r.camera, r.iso, now(), r.method, found[0], found[1], errors[0], errors[1], r.black_dn, r.white_dn, unknown=unknown)


def as_flats(infos: Sequence[FrameInfo]) -> list[Flats]:
    """Group files by camera, size and ISO, and each group by exposure time, shortest first."""
    found: dict[tuple[str, tuple[int, int], float], dict[float, list[FrameInfo]]] = {}
    for info in infos:
        found.setdefault((info.camera, info.shape, info.iso), {}).setdefault(info.exposure_s, []).append(info)
    return [Flats(camera, iso, tuple(tuple(e[s]) for s in sorted(e))) for (camera, _, iso), e in sorted(found.items(), key=lambda item: item[0][2])]


def uneven(infos: Sequence[FrameInfo]) -> FrameInfo | None:
    """Return the first frame that is not a flat field: it differs from a smooth surface by 5 % of its mean or more. None if all are."""
    return next((info for info in infos if not _deviation(read_frame(info.path)) < _FLAT), None)


def _deviation(frame: Frame) -> float:
    green = cells(as_bayer(frame))[..., 1].astype(np.float64)
    height, width = (n // _GRID for n in green.shape)
    if not height or not width:
        return 1.0
    means = green[: height * _GRID, : width * _GRID].reshape(_GRID, height, _GRID, width).mean(axis=(1, 3))
    y, x = (v.ravel() for v in np.meshgrid(*(np.linspace(-1, 1, n) for n in means.shape), indexing="ij"))
    design = np.stack([np.ones_like(y), y, x, y * y, y * x, x * x], axis=1)
    solution, _, _, _ = np.linalg.lstsq(design, means.ravel(), rcond=None)
    return float((means.ravel() - design @ solution).std() / max(abs(float(means.mean())), 1e-3))
