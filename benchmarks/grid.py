"""The bursts of the benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.shots import Case, Motion

ISOS = (100.0, 400.0, 1600.0, 3200.0)
FRAMES = (1, 2, 3, 5, 9, 13, 30, 60)
SCALES = (1.0, 1.5, 2.0, 3.0)
MOTIONS: tuple[Motion, ...] = ("handheld", "tripod", "jiggle")
EXTRAS = ("counts", "scales", "lamp", "hot", "psf")  # few images, and the program's own rows alone
SECTIONS = ("grid", "short", "tripod", "mover", *EXTRAS)
QUICK_IMAGES = ("01", "05", "08", "19", "23")  # of the Kodak set: a lattice, text, houses, a fence, smooth colour
QUICK_SECTION_IMAGES, QUICK_EXTRA_IMAGES = 2, 1
EXTRA_IMAGES = ("01", "08", "19")
HOT_PIXELS = 100  # one in a thousand of a Kodak frame at x2
LENS_PX, LENS_GIVEN = 0.5, (0.35, 0.5, 0.65)  # section psf: lens blur, and the value given to mode "best": 30 % too small, true, 30 % too large
_SECTION_ISOS = (100.0, 1600.0)


@dataclass(frozen=True)
class Grid:
    """The requested bursts. Empty tuples mean the default of the targets: 4 ISOs, 13 frames, x2, hand-held."""

    images: tuple[Path, ...]
    iso: tuple[float, ...] = ()
    frames: tuple[int, ...] = ()
    scale: tuple[float, ...] = ()
    motion: tuple[Motion, ...] = ()
    sections: tuple[str, ...] = ()
    quick: bool = False
    blur: float = 0.0
    seed: int = 0

    def cases(self) -> list[Case]:
        """Return every burst. Further sections run where no axis of the grid is chosen, or where they are requested."""
        chosen = any((self.iso, self.frames, self.scale, self.motion))
        sections = self.sections or (("grid",) if chosen else SECTIONS)
        axes = (self.iso or ISOS, self.frames or (13,), self.scale or (2.0,), self.motion or ("handheld",))
        cases: list[Case] = []
        if "grid" in sections:
            for image, iso, frames, scale, motion in product(self.images, *axes):
                cases.append(Case("grid", image, iso, frames, scale, motion, blur=self.blur, seed=self.seed))
        few = self.images[:QUICK_SECTION_IMAGES] if self.quick else self.images
        fewest = _those_of(EXTRA_IMAGES, self.images)[: QUICK_EXTRA_IMAGES if self.quick else None]
        for section in (name for name in SECTIONS[1:] if name in sections):
            for image, iso in product(fewest if section in EXTRAS else few, self.iso or _SECTION_ISOS):
                usual = Case(section, image, iso, scale=self.scale[0] if self.scale else 2.0, blur=self.blur, seed=self.seed)
                cases += [replace(usual, **change) for change in self._changes(section)]
        return cases

    def _changes(self, section: str) -> list[dict[str, Any]]:
        """Return the differences from the usual burst, for every case of a further section."""
        changes: dict[str, list[dict[str, Any]]] = {
            "short": [{"frames": frames} for frames in (1, 2, 3)],
            "tripod": [{"motion": "tripod"}],
            "mover": [{"mover": True}],
            "counts": [{"frames": frames} for frames in self.frames or FRAMES],
            "scales": [{"scale": scale} for scale in self.scale or SCALES],
            "lamp": [{"lamp": True}],
            "hot": [{"hot": HOT_PIXELS}],
            "psf": [{"blur": LENS_PX, "psf": sigma} for sigma in LENS_GIVEN],
        }
        return changes[section]


def quick_choice(images: Sequence[Path]) -> tuple[Path, ...]:
    """Return the images of the quick run: those of QUICK_PICTURES if available, else the first five."""
    return _those_of(QUICK_IMAGES, images)


def _those_of(names: Sequence[str], images: Sequence[Path]) -> tuple[Path, ...]:
    known = [image for image in images if image.stem in names]
    return tuple(known or images[: len(names)])
