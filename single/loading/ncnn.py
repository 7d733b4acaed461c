"""ncnn networks: a .param file of one layer per line, and a .bin file of their weights in that order. Only the RRDB generator of ESRGAN is supported.

A convolution's weights begin with a four-byte tag of their format: 0 = 32-bit floats, 0x01306B47 = 16-bit floats, padded to a multiple of four
bytes; its bias follows as 32-bit floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import InputFileError

_MAGIC = "7767517"
_FLOAT16, _FLOAT32 = 0x01306B47, 0
_RRDB_LAYERS = {"Input", "Split", "Convolution", "Concat", "Eltwise", "BinaryOp", "Interp", "ReLU"}
_CONVOLUTIONS_A_BLOCK, _AROUND = 15, 6  # three dense blocks of five; first, body, two for enlarging, one at full size, last


@dataclass(frozen=True)
class _Convolution:
    name: str
    outputs: int
    kernel: int
    biased: bool
    count: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.outputs, self.count // (self.outputs * self.kernel**2), self.kernel, self.kernel


def read_ncnn(param: Path) -> dict[str, NDArray[np.float32]]:
    """Read weights and biases of an ncnn RRDB network, with the names of `RRDBNet`. Raises InputFileError."""
    layers = _convolutions(param)
    blocks, rest = divmod(len(layers) - _AROUND, _CONVOLUTIONS_A_BLOCK)
    if rest or blocks < 1:
        allowed = f"{_CONVOLUTIONS_A_BLOCK} a block and {_AROUND} around them"
        raise InputFileError(f"{param}: {len(layers)} convolutions; only the RRDB generator of ESRGAN, which has {allowed}, can be imported from ncnn")
    found: dict[str, NDArray[np.float32]] = {}
    data = _read(param.with_suffix(".bin"))
    place = 0
    for key, layer in zip(_keys(blocks), layers, strict=True):
        found[f"{key}.weight"], found[f"{key}.bias"], place = _one(data, place, layer, param.with_suffix(".bin"))
    if place != len(data):
        raise InputFileError(f"{param.with_suffix('.bin')}: {len(data)} bytes; the convolutions of {param.name} take {place}")
    return found


def _keys(blocks: int) -> list[str]:
    body = [f"body.{n}.rdb{d}.conv{c}" for n in range(blocks) for d in (1, 2, 3) for c in (1, 2, 3, 4, 5)]
    return ["conv_first", *body, "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputFileError(f"{path}: cannot be read ({error.strerror or error})") from error


def _convolutions(param: Path) -> list[_Convolution]:
    """Return the convolutions in file order."""
    lines = _read(param).decode("utf-8", "replace").splitlines()
    if not lines or lines[0].strip() != _MAGIC:
        raise InputFileError(f"{param}: not an ncnn network in text form (its first line must be {_MAGIC})")
    found = []
    for line in lines[2:]:
        parts = line.split()
        if len(parts) < 4:
            continue
        if parts[0] not in _RRDB_LAYERS:
            raise InputFileError(f"{param}: has a layer {parts[0]}; only the RRDB generator of ESRGAN, which has none, can be imported from ncnn")
        if parts[0] == "Convolution":
            found.append(_convolution(parts, param))
    return found


def _convolution(parts: list[str], param: Path) -> _Convolution:
    try:
        between = 4 + int(parts[2]) + int(parts[3])
        options = dict(part.split("=", 1) for part in parts[between:])
        layer = _Convolution(parts[1], int(options["0"]), int(options["1"]), options.get("5", "0") == "1", int(options["6"]))
        valid = layer.kernel > 0 and layer.outputs > 0 and layer.count > 0 and layer.count % (layer.outputs * layer.kernel**2) == 0
    except (ValueError, KeyError) as error:
        raise InputFileError(f"{param}: the convolution {' '.join(parts)} is invalid ({error!r})") from error
    if not valid:
        raise InputFileError(f"{param}: the convolution {layer.name} has {layer.count} weights for {layer.outputs} outputs of {layer.kernel} x {layer.kernel}")
    return layer


def _one(data: bytes, place: int, layer: _Convolution, path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Read weights and bias of the convolution at byte `place`; also return the start of the next."""
    tag = int.from_bytes(data[place : place + 4], "little")
    if tag not in (_FLOAT16, _FLOAT32):
        raise InputFileError(
            f"{path}: {layer.name} is stored as 0x{tag:08X}; only 16-bit (0x{_FLOAT16:08X}) and 32-bit (0) floats are supported, not quantised weights"
        )
    kind, width = (np.dtype("<f2"), 2) if tag == _FLOAT16 else (np.dtype("<f4"), 4)
    start = place + 4
    bias_start = start + -(-layer.count * width // 4) * 4
    end = bias_start + (4 * layer.outputs if layer.biased else 0)
    if end > len(data):
        raise InputFileError(f"{path}: ends at {len(data)}, inside {layer.name}")
    weight = np.frombuffer(data, kind, layer.count, start).astype(np.float32).reshape(layer.shape)
    bias = np.frombuffer(data, "<f4", layer.outputs, bias_start).copy() if layer.biased else np.zeros(layer.outputs, np.float32)
    return weight, bias, end
