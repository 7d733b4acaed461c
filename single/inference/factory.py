"""Loading of the requested model."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from burstsr.core.errors import InputFileError, RangeError, SettingsError
from burstsr.core.fields import check_choice, check_range
from single.classical import METHODS
from single.inference.back_projection import MODES
from single.inference.faces import Face, Faces, check_face
from single.inference.upscaler import Model, Upscaler
from single.loading import find
from single.srmd_blur import components, components_of, read_kernel

if TYPE_CHECKING:
    from single.descriptor import Descriptor
    from single.loading import Weights
    from single.loading.stage import Loaded

DEFAULT_SCALE = 4.0


@dataclass(frozen=True)
class Request:
    """A requested model: one of METHODS, a model's name, or a file of weights. scale: above 0; None: the network's own, x4 if available.

    blend: weight, 0 to 1, of the model in an interpolation with `partner` (None: the network from which the model was fine-tuned, if known).
    device: one of `runner.DEVICES`. tile: tile size in input pixels, 0 = automatic. back_projection: one of `back_projection.MODES`; "": the model's default
    (`default_back_projection`). noise: standard deviation of the noise of display images, 0 to 1, for models that take it; None: estimated.
    blur: of the images, for SRMD: sigma of a Gaussian in pixels of the result, or a file of a kernel (`single.srmd_blur.read_kernel`); 0: none.
    faces: crops Y, X, H, W of the images, for models of faces, which draw a face into each; the rest is interpolated (Lanczos).
    """

    model: str
    scale: float | None = None
    blend: float | None = None
    partner: str | None = None
    device: str = "auto"
    tile: int = 0
    back_projection: str = ""
    noise: float | None = None
    blur: float | str = 0.0
    faces: tuple[Face, ...] = ()

    def __post_init__(self) -> None:
        if self.scale is not None and not (np.isfinite(self.scale) and 0 < self.scale <= 16):
            raise RangeError("scale", f"must be above 0 and at most 16, not {self.scale:g}")
        if self.blend is not None:
            check_range("blend", self.blend, 0, 1)
        if self.back_projection:
            check_choice("back_projection", self.back_projection, MODES)
        if self.noise is not None:
            check_range("noise", self.noise, 0, 0.5)
        if not isinstance(self.blur, str):
            check_range("blur", self.blur, 0, 4)
        for face in self.faces:
            check_face(face)
        if self.tile and not 16 <= self.tile <= 65536:
            raise RangeError("tile", f"must be 0 (automatic) or between 16 and 65536 input pixels, not {self.tile}")


def check(request: Request) -> None:
    """Raise what `make_upscaler` would raise for an unknown model, missing weights or missing torch; nothing is loaded."""
    if request.model in METHODS:
        if request.blend is not None:
            raise SettingsError(f"--blend: {request.model} has no weights to interpolate")
        if request.faces:
            raise SettingsError(f"--face: {request.model} is not a model of faces")
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
    descriptor = loaded.descriptor
    _told(request, loaded)
    if descriptor.face_side_px or request.faces:
        return _of_faces(request, loaded, weights)
    runner = Runner(loaded, request.device, request.tile)
    model = Model(descriptor.name, descriptor.learned, descriptor.gan, loaded.sha256)
    scale = float(descriptor.scale) if request.scale is None else request.scale
    kind = descriptor.input.removesuffix("-noise")
    mode = request.back_projection or default_back_projection(descriptor)
    return Upscaler(model, scale, float(descriptor.scale), kind, runner, "bicubic", descriptor.noise_map, request.noise, mode)


def _of_faces(request: Request, loaded: Loaded, weights: Weights) -> Upscaler:
    """Return interpolation with faces drawn into it. Raises SettingsError for crops without a model of faces, and the reverse."""
    from single.inference.runner import Runner

    descriptor = loaded.descriptor
    if not descriptor.face_side_px:
        raise SettingsError(f"--face: {descriptor.name} is not a model of faces")
    if not request.faces:
        made_up = "it draws a face into whatever it is given, so that all of it is made up; state where faces are: burstsr single --face Y,X,H,W"
        raise InputFileError(f"{weights.path}: {descriptor.sizes['spandrel']}, a model for faces: {made_up}")
    if request.back_projection:
        raise SettingsError(f"--back-projection: {descriptor.name} draws faces, which do not agree with the image")
    scale = float(descriptor.scale) if request.scale is None else request.scale
    faces = Faces(request.faces, descriptor.face_side_px, Runner(loaded, request.device))
    model = Model(descriptor.name, descriptor.learned, descriptor.gan, loaded.sha256, request.faces)
    return Upscaler(model, scale, scale, "rgb", None, "lanczos", faces=faces)


def default_back_projection(descriptor: Descriptor) -> str:
    """Return the measured default: "full" for networks that invent detail, "low" for others, "off" for raw mosaics and at scale 1 (docs/single.md)."""
    if descriptor.raw or descriptor.scale == 1:
        return "off"
    return "full" if descriptor.gan else "low"


def _told(request: Request, loaded: Loaded) -> None:
    """Tell the network the degradation of its input. Raises SettingsError for a model that takes none."""
    descriptor = loaded.descriptor
    if request.noise is not None and not descriptor.noise_map:
        raise SettingsError(f"--noise: {descriptor.name} does not take the noise of its input; srmd-noise does")
    if descriptor.raw and request.noise is not None:
        raise SettingsError(f"--noise: {descriptor.name} takes that of the raw file")
    if descriptor.architecture == "srmd":
        network: Any = loaded.network
        network.code = components_of(read_kernel(request.blur)) if isinstance(request.blur, str) else components(request.blur)
    elif request.blur:
        raise SettingsError(f"--blur: {descriptor.name} does not take the blur of its input; srmd does")


def _partner(request: Request, weights: Weights) -> Weights:
    from single.loading.registry import BASE_MODELS

    if request.partner is not None:
        return find(request.partner, weights.scale)
    for name, partner in BASE_MODELS.items():
        if weights.name == name or weights.name.startswith(f"{name}-"):
            return find(weights.name.replace(name, partner, 1), weights.scale)
    raise SettingsError(f"--blend: the base model of {request.model} is unknown; specify its weights: --blend {request.blend:g},FILE")
