"""`burstsr calibrate`: the camera and the hand measured, as files that `process` and `simulate` take."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.cli.common import add_common
from burstsr.cli.options import choice
from burstsr.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[argparse.Namespace], int]
METHODS = ("auto", "flats", "burst")
PLOTS = ("png", "svg")


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """The command's arguments, and those of its own commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "calibrate",
        help="measure the camera and the hand: noise, defects, the lens's blur, motion",
        description="Measure what the program otherwise guesses. A result is a file (JSON, or TOML by its suffix); without -o, what is measured of a "
        "camera goes to the user's folder of profiles, where process finds what fits a burst's camera and ISO by itself; motion and jiggle are only printed.",
    )
    kinds = parser.add_subparsers(title="what to measure", metavar="WHAT", dest="what", required=True)
    for add in (_add_noise, _add_defects, _add_lens, _add_motion, _add_jiggle, _add_list):
        add(kinds)
    return parser


def run(args: argparse.Namespace) -> int:
    """Do the command; its exit status."""
    if getattr(args, "plot", None) is not None:
        if not _plots_there():
            raise SettingsError("--plot needs the matplotlib package: pip install 'burstsr[plots]'")
    if getattr(args, "output", None) is not None:
        from burstsr.batch.locks import check_writable
        from burstsr.cli.calibrate_places import check_free

        check_free(args.output)
        check_writable(args.output.parent, args.output.name)
    return int(args.work(args))


def _add_noise(kinds: Any) -> None:  # noqa: ANN401
    noise: argparse.ArgumentParser = kinds.add_parser(
        "noise",
        help="alpha and beta of variance = alpha x + beta, from flat fields, from any burst, or from a table of cameras",
        description="Measure noise. Several exposures of an even field (two frames or more of each, out of focus, from dark to nearly saturated), and "
        "darks, give the photon-transfer curve: black level, read and row noise, gain, full well, unevenness. Without them any burst of three frames or "
        "more will do.",
    )
    noise.add_argument("path", metavar="PATH", nargs="*", type=Path, help="frames, or folders of them: flat fields, or bursts")
    noise.add_argument("--darks", metavar="PATH", nargs="+", type=Path, default=[], help="frames with the lens covered, at the same ISO; not needed")
    noise.add_argument("--method", **choice(METHODS), default="auto", help="default auto: flats, where frames of several exposures show an even field")
    noise.add_argument("--table", metavar="FILE", type=Path, help="darktable's noiseprofiles.json, instead of frames; needs --camera and --iso")
    noise.add_argument("--camera", metavar="NAME", help="such as 'Canon EOS 5D Mark II'; with frames: instead of what they say")
    noise.add_argument("--iso", type=float, metavar="N", help="with --table: any; with frames of several ISOs: fitted over all of them, at this one")
    _common(noise, lambda args: _work().noise(args))


def _add_defects(kinds: Any) -> None:  # noqa: ANN401
    defects: argparse.ArgumentParser = kinds.add_parser(
        "defects",
        help="hot and dead pixels, uneven rows and columns, from darks or a burst",
        description="Find pixels that show light where there is none, or too little of it, and what rows and columns show too much.",
    )
    defects.add_argument("path", metavar="PATH", nargs="+", type=Path, help="darks (three or more, lens covered, long exposure), or a burst")
    defects.add_argument("--method", **choice(("auto", "darks", "burst")), default="auto", help="default auto: darks, where frames show no light")
    defects.add_argument("--sigma", type=float, default=8.0, metavar="N", help="noise deviations by which a pixel must stand out, 3 to 100 (default 8)")
    _common(defects, lambda args: _work().defects(args))


def _add_lens(kinds: Any) -> None:  # noqa: ANN401
    lens: argparse.ArgumentParser = kinds.add_parser(
        "lens",
        help="the lens's blur from a slanted edge, or from any burst",
        description="Measure how wide the lens draws a point. A straight dark-to-bright edge, 2 to 43 degrees off the sensor's rows or columns, gives the MTF "
        "(ISO 12233) and the blur's deviation; --burst finds the blur with which frames that are left out are predicted best.",
    )
    lens.add_argument("path", metavar="PATH", nargs="+", type=Path, help="frames of an edge (several are averaged), or with --burst a burst")
    lens.add_argument("--roi", metavar="X,Y,W,H", type=_roi, help="part of the frame, raw pixels: all of it must be one edge (default: the whole frame)")
    lens.add_argument("--burst", action="store_true", help="from a burst of any scene, by leaving frames out; minutes")
    _common(lens, lambda args: _work().lens(args))


