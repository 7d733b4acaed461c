"""Loading of the requested model."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from burstsr.core.errors import RangeError, SettingsError
from burstsr.core.fields import check_range
from single.classical import METHODS
from single.inference.upscaler import Model, Upscaler
from single.loading import find

if TYPE_CHECKING:
    from single.loading import Weights

DEFAULT_SCALE = 4.0


@dataclass(frozen=True)
class Request:
    """A requested model: one of METHODS, a model's name, or a file of weights. scale: above 0; None: the network's own, x4 if available.

    blend: weight, 0 to 1, of the model in an interpolation with `partner` (None: the network from which the model was fine-tuned, if known).
    device: one of `runner.DEVICES`. tile: tile size in input pixels, 0 = automatic.
    """

    model: str
    scale: float | None = None
    blend: float | None = None
    partner: str | None = None
    device: str = "auto"
    tile: int = 0

    def __post_init__(self) -> None:
        if self.scale is not None and not (np.isfinite(self.scale) and 0 < self.scale <= 16):
            raise RangeError("scale", f"must be above 0 and at most 16, not {self.scale:g}")
        if self.blend is not None:
            check_range("blend", self.blend, 0, 1)
        if self.tile and not 16 <= self.tile <= 65536:
            raise RangeError("tile", f"must be 0 (automatic) or between 16 and 65536 input pixels, not {self.tile}")


def check(request: Request) -> None:
    """Raise what `make_upscaler` would raise for an unknown model, missing weights or missing torch; nothing is loaded."""
    if request.model in METHODS:
        if request.blend is not None:
            raise SettingsError(f"--blend: {request.model} has no weights to interpolate")
        return
    weights = find(request.model, request.scale)
    if find_spec("torch") is None or find_spec("safetensors") is None:
        raise SettingsError(f"model {request.model!r} requires torch: pip install 'burstsr[single]'; available without it: {', '.join(METHODS)}")
    if request.blend is not None:
        _partner(request, weights)


def make_upscaler(request: Request) -> Upscaler:
    """Load the requested model. Raises SettingsError where it is unknown, or weights or torch are missing; InputFileError for invalid weights."""
    check(request)
    if request.model in METHODS:
        scale = DEFAULT_SCALE if request.scale is None else request.scale
        return Upscaler(Model(request.model, learned=False), scale, scale, "rgb", None, request.model)
    return _network(request, find(request.model, request.scale))


def _network(request: Request, weights: Weights) -> Upscaler:
    from single.blend import blended
    from single.inference.runner import Runner
    from single.loading import load

    loaded = load(weights)
    if request.blend is not None:
        loaded = blended(loaded, load(_partner(request, weights)), request.blend)
    runner = Runner(loaded, request.device, request.tile)
    descriptor = loaded.descriptor
    model = Model(descriptor.name, descriptor.learned, descriptor.gan, loaded.sha256)
    scale = float(descriptor.scale) if request.scale is None else request.scale
    return Upscaler(model, scale, float(descriptor.scale), descriptor.input, runner)


def _partner(request: Request, weights: Weights) -> Weights:
    from single.loading.registry import BASE_MODELS

    if request.partner is not None:
        return find(request.partner, weights.scale)
    for name, partner in BASE_MODELS.items():
        if weights.name == name or weights.name.startswith(f"{name}-"):
            return find(weights.name.replace(name, partner, 1), weights.scale)
    raise SettingsError(f"--blend: the base model of {request.model} is unknown; specify its weights: --blend {request.blend:g},FILE")
