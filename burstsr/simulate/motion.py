"""Camera motion between frames, and the mapping of points of the reference.

A motion is rigid about the image centre c. A frame's pixel q shows what the reference shows at

    p = c + R(-theta) (q - c - d),        so that        q = c + R(theta) (p - c) + d        and        flow(p) = q - p.

With a rolling shutter d and theta grow with the frame's row: d + (q_y - c_y) d', theta + (q_y - c_y) theta'. The mapping from the frame to the
reference is explicit; the inverse is found by iteration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from burstsr.core.checks import FARTHEST_PX
from burstsr.core.coords import tile_centre, tile_count
from burstsr.core.errors import InputFileError, RangeError, SettingsError
from burstsr.core.fields import check_range, shown
from burstsr.core.flow import Flow
from burstsr.core.tables import read_json, read_toml

_TILE_PX = 16
_FIXED_POINT_STEPS = 60  # each gains a factor of the row gradients, which are far below 1
_FARTHEST: Mapping[str, float] = {  # limits for files: no sensor is wider, and beyond these row gradients the inverse does not converge
    "dy_px": FARTHEST_PX, "dx_px": FARTHEST_PX, "rotation_rad": np.pi, "dy_per_row": 0.5, "dx_per_row": 0.5, "rotation_per_row": 0.01,
}  # fmt: skip


@dataclass(frozen=True)
class FrameMotion:
    """Motion of one frame relative to the reference. All zero: the frame shows what the reference shows.

    dy_px, dx_px: position of the reference's centre in the frame, minus that centre; raw pixels.
    rotation_rad: about the image centre; positive rotates +x towards +y (clockwise as displayed).
    dy_per_row, dx_per_row: rolling shutter, raw pixels of shift per row of the frame below the centre. rotation_per_row: radians per row.
    """

    dy_px: float = 0.0
    dx_px: float = 0.0
    rotation_rad: float = 0.0
    dy_per_row: float = 0.0
    dx_per_row: float = 0.0
    rotation_per_row: float = 0.0


def reference_at(motion: FrameMotion, points: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return (..., 2) positions (y, x) in the reference of what the frame shows at `points` (..., 2); raw pixels, exact. shape: (H, W) of the frame."""
    centre = _centre(shape)
    q = np.asarray(points, np.float64) - centre
    row, y, x = q[..., 0], q[..., 0] - motion.dy_px, q[..., 1] - motion.dx_px
    y, x = y - motion.dy_per_row * row, x - motion.dx_per_row * row
    angle = motion.rotation_rad + motion.rotation_per_row * row
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([y * cos - x * sin, x * cos + y * sin], axis=-1) + centre


def flow_at(motion: FrameMotion, points: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return (..., 2) flow (dy, dx) in raw pixels at reference positions `points` (..., 2): frame(p + flow) shows what reference(p) shows.

    Exact; with a rolling shutter solved to the last bits. shape: (H, W) of the frame.
    """
    p = np.asarray(points, np.float64)
    centre = _centre(shape)
    y, x = p[..., 0] - centre[0], p[..., 1] - centre[1]
    rolling = motion.dy_per_row != 0 or motion.dx_per_row != 0 or motion.rotation_per_row != 0
    row = y
    for _ in range(_FIXED_POINT_STEPS if rolling else 1):
        angle = motion.rotation_rad + motion.rotation_per_row * row
        cos, sin = np.cos(angle), np.sin(angle)
        dy = y * (cos - 1) + x * sin + motion.dy_px + motion.dy_per_row * row
        dx = x * (cos - 1) - y * sin + motion.dx_px + motion.dx_per_row * row
        row = y + dy
    return np.stack([dy, dx], axis=-1)


def relative_to_first(track: Sequence[FrameMotion]) -> tuple[FrameMotion, ...]:
    """Return the track relative to its first frame, whose motion becomes zero. Rolling-shutter gradients are subtracted (exact to first order)."""
    if not track:
        raise SettingsError("motions must be one per frame, and at least one")
    first = track[0]
    motions = [FrameMotion()]
    for motion in track[1:]:
        angle = motion.rotation_rad - first.rotation_rad
        cos, sin = np.cos(angle), np.sin(angle)
        motions.append(
            FrameMotion(
                dy_px=float(motion.dy_px - (first.dy_px * cos + first.dx_px * sin)),
                dx_px=float(motion.dx_px - (first.dx_px * cos - first.dy_px * sin)),
                rotation_rad=float(angle),
                dy_per_row=motion.dy_per_row - first.dy_per_row,
                dx_per_row=motion.dx_per_row - first.dx_per_row,
                rotation_per_row=motion.rotation_per_row - first.rotation_per_row,
            )
        )
    return tuple(motions)


def flows_from_motions(motions: Sequence[FrameMotion], reference: int, shape: tuple[int, int]) -> list[Flow]:
    """Flow of every frame of `shape` (H, W) against frame `reference`, at the centres of tiles of 16 raw pixels; between them it is linear to 1e-5 px."""
    others = relative_to_first([motions[reference], *motions])[1:]
    centres = (tile_centre(np.arange(tile_count(length, _TILE_PX)), _TILE_PX) for length in shape)
    points: NDArray[np.float64] = np.stack(np.meshgrid(*centres, indexing="ij"), axis=-1)
    with np.errstate(over="ignore", invalid="ignore"):  # row gradients without an inverse; flows given by users are checked elsewhere
        return [Flow(flow_at(motion, points, shape).astype(np.float32), _TILE_PX) for motion in others]


def motions_record(motions: Sequence[FrameMotion]) -> list[dict[str, float]]:
    """Return the motions ready for JSON: one object per frame, names and units as in `FrameMotion`. A list of these is a motion file."""
    return [asdict(motion) for motion in motions]


def motions_from_record(record: Any, source: str = "motions") -> tuple[FrameMotion, ...]:  # noqa: ANN401  any JSON
    """Read motions from parsed JSON: a list of objects, or an object with such a list under "motions"; missing values are 0. Not made relative.

    Raises InputFileError, naming `source`, for anything else.
    """
    rows = record.get("motions") if isinstance(record, Mapping) else record
    if not isinstance(rows, list) or not rows:
        raise InputFileError(f"{source}: expected a list of one motion per frame, or an object with such a list under 'motions'")
    motions = []
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping) or not set(row) <= set(_FARTHEST):
            raise InputFileError(f"{source}: motion {index} must be an object of numbers named {', '.join(_FARTHEST)}, not {shown(row)}")
        for name, value in row.items():
            try:
                check_range(name, value, -_FARTHEST[name], _FARTHEST[name])
            except RangeError as error:
                raise InputFileError(f"{source}: motion {index}: {error}") from error
        motions.append(FrameMotion(**{name: float(value) for name, value in row.items()}))
    return tuple(motions)


def read_motions(path: Path) -> tuple[FrameMotion, ...]:
    """Read the motions of a JSON file (see `motions_from_record`), relative to its first frame. Raises InputFileError.

    A `truth.json` is such a file, except those of named scenes, whose motion is dense.
    """
    record = read_toml(path) if path.suffix.lower() == ".toml" else read_json(path)
    if isinstance(record, Mapping) and "scene" in record:
        raise InputFileError(f"{path}: motions of the scene {shown(record['scene'])} differ from place to place, and are medians here: no motion file")
    return relative_to_first(motions_from_record(record, str(path)))


def _centre(shape: tuple[int, int]) -> NDArray[np.float64]:
    return (np.array(shape, np.float64) - 1) / 2
