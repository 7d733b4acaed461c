"""`burstsr inspect`: list the bursts and frames of a folder."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from burstsr.batch.plan import refusal
from burstsr.cli.console import echo, echo_json, table, warn
from burstsr.cli.tables import HEAD, NUMBERS, add_options, find, frame_table, grouping_of, hint, plain_problems, report_problems, row, to_dict
from burstsr.core.errors import BurstsrError, InputFileError
from burstsr.core.fields import check_range

if TYPE_CHECKING:
    from burstsr.core.burst import Burst
    from burstsr.io.discover import BurstFiles
    from burstsr.io.folders import Problem

_T = TypeVar("_T")
_Blurs = dict[Path, tuple[float, bool]]  # raw pixels, and whether the frame is soft


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "inspect",
        help="list bursts, frames, levels and rejected files",
        description="Show how raw frames are grouped into bursts, and which files are rejected and why. -v shows every frame. For a single burst, or for "
        "all with --coverage: how evenly its motion samples the sub-pixel positions, and the expected gain.",
    )
    parser.add_argument("path", metavar="PATH", nargs="+", type=Path, help="a folder of bursts, a burst, or frames")
    parser.add_argument("--coverage", action="store_true", help="measure the motion of every burst: reads all pixels, about one second per burst")
    parser.add_argument("--align", action="store_true", help="show which frames of every burst show the same scene, and which are blurred: reads all pixels")
    parser.add_argument("--scale", type=float, default=2.0, metavar="S", help="magnification for which coverage is computed, 1 to 4 (default 2)")
    add_options(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit status, 1 if anything is rejected."""
    found = find(args.path, grouping_of(args))
    refusals = {burst.name: refusal(burst) for burst in found.bursts}
    check_range("scale", args.scale, 1, 4)
    wanted = [burst for burst in found.bursts if not refusals[burst.name] and (args.coverage or len(found.bursts) == 1)]
    damaged: list[Problem] = []
    seen = {burst.name: _coverage(burst, args.scale, damaged) for burst in wanted}
    scenes = {burst.name: _scenes(burst, damaged) for burst in found.bursts if args.align and not refusals[burst.name]}
    blurs = {burst.name: _blurs(burst, damaged) for burst in found.bursts if scenes.get(burst.name)}
    found = replace(found, problems=(*found.problems, *damaged))
    if args.json:
        facts_of = {b.name: {"refused": refusals[b.name] or None, "coverage": seen.get(b.name), "scenes": scenes.get(b.name)} for b in found.bursts}
        bursts = [_with_blur({**to_dict(burst), **facts_of[burst.name]}, blurs.get(burst.name)) for burst in found.bursts]
        echo_json({"bursts": bursts, "refused": plain_problems(found.problems), "passed_over": plain_problems(found.passed_over)})
        return int(bool(found.problems or any(refusals.values())))
    if found.bursts:
        echo(table(HEAD, [row(burst) for burst in found.bursts], right=NUMBERS))
    for burst in found.bursts if args.verbose else ():
        echo(f"\n{burst.name}: {burst.infos[0].path.parent}\n{frame_table(burst)}")
    for name, facts in seen.items():
        if facts is not None:
            summary = f"coverage {facts['coverage']:.2f}, uniformity {facts['sampling_uniformity']:.2f}"
            gain = f"expected gain {facts['expected_gain_db']:.1f} dB at x{facts['scale']:g}"
            echo("; ".join([f"{name}: {summary}, {gain}", *([facts["advice"]] if facts["advice"] else [])]))
    for name, groups in scenes.items():
        for line in _about(groups) if groups else ():
            echo(f"{name}: {line}")
        blur = blurs.get(name) or {}
        if len(blur) > 1:
            echo(f"{name}: {_about_blur(blur)}")
    report_problems(found, args.verbose)
    if hint(found.bursts):
        warn(hint(found.bursts))
    for name, reason in refusals.items():
        if reason:
            warn(f"burst {name} rejected: {reason}")
    return int(bool(found.problems or any(refusals.values())))