def _add_motion(kinds: Any) -> None:  # noqa: ANN401
    motion: argparse.ArgumentParser = kinds.add_parser(
        "motion",
        help="how the hand shakes, from bursts or a gyroscope's log; with -o as a motion file for simulate",
        description="Measure motion between frames: its deviation, speed, correlation and tremor, and the sensor's read-out time where rows show it.",
    )
    motion.add_argument("path", metavar="PATH", nargs="*", type=Path, help="bursts")
    motion.add_argument("--gyro", metavar="FILE", type=Path, help="instead: a log of x, y, z in rad/s and a time stamp, a line each, commas between")
    motion.add_argument("--focal-px", type=float, metavar="F", help="focal length in raw pixels; needed with --gyro")
    motion.add_argument("--frames", type=int, default=13, metavar="N", help="with --gyro: frames of the motion file, 2 to 1000 (default 13)")
    motion.add_argument("--interval", type=float, metavar="SECONDS", help="from frame to frame (default: the files' times, or 1/30)")
    motion.add_argument("--time-unit", type=float, metavar="SECONDS", help="of the log's time stamps (default: s, ms, us or ns, whichever makes sense)")
    motion.add_argument("--readout", type=float, default=0.0, metavar="SECONDS", help="with --gyro: read-out time of a frame (default 0)")
    motion.add_argument("--rows", type=int, default=3000, metavar="N", help="with --gyro and --readout: rows of a frame (default 3000)")
    _common(motion, lambda args: _work().motion(args), profiles=False)


def _add_jiggle(kinds: Any) -> None:  # noqa: ANN401
    jiggle: argparse.ArgumentParser = kinds.add_parser(
        "jiggle",
        help="offsets that a driven stabiliser or mount should make between frames",
        description="The offsets of N frames whose sampling grids fill the colour filter's period most evenly: in raw pixels, and with --focal-px in radians. "
        "With -o they are written as a motion file: process --motion takes it for frames that were taken so, simulate --motion shows what they would give.",
    )
    jiggle.add_argument("--frames", type=int, required=True, metavar="N", help="2 to 1000")
    jiggle.add_argument("--scale", type=float, default=2.0, metavar="S", help="output pixels per raw pixel, 1 to 4 (default 2)")
    jiggle.add_argument("--focal-px", type=float, metavar="F", help="focal length in raw pixels (focal length / pixel pitch), for radians")
    _common(jiggle, lambda args: _work().jiggle(args), profiles=False)


def _add_list(kinds: Any) -> None:  # noqa: ANN401
    listed: argparse.ArgumentParser = kinds.add_parser(
        "list", help="what is in the user's folder of profiles", description="Show the records that process finds by itself, and where they are."
    )
    _verbosity(listed, lambda args: _work().listed(args))


def _common(parser: argparse.ArgumentParser, work: Work, *, profiles: bool = True) -> None:
    """What every measurement takes. profiles: whether it is written to the user's folder without -o."""
    default = "(default: in the user's folder of profiles)" if profiles else "(default: no file; what is found is printed)"
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help=f"{'record' if profiles else 'motion file'} to write, .json or .toml {default}")
    parser.add_argument("--plot", nargs="?", const="png", **choice(PLOTS), help="draw the result beside it, PNG or SVG; needs pip install 'burstsr[plots]'")
    _verbosity(parser, work)


def _verbosity(parser: argparse.ArgumentParser, work: Work) -> None:
    """What every command takes; also when it stands behind its name."""
    add_common(parser, inner=True)
    parser.set_defaults(work=work)


def _work() -> Any:  # noqa: ANN401  a module, loaded when it is needed
    from burstsr.cli import calibrate_work

    return calibrate_work


def _roi(text: str) -> tuple[int, int, int, int]:
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected four whole numbers, X,Y,W,H") from None
    if min(x, y) < 0 or min(width, height) < 16:
        raise argparse.ArgumentTypeError(f"{text!r}: X and Y must be 0 or more, W and H 16 or more")
    return x, y, width, height


def _plots_there() -> bool:
    """Whether matplotlib is installed; packages that do without it may have left a stand-in of its name."""
    from importlib.util import find_spec

    try:
        return find_spec("matplotlib") is not None
    except ValueError:
        return False
