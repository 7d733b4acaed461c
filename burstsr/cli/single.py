"""`burstsr single`: upscale single images and raw frames, by interpolation or by a network."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.batch.atomic_set import unfinished
from burstsr.batch.single_job import FORMATS, Outcome, Task, plan, settled
from burstsr.batch.single_names import placed
from burstsr.cli.console import echo, echo_json, warn
from burstsr.cli.options import FORMAT_ALIASES, choice
from burstsr.cli.progress import Bars
from burstsr.core.errors import RangeError, SettingsError
from burstsr.core.fields import parsed_crop
from burstsr.profiles.apply import known_of

if TYPE_CHECKING:
    from single.inference import Request

DEVICES = ("auto", "cpu", "cuda", "mps")


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "single",
        help="upscale single images or raw frames, by interpolation or by a network",
        description="Upscale images one by one: the fallback where there is no burst. nearest, bilinear, bicubic and lanczos interpolate. srcnn, srresnet "
        "and zoom (from the raw mosaic) are trained for the least error; srgan and esrgan invent plausible detail. The metadata of the image and the JSON "
        "beside it record which model was used. Images already processed are skipped; results of another model or scale get names of their own.",
    )
    parser.add_argument("input", metavar="INPUT", nargs="*", type=Path, help="images (PNG, TIFF, JPEG, BMP, WebP, GIF), raw files, or folders of them")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, help="output folder; for a single input, a file")
    parser.add_argument(
        "--model",
        metavar="NAME|FILE",
        default="lanczos",
        help="nearest, bilinear, bicubic, lanczos (default), srcnn, srresnet, zoom, srmd, srmd-noise, srgan, esrgan, realesrgan, realesrgan-anime, "
        "realesrgan-animevideo, or a file of weights: .safetensors, .pth, or an ncnn pair; --list names those that are installed",
    )
    parser.add_argument("--scale", type=float, metavar="S", help="output pixels per input pixel, per axis, up to 16 (default 4, or the model's own)")
    parser.add_argument(
        "--blend", metavar="A[,FILE]", type=_blend, help="interpolate weights: A of the model, 1 - A of the one it was fine-tuned from, or of FILE"
    )
    parser.add_argument(
        "--back-projection",
        **choice(("off", "low", "full")),
        default="",
        help="after a network, make the result agree with the image when downscaled again: low = colours and brightness only, full = detail as far as it "
        "exceeds the noise (default: full for models that invent detail, low for the others)",
    )
    parser.add_argument("--noise", type=float, metavar="S", help="srmd-noise: noise of the images, sigma, of a range of 0 to 1 (default: estimated from each)")
    parser.add_argument(
        "--blur",
        metavar="S|FILE",
        type=_blur,
        default=0.0,
        help="srmd: blur of the images: of a Gaussian, sigma in pixels of the result; or a file of a kernel in pixels of the result: .npy, .csv, .txt, or an "
        "image (default 0)",
    )
    parser.add_argument(
        "--face",
        metavar="Y,X,H,W",
        type=_face,
        action="append",
        default=[],
        help="models of faces (GFPGAN, RestoreFormer, with burstsr[spandrel]): first row and column, height and width of a face, in pixels of the image; it "
        "is replaced by a synthetic one, and the rest is interpolated (Lanczos); repeatable",
    )
    parser.add_argument(
        "--profile",
        metavar="FILE|none",
        action="append",
        default=[],
        help="raw files: calibration record of burstsr calibrate (noise, defects); repeatable. none: ignore the user's profiles too",
    )
    parser.add_argument("--list", action="store_true", help="list the models that are installed, and those that are not")
    parser.add_argument("--tile", type=int, default=0, metavar="N", help="tile size in input pixels (default: automatic; halved when out of memory)")
    parser.add_argument(
        "--format",
        action="append",
        **choice(sorted(FORMATS), FORMAT_ALIASES),
        default=[],
        help="default: dng for raw files, the input's own for images; repeatable",
    )
    parser.add_argument("--device", **choice(DEVICES), default="auto", help="device for a network (default auto)")
    parser.add_argument("--overwrite", action="store_true", help="overwrite existing results")
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    from single.inference import check

    if args.list:
        return _list(args)
    if not args.input or args.output is None:
        raise SettingsError("INPUT and --output are required")
    request = _request(args)
    missing = [str(path) for path in args.input if not path.exists()]
    if missing:
        raise SettingsError(f"no such file or folder: {', '.join(missing)}")
    check(request)
    known = known_of(args.profile, None)
    tasks = [replace(task, known=known) for task in plan(args.input, args.output, args.format)]
    outcomes = _do(args, request, tasks)
    failed = [o.name for o in outcomes if o.status == "failed"]
    if args.json:
        done = [o.to_dict() for o in outcomes]
        echo_json({"out": str(args.output), "images": done, "pictures": done, "failed": failed})
    elif failed:
        warn(f"{len(failed)} of {len(outcomes)} images failed: {', '.join(failed)}")
    return int(bool(failed))


def _list(args: argparse.Namespace) -> int:
    """Print the models with their scales and files, those that are not installed with what is missing."""
    from single.loading.listing import listed

    models = listed()
    if args.json:
        echo_json({"models": [model.to_dict() for model in models]})
    else:
        echo("\n".join(model.to_text() for model in models))
    return 0


def _request(args: argparse.Namespace) -> Request:
    from single.inference import Request

    share, partner = args.blend or (None, None)
    return Request(args.model, args.scale, share, partner, args.device, args.tile, args.back_projection, args.noise, args.blur, tuple(args.face))


def _do(args: argparse.Namespace, request: Request, tasks: list[Task]) -> list[Outcome]:
    """Run the tasks in turn and report each outcome. The model is loaded for the first that needs it; where that fails, nothing is written."""
    from burstsr.batch.single_job import asked, upscale
    from single.inference import make_upscaler

    outcomes: list[Outcome] = []
    wanted = asked(request, tasks[0].known)
    ready = None
    with Bars(len(tasks), show=not args.json, title="images") as bars:
        for each in tasks:
            task = placed(replace(each, overwrite=args.overwrite), request, wanted)
            outcome = None if unfinished(task.files) else settled(task, wanted)
            if outcome is None:
                ready = ready or make_upscaler(request)
                name = task.name
                outcome = upscale(task, request, ready, lambda done, total, name=name: bars.stage(name, "upscale", done, total))  # type: ignore[misc]
            bars.finished(task.name)
            outcomes.append(outcome)
            _tell(outcome, quiet=args.json)
    return outcomes


def _tell(outcome: Outcome, *, quiet: bool) -> None:
    if outcome.status == "failed":
        warn(f"{outcome.name}: FAILED: {outcome.reason}")
    elif not quiet and outcome.status == "skipped":
        echo(f"{outcome.name}: skipped, {outcome.reason}")
    elif not quiet:
        echo(f"{outcome.name}: {outcome.model} -> {outcome.outputs[0]} ({outcome.seconds:.1f} s)")


def _face(text: str) -> tuple[int, int, int, int]:
    from single.inference.faces import check_face

    try:
        face = parsed_crop(text)
        check_face(face)
    except RangeError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected four integers, Y,X,H,W, with Y and X of 0 or more, H and W of 16 or more") from None
    return face


def _blur(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _blend(text: str) -> tuple[float, str | None]:
    share, comma, file = text.partition(",")
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1 or (comma and not file):
        raise argparse.ArgumentTypeError(f"{text!r}: expected the weight of the model, 0 to 1, such as 0.8, or 0.8,FILE")
    return value, file or None
