"""ncnn networks: a .param file of one layer per line, and a .bin file of their weights in that order. Supported: RRDB (ESRGAN), SRMD, SRVGG-compact.

A convolution's weights begin with a four-byte tag of their format: 0 = 32-bit floats, 0x01306B47 = 16-bit floats, padded to a multiple of four
bytes; its bias follows as 32-bit floats. The slopes of a PReLU are 32-bit floats without a tag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import InputFileError

Floats = NDArray[np.float32]
_MAGIC = "7767517"
_FLOAT16, _FLOAT32 = 0x01306B47, 0
_NO_WEIGHTS = {"Input", "Split", "Concat", "Eltwise", "BinaryOp", "Interp", "ReLU", "PixelShuffle"}
_CONVOLUTIONS_A_BLOCK, _AROUND = 15, 6  # of RRDB: three dense blocks of five; first, body, two for upscaling, one at full size, last
_SUPPORTED = "RRDB (ESRGAN), SRMD and SRVGG-compact"


@dataclass(frozen=True)
class Network:
    """Weights with the names of one of `single.networks`. architecture: of `single.descriptor`. shrunk: factor of a final resizing, 1 = none."""

    architecture: str
    tensors: dict[str, Floats]
    shrunk: float = 1.0


@dataclass(frozen=True)
class _Layer:
    kind: str
    name: str
    options: Mapping[str, str]

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the weights of a convolution or a PReLU."""
        outputs = int(self.options["0"])
        if self.kind == "PReLU":
            return (outputs,)
        kernel, count = int(self.options["1"]), int(self.options["6"])
        return outputs, count // (outputs * kernel**2), kernel, kernel

    @property
    def biased(self) -> bool:
        return self.kind == "Convolution" and self.options.get("5", "0") == "1"


def read_ncnn(param: Path) -> Network:
    """Read an ncnn network whose architecture is known. Raises InputFileError."""
    layers = _layers(param)
    architecture, keys = _recognised(layers, param)
    weighted = [layer for layer in layers if layer.kind not in _NO_WEIGHTS]
    found: dict[str, Floats] = {}
    path = param.with_suffix(".bin")
    data = _read(path)
    place = 0
    for key, layer in zip(keys, weighted, strict=True):
        found[f"{key}.weight"], place = (_weights if layer.kind == "Convolution" else _slopes)(data, place, layer, path)
        if layer.kind == "Convolution":
            found[f"{key}.bias"], place = _bias(data, place, layer, path)
    if place != len(data):
        raise InputFileError(f"{path}: {len(data)} bytes; the convolutions of {param.name} take {place}")
    return Network(architecture, found, float(layers[-1].options.get("1", 1)) if layers[-1].kind == "Interp" else 1.0)


def _recognised(layers: Sequence[_Layer], param: Path) -> tuple[str, list[str]]:
    """Return the architecture, and the names of its layers of weights in file order."""
    kinds = [layer.kind for layer in layers]
    count, slopes, shuffled = kinds.count("Convolution"), kinds.count("PReLU"), "PixelShuffle" in kinds
    blocks, rest = divmod(count - _AROUND, _CONVOLUTIONS_A_BLOCK)
    if not shuffled and not slopes and not rest and blocks >= 1:
        return "rrdb", _rrdb_keys(blocks)
    if shuffled and count >= 2 and slopes == count - 1:
        return "srvgg", [f"body.{n}" for n in range(count + slopes)]
    if shuffled and count >= 2 and not slopes and "Interp" not in kinds and "Concat" not in kinds:
        return "srmd", [f"model.{2 * n}" for n in range(count)]
    allowed = f"RRDB has {_CONVOLUTIONS_A_BLOCK} a block and {_AROUND} around them"
    raise InputFileError(f"{param}: {count} convolutions and {slopes} PReLU; only {_SUPPORTED} can be imported from ncnn ({allowed})")


def _rrdb_keys(blocks: int) -> list[str]:
    body = [f"body.{n}.rdb{d}.conv{c}" for n in range(blocks) for d in (1, 2, 3) for c in (1, 2, 3, 4, 5)]
    return ["conv_first", *body, "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputFileError(f"{path}: cannot be read ({error.strerror or error})") from error


def _layers(param: Path) -> list[_Layer]:
    """Return the layers in file order."""
    lines = _read(param).decode("utf-8", "replace").splitlines()
    if not lines or lines[0].strip() != _MAGIC:
        raise InputFileError(f"{param}: not an ncnn network in text form (its first line must be {_MAGIC})")
    found = []
    for line in lines[2:]:
        parts = line.split()
        if len(parts) < 4:
            continue
        if parts[0] not in (*_NO_WEIGHTS, "Convolution", "PReLU"):
            raise InputFileError(f"{param}: has a layer {parts[0]}; only {_SUPPORTED}, which have none, can be imported from ncnn")
        found.append(_layer(parts, param))
    if not found:
        raise InputFileError(f"{param}: has no layers")
    return found


def _layer(parts: list[str], param: Path) -> _Layer:
    """Parse a line. Raises InputFileError for a convolution or PReLU whose sizes are missing or contradict each other."""
    try:
        between = 4 + int(parts[2]) + int(parts[3])
        layer = _Layer(parts[0], parts[1], dict(part.split("=", 1) for part in parts[between:]))
        if layer.kind in _NO_WEIGHTS:
            return layer
        valid = int(layer.options["0"]) > 0
        if layer.kind == "Convolution":
            outputs, kernel, count = (int(layer.options[key]) for key in ("0", "1", "6"))
            valid = valid and kernel > 0 and count > 0 and count % (outputs * kernel**2) == 0
    except (ValueError, KeyError, ZeroDivisionError) as error:
        raise InputFileError(f"{param}: the convolution {' '.join(parts)} is invalid ({error!r})") from error
    if not valid:
        sizes = f"{layer.options.get('6')} weights for {layer.options['0']} outputs of side {layer.options.get('1')}"
        raise InputFileError(f"{param}: the convolution {layer.name} has {sizes}")
    return layer


def _weights(data: bytes, place: int, layer: _Layer, path: Path) -> tuple[Floats, int]:
    """Read the weights of the convolution at byte `place`; also return where they end."""
    tag = int.from_bytes(data[place : place + 4], "little")
    if tag not in (_FLOAT16, _FLOAT32):
        raise InputFileError(
            f"{path}: {layer.name} is stored as 0x{tag:08X}; only 16-bit (0x{_FLOAT16:08X}) and 32-bit (0) floats are supported, not quantised weights"
        )
    kind = np.dtype("<f2") if tag == _FLOAT16 else np.dtype("<f4")
    count = int(np.prod(layer.shape))
    end = place + 4 + -(-count * kind.itemsize // 4) * 4
    return _floats(data, kind, count, place + 4, end, layer, path).reshape(layer.shape), end


def _slopes(data: bytes, place: int, layer: _Layer, path: Path) -> tuple[Floats, int]:
    count = layer.shape[0]
    return _floats(data, np.dtype("<f4"), count, place, place + 4 * count, layer, path), place + 4 * count


def _bias(data: bytes, place: int, layer: _Layer, path: Path) -> tuple[Floats, int]:
    count = layer.shape[0]
    return _slopes(data, place, layer, path) if layer.biased else (np.zeros(count, np.float32), place)


def _floats(data: bytes, kind: np.dtype[np.floating], count: int, start: int, end: int, layer: _Layer, path: Path) -> Floats:
    if end > len(data):
        raise InputFileError(f"{path}: ends at {len(data)}, inside {layer.name}")
    return np.frombuffer(data, kind, count, start).astype(np.float32)
