"""`burstsr simulate`: simulate a burst of raw frames with known motion and noise from an image."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.batch.atomic_set import claimed
from burstsr.batch.locks import check_space
from burstsr.cli.console import echo, echo_json, warn
from burstsr.cli.options import add_old_names, choice
from burstsr.core.errors import BurstsrError, BusyError, InputFileError, OutputError, SettingsError
from burstsr.io.owned import ResultFiles

if TYPE_CHECKING:
    from burstsr.core.noise import Noise
    from burstsr.io.tiff import Directory
    from burstsr.simulate import SimulatedBurst, SimulateSettings

TRUTH, RECORD = "truth.tif", "truth.json"
CFA_ORDERS = ("RGGB", "BGGR", "GRBG", "GBRG")


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "simulate",
        help="simulate a burst of raw frames from an image, with ground truth",
        description="Photograph each image with a simulated camera: OUT/IMAGE/frame_000.dng and so on, truth.tif (linear camera RGB at the target scale) "
        "and truth.json (motion of every frame, noise, CFA, levels).",
    )
    parser.add_argument("image", metavar="IMAGE", nargs="+", type=Path, help="sRGB image of 8 or 16 bits")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="output folder")
    parser.add_argument("--frames", type=int, metavar="N", help="number of frames (default 13, or as many as the motion FILE has)")
    parser.add_argument("--scale", type=float, default=2.0, metavar="S", help="image pixels per raw pixel, per axis, 1 to 4 (default 2)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default 0); the same seed gives the same burst")
    _add_scene(parser.add_argument_group("scene and lens"))
    _add_motion(parser.add_argument_group("motion"))
    _add_sensor(parser.add_argument_group("sensor"))
    parser.add_argument("--overwrite", action="store_true", help="overwrite existing bursts")
    return parser


def _add_scene(scene: Any) -> None:  # noqa: ANN401
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
        "--motion", metavar="handheld|tripod|jiggle|FILE", default="handheld", help="FILE: JSON with one motion per frame, such as a truth.json"
    )
    motion.add_argument("--residue", type=float, metavar="PX", help="tripod: standard deviation of residual motion per axis, in raw pixels (default 0)")
    motion.add_argument("--rolling-shutter", type=float, metavar="T", help="handheld: readout time of 1000 rows in frame intervals, 0 to 1 (default 0)")


def _add_sensor(sensor: Any) -> None:  # noqa: ANN401
    noise = sensor.add_mutually_exclusive_group()
    noise.add_argument("--iso", type=float, help="noise of a phone sensor, or of --camera, at this ISO (default 400)")
    noise.add_argument("--noise", metavar="ALPHA,BETA", type=_noise, help="noise variance ALPHA x + BETA, with x = 1 at saturation")
    sensor.add_argument("--camera", metavar="NAME", help="noise of this camera, such as 'Canon EOS 5D Mark II', at --iso; needs --noise-table")
    sensor.add_argument("--noise-table", type=Path, metavar="FILE", help="noiseprofiles.json of darktable, measured for hundreds of cameras")
    sensor.add_argument("--row-noise", type=float, default=0.0, metavar="D", help="standard deviation of row noise, 1 = saturation (default 0)")
    sensor.add_argument("--hot-pixels", type=int, default=0, metavar="N", help="number of hot pixels, the same in all frames (default 0)")
    sensor.add_argument("--cfa", **choice(CFA_ORDERS), default="RGGB", help="CFA order (default RGGB)")
    sensor.add_argument("--bits", type=int, default=14, help="bit depth of the raw data, 10 to 16 (default 14)")
    sensor.add_argument("--orientation", type=int, default=1, metavar="N", help="EXIF orientation of the frames, 1 to 8 (default 1)")


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
            reason = files.obstacle([*_frame_names(settings.frames), TRUTH, RECORD])
            if reason:
                raise OutputError(reason)
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


def write_simulated(folder: Path, simulated: SimulatedBurst, seed: int) -> list[Path]:
    """Write frames, truth and record to `folder`, replacing an earlier simulation; return the frames' paths. Raises OutputError for foreign files."""
    from burstsr.io.dng import write_cfa_dng
    from burstsr.io.images import write_linear_tiff
    from burstsr.simulate import truth_record

    frames = [frame.info.path.name for frame in simulated.burst]
    files = result_files(folder)
    with claimed(files) as claim:
        gone = [name for name in files.listed(files.read()) if name not in (*frames, TRUTH) and not files.obstacle([name])]
        with claim.staged([*frames, TRUTH]) as staging:
            for frame in simulated.burst:
                write_cfa_dng(staging.folder / frame.info.path.name, frame, bits=simulated.settings.bits, extra=_gain_map_tags(simulated))
            write_linear_tiff(staging.folder / TRUTH, simulated.truth)
            staging.record = truth_record(simulated, seed)
        for name in gone:
            (folder / name).unlink(missing_ok=True)
    return [folder / name for name in frames]


def result_files(folder: Path) -> ResultFiles:
    """Return the files of a simulated burst, and the record that lists them."""

    def complete(record: Mapping[str, Any]) -> bool:
        return isinstance(record.get("frames"), list) and all(isinstance(f, str) for f in record["frames"]) and "motions" in record and "seed" in record

    def standard(record: Mapping[str, Any]) -> Iterable[str]:
        return [*(Path(name).name for name in record["frames"]), TRUTH]

    return ResultFiles(folder, RECORD, complete, standard)


def _frame_names(count: int) -> list[str]:
    return [f"frame_{index:03d}.dng" for index in range(count)]


def _gain_map_tags(simulated: SimulatedBurst) -> Directory:
    """Return OpcodeList2 with the gain map that corrects vignetting, if there is any."""
    from burstsr.io import opcodes, tags, tiff

    if simulated.gain is None:
        return {}
    gain_map = opcodes.whole_frame(simulated.gain, simulated.burst.info.shape)
    return {tags.OPCODES_2: tiff.Entry(tiff.UNDEFINED, opcodes.written_gain_maps([gain_map]))}


def _settings(args: argparse.Namespace) -> SimulateSettings:
    from burstsr.io.psf import read_psf
    from burstsr.simulate import Flicker, MovingObject, SimulateSettings, read_motions
    from burstsr.simulate.settings import MOTIONS

    names = ("scale", "cfa", "bits", "orientation", "linear", "vignetting", "row_noise", "hot_pixels")
    chosen: dict[str, Any] = {name: getattr(args, name) for name in names}
    if args.motion in MOTIONS:
        chosen["motion"] = args.motion
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
