"""The colour filter array: which channel the samples of a mosaic belong to, and how their order repeats.

Code that works per site of the pattern takes its period from here. What is written for a period of 2 x 2 sites begins with `require_2x2`, which Bayer and
monochrome mosaics pass; what knows where red, green and blue are in it, with `require_bayer`. Stages that compare frames cell by cell are given Bayer
mosaics made of other patterns (`core.remosaic`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from burstsr.core.errors import CfaError, SettingsError

RED, GREEN, BLUE = 0, 1, 2
RGB = ("R", "G", "B")
MONO = ("grey",)
BAYER_ORDERS = ("RGGB", "BGGR", "GRBG", "GBRG")
NAMES = (*BAYER_ORDERS, *(f"quad {order}" for order in BAYER_ORDERS), "X-Trans", "mono")
_X_TRANS = "GBGGRG/RGRBGB/GBGGRG/GRGGBG/BGBRGR/GRGGBG"  # six rows; in each of them, and in each column, all three colours
_LARGEST_PERIOD = 32
_DENSE = 4  # samples along a side in which every channel must occur
_CHANNELS = {1: MONO, 3: RGB}


@dataclass(frozen=True)
class Cfa:
    """A colour filter array.

    pattern: channel of the sites (y, x) of one period, from 0; reduced to the smallest period that repeats. channels: their names, in order: R, G, B, or grey.
    Raises SettingsError unless the pattern is a rectangle in which each channel occurs.
    """

    pattern: tuple[tuple[int, ...], ...]
    channels: tuple[str, ...] = RGB

    def __post_init__(self) -> None:
        rows = self.pattern
        if not rows or not rows[0] or any(len(row) != len(rows[0]) for row in rows) or max(len(rows), len(rows[0])) > _LARGEST_PERIOD:
            raise SettingsError(f"cfa must be a rectangle of 1 to {_LARGEST_PERIOD} sites per side, not {rows!r}")
        if {c for row in rows for c in row} != set(range(len(self.channels))):
            raise SettingsError(f"cfa must have the channels 0 to {len(self.channels) - 1} ({', '.join(self.channels)}), each of them, not {rows!r}")
        object.__setattr__(self, "pattern", _smallest(rows))

    @classmethod
    def parse(cls, name: str) -> Cfa:
        """Return the CFA of a name: a Bayer order such as "RGGB", "quad RGGB", "X-Trans", "mono"; or its rows, as in "RG/GB". Raises SettingsError."""
        letters = name
        if name == "mono":
            return cls(((0,),), MONO)
        if name == "X-Trans":
            letters = _X_TRANS
        elif name in BAYER_ORDERS:
            letters = f"{name[:2]}/{name[2:]}"
        elif name in NAMES:
            upper, lower = ("".join(2 * c for c in row) for row in (name[5:7], name[7:]))
            letters = f"{upper}/{upper}/{lower}/{lower}"
        if "/" not in letters or not set(letters) <= {*RGB, "/"}:
            raise SettingsError(f"cfa must be one of {', '.join(NAMES)}, not {name!r}")
        return cls(tuple(tuple(RGB.index(c) for c in row) for row in letters.split("/")))

    @classmethod
    def from_array(cls, pattern: ArrayLike) -> Cfa:
        """Return the CFA of (py, px) integers: 0 red, 1 green, 2 blue; all 0: monochrome. Raises SettingsError."""
        sites = np.asarray(pattern)
        if sites.ndim != 2 or sites.dtype.kind not in "iu" or sites.size == 0 or sites.min() < 0:
            raise SettingsError(f"cfa must be integers from 0, of shape (rows, columns), not {sites.dtype} of shape {sites.shape}")
        channels = _CHANNELS.get(int(sites.max()) + 1)
        if channels is None:
            raise SettingsError(f"cfa must have the channels 0 (red), 1 (green) and 2 (blue), or only 0 (monochrome), not {sites.tolist()}")
        return cls(tuple(tuple(int(c) for c in row) for row in sites), channels)

    @classmethod
    def of(cls, given: Cfa | str | ArrayLike) -> Cfa:
        """Return a CFA as it is, by its name (`parse`), or of an array (`from_array`)."""
        if isinstance(given, Cfa):
            return given
        return cls.parse(given) if isinstance(given, str) else cls.from_array(given)

    @property
    def period(self) -> tuple[int, int]:
        """Return the sites (py, px) after which the pattern repeats."""
        return len(self.pattern), len(self.pattern[0])

    @property
    def name(self) -> str:
        """Return the name that `parse` reads."""
        if self.is_mono:
            return "mono"
        rows = "/".join("".join(self.channels[c] for c in row) for row in self.pattern)
        return next((name for name in NAMES if name != "mono" and Cfa.parse(name) == self), rows)

    @property
    def is_bayer(self) -> bool:
        """Whether the pattern is one of the four Bayer orders."""
        return self.period == (2, 2) and "".join(self.channels[c] for row in self.pattern for c in row) in BAYER_ORDERS

    @property
    def has_bayer_cells(self) -> bool:
        """Whether loops over CFA cells of 2 x 2 samples take this pattern: Bayer, and monochrome as if its filters were alike, see `core.mono`."""
        return self.is_bayer or self.is_mono

    @property
    def is_mono(self) -> bool:
        """Whether all samples are of one channel."""
        return len(self.channels) == 1

    @property
    def share(self) -> NDArray[np.float64]:
        """Return the share of the samples that each channel has, (channels,): samples per pixel."""
        return np.bincount(np.array(self).ravel(), minlength=len(self.channels)) / (self.period[0] * self.period[1])

    def sites(self, channel: int | None = None) -> list[tuple[int, int]]:
        """Return the sites (y, x) of one period, row by row; of a channel, or all. The samples of a site are mosaic[y::py, x::px]."""
        return [(y, x) for y, row in enumerate(self.pattern) for x, c in enumerate(row) if channel is None or c == channel]

    def channel(self, y: int, x: int) -> int:
        """Return the channel of the sample at raw (y, x)."""
        py, px = self.period
        return self.pattern[y % py][x % px]

    def channel_map(self, shape: tuple[int, int], origin: tuple[int, int] = (0, 0)) -> NDArray[np.uint8]:
        """Return the channels of a mosaic of `shape` (H, W), or of a part of one that begins at raw `origin` (y, x)."""
        y, x = (np.arange(first, first + length) for first, length in zip(origin, shape, strict=True))
        return np.asarray(self[y[:, None], x[None]], np.uint8)

    def shifted(self, dy: int, dx: int) -> Cfa:
        """Return the CFA of a mosaic cropped to begin at raw (dy, dx)."""
        return Cfa(tuple(tuple(row) for row in self.channel_map(self.period, (dy, dx)).tolist()), self.channels)

    def require_2x2(self, what: str) -> None:
        """Raise CfaError, naming `what` requires it, unless the pattern repeats after 2 x 2 sites: Bayer, monochrome."""
        if any(2 % length for length in self.period):
            raise CfaError(f"{what}: the CFA must repeat after 2 x 2 sites, as {', '.join(BAYER_ORDERS)} and mono do, not {self.name}")

    def require_dense(self, what: str) -> None:
        """Raise CfaError, naming `what` requires it, unless every channel occurs in every 4 x 4 samples, as in Bayer, quad Bayer, X-Trans."""
        seen = self.channel_map((self.period[0] + _DENSE - 1, self.period[1] + _DENSE - 1))
        windows = np.lib.stride_tricks.sliding_window_view(seen, (_DENSE, _DENSE))
        if any((windows != c).all(axis=(2, 3)).any() for c in range(len(self.channels))):
            raise CfaError(f"{what}: the CFA must have every colour in all 4 x 4 samples, as {', '.join(NAMES)} do, not {self.name}")

    def require_bayer(self, what: str) -> None:
        """Raise CfaError, naming `what` requires it, unless this is a Bayer pattern."""
        if not self.is_bayer:
            raise CfaError(f"{what}: the CFA must be one of {', '.join(BAYER_ORDERS)}, not {self.name}")

    def __getitem__(self, site: tuple[Any, ...]) -> Any:  # noqa: ANN401  as an array is indexed: numbers or arrays
        """Return the channels at raw positions (y, x), integers or arrays of them, as uint8."""
        y, x = site
        return np.array(self)[np.mod(y, self.period[0]), np.mod(x, self.period[1])]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the pattern as an array (py, px), uint8 unless given otherwise."""
        return np.array(self.pattern, np.uint8 if dtype is None else dtype)

    def __str__(self) -> str:
        return self.name


def _smallest(rows: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Return one period of the rows: what gives them again when tiled."""
    height, width = len(rows), len(rows[0])
    down = next(n for n in range(1, height + 1) if height % n == 0 and all(tuple(rows[y]) == tuple(rows[y % n]) for y in range(height)))
    across = next(n for n in range(1, width + 1) if width % n == 0 and all(row[x] == row[x % n] for row in rows for x in range(width)))
    return tuple(tuple(row[:across]) for row in rows[:down])
