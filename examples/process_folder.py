"""Process every burst in a folder: one linear DNG and one JPEG each.

Run it as `python examples/process_folder.py photos results`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np

import burstsr


def main(folder: str, out: str) -> None:
    """Merge the bursts in `folder`, one sub-folder each or grouped by capture time, and write the results to `out`."""
    found = burstsr.discover([folder])
    for problem in found.problems:
        print(f"{problem.path}: {problem.reason}")
    Path(out).mkdir(parents=True, exist_ok=True)
    for files in found.bursts:
        burst = burstsr.read_burst([info.path for info in files.infos])
        result = burstsr.super_resolve(burst, burstsr.Settings(scale=2.0))
        burstsr.write_dng(Path(out) / f"{files.name}.dng", result)
        iio.imwrite(Path(out) / f"{files.name}.jpg", np.rint(255 * burstsr.render(result)).astype(np.uint8))
        used, frames = result.report.frames_used, len(result.report.frames)
        print(f"{files.name}: {used} of {frames} frames, {result.report.subpixel_phases} sub-pixel phases; {result.report.advice or 'all is well'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
