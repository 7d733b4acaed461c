"""Noise from flat fields: variance against mean (Janesick 2007, "Photon Transfer", chapters 4 to 6; EMVA 1288, release 4.0, chapter 6).

Frames of one exposure show the same but for noise: what differs between them is temporal noise, what they share is the pixels' own sensitivity.
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
_BLOCK = 16  # samples of a CFA site along a block's side
_BINS = 16  # levels per exposure, which the lens's shading spreads
_CLIPPED = 0.002  # share of a block's samples that may be saturated
_CERTAIN_DN = 1.0  # standard error up to which the black level that exposure times say is believed
_OUTLIER = 6.0  # deviations beyond which a pixel's difference is no noise
_MID = 0.5  # level at which PRNU is measured, as near as there is one
_FEWEST = 2
_ENDLESS = 1e9


@dataclass(frozen=True)
class _Site:
    """One exposure's blocks of one CFA site, raw numbers. mean, variance, fixed: (n,); fixed: variance over pixels of the mean over frames, noise off."""

    mean: Doubles
    variance: Doubles
    fixed: Doubles
    degrees: float


def photon_transfer(flats: Sequence[Sequence[Frame]], darks: Sequence[Frame] = ()) -> NoiseRecord:
    """Noise of the camera from flat fields, a sequence of two or more frames per exposure, and darks (none are needed).

    Black level: the darks' mean; without darks, where exposure times differ, what no exposure would show, if that is certain to 1 DN; else the files'.
    Shading, dust and uneven pixels do no harm; light that flickers does little: each frame's mean is taken off.
    Raises BurstError for less than two exposures (darks count as one) of at least two frames, and for what `calibration.checks` refuses.
    """
    groups = [list(group) for group in flats if len(group) >= _FEWEST]
    if len(groups) + (len(darks) >= _FEWEST) < _FEWEST:
        raise BurstError(f"{len(groups)} flat exposures and {len(darks)} darks: at least two exposures of two or more frames are required")
    check_darks(darks, groups)
    check_flats(groups, int(len(darks) >= _FEWEST))
    info = (groups[0] if groups else list(darks))[0].info
    white = info.levels.white
    everything = groups + ([list(darks)] if len(darks) >= _FEWEST else [])
    sites = [[_site(group, site, white) for group in everything] for site in np.ndindex(2, 2)]
    black = _black(groups, sites, len(darks) >= _FEWEST, info.levels.black)
    scale = 1 / (white - black.ravel())
    of = [np.flatnonzero(info.cfa.ravel() == c) for c in range(3)]
    points = [_points([(sites[k], black.ravel()[k], scale[k]) for k in channel]) for channel in of]
    found = fit((points[0], points[1], points[2]), float((-black.ravel() * scale).max()))
    return _record(found, black, groups, darks, of, sites)


def _record(
    found: NoiseFit, black: Doubles, groups: list[list[Frame]], darks: Sequence[Frame], of: list[NDArray[np.int64]], sites: list[list[_Site]]
) -> NoiseRecord:
    info = (groups[0] if groups else list(darks))[0].info
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
        black_dn=((float(black[0, 0]), float(black[0, 1])), (float(black[1, 0]), float(black[1, 1]))),
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


def _site(group: Sequence[Frame], site: tuple[int, ...], white: float) -> _Site:
    """Means and variances of whole blocks that are not saturated."""
    planes: Doubles = np.stack([frame.mosaic[site[0] :: 2, site[1] :: 2] for frame in group]).astype(np.float64)
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


def _black(groups: list[list[Frame]], sites: list[list[_Site]], darks: bool, told: Doubles) -> Doubles:
    """(2, 2) black level, raw numbers, by site. darks: whether the last of each site's exposures is one."""
    black = told.astype(np.float64).copy()
    seconds = np.array([group[0].info.exposure_s for group in groups])
    for k, (i, j) in enumerate(np.ndindex(2, 2)):
        if darks:
            black[i, j] = _level_dn(sites[k][-1])
            continue
        most = max(seen.mean.size for seen in sites[k])
        whole = np.array([seen.mean.size == most for seen in sites[k]]) & (seconds > 0)
        if len(set(seconds[whole].tolist())) < 3:
            continue
        means = np.array([_level_dn(seen) for seen, use in zip(sites[k], whole, strict=True) if use])
        design = np.stack([seconds[whole], np.ones(len(means))], axis=1) / means[:, None]  # relative errors: exposure times are off by a share
        solution, _, _, _ = np.linalg.lstsq(design, np.ones(len(means)), rcond=None)
        residual = design @ solution - 1
        error = np.sqrt(np.linalg.inv(design.T @ design)[1, 1] * float(residual @ residual) / (len(means) - 2))
        if error <= _CERTAIN_DN:
            black[i, j] = solution[1]
    return black


def _level_dn(seen: _Site) -> float:
    """Mean level before clipping at 0, raw numbers; in darks, blocks with hot pixels are left out."""
    level, _ = unclipped_moments(seen.mean, seen.variance, 0.0, _ENDLESS)
    middle = float(np.median(level))
    spread = 1.4826 * float(np.median(np.abs(level - middle))) + 1e-3
    near = np.abs(level - middle) < _OUTLIER * spread
    return float(level[near].mean())


def _points(of_sites: list[tuple[list[_Site], float, float]]) -> Points:
    """Points of one channel in normalised units: blocks of every exposure, those of about one level together."""
    found = []
    for sites, black, scale in of_sites:
        for seen in sites:
            for part in np.array_split(np.argsort(seen.mean), min(_BINS, max(seen.mean.size // 4, 1))) if seen.mean.size else []:
                level, variance = (float(seen.mean[part].mean()) - black) * scale, float(seen.variance[part].mean()) * scale**2
                found.append((level, variance, np.sqrt(2 / (seen.degrees * part.size)), 0.0, 0.0))
    return Points(*np.ascontiguousarray(np.array(found, np.float64).reshape(-1, 5).T))


def _row_noise(frames: Sequence[Frame]) -> float:
    """Deviation of what a row shares in one frame and not in the next, raw numbers."""
    found = []
    for a, b in zip(frames, frames[1:], strict=False):
        difference = a.mosaic.astype(np.float64) - b.mosaic
        rows = np.stack([difference[:, k::2].mean(axis=1) for k in (0, 1)])
        found.append(float(np.mean((rows[0] - rows[0].mean()) * (rows[1] - rows[1].mean()))) / 2)  # pixels' own noise is not shared by the halves
    return float(np.sqrt(max(float(np.mean(found)), 0.0)))


def _prnu(sites: list[list[_Site]], black: Doubles, span: Doubles, of: list[NDArray[np.int64]], flats: int) -> tuple[float, float, float] | None:
    """Deviation of pixels' sensitivity, at the flat nearest to half of saturation."""
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
