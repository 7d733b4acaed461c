"""Recognition of SRVGG-compact and SRMD by the names and shapes of their weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isqrt
from pathlib import Path

from burstsr.core.errors import InputFileError
from single.descriptor import Descriptor
from single.loading.state_dict_names import Shaped

_IMAGE_AND_KERNEL = 18  # input channels of SRMD without a noise map: colours, and components of the blur kernel


def descriptor_of(tensors: Mapping[str, Shaped], name: str, path: Path, shrunk: float = 1.0) -> Descriptor | None:
    """Return the descriptor of SRVGG-compact (body.N) or SRMD (model.N) weights; None for others. shrunk: factor of a final resizing.

    Raises InputFileError where the sizes are those of no such network.
    """
    if _numbers(tensors, "body") and len(tensors["body.1.weight"].shape if "body.1.weight" in tensors else ()) == 1:
        return _srvgg(tensors, name, path, shrunk)
    numbers = _numbers(tensors, "model")
    if len(numbers) >= 2 and numbers == list(range(0, 2 * len(numbers), 2)) and len(tensors) == 2 * len(numbers):
        return _srmd(tensors, numbers, name, path)
    return None


def _numbers(tensors: Mapping[str, Shaped], stem: str) -> list[int]:
    return sorted(int(found[1]) for key in tensors if (found := re.fullmatch(rf"{stem}\.(\d+)\.weight", key)))


def _srvgg(tensors: Mapping[str, Shaped], name: str, path: Path, shrunk: float) -> Descriptor:
    last = _numbers(tensors, "body")[-1]
    channels = int(tensors["body.0.weight"].shape[0])
    inner = isqrt(int(tensors[f"body.{last}.weight"].shape[0]) // 3)
    scale = round(inner * shrunk)
    if last % 2 or not 1 <= scale <= 8 or int(tensors["body.0.weight"].shape[1]) != 3:
        raise InputFileError(f"{path}: looks like SRVGG-compact, but has {last + 1} layers and upscales {scale} times; must be an odd number, and 1 to 8")
    sizes = {"channels": channels, "convolutions": (last - 2) // 2} | ({"inner": inner} if inner != scale else {})
    return Descriptor(name, "srvgg", scale, "rgb", sizes, last // 2 + 1, gan=True)


def _srmd(tensors: Mapping[str, Shaped], numbers: list[int], name: str, path: Path) -> Descriptor | None:
    channels, inputs = (int(n) for n in tensors["model.0.weight"].shape[:2])
    noise = inputs - _IMAGE_AND_KERNEL
    scale = isqrt(int(tensors[f"model.{numbers[-1]}.weight"].shape[0]) // 3)
    if noise not in (0, 1):
        return None
    if scale not in (2, 3, 4):
        raise InputFileError(f"{path}: looks like SRMD, but upscales {scale} times; must be 2, 3 or 4")
    sizes = {"channels": channels, "convolutions": len(numbers), "noise": bool(noise)}
    return Descriptor(name, "srmd", scale, "rgb-noise" if noise else "rgb", sizes, len(numbers))
