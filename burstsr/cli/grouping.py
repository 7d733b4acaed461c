"""How frames group into bursts, as `inspect` and `process --dry-run` show it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.cli.job import recorded
from burstsr.cli.screen import table
from burstsr.ground.errors import BurstError, SettingsError

if TYPE_CHECKING:
    from burstsr.files.discover import BurstFiles, Discovery
    from burstsr.ground.burst import FrameInfo

HEAD = ("burst", "frames", "camera", "size", "CFA", "ISO", "exposure", "span")
NUMBERS = ("frames", "ISO", "exposure", "span")
FRAME_HEAD = ("frame", "time", "black", "white", "white balance", "noise", "turn")


def find(inputs: Sequence[Path]) -> Discovery:
    """What the inputs hold; earlier results among them are no frames, and no problem. Raises SettingsError if there is nothing."""
    from burstsr.files.discover import Discovery, discover

    missing = [str(path) for path in inputs if not path.exists()]
    if missing:
        raise SettingsError(f"no such file or folder: {', '.join(missing)}")
    found = discover(inputs)
    problems = tuple(p for p in found.problems if p.path in inputs or not _is_result(p.path))
    if not found.bursts and all(p.path.is_dir() for p in problems):
        raise SettingsError(f"no raw frames in {', '.join(map(str, inputs))}")
    return Discovery(found.bursts, problems)


def _is_result(path: Path) -> bool:
    """Whether `process` wrote it: its record lies beside it."""
    return path.suffix == ".dng" and recorded(path.with_suffix(".json"), "frames_read") is not None


def refusal(burst: BurstFiles) -> str:
    """Why the frames are not one burst; '' if they are."""
    from burstsr.files.raw import check_burst

    try:
        check_burst(burst.infos)
    except BurstError as error:
        return str(error)
    return ""


def row(burst: BurstFiles) -> tuple[str, ...]:
    """A burst's line under HEAD."""
    info = burst.infos[0]
    height, width = info.shape
    return (
        burst.name,
        str(len(burst.infos)),
        info.camera or "?",
        f"{width} x {height}",
        info.cfa_order,
        f"{info.iso:g}" if info.iso else "?",
        exposure(info.exposure_s),
        span(burst.infos),
    )


def exposure(seconds: float) -> str:
    """As photographers write it.

    >>> exposure(0.01), exposure(2.5), exposure(0)
    ('1/100 s', '2.5 s', '?')
    """
    if seconds <= 0:
        return "?"
    return f"1/{round(1 / seconds)} s" if seconds <= 0.3 else f"{seconds:g} s"


def span(infos: Iterable[FrameInfo]) -> str:
    """Time from the first to the last frame."""
    times = [info.time for info in infos if info.time is not None]
    return f"{(max(times) - min(times)).total_seconds():.2f} s" if times else "?"


def frame_table(burst: BurstFiles) -> str:
    """Every frame of a burst, under FRAME_HEAD."""
    return table(FRAME_HEAD, [_frame_row(info) for info in burst.infos])


def _frame_row(info: FrameInfo) -> tuple[str, ...]:
    black = sorted(set(info.levels.black.ravel().tolist()))
    return (
        info.path.name,
        f"{info.time:%Y-%m-%d %H:%M:%S.%f}"[:-3] if info.time else "?",
        " ".join(f"{b:g}" for b in black),
        f"{info.levels.white:g}",
        " ".join(f"{1 / n:.3f}" for n in info.colour.as_shot_neutral),
        "in the file" if info.noise else "estimated",
        str(info.orientation),
    )


def plain(burst: BurstFiles) -> dict[str, Any]:
    """A burst ready for JSON."""
    info = burst.infos[0]
    return {
        "name": burst.name,
        "camera": info.camera,
        "height": info.shape[0],
        "width": info.shape[1],
        "cfa": info.cfa_order,
        "iso": info.iso,
        "exposure_s": info.exposure_s,
        "frames": [_plain_frame(frame) for frame in burst.infos],
    }


def _plain_frame(info: FrameInfo) -> dict[str, Any]:
    matrix = info.colour.xyz_to_camera
    return {
        "path": str(info.path),
        "time": info.time.isoformat() if info.time else None,
        "black": info.levels.black.tolist(),
        "white": info.levels.white,
        "as_shot_neutral": info.colour.as_shot_neutral.tolist(),
        "xyz_to_camera": matrix.tolist() if matrix is not None else None,
        "noise": {"alpha": info.noise.alpha.tolist(), "beta": info.noise.beta.tolist()} if info.noise else None,
        "orientation": info.orientation,
        "aperture": info.aperture,
        "focal_mm": info.focal_mm,
    }
