"""Which bursts the benchmark takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from benchmarks.shots import Case, Motion

ISOS = (100.0, 400.0, 1600.0, 3200.0)
FRAMES = (1, 2, 3, 5, 9, 13, 30)
SCALES = (1.0, 1.5, 2.0, 3.0)
MOTIONS: tuple[Motion, ...] = ("handheld", "tripod", "jiggle")
SECTIONS = ("grid", "short", "tripod", "mover")
QUICK_PICTURES = ("01", "05", "08", "19", "23")  # of the Kodak set: a lattice, text, houses, a fence, smooth colour
QUICK_SECTION_PICTURES = 2
_SECTION_ISOS = (100.0, 1600.0)


@dataclass(frozen=True)
class Grid:
    """What is asked for. Empty tuples mean the default of the targets: 4 ISOs, 13 frames, x2, hand-held."""

    pictures: tuple[Path, ...]
    iso: tuple[float, ...] = ()
    frames: tuple[int, ...] = ()
    scale: tuple[float, ...] = ()
    motion: tuple[Motion, ...] = ()
    sections: tuple[str, ...] = ()
    quick: bool = False
    blur: float = 0.0
    seed: int = 0

    def cases(self) -> list[Case]:
        """Every burst to take. Sections beside the grid run where no axis of the grid is chosen, or where they are asked for."""
        chosen = any((self.iso, self.frames, self.scale, self.motion))
        sections = self.sections or (("grid",) if chosen else SECTIONS)
        axes = (self.iso or ISOS, self.frames or (13,), self.scale or (2.0,), self.motion or ("handheld",))
        cases: list[Case] = []
        if "grid" in sections:
            for picture, iso, frames, scale, motion in product(self.pictures, *axes):
                cases.append(self._case("grid", picture, iso, frames, scale, motion))
        few = self.pictures[:QUICK_SECTION_PICTURES] if self.quick else self.pictures
        isos = self.iso or _SECTION_ISOS
        scale = self.scale[0] if self.scale else 2.0
        for picture, iso in product(few, isos):
            if "short" in sections:
                cases += [self._case("short", picture, iso, frames, scale, "handheld") for frames in (1, 2, 3)]
            if "tripod" in sections:
                cases.append(self._case("tripod", picture, iso, 13, scale, "tripod"))
            if "mover" in sections:
                cases.append(self._case("mover", picture, iso, 13, scale, "handheld", mover=True))
        return cases

    def _case(self, section: str, picture: Path, iso: float, frames: int, scale: float, motion: Motion, mover: bool = False) -> Case:
        return Case(section, picture, iso, frames, scale, motion, mover, self.blur, self.seed)


def quick_choice(pictures: Sequence[Path]) -> tuple[Path, ...]:
    """Of many pictures the handful that the quick run takes: those of QUICK_PICTURES where they are there, else the first five."""
    known = [picture for picture in pictures if picture.stem in QUICK_PICTURES]
    return tuple(known or pictures[: len(QUICK_PICTURES)])
