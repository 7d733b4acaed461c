"""Weights in safetensors files, with the network's descriptor in the header. Reading never executes code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from burstsr.core.errors import InputFileError, SettingsError
from burstsr.io.atomic import atomic
from single.descriptor import Descriptor

if TYPE_CHECKING:
    from torch import Tensor, nn

KEY = "descriptor"


def write_weights(path: str | Path, net: nn.Module, descriptor: Descriptor, facts: Mapping[str, str] | None = None, half: bool = False) -> None:
    """Write a network's weights; half: as 16-bit floats. facts: further header fields (training data, command). Raises OutputError."""
    from safetensors.torch import save

    state = {name: (value.half() if half and value.is_floating_point() else value).contiguous().cpu() for name, value in net.state_dict().items()}
    whole = save(state, {KEY: descriptor.to_json(), **(facts or {})})  # safetensors does not raise OSError for a full disk
    with atomic(Path(path)) as temporary:
        temporary.write_bytes(whole)


def read_header(path: str | Path) -> tuple[Descriptor | None, dict[str, str]]:
    """Read the descriptor and other header fields of a safetensors file, without its weights, and without torch; no descriptor in foreign files.

    Raises InputFileError.
    """
    try:
        with Path(path).open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > 100_000_000:
                raise ValueError("no safetensors header")
            facts = json.loads(file.read(length)).get("__metadata__", {})
        found = facts.pop(KEY, None)
        return (Descriptor.from_json(found) if found else None), facts
    except SettingsError as error:
        raise InputFileError(f"{path}: {error}") from error
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise InputFileError(f"{path}: not a safetensors file ({error})") from error


def read_weights(path: str | Path) -> tuple[dict[str, Tensor], Descriptor | None]:
    """Read weights as float32 and the descriptor, None in foreign files. Raises InputFileError."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    descriptor, _ = read_header(path)
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputFileError(f"{path}: not a readable safetensors file ({error})") from error
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}, descriptor
