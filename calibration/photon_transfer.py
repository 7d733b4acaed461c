"""Noise from flat fields: variance against mean (Janesick 2007, "Photon Transfer", chapters 4 to 6; EMVA 1288, release 4.0, chapter 6).

Differences between frames of one exposure are temporal noise; what they share is the non-uniformity of the pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.censored_normal import unclipped_moments
from burstsr.core.errors import BurstError
from burstsr.noise import NoiseFit, Points, fit
from burstsr.profiles.records import NoiseRecord, now, triple
from calibration.checks import check_darks, check_flats

Doubles = NDArray[np.float64]
_BLOCK = 16  # side of a block, in samples of a CFA site
_BINS = 16  # levels per exposure, spread by vignetting
_CLIPPED = 0.002  # share of a block's samples that may be saturated
_CERTAIN_DN = 1.0  # largest accepted standard error of the extrapolated black level
_OUTLIER = 6.0  # sigma beyond which a pixel's difference is an outlier
_MID = 0.5  # preferred level for measuring PRNU
_FEWEST = 2
_ENDLESS = 1e9


@dataclass(frozen=True)
class _Site:
    """Blocks of one CFA site of one exposure, DN. mean, variance, fixed: (n,); fixed: variance over pixels of the mean over frames, minus noise."""

    mean: Doubles
    variance: Doubles
    fixed: Doubles
    degrees: float


def photon_transfer(flats: Sequence[Sequence[Frame]], darks: Sequence[Frame] = ()) -> NoiseRecord:
    """Measure the noise of the camera from flat fields, a sequence of two or more frames per exposure, and darks (optional).

    Black level: the darks' mean; without darks, where exposure times differ, the extrapolation to zero exposure, if certain to 1 DN; else the files'.
    Vignetting, dust and PRNU do not matter; flicker matters little: each frame's mean is subtracted.
    Raises BurstError for less than two exposures (darks count as one) of at least two frames, and for frames rejected by `calibration.checks`.
    """
    groups = [list(group) for group in flats if len(group) >= _FEWEST]
    if len(groups) + (len(darks) >= _FEWEST) < _FEWEST:
        raise BurstError(f"{len(groups)} flat exposures and {len(darks)} darks: at least two exposures of two or more frames are required")
    check_darks(darks, groups)
    check_flats(groups, int(len(darks) >= _FEWEST))
    info = (groups[0] if groups else list(darks))[0].info
    white = info.levels.white
    everything = groups + ([list(darks)] if len(darks) >= _FEWEST else [])
    mono = info.cfa.is_mono  # whose record has three channels alike
    pattern = np.zeros((2, 2), np.uint8) if mono else np.array(info.cfa)
    sites = [[_site(group, site, pattern.shape, white) for group in everything] for site in np.ndindex(pattern.shape)]
    file_black = info.levels.black[np.ix_(*(np.arange(n) % 2 for n in pattern.shape))]
    black = _black(groups, sites, len(darks) >= _FEWEST, file_black)
    scale = 1 / (white - black.ravel())
    of = [np.flatnonzero(pattern.ravel() == (0 if mono else c)) for c in range(3)]
    points = [_points([(sites[k], black.ravel()[k], scale[k]) for k in channel]) for channel in of]
    found = fit((points[0], points[1], points[2]), float((-black.ravel() * scale).max()))
    return _record(found, black, groups, darks, of, sites)


def _record(
    found: NoiseFit, black: Doubles, groups: list[list[Frame]], darks: Sequence[Frame], of: list[NDArray[np.int64]], sites: list[list[_Site]]
) -> NoiseRecord:
    info = (groups[0] if groups else list(darks))[0].info
    cell = np.array([[black[i::2, j::2].mean() for j in (0, 1)] for i in (0, 1)])  # of a larger pattern: what its sites have in common
    span = np.array([info.levels.white - black.ravel()[k].mean() for k in of])
    gain = 1 / np.maximum(found.noise.alpha * span, 1e-12)
    read = np.sqrt(found.noise.beta) * span
    return NoiseRecord(
        camera=info.camera,
        iso=info.iso,
        date=now(),
        method="photon transfer",
        alpha=triple(found.noise.alpha),
        beta=triple(found.noise.beta),
        alpha_error=triple(found.alpha_error),
        beta_error=triple(found.beta_error),
        black_dn=((float(cell[0, 0]), float(cell[0, 1])), (float(cell[1, 0]), float(cell[1, 1]))),
        white_dn=info.levels.white,
        read_noise_dn=triple(read),
        row_noise_dn=_row_noise(darks or groups[0]),
        gain_e_per_dn=triple(gain),
        full_well_e=triple(gain * span),
        read_noise_e=triple(read * gain),
        prnu=_prnu(sites, black.ravel(), span, of, len(groups)),
        level=tuple(tuple(map(float, p.level)) for p in found.points),
        variance=tuple(tuple(map(float, p.variance)) for p in found.points),
    )


def _site(group: Sequence[Frame], site: tuple[int, ...], period: tuple[int, ...], white: float) -> _Site:
    """Return means and variances of complete, unsaturated blocks."""
    planes: Doubles = np.stack([frame.mosaic[site[0] :: period[0], site[1] :: period[1]] for frame in group]).astype(np.float64)
    count = len(planes)
    height, width = (length // _BLOCK * _BLOCK for length in planes.shape[1:])
    blocks = planes[:, :height, :width].reshape(count, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).transpose(0, 1, 3, 2, 4)
    blocks = blocks.reshape(count, -1, _BLOCK * _BLOCK)
    usable = (blocks >= white).mean(axis=(0, 2)) <= _CLIPPED
    blocks = blocks[:, usable]
    flicker = blocks.mean(axis=(1, 2), keepdims=True) - blocks.mean() if blocks.size else 0.0
    blocks = blocks - flicker
    centre = blocks.mean(axis=0)
    squares = ((blocks - centre) ** 2).sum(axis=0) / (count - 1)
    typical = np.asarray(squares.mean(axis=1, keepdims=True)) if squares.size else squares
    sound = squares <= _OUTLIER**2 * np.maximum(typical, 1e-9)
    variance = np.where(sound, squares, 0.0).sum(axis=1) / np.maximum(sound.sum(axis=1), 1)
    middle = centre.reshape(-1, _BLOCK, _BLOCK)
    second = (middle[:, 1:-1, 1:-1] * 4 - 2 * (middle[:, :-2, 1:-1] + middle[:, 2:, 1:-1] + middle[:, 1:-1, :-2] + middle[:, 1:-1, 2:])) / 6
    second += (middle[:, :-2, :-2] + middle[:, :-2, 2:] + middle[:, 2:, :-2] + middle[:, 2:, 2:]) / 6
    return _Site(centre.mean(axis=1), variance, (second**2).mean(axis=(1, 2)) - variance / count, float((count - 1) * _BLOCK**2))


def _black(groups: list[list[Frame]], sites: list[list[_Site]], darks: bool, file_black: Doubles) -> Doubles:
    """Return the black level, DN, by site of the pattern. darks: whether the last exposure of each site is a dark."""
    black = file_black.astype(np.float64).copy()
    seconds = np.array([group[0].info.exposure_s for group in groups])
    for k, (i, j) in enumerate(np.ndindex(black.shape)):
        if darks:
            black[i, j] = _level_dn(sites[k][-1])
            continue
        most = max(seen.mean.size for seen in sites[k])
        whole = np.array([seen.mean.size == most for seen in sites[k]]) & (seconds > 0)
        if len(set(seconds[whole].tolist())) < 3:
            continue
        means = np.array([_level_dn(seen) for seen, use in zip(sites[k], whole, strict=True) if use])
        design = np.stack([seconds[whole], np.ones(len(means))], axis=1) / means[:, None]  # relative errors, as exposure times have
        solution, _, _, _ = np.linalg.lstsq(design, np.ones(len(means)), rcond=None)
        residual = design @ solution - 1
        error = np.sqrt(np.linalg.inv(design.T @ design)[1, 1] * float(residual @ residual) / (len(means) - 2))
        if error <= _CERTAIN_DN:
            black[i, j] = solution[1]
    return black


def _level_dn(seen: _Site) -> float:
    """Return the mean level before clipping at 0, DN; in darks, blocks with hot pixels are excluded."""
    level, _ = unclipped_moments(seen.mean, seen.variance, 0.0, _ENDLESS)
    middle = float(np.median(level))
    spread = 1.4826 * float(np.median(np.abs(level - middle))) + 1e-3
    near = np.abs(level - middle) < _OUTLIER * spread
    return float(level[near].mean())


def _points(of_sites: list[tuple[list[_Site], float, float]]) -> Points:
    """Return the points of one channel in normalised units: blocks of every exposure, grouped by level."""
    found = []
    for sites, black, scale in of_sites:
        for seen in sites:
            for part in np.array_split(np.argsort(seen.mean), min(_BINS, max(seen.mean.size // 4, 1))) if seen.mean.size else []:
                level, variance = (float(seen.mean[part].mean()) - black) * scale, float(seen.variance[part].mean()) * scale**2
                found.append((level, variance, np.sqrt(2 / (seen.degrees * part.size)), 0.0, 0.0))
    return Points(*np.ascontiguousarray(np.array(found, np.float64).reshape(-1, 5).T))


def _row_noise(frames: Sequence[Frame]) -> float:
    """Return the standard deviation of temporal row noise, DN."""
    found = []
    for a, b in zip(frames, frames[1:], strict=False):
        difference = a.mosaic.astype(np.float64) - b.mosaic
        rows = np.stack([difference[:, k::2].mean(axis=1) for k in (0, 1)])
        found.append(float(np.mean((rows[0] - rows[0].mean()) * (rows[1] - rows[1].mean()))) / 2)  # noise of individual pixels is independent in the halves
    return float(np.sqrt(max(float(np.mean(found)), 0.0)))


def _prnu(sites: list[list[_Site]], black: Doubles, span: Doubles, of: list[NDArray[np.int64]], flats: int) -> tuple[float, float, float] | None:
    """Return the standard deviation of the pixels' sensitivity, at the flat nearest to half of saturation."""
    if not flats:
        return None
    found = np.zeros(3)
    for c, channel in enumerate(of):
        shares = []
        for k in channel:
            usable = [s for s in sites[k][:flats] if s.mean.size]
            if usable:
                nearest = min(usable, key=lambda s: abs(float(s.mean.mean()) - black[k] - _MID * span[c]))
                shares.append(float(np.mean(nearest.fixed)) / max(float(np.mean(nearest.mean - black[k])), 1.0) ** 2)
        found[c] = np.sqrt(max(float(np.mean(shares)), 0.0)) if shares else 0.0
    return triple(found)
