"""`burstsr simulate`: simulate a burst of raw frames with known motion and noise from an image."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.batch.atomic_set import claimed
from burstsr.batch.locks import check_space
from burstsr.cli.console import echo, echo_json, warn
from burstsr.cli.options import add_old_names, choice
from burstsr.cli.simulated_files import FLOWS, RECORD, TRUTH, frame_names, result_files, write_simulated, write_world
from burstsr.core.errors import BurstsrError, BusyError, InputFileError, OutputError, SettingsError

if TYPE_CHECKING:
    from burstsr.core.noise import Noise
    from burstsr.simulate import SimulatedBurst, SimulateSettings
    from burstsr.simulate.worlds import WorldBurst

_BAYER = ("RGGB", "BGGR", "GRBG", "GBRG")
CFA_NAMES = (*_BAYER, *(f"quad {order}" for order in _BAYER), "X-Trans", "mono")
SCENES = (
    *("clean", "motion-blur", "parallax", "leaves", "rolling-shutter", "walkers"),
    *("chart", "turning", "dirty-sensor", "flicker", "aberration", "focus-breathing"),
)
_OF_NO_SCENE = (  # options that a named scene determines itself
    *("linear", "moving_object", "flicker", "blur", "psf", "vignetting", "motion", "residue", "rolling_shutter"),
    *("noise", "camera", "noise_table", "row_noise", "hot_pixels", "cfa", "bits", "orientation"),
)


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "simulate",
        help="simulate a burst of raw frames from an image, with ground truth",
        description="Photograph each image with a simulated camera: OUT/IMAGE/frame_000.dng and so on, truth.tif (linear camera RGB at the target scale) "
        "and truth.json (motion of every frame, noise, CFA, levels). With --scene also truth_flows.npz: dense motion (flows), what is hidden (occluded) and "
        "the region that the scene affects (affected).",
    )
    parser.add_argument("image", metavar="IMAGE", nargs="+", type=Path, help="sRGB image of 8 or 16 bits")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="output folder")
    parser.add_argument(
        "--frames", type=int, metavar="N", help="number of frames (default 13, or as many as the motion has: 4 or 16 of a pixel shift, those of the FILE)"
    )
    parser.add_argument("--scale", type=float, default=2.0, metavar="S", help="image pixels per raw pixel, per axis, 1 to 4 (default 2)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default 0); the same seed gives the same burst")
    _add_scene(parser.add_argument_group("scene and lens"))
    _add_motion(parser.add_argument_group("motion"))
    _add_sensor(parser.add_argument_group("sensor"))
    parser.add_argument("--overwrite", action="store_true", help="overwrite existing bursts")
    return parser


def _add_scene(scene: Any) -> None:  # noqa: ANN401
    scene.add_argument(
        "--scene",
        **choice(SCENES),
        metavar="NAME",
        help=f"simulate one realistic difficulty: {', '.join(SCENES)}; the scene has its own motion, lens and sensor, and takes "
        "--frames, --scale, --iso and --seed",
    )
    scene.add_argument("--linear", action="store_true", help="IMAGE is linear camera RGB, 1.0 or 65535 = saturation (float or 16-bit TIFF)")
    scene.add_argument("--moving-object", action="store_true", help="a textured disc crosses the scene")
    scene.add_argument("--flicker", action="store_true", help="a lamp, at full brightness in the first frame, whose intensity changes from frame to frame")
    lens = scene.add_mutually_exclusive_group()
    lens.add_argument("--blur", type=float, metavar="SIGMA", help="lens: sigma of the Gaussian PSF, in raw pixels (default 0.2)")
    lens.add_argument("--psf", type=Path, metavar="FILE", help="lens: PSF at pixels of the image, odd x odd (.txt, .csv, .npy or a greyscale image)")
    scene.add_argument(
        "--vignetting",
        type=float,
        default=0.0,
        metavar="F",
        help="vignetting: fraction lost in the corners, 0 to 0.9; the DNGs carry the gain map that corrects it",
    )
    add_old_names(scene, {"--mover": "--moving-object", "--blink": "--flicker", "--shading": "--vignetting"})


def _add_motion(motion: Any) -> None:  # noqa: ANN401
    motion.add_argument(
        "--motion",
        metavar="handheld|tripod|jiggle|pixel-shift-4|pixel-shift-16|FILE",
        default="handheld",
        help="FILE: JSON with one motion per frame, such as a truth.json",
    )
    motion.add_argument("--residue", type=float, metavar="PX", help="tripod: standard deviation of residual motion per axis, in raw pixels (default 0)")
    motion.add_argument("--rolling-shutter", type=float, metavar="T", help="handheld: readout time of 1000 rows in frame intervals, 0 to 1 (default 0)")


def _add_sensor(sensor: Any) -> None:  # noqa: ANN401
    noise = sensor.add_mutually_exclusive_group()
    noise.add_argument("--iso", type=float, help="noise of a phone sensor, or of --camera, at this ISO (default 400)")
    noise.add_argument("--noise", metavar="ALPHA,BETA", type=_noise, help="noise variance ALPHA x + BETA, with x = 1 at saturation")
    sensor.add_argument(
        "--exposures",
        metavar="EV,...",
        type=_exposures,
        default=(),
        help="a bracket: exposures of the frames in stops, relative to the truth, such as --exposures=-2,0,2, in turn; as many frames unless --frames is given",
    )
    sensor.add_argument("--camera", metavar="NAME", help="noise of this camera, such as 'Canon EOS 5D Mark II', at --iso; needs --noise-table")
    sensor.add_argument("--noise-table", type=Path, metavar="FILE", help="noiseprofiles.json of darktable, measured for hundreds of cameras")
    sensor.add_argument("--row-noise", type=float, default=0.0, metavar="D", help="standard deviation of row noise, 1 = saturation (default 0)")
    sensor.add_argument("--hot-pixels", type=int, default=0, metavar="N", help="number of hot pixels, the same in all frames (default 0)")
    sensor.add_argument("--cfa", **choice(CFA_NAMES), default="RGGB", help="colour filter array (default RGGB)")
    sensor.add_argument("--bits", type=int, default=14, help="bit depth of the raw data, 10 to 16 (default 14)")
    sensor.add_argument("--orientation", type=int, default=1, metavar="N", help="EXIF orientation of the frames, 1 to 8 (default 1)")


def _exposures(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be stops separated by commas, such as -2,0,2, not {text!r}") from error


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    names = [image.stem for image in args.image]
    twice = {name for name in names if [n.casefold() for n in names].count(name.casefold()) > 1}
    if twice:
        raise SettingsError(f"several images are named {', '.join(sorted(twice))}; their bursts would share a folder")
    missing = [str(image) for image in args.image if not image.is_file()]
    if missing:
        raise SettingsError(f"no such file: {', '.join(missing)}")
    if args.seed < 0:
        raise SettingsError(f"--seed must be at least 0, not {args.seed}")
    if args.scene:
        _check_scene(args)
    settings = _settings(args)
    records = [_one(image, args, settings) for image in args.image]
    if args.json:
        echo_json({"bursts": records})
    return int(any(record["status"] == "failed" for record in records))


def _one(image: Path, args: argparse.Namespace, settings: SimulateSettings) -> dict[str, Any]:
    """Simulate one burst, report it, and return the outcome."""
    folder = args.output / image.stem
    result: dict[str, Any] = {"name": image.stem, "status": "done", "folder": str(folder), "reason": ""}
    try:
        files = result_files(folder)
        if files.read() is not None and not args.overwrite:
            result |= {"status": "skipped", "reason": "already simulated; --overwrite replaces it"}
        else:
            with claimed(files):  # checked before computing: whether anything can be written; also finishes what a killed run left
                pass
            reason = files.obstacle([*frame_names(settings.frames), TRUTH, *([FLOWS] if args.scene else []), RECORD])
            if reason:
                raise OutputError(reason)
            if args.scene:
                write_world(folder, _world(image, args, settings), args.scene, args.seed)
            else:
                write_simulated(folder, _simulated(image, args, settings), args.seed)
    except BusyError as error:
        result |= {"status": "skipped", "reason": str(error)}
    except BurstsrError as error:
        result |= {"status": "failed", "reason": str(error)}
        warn(f"{image}: {error}")
    if not args.json and result["status"] != "failed":
        echo(f"{image.stem}: {result['reason'] or f'{settings.frames} frames'} -> {folder}")
    return result


def _simulated(image: Path, args: argparse.Namespace, settings: SimulateSettings) -> SimulatedBurst:
    import numpy as np

    from burstsr.io.images import read_image
    from burstsr.simulate import simulate_burst

    loaded = read_image(image)
    if not (loaded.was_integer or args.linear):
        raise InputFileError(f"{image}: floating-point images are linear and need --linear")
    pixels = loaded.rgb.size // 3
    check_space(args.output, pixels * 12 + round(pixels / settings.scale**2) * 2 * settings.frames, str(image))
    return simulate_burst(loaded.rgb, settings, np.random.default_rng(args.seed), image.stem)


def _check_scene(args: argparse.Namespace) -> None:
    """Raise SettingsError for options that a named scene determines itself."""
    usual = {"vignetting": 0.0, "motion": "handheld", "row_noise": 0.0, "hot_pixels": 0, "cfa": "RGGB", "bits": 14, "orientation": 1}
    given = [f"--{name.replace('_', '-')}" for name in _OF_NO_SCENE if getattr(args, name) not in (usual.get(name), False)]
    if given:
        raise SettingsError(f"--scene {args.scene} has its own motion, lens and sensor: it takes no {', '.join(given)}")


def _world(image: Path, args: argparse.Namespace, settings: SimulateSettings) -> WorldBurst:
    import numpy as np

    from burstsr.io.images import read_image
    from burstsr.simulate.scene import frame_shape
    from burstsr.simulate.scenes import Request, take_scene

    loaded = read_image(image)
    if not loaded.was_integer:
        raise InputFileError(f"{image}: floating-point images are linear: --scene takes sRGB images of 8 or 16 bits")
    shape = frame_shape((loaded.rgb.shape[0], loaded.rgb.shape[1]), settings.scale)
    check_space(args.output, loaded.rgb.size * 4 + shape[0] * shape[1] * 11 * settings.frames, str(image))
    world = take_scene(args.scene, Request(loaded.rgb, settings.iso, settings.frames, settings.scale), np.random.default_rng(args.seed))
    return replace(world, burst=replace(world.burst, name=image.stem))


def _settings(args: argparse.Namespace) -> SimulateSettings:
    from burstsr.io.psf import read_psf
    from burstsr.simulate import Flicker, MovingObject, SimulateSettings, read_motions
    from burstsr.simulate.settings import MOTIONS, PIXEL_SHIFTS

    names = ("scale", "cfa", "bits", "orientation", "linear", "vignetting", "row_noise", "hot_pixels")
    chosen: dict[str, Any] = {name: getattr(args, name) for name in names}
    if args.motion in MOTIONS:
        chosen["motion"] = args.motion
        chosen["frames"] = PIXEL_SHIFTS.get(args.motion, SimulateSettings.frames)
    elif Path(args.motion).is_file():
        chosen["motion"] = read_motions(Path(args.motion))
        chosen["frames"] = len(chosen["motion"])
    else:
        raise SettingsError(f"--motion must be one of {', '.join(MOTIONS)}, or a file, not {args.motion}: no such file")
    for option, name, motion in (("residue", "tripod_residue_px", "tripod"), ("rolling_shutter", "rolling_shutter", "handheld")):
        if getattr(args, option) is not None:
            if args.motion != motion:
                raise SettingsError(f"--{option.replace('_', '-')} requires --motion {motion}, not {args.motion}")
            chosen[name] = getattr(args, option)
    for option, name in (("frames", "frames"), ("iso", "iso"), ("blur", "blur_sigma_px")):
        if getattr(args, option) is not None:
            chosen[name] = getattr(args, option)
    chosen["exposures_ev"] = args.exposures
    if args.exposures:
        chosen.setdefault("frames", len(args.exposures))
    chosen["moving_object"], chosen["flicker"] = MovingObject() if args.moving_object else None, Flicker() if args.flicker else None
    chosen["noise"] = _noise_model(args)
    chosen["psf"] = read_psf(args.psf) if args.psf else None
    return SimulateSettings(**chosen)


def _noise_model(args: argparse.Namespace) -> Noise | None:
    """Return the explicit noise model of the options; None where the ISO determines it."""
    import numpy as np

    from burstsr.core.noise import Noise
    from burstsr.simulate import camera_noise

    if args.noise and args.camera is not None:
        raise SettingsError("--noise and --camera are mutually exclusive")
    if (args.camera is None) != (args.noise_table is None):
        raise SettingsError("--camera and --noise-table must be given together")
    if args.camera is not None:
        return camera_noise(args.noise_table, args.camera, 400.0 if args.iso is None else args.iso)
    return Noise(np.full(3, args.noise[0]), np.full(3, args.noise[1])) if args.noise else None


def _noise(text: str) -> tuple[float, float]:
    parts = text.split(",")
    try:
        alpha, beta = (float(part) for part in parts)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected two numbers, ALPHA,BETA, such as 4e-4,1e-6") from None
    if not (0 <= alpha < 1 and 0 <= beta < 1):
        raise argparse.ArgumentTypeError(f"{text!r}: both must be at least 0 and below 1")
    return alpha, beta
