"""Tables of the grouping of frames into bursts, for `inspect` and `process --dry-run`."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.batch.job import recorded
from burstsr.cli.console import table, warn
from burstsr.cli.options import choice
from burstsr.core.errors import SettingsError

if TYPE_CHECKING:
    from burstsr.core.burst import FrameInfo
    from burstsr.io.discover import BurstFiles, Discovery
    from burstsr.io.folders import Problem
    from burstsr.io.grouping import Grouping

HEAD = ("burst", "frames", "camera", "size", "CFA", "ISO", "exposure", "span")
NUMBERS = ("frames", "ISO", "exposure", "span")
_NAMED = 5  # names of ignored files in one line
_MANY_SINGLES = 3
FRAME_HEAD = ("frame", "time", "black", "white", "white balance", "noise", "orientation")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the grouping options, the same for every command that groups."""
    group = parser.add_argument_group("grouping", "Frames of one folder with equal camera, size and aperture are split by time into bursts.")
    by_time = group.add_mutually_exclusive_group()
    by_time.add_argument(
        "--gap",
        metavar="SECONDS",
        type=_seconds,
        help="longest pause within a burst, from the end of one exposure to the start of the next (default: 2 plus the exposure)",
    )
    by_time.add_argument(
        "--one-burst", action="store_true", help="treat the frames of a folder as one burst, whatever their times; incompatible frames are rejected"
    )
    group.add_argument(
        "--exposure-groups",
        **choice(("join", "split")),
        default="join",
        help="join: frames of different exposure times or ISOs are one burst, a bracket; split: they are bursts of their own (default join)",
    )
    group.add_argument("--min-frames", metavar="N", type=_count, default=1, help="ignore bursts of fewer frames (default 1)")


def grouping_of(args: argparse.Namespace) -> Grouping:
    """Return the grouping of the options of `add_options`."""
    from burstsr.io.grouping import Grouping
    from burstsr.profiles.pixel_shift import SET_FRAMES

    sets = SET_FRAMES.get(str(getattr(args, "motion", None)), 0)
    return Grouping(args.gap, args.one_burst, args.min_frames, args.exposure_groups == "split", set_frames=sets)


def find(inputs: Sequence[Path], grouping: Grouping | None = None) -> Discovery:
    """Find the bursts of the inputs, ignoring earlier results among them. Raises SettingsError if there are no frames."""
    from burstsr.io.discover import FEW, Discovery, discover
    from burstsr.io.folders import Problem

    missing = [str(path) for path in inputs if not os.path.exists(path)]
    if missing:
        raise SettingsError(f"no such file or folder: {', '.join(missing)}")
    found = discover(inputs, grouping)
    results = [p for p in found.problems if p.path not in inputs and _is_result(p.path)]
    problems = tuple(p for p in found.problems if p not in results)
    passed_over = (*found.passed_over, *(Problem(p.path, f"{p.path}: a result, its record is beside it", "results of burstsr") for p in results))
    if not found.bursts and all(os.path.isdir(p.path) for p in problems) and not any(p.kind == FEW for p in passed_over):
        raise SettingsError("; ".join([f"no raw frames in {', '.join(map(str, inputs))}", *(p.reason for p in problems), *summary_of_ignored(passed_over)]))
    return Discovery(found.bursts, problems, passed_over)


def report_problems(found: Discovery, verbose: int = 0) -> None:
    """Report rejected and ignored files on standard error (each ignored one with -v)."""
    for problem in found.problems:
        warn(f"rejected: {problem.reason}")
    for line in [f"ignored: {p.reason}" for p in found.passed_over] if verbose else summary_of_ignored(found.passed_over):
        warn(line)


def hint(bursts: Sequence[BurstFiles]) -> str:
    """Return advice where time has split frames that may be one burst, or ''."""
    from burstsr.io.consistency import first_mismatch

    firsts = [burst.infos[0] if len(burst.infos) == 1 else None for burst in bursts]
    pairs = [(a, b) for a, b in pairwise(firsts) if a and b and a.path.parent == b.path.parent and first_mismatch(a, b) is None]
    if len(pairs) < _MANY_SINGLES - 1:
        return ""
    single = len({id(info) for pair in pairs for info in pair})
    return f"{single} bursts have a single frame: --gap SECONDS or --one-burst joins frames further apart in time, --min-frames 2 ignores them"


