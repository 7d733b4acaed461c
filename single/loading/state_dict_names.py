"""Conversion of foreign parameter names of the RRDB generator to ours, and its sizes from the shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from burstsr.core.errors import InputFileError
from single.descriptor import Descriptor


class Shaped(Protocol):
    """A tensor or an array."""

    @property
    def shape(self) -> Any: ...  # noqa: ANN401, D102


_WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "generator", "model", "net_g", "ema")  # the first present one is used
_PREFIXES = ("module.", "generator.", "model.module.")
_AROUND = {"RRDB_trunk": "body", "trunk_conv": "conv_body", "upconv1": "conv_up1", "upconv2": "conv_up2", "HRconv": "conv_hr"}  # ESRGAN's own, 2019
_REACH_PX = 40  # for 23 blocks, before unshuffling: with 32, tiled results differ from untiled ones by up to 1.4 / 255, with 40 by 0.3


def unwrapped(stored: object, path: Path) -> dict[str, Any]:
    """Return the tensors of a file by name, unwrapped from training checkpoints. Raises InputFileError where there are none."""
    seen = []
    while isinstance(stored, Mapping):
        tensors = {str(key): value for key, value in stored.items() if hasattr(value, "shape")}
        inner = next((stored[key] for key in _WRAPPERS if isinstance(stored.get(key), Mapping)), None)
        if inner is None:
            if tensors:
                return _without_prefix(tensors)
            break
        seen.append(next(key for key in _WRAPPERS if isinstance(stored.get(key), Mapping)))
        stored = inner
    found = ", ".join(map(str, list(stored)[:6])) if isinstance(stored, Mapping) else type(stored).__name__
    inside = f" inside {'/'.join(seen)}" if seen else ""
    raise InputFileError(f"{path}: holds {found or 'nothing'}{inside}; expected named weights, at the top level or under {', '.join(_WRAPPERS)}")


def _without_prefix(tensors: dict[str, Any]) -> dict[str, Any]:
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in tensors):
            return _without_prefix({key.removeprefix(prefix): value for key, value in tensors.items()})
    return tensors


def rrdb_keys(tensors: Mapping[str, Any]) -> dict[str, Any] | None:
    """Rename tensors to the names of `RRDBNet`; None if they are not an RRDB network, or one that upscales in other steps than twice by 2.

    Styles: ESRGAN's first (model.1.sub.N.RDBk.convk.0), its second (RRDB_trunk.N.RDBk.convk), and BasicSR's, which is ours (body.N.rdbk.convk).
    """
    numbers = [int(found[1]) for key in tensors if (found := re.fullmatch(r"model\.1\.sub\.(\d+)\.weight", key))]
    if numbers:
        return _first_style(tensors, str(numbers[0]))
    renamed = {}
    for key, value in tensors.items():
        head, _, rest = key.partition(".")
        renamed[f"{_AROUND.get(head, head)}.{rest.replace('RDB', 'rdb')}"] = value
    return renamed if "body.0.rdb1.conv1.weight" in renamed and "conv_up2.weight" in renamed else None


def _first_style(tensors: Mapping[str, Any], trunk: str) -> dict[str, Any] | None:
    behind = sorted({int(key.split(".")[1]) for key in tensors if re.fullmatch(r"model\.([2-9]|\d\d)\.weight", key)})
    if len(behind) != 4:
        return None
    heads = {"model.0": "conv_first", f"model.1.sub.{trunk}": "conv_body"}
    heads |= {f"model.{n}": name for n, name in zip(behind, ("conv_up1", "conv_up2", "conv_hr", "conv_last"), strict=True)}
    renamed = {}
    for key, value in tensors.items():
        head, _, last = key.rpartition(".")
        inner = re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB([123])\.conv([1-5])\.0", head)
        renamed[f"body.{inner[1]}.rdb{inner[2]}.conv{inner[3]}.{last}" if inner else f"{heads.get(head, head)}.{last}"] = value
    return renamed


def rrdb_descriptor(tensors: Mapping[str, Shaped], name: str, gan: bool, path: Path) -> Descriptor:
    """Return the descriptor of the RRDB network of these weights. Raises InputFileError where their shapes are inconsistent."""
    try:
        channels, inputs = (int(n) for n in tensors["conv_first.weight"].shape[:2])
        outputs = int(tensors["conv_last.weight"].shape[0])
        growth = int(tensors["body.0.rdb1.conv1.weight"].shape[0])
    except (KeyError, IndexError, ValueError) as error:
        raise InputFileError(f"{path}: looks like the RRDB generator of ESRGAN, but {error} is missing or of the wrong shape") from error
    blocks = 1 + max(int(found[1]) for key in tensors if (found := re.match(r"body\.(\d+)\.", key)))
    scale = {3: 4, 12: 2, 48: 1}.get(inputs)  # below 4 the input comes pixel-unshuffled
    if scale is None or outputs != 3:
        raise InputFileError(f"{path}: an RRDB network of {inputs} input and {outputs} output channels; must be 3 (or 12 or 48, pixel-unshuffled) and 3")
    sizes = {"channels": channels, "blocks": blocks, "growth": growth}
    return Descriptor(name, "rrdb", scale, "rgb", sizes, _REACH_PX * (4 // scale), 4 // scale, gan)
