"""Files of weights to networks. .pth files are unpickled with only tensors allowed: anything else is rejected, not executed."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from burstsr.core.errors import InputFileError, SettingsError
from single.descriptor import Descriptor
from single.loading.compact import descriptor_of
from single.loading.ncnn import read_ncnn
from single.loading.registry import Weights
from single.loading.state_dict_names import rrdb_descriptor, rrdb_keys, unwrapped
from single.networks import build
from single.weights_file import read_weights

_LARGEST_WEIGHT = 1e5  # those of trained networks are below 100, statistics of batches below 10,000


@dataclass(frozen=True)
class Loaded:
    """A network in evaluation mode, on the CPU. sha256: of its weights file. tiling: "supported", "discouraged", or "internal": never to be tiled."""

    descriptor: Descriptor
    network: nn.Module
    sha256: str
    tiling: str = "supported"


def loaded(weights: Weights) -> Loaded:
    """Load the network of a file. Raises InputFileError, stating what the file holds and what is supported."""
    if weights.path.suffix == ".param":
        stored = read_ncnn(weights.path)
        tensors: dict[str, Any] = {key: torch.from_numpy(value) for key, value in stored.tensors.items()}
        rrdb = stored.architecture == "rrdb"
        descriptor = rrdb_descriptor(tensors, weights.name, True, weights.path) if rrdb else descriptor_of(tensors, weights.name, weights.path, stored.shrunk)
    else:
        tensors, descriptor = _described(weights)
    if descriptor is None:
        return _foreign(weights, tensors)
    return Loaded(descriptor, _filled(descriptor, tensors, weights), weights.sha256())


def _described(weights: Weights) -> tuple[dict[str, Any], Descriptor | None]:
    """Return the tensors, renamed if they are an RRDB network, and their descriptor; None if unknown."""
    try:
        stored, descriptor = read_weights(weights.path) if weights.path.suffix.lower() == ".safetensors" else (_unpickled(weights.path), None)
    except SettingsError as error:
        raise InputFileError(f"{weights.path}: {error}") from error
    tensors = unwrapped(stored, weights.path)
    if descriptor:
        return tensors, descriptor
    renamed = rrdb_keys(tensors)
    if renamed is None:
        return tensors, descriptor_of(tensors, weights.name, weights.path)
    gan = "psnr" not in weights.path.stem.lower()  # nearly all published weights of this network are, unless the name says otherwise
    return renamed, rrdb_descriptor(renamed, weights.name, gan, weights.path)


def _unpickled(path: Path) -> object:
    """Unpickle a torch file, tensors only."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        first = str(error).strip().splitlines()[0]
        raise InputFileError(f"{path}: rejected: it holds more than weights, and loading it could execute code ({first})") from error
    except Exception as error:  # torch raises many classes for damaged files
        raise InputFileError(f"{path}: not a readable file of weights ({error})") from error


def _filled(descriptor: Descriptor, tensors: dict[str, Any], weights: Weights) -> nn.Module:
    try:
        with torch.device("meta"):  # skip random initialisation
            network = build(descriptor)
        network.load_state_dict({key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}, strict=True, assign=True)
    except (RuntimeError, TypeError, SettingsError) as error:
        lines = [line.strip() for line in str(error).splitlines()]
        raise InputFileError(f"{weights.path}: not a {descriptor.architecture} of {dict(descriptor.sizes)}: {' '.join(lines[:3])[:300]}") from error
    for name, value in network.state_dict().items():
        if not bool((value.abs() <= _LARGEST_WEIGHT).all()):  # nor NaN
            raise InputFileError(f"{weights.path}: damaged: {name} has weights that are not finite, or above {_LARGEST_WEIGHT:g}")
    return network.requires_grad_(False).eval()


def _foreign(weights: Weights, tensors: dict[str, Any]) -> Loaded:
    """Load by spandrel."""
    names = ", ".join(list(tensors)[:4])
    known = "RRDB (ESRGAN in any of its key styles), SRMD, SRVGG-compact, or a file that burstsr train wrote"
    if find_spec("spandrel") is None:
        raise InputFileError(
            f"{weights.path}: weights of an unknown network ({names} ...); known architectures are {known}; others require pip install 'burstsr[spandrel]'"
        )
    from single.loading.foreign import foreign

    descriptor, network, tiling = foreign(tensors, weights.name, weights.path)
    return Loaded(descriptor, network, weights.sha256(), tiling)
