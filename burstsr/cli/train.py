"""`burstsr train`: train a single-image network."""

from __future__ import annotations

import argparse
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.cli.console import echo, echo_json
from burstsr.cli.options import add_old_names, choice, one_of
from burstsr.cli.progress import Bars
from burstsr.core.errors import SettingsError

if TYPE_CHECKING:
    from single.training.loop import Training

_DEFAULTS = "16 patches of 32 pixels per step, Adam from 1e-3 (GAN: 1e-4) to 1e-6"


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "train",
        help="train a single-image network (extra `single`)",
        description=f"Train a network on folders of images: {_DEFAULTS}. Writes to OUT checkpoint.pt, from which the same command resumes, log.csv, "
        "best.safetensors (the averaged weights, for `burstsr single --model`) and validation.png. A GAN starts from a network trained without: --start.",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="for example srcnn-x4, srresnet-lite-x4, srgan-lite-x4, rrdb-x4, esrgan-x4, zoom-lite-x2; `list` names all"
    )
    parser.add_argument("--data", metavar="DIR", type=Path, nargs="+", default=[], help="images, or folders of them (including DIV2K's layout)")
    parser.add_argument("--raw-data", metavar="DIR", type=Path, help="zoom: raw files, each with an image of the same name beside it, instead of --data")
    parser.add_argument("--validation", metavar="DIR", type=Path, nargs="+", help="validation images (default: a tenth of --data)")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, help="output folder (default: the model's name)")
    add_old_names(parser, {"--out": "--output"})
    parser.add_argument(
        "--start", metavar="FILE", type=Path, help="initial weights: .safetensors, .pth or an ncnn pair of the same network, or of one for another scale"
    )
    parser.add_argument(
        "--preset",
        **choice(("paper", "published-losses")),
        help="settings of the network's paper, or only its losses and their weights; other options override them",
    )
    parser.add_argument("--steps", type=int, metavar="N", help="number of training steps (default 10000)")
    parser.add_argument("--batch", type=int, metavar="N", help="batch size")
    parser.add_argument("--patch-px", type=int, metavar="PX", help="patch size, in pixels of the network's input")
    parser.add_argument("--rate", type=float, metavar="R", help="initial learning rate (default 1e-3, for a GAN 1e-4)")
    parser.add_argument("--final-rate", type=float, metavar="R", help="final learning rate (cosine schedule)")
    parser.add_argument("--ema", type=float, metavar="W", help="decay of the exponential moving average of the weights (default 0.999)")
    parser.add_argument("--loss", help="pixel loss: l1 (default), mse, ssim, ms-ssim or cobi (patches of RGB, with --vgg features too)")
    parser.add_argument("--spatial-weight", type=float, metavar="W", help="cobi: weight of the spatial distance (default 0.5; 0.1 in the paper)")
    parser.add_argument("--l1-weight", type=float, metavar="W", help="weight of L1 in addition to another pixel loss (default 0)")
    parser.add_argument("--discriminator-width", type=int, metavar="N", help="channels of the discriminator's first layer (default 64; lite: 24)")
    parser.add_argument("--discriminator-dense", type=int, metavar="N", help="units of its dense layer (default 1024; lite: 256)")
    parser.add_argument("--discriminator-pairs", type=int, metavar="N", help="pairs of its convolutions, 1 to 6 (default 4, as published)")
    parser.add_argument("--pixel-weight", type=float, metavar="W", help="weight of the pixel loss in GAN training (default 1)")
    parser.add_argument("--adversarial-weight", type=float, metavar="W", help="weight of the adversarial loss (default 0.005)")
    parser.add_argument("--perceptual-weight", type=float, metavar="W", help="weight of the perceptual loss on VGG-19 features; needs --vgg")
    parser.add_argument("--vgg", metavar="FILE", help="VGG-19 weights, or `torchvision`: those that torchvision has downloaded before")
    parser.add_argument(
        "--after-activation", action="store_true", help="perceptual loss on features after the activation (SRGAN) instead of before it (ESRGAN)"
    )
    parser.add_argument("--not-relativistic", action="store_true", help="standard adversarial loss (SRGAN) instead of the relativistic average one (ESRGAN)")
    parser.add_argument("--blur-px", type=float, default=0.0, metavar="S", help="degradation: Gaussian blur up to this sigma, in pixels (default 0)")
    parser.add_argument("--noise", type=float, default=0.0, metavar="S", help="degradation: white noise up to this sigma, of a range of 0 to 1 (default 0)")
    parser.add_argument("--jpeg", type=int, default=100, metavar="Q", help="degradation: JPEG down to this quality (default 100: none)")
    parser.add_argument("--validate-every", type=int, metavar="N", help="steps between validations and checkpoints (default 500)")
    parser.add_argument("--seed", type=int, metavar="N", help="random seed (default 0); training is reproducible on the same machine")
    parser.add_argument("--device", metavar="NAME", help="cpu (default), auto, cuda, cuda:N, mps")
    parser.add_argument("--bf16", **choice(("auto", "on", "off")), default="auto", help="train in bfloat16; auto: where the device supports it")
    parser.add_argument(
        "--channels-last", **choice(("auto", "on", "off")), default="auto", help="order of images in memory; auto: what is faster by a tenth, measured first"
    )
    parser.add_argument("--tensorboard", action="store_true", help="also write TensorBoard events (requires the tensorboard package)")
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    from single.catalogue import CATALOGUE

    if args.model.casefold() == "list":
        if args.json:
            echo_json({"models": list(CATALOGUE)})
        else:
            echo("\n".join(CATALOGUE))
        return 0
    args.model = one_of(tuple(CATALOGUE))(args.model)
    if args.model not in CATALOGUE:
        raise SettingsError(f"MODEL must be one of {', '.join(CATALOGUE)}, not {args.model!r}")
    if find_spec("torch") is None or find_spec("safetensors") is None:
        raise SettingsError("training requires PyTorch: pip install 'burstsr[single]'")
    if bool(args.data) == bool(args.raw_data):
        raise SettingsError("one of --data and --raw-data is required")

    from single.training.events import events
    from single.training.loop import BEST

    training = _training(args)
    out, steps = training.out, training.plan.steps
    write = events(out) if args.tensorboard else None
    lines: list[dict[str, float]] = []

    def report(line: dict[str, float]) -> None:
        lines.append(line)
        bars.stage(args.model, f"{line['val_psnr']:.2f} dB", int(line["step"]), steps)
        if write:
            write(line)
        if not args.json and not bars.shown:
            echo(", ".join(f"{name} {value:.5g}" for name, value in line.items()))

    with Bars(1, show=not args.json) as bars:
        best = training.run(report)
    if args.json:
        echo_json({"model": args.model, "weights": str(out / BEST), "best_val_psnr": best, "steps": training.step, "lines": lines})
    else:
        echo(f"{args.model}: {training.step} steps, best {best:.2f} dB on validation patches -> {out / BEST}")
    return 0


