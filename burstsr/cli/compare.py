"""`burstsr compare`: error of an image against the ground truth."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.batch.job import SUFFIX, recorded
from burstsr.cli.console import echo, echo_json, table, warn
from burstsr.core.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from burstsr.core.burst import Colour

FIGURES = {"psnr_linear": "PSNR linear, dB", "psnr_srgb": "PSNR sRGB, dB", "ssim": "SSIM", "chroma_error": "chroma error"}
SHOWN = {"psnr": "PSNR, dB", "ssim": "SSIM", "ms_ssim": "MS-SSIM"}  # of display images, on RGB and on luma
DEFAULT_CROP = 32  # pixels: 16 raw pixels at x2, which moving frames do not cover


@dataclass(frozen=True)
class Side:
    """One of the two images. rgb: linear; of the camera, with its colour, or, with colour None, sRGB primaries as displayed.

    orientation: EXIF code still to be applied.
    """

    rgb: NDArray[np.float32]
    colour: Colour | None
    orientation: int = 1


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "compare",
        help="PSNR, SSIM and chroma error of an image against the truth",
        description="Compare a result with the truth. Two linear images (DNG, linear TIFF; truth.tif) are compared directly; where one is a display "
        "image (8 or 16 bits: JPEG, PNG, TIFF), the other is converted to plain sRGB first, so the tone curve and sharpening of a preview count as errors; "
        "then PSNR, SSIM and MS-SSIM are given on RGB and on luma (BT.601, as in the literature), and LPIPS where its package and weights are installed.",
    )
    parser.add_argument("image", metavar="IMAGE", type=Path, help="DNG or linear TIFF of process, another linear TIFF, or a display image")
    parser.add_argument("truth", metavar="TRUTH", type=Path, help="truth.tif of simulate (truth.json beside it gives the colour), or any image")
    parser.add_argument("--crop", type=int, default=DEFAULT_CROP, metavar="PX", help=f"border to ignore (default {DEFAULT_CROP})")
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    missing = [str(path) for path in (args.image, args.truth) if not path.is_file()]
    if missing:
        raise SettingsError(f"no such file: {', '.join(missing)}")
    sides = read_side(args.image), read_side(args.truth)
    image, truth, colour = _alike(*sides)
    if image.shape != truth.shape:
        sizes = (f"{path} has {side.shape[1]} x {side.shape[0]} pixels" for path, side in ((args.image, image), (args.truth, truth)))
        raise SettingsError(", ".join(sizes) + "; sizes must be equal")
    reference = recorded(_record_of(args.image), "reference")
    if reference and args.truth.with_name("truth.json").is_file():
        warn(f"{args.image} has the geometry of frame {reference}, the truth that of frame 0; use process --reference 0 to compare them")
    figures = measure(image, truth, colour, args.crop)
    shown = measure_shown(image, truth, args.crop) if any(side.colour is None for side in sides) else {}
    if args.json:
        finite = {name: value if math.isfinite(value) else None for name, value in (figures | shown).items()}
        echo_json({"image": str(args.image), "picture": str(args.image), "truth": str(args.truth), "crop": args.crop, **finite})
    else:
        echo(figure_table({args.image.name: figures}) + (f"\n\n{_shown_table(shown)}" if shown else ""))
    return 0


def _record_of(image: Path) -> Path:
    """Return the path of the record beside a result of process; BURST.linear.tif has two suffixes."""
    burst = image.name.removesuffix(SUFFIX["tiff32"])
    return image.with_suffix(".json") if burst == image.name else image.with_name(f"{burst}.json")


def measure_shown(image: NDArray[np.float32], truth: NDArray[np.float32], crop: int) -> dict[str, float]:
    """The figures of SHOWN, each as name_rgb and name_y, of two images in linear sRGB; "lpips" where that is installed."""
    from burstsr.core.srgb import display_values
    from burstsr.quality import display
    from single.lpips import lpips

    shown, true = display_values(image), display_values(truth)
    figures = display.figures(shown, true, crop)
    distance = lpips(display.cropped(shown, crop), display.cropped(true, crop))
    return figures if distance is None else {**figures, "lpips": distance}


def _shown_table(figures: dict[str, float]) -> str:
    rows = [(label, *(f"{figures[f'{name}_{kind}']:.{2 if name == 'psnr' else 4}f}" for name in SHOWN)) for kind, label in (("rgb", "RGB"), ("y", "luma"))]
    return table(("display", *SHOWN.values()), rows, right=tuple(SHOWN.values())) + (f"\nLPIPS {figures['lpips']:.4f}" if "lpips" in figures else "")


def measure(image: NDArray[np.float32], truth: NDArray[np.float32], colour: Colour, crop: int) -> dict[str, float]:
    """Every figure of FIGURES, of two linear images of one camera, without a border of `crop` pixels."""
    from burstsr.quality import image_error

    return {
        "psnr_linear": image_error.psnr_linear(image, truth, crop),
        "psnr_srgb": image_error.psnr_srgb(image, truth, colour, crop),
        "ssim": image_error.ssim(image, truth, colour, crop),
        "chroma_error": image_error.chroma_error(image, truth, colour, crop),
    }


def figure_table(figures: dict[str, dict[str, float]]) -> str:
    """Return the table of the figures of several images, by name."""
    digits = {"psnr_linear": 2, "psnr_srgb": 2, "ssim": 4, "chroma_error": 4}
    rows = [(name, *(f"{values[f]:.{digits[f]}f}" for f in FIGURES)) for name, values in figures.items()]
    return table(("image", *FIGURES.values()), rows, right=tuple(FIGURES.values()))


def read_side(path: Path) -> Side:
    """Read an image of any kind that `compare` takes; a grey one becomes neutral linear sRGB. Raises InputFileError."""
    side = _side(path)
    if side.colour is None or len(side.colour.as_shot_neutral) == 3:
        return side
    import numpy as np

    from burstsr.core.srgb import linear_srgb_colour

    return replace(side, rgb=np.repeat(side.rgb[..., :1], 3, axis=2), colour=linear_srgb_colour())


def _side(path: Path) -> Side:
    if path.suffix.lower() == ".dng":
        from burstsr.io.linear_dng import read_linear_dng

        return Side(*read_linear_dng(path))
    from burstsr.io.images import read_image

    if path.suffix.lower() in (".tif", ".tiff"):
        from burstsr.io.linear_dng import read_linear_tiff

        linear = read_linear_tiff(path)
        if linear is not None:
            return Side(*linear)
    rgb, was_integer = read_image(path)
    if was_integer:
        return Side(_to_linear(rgb), None)
    record = path.with_name("truth.json")
    if not record.is_file():
        return Side(rgb, None)
    from burstsr.simulate import read_truth

    truth_record = read_truth(record)
    return Side(rgb, truth_record.colour, truth_record.orientation)


def _alike(image: Side, truth: Side) -> tuple[NDArray[np.float32], NDArray[np.float32], Colour]:
    """Convert both to the same space: camera RGB if both are linear, else linear sRGB, upright."""
    if image.colour is not None and truth.colour is not None:
        return image.rgb, truth.rgb, truth.colour
    from burstsr.core.srgb import linear_srgb_colour

    return _displayed(image), _displayed(truth), linear_srgb_colour()


def _displayed(side: Side) -> NDArray[np.float32]:
    """Return the image in linear sRGB, upright."""
    from burstsr.finish import orient
    from burstsr.quality.image_error import display_srgb

    if side.colour is None:
        return side.rgb
    return orient(_to_linear(display_srgb(side.rgb, side.colour)), side.orientation)


def _to_linear(srgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inverse of the sRGB curve (IEC 61966-2-1)."""
    import numpy as np

    from burstsr.core.srgb import decode_srgb

    return np.asarray(decode_srgb(srgb), np.float32)
