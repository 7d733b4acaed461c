"""`burstsr simulate`: a picture in, a burst of raw frames with known motion and noise out."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.cli.job import recorded
from burstsr.cli.screen import complain, say, say_json
from burstsr.cli.staging import staged
from burstsr.ground.errors import BurstsrError, InputFileError, OutputError, SettingsError

if TYPE_CHECKING:
    from burstsr.world import SimulatedBurst, SimulateSettings

TRUTH, RECORD = "truth.tif", "truth.json"
CFA_ORDERS = ("RGGB", "BGGR", "GRBG", "GBRG")


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """The command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "simulate",
        help="a burst of raw frames from a picture, with its truth",
        description="Photograph each picture with a simulated camera: OUT/IMAGE/frame_000.dng and so on, truth.tif (linear camera RGB at the target scale) "
        "and truth.json (motion of every frame, noise, CFA, levels).",
    )
    parser.add_argument("image", metavar="IMAGE", nargs="+", type=Path, help="an sRGB picture of 8 or 16 bits")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="folder for the bursts")
    parser.add_argument("--frames", type=int, default=13, metavar="N", help="default 13")
    parser.add_argument("--scale", type=float, default=2.0, metavar="S", help="picture pixels per raw pixel along an axis, 1 to 4 (default 2)")
    noise = parser.add_mutually_exclusive_group()
    noise.add_argument("--iso", type=float, default=400.0, help="noise of a phone's sensor at this ISO (default 400)")
    noise.add_argument("--noise", metavar="ALPHA,BETA", type=_noise, help="noise variance ALPHA x + BETA, x = 1 at saturation")
    parser.add_argument("--motion", metavar="handheld|tripod|jiggle|FILE", default="handheld", help="FILE: JSON with a motion per frame, such as a truth.json")
    parser.add_argument("--mover", action="store_true", help="a textured disc crosses the scene")
    parser.add_argument("--cfa", choices=CFA_ORDERS, default="RGGB", help="default RGGB")
    parser.add_argument("--seed", type=int, default=0, help="default 0; the same seed gives the same burst")
    parser.add_argument("--linear", action="store_true", help="IMAGE is linear camera RGB, 1.0 or 65535 = saturation (float or 16-bit TIFF)")
    parser.add_argument("--blur", type=float, metavar="SIGMA", help="the lens: deviation of its Gaussian in raw pixels (default 0.2)")
    parser.add_argument("--bits", type=int, default=14, help="bits of a raw number, 10 to 16 (default 14)")
    parser.add_argument("--orientation", type=int, default=1, metavar="N", help="EXIF orientation 1 to 8 written into the frames (default 1)")
    parser.add_argument("--overwrite", action="store_true", help="redo bursts that are there")
    return parser


def run(args: argparse.Namespace) -> int:
    """Do the command; its exit status."""
    names = [image.stem for image in args.image]
    twice = {name for name in names if [n.casefold() for n in names].count(name.casefold()) > 1}
    if twice:
        raise SettingsError(f"several pictures are named {', '.join(sorted(twice))}; their bursts would share a folder")
    missing = [str(image) for image in args.image if not image.is_file()]
    if missing:
        raise SettingsError(f"no such file: {', '.join(missing)}")
    if args.seed < 0:
        raise SettingsError(f"--seed {args.seed}: allowed is 0 or more")
    settings = _settings(args)
    records = [_one(image, args, settings) for image in args.image]
    if args.json:
        say_json({"bursts": records})
    return int(any(record["status"] == "failed" for record in records))


def _one(image: Path, args: argparse.Namespace, settings: SimulateSettings) -> dict[str, Any]:
    """Simulate one picture, say so, and return what became of it."""
    folder = args.output / image.stem
    result: dict[str, Any] = {"name": image.stem, "status": "done", "folder": str(folder), "reason": ""}
    try:
        if (folder / RECORD).exists() and not args.overwrite:
            result |= {"status": "skipped", "reason": "done already; --overwrite redoes it"}
        else:
            write_simulated(folder, _simulated(image, args, settings), args.seed, overwrite=args.overwrite)
    except BurstsrError as error:
        result |= {"status": "failed", "reason": str(error)}
        complain(f"{image}: {error}")
    if not args.json and result["status"] != "failed":
        say(f"{image.stem}: {result['reason'] or f'{settings.frames} frames'} -> {folder}")
    return result


def _simulated(image: Path, args: argparse.Namespace, settings: SimulateSettings) -> SimulatedBurst:
    import numpy as np

    from burstsr.files.picture import read_picture
    from burstsr.world import simulate_burst

    picture = read_picture(image)
    if not (picture.was_integer or args.linear):
        raise InputFileError(f"{image}: floating point values are linear light, which needs --linear")
    return simulate_burst(picture.rgb, settings, np.random.default_rng(args.seed), image.stem)


def write_simulated(folder: Path, simulated: SimulatedBurst, seed: int, *, overwrite: bool = False) -> list[Path]:
    """Write frames, truth and record to `folder`; the frames' paths. Raises OutputError for files there that no simulation wrote."""
    from burstsr.files.dng import write_cfa_dng
    from burstsr.files.picture import write_linear_tiff
    from burstsr.world import truth_record

    frames = [frame.info.path.name for frame in simulated.burst]
    names = [*frames, TRUTH, RECORD]
    old = [Path(name).name for name in recorded(folder / RECORD, "frames") or ()]
    foreign = [name for name in names if (folder / name).exists() and not old]
    if foreign and not overwrite:
        raise OutputError(f"{folder / foreign[0]}: exists, and no {RECORD} tells that it is simulated; --overwrite replaces it")
    with staged(folder, "simulation", names) as partial:
        for frame in simulated.burst:
            write_cfa_dng(partial / frame.info.path.name, frame, bits=simulated.settings.bits)
        write_linear_tiff(partial / TRUTH, simulated.truth)
        (partial / RECORD).write_text(json.dumps(truth_record(simulated, seed), indent=2, allow_nan=False), encoding="utf-8")
    for name in set(old) - set(frames):
        (folder / name).unlink(missing_ok=True)
    return [folder / name for name in frames]


def _settings(args: argparse.Namespace) -> SimulateSettings:
    import numpy as np

    from burstsr.ground.noise import Noise
    from burstsr.world import Mover, SimulateSettings, read_motions
    from burstsr.world.settings import MOTIONS

    chosen: dict[str, Any] = {name: getattr(args, name) for name in ("frames", "scale", "iso", "cfa", "bits", "orientation", "linear")}
    if args.noise:
        chosen["noise"] = Noise(*(np.full(3, value) for value in args.noise))
    if args.motion in MOTIONS:
        chosen["motion"] = args.motion
    elif Path(args.motion).is_file():
        chosen["motion"] = read_motions(Path(args.motion))
    else:
        raise SettingsError(f"--motion {args.motion}: allowed is {', '.join(MOTIONS)}, or a file; there is no such file")
    if args.mover:
        chosen["mover"] = Mover()
    if args.blur is not None:
        chosen["blur_sigma_px"] = args.blur
    return SimulateSettings(**chosen)


def _noise(text: str) -> tuple[float, float]:
    parts = text.split(",")
    try:
        alpha, beta = (float(part) for part in parts)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected two numbers, ALPHA,BETA, such as 4e-4,1e-6") from None
    if not (0 <= alpha < 1 and 0 <= beta < 1):
        raise argparse.ArgumentTypeError(f"{text!r}: both must be at least 0 and below 1")
    return alpha, beta