def _training(args: argparse.Namespace) -> Training:
    """The training that the command line asks for: its plan, its images, and where it goes. Raises BurstsrError before anything is computed."""
    from single.catalogue import CATALOGUE
    from single.data import Degradation
    from single.inference.runner import chosen_device
    from single.training import sources
    from single.training.loop import Training, writable
    from single.training.plan import Plan
    from single.training.presets import preset
    from single.training.validation import Validation

    descriptor = CATALOGUE[args.model]
    chosen = preset(args.preset, descriptor) if args.preset else {}
    asked = chosen | {field.name: getattr(args, field.name) for field in fields(Plan) if getattr(args, field.name, None) is not None}
    switch = {"auto": None, "on": True, "off": False}
    asked |= {"descriptor": descriptor, "gan": descriptor.gan, "bf16": switch[args.bf16], "channels_last": switch[args.channels_last]}
    asked |= ({"before_activation": False} if args.after_activation else {}) | ({"relativistic": False} if args.not_relativistic else {})
    plan = Plan(**asked)
    out = args.output or Path(args.model)
    chosen_device(plan.device)
    writable(out)
    if args.raw_data:
        pairs, held_back = sources.of_raw_files(descriptor, args.raw_data, args.validation[0] if args.validation else args.raw_data)
    else:
        pairs, held_back = sources.pairs_from_images(descriptor, args.data, args.validation, Degradation(args.blur_px, args.noise, args.jpeg))
    return Training(plan, pairs, Validation(held_back), out, args.start or "")