def _coverage(burst: BurstFiles, scale: float, damaged: list[Problem]) -> dict[str, Any] | None:
    """Return the coverage of a burst, ready for JSON."""
    from calibration.coverage import measure_coverage

    return _look_at(burst, damaged, lambda frames: measure_coverage(frames, scale).to_dict())


def _scenes(burst: BurstFiles, damaged: list[Problem]) -> list[list[str]] | None:
    """Return the names of the frames by scene, the largest group first."""
    from burstsr.align import scenes

    return _look_at(burst, damaged, lambda frames: [[frames.frames[i].info.path.name for i in group] for group in scenes(frames)])


def _blurs(burst: BurstFiles, damaged: list[Problem]) -> _Blurs | None:
    """Return blur against the sharpest frame, in raw pixels, and whether that makes the frame soft, of every path of the scene that most frames show."""
    from burstsr.align import scenes
    from calibration.softness import SOFT_WEIGHT, measure_softness

    def look(frames: Burst) -> _Blurs:
        shown = scenes(frames)[0]
        blur = measure_softness(frames, shown)
        return {
            frames.frames[i].info.path: (round(float(px), 3), bool(weight < SOFT_WEIGHT))
            for i, px, weight in zip(shown, blur.blur_px, blur.weights, strict=True)
        }

    return _look_at(burst, damaged, look)


def _with_blur(facts: dict[str, Any], blurs: _Blurs | None) -> dict[str, Any]:
    """Add `blur_px` to the frames of a burst's facts, where it was measured; null for frames of other scenes."""
    if blurs is None:
        return facts
    blur_px = {str(path): px for path, (px, _) in blurs.items()}
    return {**facts, "frames": [{**frame, "blur_px": blur_px.get(frame["path"])} for frame in facts["frames"]]}


def _look_at(burst: BurstFiles, damaged: list[Problem], look: Callable[[Burst], _T]) -> _T | None:
    """Apply `look` to the burst; None, with a warning, where the frames cannot be read. damaged: receives frames with unreadable pixels, which are left out."""
    from burstsr.core.burst import Burst
    from burstsr.core.mono import with_equal_channels
    from burstsr.io.discover import read_burst
    from burstsr.io.lazy_frames import read_sound_frames

    paths = [info.path for info in burst.infos]
    try:
        try:
            return look(with_equal_channels(read_burst(paths)))
        except InputFileError:
            frames, problems = read_sound_frames(paths)
            damaged += [problem for problem in problems if problem not in damaged]
            return look(with_equal_channels(Burst(burst.name, frames))) if frames else None
    except BurstsrError as error:
        warn(f"{burst.name}: {error}")
        return None


def _about_blur(blurs: _Blurs) -> str:
    """Describe the blur of a burst's frames for `--align`.

    >>> _about_blur({Path("a.dng"): (0.0, False), Path("b.dng"): (2.53, True), Path("c.dng"): (0.3, False)})
    'blurred against the sharpest frame: b.dng (2.5 px)'
    >>> _about_blur({Path("a.dng"): (0.0, False)})
    'no frame is clearly more blurred than the others'
    """
    soft = [f"{path.name} ({px:.1f} px)" for path, (px, is_soft) in blurs.items() if is_soft]
    return f"blurred against the sharpest frame: {', '.join(soft)}" if soft else "no frame is clearly more blurred than the others"


def _about(groups: list[list[str]]) -> list[str]:
    """Describe the scenes of a burst for `--align`.

    >>> _about([["a", "b"]])
    ['all 2 frames show the same scene']
    >>> _about([["a", "b", "e"], ["c", "f"], ["d"]])  # doctest: +NORMALIZE_WHITESPACE
    ['3 of 6 frames show another scene than a, b, e: c, f, d', 'c, f show the same scene: process them as a burst of their own']
    """
    count = sum(len(group) for group in groups)
    if len(groups) == 1:
        return [f"all {count} frames show the same scene" if count > 1 else "a single frame"]
    others = [name for group in groups[1:] for name in group]
    own = [f"{', '.join(group)} show the same scene: process them as a burst of their own" for group in groups[1:] if len(group) > 1]
    return [f"{len(others)} of {count} frames show another scene than {', '.join(groups[0])}: {', '.join(others)}", *own]
