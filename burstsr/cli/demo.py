"""`burstsr demo`: simulate a burst from an image that comes with scikit-image, process it, and compare with the truth."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.batch.atomic_set import claimed
from burstsr.batch.executors import work
from burstsr.batch.job import ALWAYS, Job
from burstsr.cli.compare import DEFAULT_CROP, figure_table, measure, read_side
from burstsr.cli.console import echo, echo_json
from burstsr.cli.process import tell
from burstsr.cli.progress import Bars
from burstsr.cli.simulated_files import TRUTH, write_simulated
from burstsr.core.errors import InputFileError, OutputError
from burstsr.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from burstsr.core.burst import Colour

SIDE_BY_SIDE = "side_by_side.png"
IMAGE = "coffee.png"  # Rachel Michetti, CC0
FRAMES, SCALE, ISO, SEED = 9, 2.0, 400.0, 0
CROP_CENTRE = (0.5, 0.3)  # of the side-by-side image: 0 = top or left, 1 = bottom or right
CROP_PX = 256  # its height and width, 1:1


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo",
        help="demonstration: simulate a burst, process it, compare with the truth",
        description=f"Simulate {FRAMES} hand-held frames at ISO {ISO:g} of an image that comes with scikit-image, process them at x{SCALE:g}, and compare "
        "the result with the truth and with a single frame. Under a minute; nothing is downloaded.",
    )
    parser.add_argument("output", metavar="OUT", nargs="?", type=Path, default=Path("burstsr-demo"), help="output folder (default burstsr-demo)")
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    name = Path(IMAGE).stem
    colour, frames = _simulate(args.output / "burst" / name)
    job = Job(name, tuple(frames), args.output, ALWAYS, Settings(scale=SCALE, reference=0), tuple(path.name for path in frames), overwrite=True)
    reason = job.files.obstacle([*(path.name for path in job.outputs), SIDE_BY_SIDE])
    if reason:
        raise OutputError(reason)
    with Bars(1, show=not args.json) as bars:
        (outcome,) = work([job], bars)
    tell(outcome, quiet=args.json)
    if outcome.status != "done":
        return 1
    figures, result = _measure(job, colour)
    if args.json:
        echo_json({"out": str(args.output), "figures": figures, "side_by_side": str(result), "outputs": [str(path) for path in job.outputs]})
    else:
        echo(f"\n{figure_table(figures)}\n\nside by side: {result}")
    return 0


def _simulate(folder: Path) -> tuple[Colour, list[Path]]:
    """Write the burst and its truth to `folder`."""
    import numpy as np

    from burstsr.io.images import read_image
    from burstsr.simulate import SimulateSettings, simulate_burst

    settings = SimulateSettings(frames=FRAMES, scale=SCALE, iso=ISO)
    simulated = simulate_burst(read_image(_bundled_image()).rgb, settings, np.random.default_rng(SEED), folder.name)
    return simulated.burst.info.colour, write_simulated(folder, simulated, SEED)


def _bundled_image() -> Path:
    """Return the image file inside the installed scikit-image. Raises InputFileError where it is missing."""
    spec = find_spec("skimage")  # not imported: its own loader might download it
    places = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    for place in places:
        path = Path(place) / "data" / IMAGE
        if path.is_file():
            return path
    raise InputFileError(f"skimage/data/{IMAGE}: missing from this installation of scikit-image; try burstsr simulate with an image of your own")


def _measure(job: Job, colour: Colour) -> tuple[dict[str, dict[str, float]], Path]:
    """Return figures of the single frame and of the result, and the path of their side-by-side image."""
    from burstsr.io.images import write_png
    from burstsr.quality import baseline

    truth = read_side(job.paths[0].with_name(TRUTH)).rgb
    images = {
        baseline.NAME: baseline.single_frame(job.paths[0], colour.as_shot_neutral, SCALE),
        f"burst of {len(job.paths)}": read_side(job.images["dng"]).rgb,
    }
    with claimed(job.files) as claim, claim.staged([SIDE_BY_SIDE], adds=True) as staging:  # the burst's record lists it too
        write_png(staging.folder / SIDE_BY_SIDE, side_by_side({**images, "truth": truth}, colour))
        staging.record = job.files.read() or {}
    return {name: measure(rgb, truth, colour, DEFAULT_CROP) for name, rgb in images.items()}, job.out / SIDE_BY_SIDE


def side_by_side(images: dict[str, NDArray[np.float32]], colour: Colour) -> NDArray[np.uint8]:
    """(CROP_PX + 24, n CROP_PX, 3) uint8 sRGB: the same crop of each image at 1:1 under its name, in plain sRGB without a tone curve."""
    import cv2
    import numpy as np

    from burstsr.quality.image_error import display_srgb

    panels = []
    for name, rgb in images.items():
        top, left = (round(f * (length - CROP_PX)) for f, length in zip(CROP_CENTRE, rgb.shape[:2], strict=True))
        crop = rgb[top : top + CROP_PX, left : left + CROP_PX]
        label = np.full((24, CROP_PX, 3), 255, np.uint8)
        cv2.putText(label, name, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
        panels.append(np.vstack([label, np.rint(display_srgb(crop, colour) * 255).astype(np.uint8)]))
    return np.hstack(panels)
