"""Networks of other projects through spandrel, which recognises some forty architectures by the names of their weights, and knows how each is called."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from burstsr.core.errors import InputFileError
from single.descriptor import Descriptor

_REACH_PX = 32  # not known of them
_TORCHVISION = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
_FACE_SIDE_PX = 512  # of what models of faces are trained with, where the descriptor does not tell


class Foreign(nn.Module):
    """A network called by spandrel's descriptor, which pads images to the size that it needs, and clips its result to 0 to 1."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401  spandrel.ImageModelDescriptor
        super().__init__()
        self.network: nn.Module = model.model
        self._model = model

    def forward(self, x: Tensor) -> Tensor:
        """(1, 3, H, W) sRGB, 0 to 1 -> (1, 3, scale H, scale W)."""
        out: Tensor = self._model(x)
        return out


def foreign(tensors: dict[str, Any], name: str, path: Path) -> tuple[Descriptor, Foreign, str]:
    """Return the network of weights that spandrel knows, and whether it may be tiled: "supported", "discouraged" or "internal" (it tiles by itself, or
    draws a face, of the descriptor's `face_side_px`).

    Raises InputFileError for weights that it does not know, for models that fill holes, and for others than three channels to three at x1 to x8.
    """
    spandrel = imported()
    names = ", ".join(list(tensors)[:4])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch to the networks' authors
            model = spandrel.ModelLoader(device="cpu").load_from_state_dict(spandrel.canonicalize_state_dict(tensors))
    except Exception as error:  # of spandrel's own classes, and whatever its networks raise for odd sizes
        raise InputFileError(f"{path}: weights of a network that is unknown to spandrel too ({names} ...: {error})") from error
    title = model.architecture.name
    if model.purpose == "Inpainting":
        raise InputFileError(f"{path}: {title}, a model that fills holes; it needs a mask of them, and upscales nothing")
    if model.input_channels != 3 or model.output_channels != 3 or not 1 <= model.scale <= 8:
        allowed = f"{model.input_channels} to {model.output_channels} channels at x{model.scale}; must be 3 to 3 channels at x1 to x8"
        raise InputFileError(f"{path}: {title}, {allowed}")
    sizes, tiling = {"spandrel": title, "purpose": model.purpose}, model.tiling.name.lower()
    if model.purpose == "FaceSR":
        sizes["face_side_px"], tiling = model.size_requirements.minimum or _FACE_SIDE_PX, "internal"
    descriptor = Descriptor(name, "foreign", int(model.scale), "rgb", sizes, _REACH_PX, int(model.size_requirements.multiple_of), gan=True)
    return descriptor, Foreign(model).requires_grad_(False).eval(), tiling


def imported() -> Any:  # noqa: ANN401  a module
    """Import spandrel, also where torchvision is missing or does not fit torch: PyPI's does not run beside a torch without CUDA.

    Of torchvision it only wants normalisation, for a model of faces, and rotation, for one that fills holes.
    """
    if "spandrel" in sys.modules:
        return sys.modules["spandrel"]
    try:
        import_module("torchvision")
    except (ImportError, RuntimeError, OSError):  # RuntimeError: operator torchvision::nms does not exist
        with _in_place_of_torchvision():
            return import_module("spandrel")
    return import_module("spandrel")


@contextmanager
def _in_place_of_torchvision() -> Iterator[None]:
    before = {name: sys.modules.pop(name, None) for name in _TORCHVISION}
    stand_ins = {name: ModuleType(name) for name in _TORCHVISION}
    functional: Any = stand_ins[_TORCHVISION[-1]]
    functional.normalize, functional.rotate, functional.InterpolationMode = _normalized, None, None
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, module in before.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


def _normalized(image: Tensor, mean: list[float], std: list[float]) -> Tensor:
    centre, width = (torch.tensor(values, dtype=image.dtype, device=image.device).view(-1, 1, 1) for values in (mean, std))
    return (image - centre) / width
