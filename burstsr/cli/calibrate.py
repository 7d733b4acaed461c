"""`burstsr calibrate`: measure the camera and hand motion, as files for `process` and `simulate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.cli.common import add_common
from burstsr.cli.options import choice
from burstsr.core.errors import SettingsError
from burstsr.core.optional_packages import is_installed

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[argparse.Namespace], int]
METHODS = ("auto", "flats", "burst")
PLOTS = ("png", "svg")


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command's arguments, and those of its sub-commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "calibrate",
        help="measure the camera and hand motion: noise, defects, lens, colour, motion",
        description="Measure what the program otherwise estimates from each burst. A result is a file (JSON, or TOML by its suffix); without -o, camera "
        "records are saved in the user's profile folder, where process finds those that match a burst's camera and ISO; motion and jiggle are only printed.",
    )
    kinds = parser.add_subparsers(title="what to measure", metavar="WHAT", dest="what", required=True)
    for add in (_add_noise, _add_defects, _add_lens, _add_colour, _add_motion, _add_jiggle, _add_list):
        add(kinds)
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    if getattr(args, "plot", None) is not None:
        if not is_installed("matplotlib"):
            raise SettingsError("--plot requires the matplotlib package: pip install 'burstsr[plots]'")
    if getattr(args, "output", None) is not None:
        from burstsr.batch.locks import check_writable
        from burstsr.cli.calibrate_places import check_free

        check_free(args.output)
        check_writable(args.output.parent, args.output.name)
    return int(args.work(args))


def _add_noise(kinds: Any) -> None:  # noqa: ANN401
    noise: argparse.ArgumentParser = kinds.add_parser(
        "noise",
        help="noise model, variance = alpha x + beta, from flat fields, any burst, or a table of cameras",
        description="Measure noise. Several exposures of a flat field (two or more frames each, out of focus, from dark to nearly saturated), and "
        "darks, give the photon-transfer curve: black level, read and row noise, gain, full well, PRNU. Without them any burst of three or more frames "
        "can be used; of fewer, each frame's flat areas, which give an upper bound.",
    )
    noise.add_argument("path", metavar="PATH", nargs="*", type=Path, help="frames, or folders of them: flat fields, or bursts")
    noise.add_argument("--darks", metavar="PATH", nargs="+", type=Path, default=[], help="dark frames (lens covered), at the same ISO; optional")
    noise.add_argument("--method", **choice(METHODS), default="auto", help="default auto: flats, where frames of several exposures show a flat field")
    noise.add_argument("--table", metavar="FILE", type=Path, help="noiseprofiles.json of darktable, instead of frames; requires --camera and --iso")
    noise.add_argument("--camera", metavar="NAME", help="such as 'Canon EOS 5D Mark II'; with frames: overrides their camera name")
    noise.add_argument(
        "--iso", type=float, metavar="N", help="with --table: any ISO; with frames of several ISOs: the ISO at which the fit over all is evaluated"
    )
    _common(noise, lambda args: _work().noise(args))


def _add_defects(kinds: Any) -> None:  # noqa: ANN401
    defects: argparse.ArgumentParser = kinds.add_parser(
        "defects",
        help="hot and dead pixels, row and column offsets, from darks or a burst",
        description="Find hot and dead pixels, and constant offsets of rows and columns.",
    )
    defects.add_argument("path", metavar="PATH", nargs="+", type=Path, help="darks (three or more, lens covered, long exposure), or a burst")
    defects.add_argument("--method", **choice(("auto", "darks", "burst")), default="auto", help="default auto: darks, where frames are dark")
    defects.add_argument("--sigma", type=float, default=8.0, metavar="N", help="detection threshold in noise sigma, 3 to 100 (default 8)")
    _common(defects, lambda args: _work().defects(args))


def _add_lens(kinds: Any) -> None:  # noqa: ANN401
    lens: argparse.ArgumentParser = kinds.add_parser(
        "lens",
        help="lens blur from a slanted edge, or from any burst",
        description="Measure the point spread function of the lens. A straight dark-to-bright edge, 2 to 43 degrees off the sensor's rows or columns, gives "
        "the MTF (ISO 12233) and the sigma of the blur; --burst finds the blur that best predicts held-out frames.",
    )
    lens.add_argument("path", metavar="PATH", nargs="+", type=Path, help="frames of an edge (several are averaged), or a burst with --burst")
    lens.add_argument("--roi", metavar="X,Y,W,H", type=_roi, help="region of interest in raw pixels, containing a single edge (default: the whole frame)")
    lens.add_argument(
        "--field", action="store_true", help="from a chart with slanted edges all over the frame: blur and MTF50 by position, and lateral chromatic aberration"
    )
    lens.add_argument("--window", metavar="N", type=_window, default=48, help="with --field: side of the parts with one edge each, raw pixels (default 48)")
    lens.add_argument("--burst", action="store_true", help="from a burst of any scene, by cross-validation; takes minutes")
    _common(lens, lambda args: _work().lens(args))


def _add_colour(kinds: Any) -> None:  # noqa: ANN401
    colour: argparse.ArgumentParser = kinds.add_parser(
        "colour",
        help="colour matrix from a chart of 24 patches",
        description="Measure the matrix from XYZ to camera RGB from a chart of 24 patches (ColorChecker Classic) in daylight, evenly lit. Results then have it "
        "as ColorMatrix1 in place of the files' own.",
    )
    colour.add_argument("path", metavar="PATH", type=Path, help="a frame of the chart")
    colour.add_argument(
        "--corners",
        metavar="X,Y,...",
        type=_corners,
        help="centres of the patches in its corners, eight numbers, raw pixels of the unrotated sensor: dark skin, bluish green, black, white (default: found)",
    )
    _common(colour, lambda args: _work().colour(args), plot=False)


def _add_motion(kinds: Any) -> None:  # noqa: ANN401
    motion: argparse.ArgumentParser = kinds.add_parser(
        "motion",
        help="hand motion from bursts or a gyroscope log; with -o as a motion file for simulate",
        description="Measure motion between frames: standard deviation, speed, correlation and tremor, and the sensor's readout time where rows reveal it.",
    )
    motion.add_argument("path", metavar="PATH", nargs="*", type=Path, help="bursts")
    motion.add_argument(
        "--gyro", metavar="FILE", type=Path, help="instead of bursts: a log with one comma-separated line per sample: x, y, z in rad/s, time stamp"
    )
    motion.add_argument("--focal-px", type=float, metavar="F", help="focal length in raw pixels; required with --gyro")
    motion.add_argument("--frames", type=int, default=13, metavar="N", help="with --gyro: number of frames of the motion file, 2 to 1000 (default 13)")
    motion.add_argument("--interval", type=float, metavar="SECONDS", help="frame interval (default: from the files, or 1/30)")
    motion.add_argument("--time-unit", type=float, metavar="SECONDS", help="unit of the log's time stamps (default: s, ms, us or ns, detected)")
    motion.add_argument("--readout", type=float, default=0.0, metavar="SECONDS", help="with --gyro: readout time of a frame (default 0)")
    motion.add_argument("--rows", type=int, default=3000, metavar="N", help="with --gyro and --readout: number of rows of a frame (default 3000)")
    _common(motion, lambda args: _work().motion(args), profiles=False)


def _add_jiggle(kinds: Any) -> None:  # noqa: ANN401
    jiggle: argparse.ArgumentParser = kinds.add_parser(
        "jiggle",
        help="optimal offsets between frames for a driven stabiliser or mount",
        description="Compute the offsets of N frames whose sampling grids cover the period of the CFA most evenly: in raw pixels, and with --focal-px in "
        "radians. With -o they are written as a motion file for process --motion, for frames taken with these offsets, and for simulate --motion.",
    )
    jiggle.add_argument("--frames", type=int, required=True, metavar="N", help="number of frames, 2 to 1000")
    jiggle.add_argument("--scale", type=float, default=2.0, metavar="S", help="output pixels per raw pixel, 1 to 4 (default 2)")
    jiggle.add_argument("--focal-px", type=float, metavar="F", help="focal length in raw pixels (focal length / pixel pitch), to output angles")
    _common(jiggle, lambda args: _work().jiggle(args), profiles=False)


def _add_list(kinds: Any) -> None:  # noqa: ANN401
    listed: argparse.ArgumentParser = kinds.add_parser(
        "list", help="list the user's profiles", description="List the calibration records that process uses automatically, and their folder."
    )
    _verbosity(listed, lambda args: _work().listed(args))


def _common(parser: argparse.ArgumentParser, work: Work, *, profiles: bool = True, plot: bool = True) -> None:
    """Add the options of every measurement. profiles: whether it is saved in the user's profile folder without -o. plot: whether it can be plotted."""
    default = "(default: in the user's profile folder)" if profiles else "(default: none; the result is printed)"
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help=f"{'record' if profiles else 'motion file'}, .json or .toml {default}")
    if plot:
        parser.add_argument(
            "--plot", nargs="?", const="png", **choice(PLOTS), help="plot the result beside it, as PNG or SVG; requires pip install 'burstsr[plots]'"
        )
    parser.set_defaults(plot=None)
    _verbosity(parser, work)


def _verbosity(parser: argparse.ArgumentParser, work: Work) -> None:
    """Add the common options, accepted after the sub-command's name too."""
    add_common(parser, inner=True)
    parser.set_defaults(work=work)


def _work() -> Any:  # noqa: ANN401  a module, imported lazily
    from burstsr.cli import calibrate_work

    return calibrate_work


def _window(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 24 <= value <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r}: must be an integer between 24 and 1024")
    return value


def _corners(text: str) -> tuple[tuple[float, float], ...]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != 8 or not all(0 <= value <= 1e6 for value in values):
        raise argparse.ArgumentTypeError(f"{text!r}: expected eight numbers of 0 or more, X,Y of four patches")
    return tuple(zip(values[::2], values[1::2], strict=True))


def _roi(text: str) -> tuple[int, int, int, int]:
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected four integers, X,Y,W,H") from None
    if min(x, y) < 0 or min(width, height) < 16:
        raise argparse.ArgumentTypeError(f"{text!r}: X and Y must be 0 or more, W and H 16 or more")
    return x, y, width, height
