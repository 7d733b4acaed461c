"""What `benchmarks.single` measures: its plan, the models that are there, and the photographs that training leaves out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import BurstsrError
from burstsr.io.images import read_image
from single.inference import Request, Upscaler, make_upscaler

Floats = NDArray[np.float32]
Record = dict[str, Any]
Progress = Callable[[str, int, int], None]
MODELS = ("bicubic", "lanczos", "srcnn", "srresnet", "srmd", "srmd-noise", "srgan", "esrgan", "realesrgan", "realesrgan-anime", "realesrgan-animevideo")
SECTIONS = ("sets", "raw", "fallback")
HELD_BACK = ("mate_Dune", "plasma_ColorfulCups")  # photographs that training leaves out


@dataclass(frozen=True)
class Plan:
    """data: folder with testsets and photos. models: names or files. scales, isos: of the sets, and of the raw frames. quick: Set5 at x4 alone, ISO 100,
    one burst of each kind.

    back_projection: of all networks on the sets; "": their own defaults. sections: of SECTIONS.
    """

    data: Path
    models: Sequence[str] = MODELS
    scales: Sequence[int] = (2, 3, 4)
    isos: Sequence[float] = (100.0, 800.0, 3200.0)
    quick: bool = False
    device: str = "auto"
    back_projection: str = ""
    sections: Sequence[str] = SECTIONS


def model_of(name: str, scale: int, plan: Plan, notes: list[str]) -> Upscaler | None:
    """None for a model that is not there, or not made for that scale."""
    try:
        made = make_upscaler(Request(name, float(scale), device=plan.device, back_projection=plan.back_projection))
    except BurstsrError as error:
        if str(error) not in notes:
            notes.append(str(error))
        return None
    return made if made.native == scale else None


def photograph(data: Path, name: str, side: int) -> Floats:
    """Return a square from the middle of a photograph, (side, side, 3) sRGB."""
    rgb = read_image(data / "photos" / f"{name}.jpg").rgb
    top, left = ((n - side) // 2 for n in rgb.shape[:2])
    return np.ascontiguousarray(rgb[max(top, 0) :, max(left, 0) :][:side, :side])
