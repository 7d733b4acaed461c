"""DNG levels to sample units: black, white, noise, and the rescaling of mosaics whose black level or gain varies over the frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Levels
from burstsr.core.cfa import Cfa
from burstsr.core.errors import InputFileError
from burstsr.core.gain import GainField
from burstsr.core.noise import Noise
from burstsr.io import tags as t
from burstsr.io.opcodes import GainMap, gain_rows, read_gain_maps
from burstsr.io.plausible import check_level_tags
from burstsr.io.tags import FileTags

RESCALED_BLACK, RESCALED_WHITE = 4096.0, 65535.0  # DN of rescaled mosaics; the margin keeps noise below black
_ROWS = 256
_LONGEST_PERIOD = 64  # samples, of black levels that a file may repeat
_FIELD_POINTS = 64  # along each axis of what is kept of gains: maps have a few dozen


@dataclass(frozen=True)
class Rescaling:
    """What must be done to the numbers of a file before one black and one white describe them.

    levels: those of the file. delta_rows (H,), delta_columns (W,): DN of black on top of `levels`. maps: gains. shape: (H, W).
    """

    levels: Levels
    delta_rows: NDArray[np.float64]
    delta_columns: NDArray[np.float64]
    maps: list[GainMap]
    shape: tuple[int, int]

    @property
    def needed(self) -> bool:
        """Whether the file has anything beyond a (2, 2) black and a white level."""
        return bool(self.maps) or bool(np.any(self.delta_rows)) or bool(np.any(self.delta_columns))

    def mean_gain(self) -> float:
        """Return the mean gain over the frame, sampled at about 60 rows of CFA cells; gain maps have a few dozen points per side."""
        if not self.maps:
            return 1.0
        height = self.shape[0]
        return float(np.mean([gain_rows(self.maps, self.shape, row, min(row + 2, height)).mean() for row in range(0, height, max(16, height // 120 * 2))]))

    def gain_field(self, cfa: Cfa) -> GainField | None:
        """Gain of each colour by position, over `mean_gain`; None without maps. Maps are of sites in 2 x 2: for patterns other than Bayer their mean."""
        if not self.maps:
            return None
        (height, width), mean = self.shape, self.mean_gain()
        down, across = (min(length // 2, _FIELD_POINTS) for length in self.shape)
        rows, columns = (((np.arange(n) + 0.5) * length / n).astype(int) // 2 * 2 for n, length in ((down, height), (across, width)))
        gains = np.stack([gain_rows(self.maps, self.shape, int(row), int(row) + 2) for row in rows])
        sites = {site: gains[:, site[0]][:, columns + site[1]] for site in np.ndindex(2, 2)}
        points = [np.mean([gain for site, gain in sites.items() if not cfa.is_bayer or cfa[site] == channel], axis=0) for channel in range(3)]
        return GainField((np.stack(points) / mean).astype(np.float32), self.shape)

    def apply(self, mosaic: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """(H, W) uint16 with black RESCALED_BLACK and white RESCALED_WHITE: black subtracted, gain applied, clipped at white as the DNG standard does."""
        result = np.empty_like(mosaic)
        width = self.shape[1]
        black_rows = np.tile(self.levels.black, (1, -(-width // 2)))[:, :width]
        for first in range(0, self.shape[0], _ROWS):
            last = min(first + _ROWS, self.shape[0])
            black = black_rows[np.arange(first, last) % 2] + self.delta_rows[first:last, None] + self.delta_columns
            sample = (mosaic[first:last] - black) / (self.levels.white - black) * gain_rows(self.maps, self.shape, first, last)
            result[first:last] = np.clip(np.rint(RESCALED_BLACK + sample * (RESCALED_WHITE - RESCALED_BLACK)), 0, RESCALED_WHITE)
        return result


def rescaling(tags: FileTags, shape: tuple[int, int], path: Path) -> Rescaling:
    """Read levels, black deltas and gain maps of a DNG. Raises InputFileError for invalid levels."""
    check_level_tags(path, tags)
    height, width = shape
    repeat = tuple(int(v) for v in tags.numbers(t.BLACK_REPEAT)) or (1, 1)
    black = tags.numbers(t.BLACK) or (0.0,)
    if len(repeat) != 2 or not 1 <= min(repeat) <= max(repeat) <= _LONGEST_PERIOD or repeat[0] * repeat[1] != len(black):
        raise InputFileError(f"{path}: {len(black)} black levels for a pattern of {repeat}")
    pattern = np.reshape(black, repeat)
    period = np.lcm(repeat, 2)
    tiled = np.tile(pattern, (int(period[0]) // repeat[0], int(period[1]) // repeat[1]))
    sites = np.array([[tiled[y::2, x::2].mean() for x in (0, 1)] for y in (0, 1)])
    if not np.allclose(tiled, np.tile(sites, (int(period[0]) // 2, int(period[1]) // 2)), atol=1e-6):
        raise InputFileError(f"{path}: the black level repeats every {repeat[0]} x {repeat[1]} pixels; must be 1 or 2")
    bits = (tags.numbers(t.BITS) or (16.0,))[0]
    white = float((tags.numbers(t.WHITE) or (2.0**bits - 1,))[0])
    rows, columns = (_fitted(tags.numbers(code), length) for code, length in ((t.BLACK_DELTA_V, height), (t.BLACK_DELTA_H, width)))
    if not (np.isfinite(sites).all() and white > sites.max() + rows.max() + columns.max()):
        raise InputFileError(f"{path}: black level must be below white level (tags 50714 and 50717), not {sites.ravel().tolist()} and {white:g}")
    opcodes = tags.raw.get(t.OPCODES_2)
    return Rescaling(Levels(sites, white), rows, columns, read_gain_maps(opcodes.data, path) if opcodes else [], shape)


def _fitted(values: tuple[float, ...], length: int) -> NDArray[np.float64]:
    result = np.zeros(length)
    result[: min(length, len(values))] = values[:length]
    return result


def noise_profile(tags: FileTags, cfa: Cfa) -> Noise | None:
    """Read NoiseProfile per channel: one pair for all, three in the order of CFAPlaneColor, or four in the order of the CFA's sites (greens averaged)."""
    values = np.array(tags.numbers(t.NOISE_PROFILE), float)
    if values.size not in (2, 6, 8) or not np.isfinite(values).all() or (values < 0).any() or not values[::2].any():
        return None
    pairs = values.reshape(-1, 2)
    if cfa.is_mono:
        return Noise(pairs.mean(axis=0)[:1], pairs.mean(axis=0)[1:])
    planes = tuple(int(v) for v in tags.numbers(t.CFA_PLANE_COLOUR)) or (0, 1, 2)
    channels = {1: [0], 3: list(planes[:3]), 4: [cfa.channel(*site) for site in cfa.sites()]}[len(pairs)]
    if len(channels) != len(pairs) or len(pairs) > 1 and set(channels) != {0, 1, 2}:
        return None
    mean = [pairs[0] if len(pairs) == 1 else pairs[np.array(channels) == c].mean(axis=0) for c in range(3)]
    return Noise(np.array([m[0] for m in mean]), np.array([m[1] for m in mean]))