def summary_of_ignored(passed_over: Sequence[Problem]) -> list[str]:
    """Return one line per kind of ignored files, with the first names."""
    kinds: dict[str, list[str]] = {}
    for problem in passed_over:
        kinds.setdefault(problem.kind, []).append(problem.reason if len(passed_over) == 1 else f"{problem.path.parent.name}/{problem.path.name}")
    lines = []
    for kind, names in kinds.items():
        more = f" and {len(names) - _NAMED} more (-v lists all)" if len(names) > _NAMED else ""
        lines.append(f"ignored, {kind}: {', '.join(names[:_NAMED])}{more}")
    return lines


def plain_problems(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """Return problems ready for JSON."""
    return [{"path": str(p.path), "reason": p.reason} for p in problems]


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a number of seconds, 0 or more")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: must be an integer, 1 or more")
    return int(text)


def _is_result(path: Path) -> bool:
    """Whether `process` or `single` wrote the file, by the record beside it, even if the file is damaged."""
    records = (path.with_suffix(".json"), "fingerprints"), (path.with_name(f"{path.name}.json"), "asked")
    return path.suffix in (".dng", ".fits") and any(recorded(record, key) is not None for record, key in records)


def row(burst: BurstFiles) -> tuple[str, ...]:
    """Return the row of a burst under HEAD."""
    info = burst.infos[0]
    height, width = info.shape
    return (
        burst.name,
        str(len(burst.infos)),
        ", ".join([info.camera or "?", *([info.observation.filter_name] if info.observation.filter_name else [])]),
        f"{width} x {height}",
        info.cfa_order,
        _from_to([f"{i.iso:g}" if i.iso else "?" for i in sorted(burst.infos, key=lambda i: i.iso)]),
        _from_to([exposure(i.exposure_s) for i in sorted(burst.infos, key=lambda i: i.exposure_s)]),
        span(burst.infos),
    )


def _from_to(values: Sequence[str]) -> str:
    """Return what all frames have in common, or, of a bracket, the first and the last of sorted values.

    >>> _from_to(["100", "100"]), _from_to(["1/800 s", "1/100 s", "1/12 s"])
    ('100', '1/800 to 1/12 s')
    """
    first, last = values[0], values[-1]
    return first if first == last else f"{first.removesuffix(' s')} to {last}"


def exposure(seconds: float) -> str:
    """Format an exposure time.

    >>> exposure(0.01), exposure(2.5), exposure(0)
    ('1/100 s', '2.5 s', '?')
    """
    if seconds <= 0:
        return "?"
    return f"1/{round(1 / seconds)} s" if seconds <= 0.3 else f"{seconds:g} s"


def span(infos: Iterable[FrameInfo]) -> str:
    """Format the time from the first to the last frame."""
    times = [info.time for info in infos if info.time is not None]
    return f"{(max(times) - min(times)).total_seconds():.2f} s" if times else "?"


def frame_table(burst: BurstFiles) -> str:
    """Return the table of a burst's frames, under FRAME_HEAD."""
    return table(FRAME_HEAD, [_frame_row(info) for info in burst.infos])


def _frame_row(info: FrameInfo) -> tuple[str, ...]:
    black = sorted(set(info.levels.black.ravel().tolist()))
    return (
        info.path.name,
        f"{info.time:%Y-%m-%d %H:%M:%S.%f}"[:-3] if info.time else "?",
        " ".join(f"{b:g}" for b in black),
        f"{info.levels.white:g}",
        " ".join(f"{1 / n:.3f}" for n in info.colour.as_shot_neutral),
        "from the file" if info.noise else "estimated",
        str(info.orientation),
    )


def to_dict(burst: BurstFiles) -> dict[str, Any]:
    """Return a burst ready for JSON."""
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
        "temperature_c": info.observation.temperature_c,
        "filter": info.observation.filter_name,
        "frame_type": info.observation.frame_type,
    }
