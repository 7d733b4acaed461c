"""Side-by-side crops of the best single frame, the burst and the truth, at positions difficult for demosaicing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.rows import MODES, SINGLE, TITLES
from benchmarks.shots import Case, Shot
from burstsr.io.images import write_png
from burstsr.quality.image_error import display_srgb

Floats = NDArray[np.float32]
PLACES = {"19": (440, 140), "01": (250, 380), "08": (190, 530), "05": (190, 120)}  # Kodak: fence, lattice, lamp and lettering, lettering; (top, left)
_HEIGHT, _WIDTH = 160, 224  # pixels of the truth
_ZOOM = 2  # nearest neighbour: every pixel stays visible
_LABEL = 24
_ISOS = (100.0, 1600.0)


def wanted(case: Case) -> bool:
    """Whether crops of this case are written: hand-held x2, ISO 100 and 1600, and of the Kodak set the images of PLACES."""
    kodak = case.image.parent.name.lower().startswith("kodak")
    return case.iso in _ISOS and case.scale == 2 and case.motion == "handheld" and (not kodak or case.image.stem in PLACES)


def write(out: Path, case: Case, shot: Shot, images: Mapping[str, Floats], records: Sequence[Mapping[str, Any]]) -> Path:
    """Write `out`/IMAGE_isoISO_FRAMES.png: best single row (by sRGB PSNR) | burstsr | burstsr best | truth, as available; return its path."""
    scores = {record["row"]: record["psnr_srgb"] or 0.0 for record in records}
    single = max((key for key in images if key in SINGLE), key=lambda key: scores[key], default=None)
    panels = {f"{TITLES[key]}, {scores[key]:.1f} dB": images[key] for key in (single, *MODES) if key is not None and key in images}
    path = out / f"{case.image.stem}_iso{case.iso:g}_{case.frames}.png"
    write_png(path, side_by_side({**panels, "truth": shot.made.truth}, shot, _place(case, shot.made.truth.shape)))
    return path


def side_by_side(panels: Mapping[str, Floats], shot: Shot, place: tuple[int, int]) -> NDArray[np.uint8]:
    """Return (_ZOOM height + _LABEL, sum of widths, 3) uint8 sRGB: the same crop of every panel under its name."""
    columns = []
    for name, image in panels.items():
        crop = display_srgb(image[place[0] : place[0] + _HEIGHT, place[1] : place[1] + _WIDTH], shot.colour)
        pixels = np.rint(crop * 255).astype(np.uint8).repeat(_ZOOM, axis=0).repeat(_ZOOM, axis=1)
        label = np.full((_LABEL, pixels.shape[1], 3), 255, np.uint8)
        cv2.putText(label, name, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
        columns.append(np.vstack([label, pixels]))
    return np.hstack(columns)


def _place(case: Case, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the upper left corner of the crop: the known position, else the centre."""
    top, left = PLACES.get(case.image.stem, (shape[0] // 2 - _HEIGHT // 2, shape[1] // 2 - _WIDTH // 2))
    return min(max(top, 0), max(shape[0] - _HEIGHT, 0)), min(max(left, 0), max(shape[1] - _WIDTH, 0))
