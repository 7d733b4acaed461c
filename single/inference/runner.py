"""A network on a device, in the most efficient precision."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from burstsr.core.errors import BurstsrError, SettingsError
from burstsr.core.parallel import thread_count
from single.inference.tiles import tiled, whole
from single.loading.stage import Loaded

log = logging.getLogger("burstsr.single")
Floats = NDArray[np.float32]
DEVICES = ("auto", "cpu", "cuda", "mps")
_OVERLAP_PX = 16  # at least
_SMALLEST_TILE = 16
_TILE_OUTPUT_PX = 1024  # automatic tile size: 270 MB per layer of 64 channels in 32 bits; doubled where much memory is free
_MUCH_MEMORY = 8 << 30
_ONE_PIECE_OUTPUT_PX = 4 << 20  # of networks that had better not be tiled
_HEAVY = ("rrdb", "srresnet", "zoom")  # in 16 bits where the hardware multiplies them; srcnn is fast anyway, and others have not been tested


class Runner:
    """Runs one network on images of any size. tile: tile size in input pixels, 0 = automatic; halved permanently when out of memory."""

    def __init__(self, loaded: Loaded, device: str = "auto", tile: int = 0, bf16: bool | None = None) -> None:
        self.descriptor = loaded.descriptor
        self.device = chosen_device(device)
        torch.set_num_threads(min(torch.get_num_threads(), thread_count()))
        self.bf16 = (loaded.descriptor.architecture in _HEAVY and multiplies_bf16(self.device)) if bf16 is None else bf16
        self.factor = self.descriptor.scale * (2 if self.descriptor.raw else 1)
        self.tile = tile or max(_SMALLEST_TILE, (2 if _free_memory(self.device) >= _MUCH_MEMORY else 1) * _TILE_OUTPUT_PX // self.factor)
        self.overlap = max(_OVERLAP_PX, self.descriptor.reach_px)
        self.tiling, self._asked = loaded.tiling, bool(tile)
        network: Any = loaded.network
        self._network: nn.Module = network.to(self.device, memory_format=torch.channels_last)
        if self.bf16:
            _ends_in_full(self._network)

    def __call__(self, planes: Floats, progress: Callable[[int, int], None] | None = None) -> Floats:
        """Run on (C, H, W) float32 and return (C', factor H, factor W) float32. A failing tile is never skipped.

        Raises BurstsrError where even the smallest tile does not fit into memory.
        """
        planes = np.ascontiguousarray(planes, np.float32)
        if self._in_one_piece(planes.shape[1] * planes.shape[2]):
            return self._whole(planes)
        while True:
            try:
                return tiled(planes, self.factor, self.tile, self.overlap, self.descriptor.multiple, self._whole, progress)
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                if self.tile <= _SMALLEST_TILE:
                    raise BurstsrError(f"{self.descriptor.name}: not enough memory for a tile of {self.tile} pixels on {self.device}") from error
            self.tile = max(_SMALLEST_TILE, min(self.tile, max(planes.shape[1:])) // 2)
            log.info("%s: out of memory; retrying with tiles of %d pixels", self.descriptor.name, self.tile)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _in_one_piece(self, pixels: int) -> bool:
        """Whether an image must not be tiled, or better not: those networks look at all of it."""
        small = pixels * self.factor**2 <= _ONE_PIECE_OUTPUT_PX
        if self.tiling == "discouraged" and not small and not self._asked:
            log.warning("%s: the image is too large for one piece; tiles may differ in brightness: the network looks at all it is given", self.descriptor.name)
        return self.tiling == "internal" or (self.tiling == "discouraged" and small and not self._asked)

    def _whole(self, planes: Floats) -> Floats:
        """Run on (C, H, W) in one piece. Foreign networks are padded by their own descriptor."""
        multiple = 1 if self.descriptor.architecture == "foreign" else self.descriptor.multiple
        return whole(planes, self.factor, multiple, self._one)

    def _one(self, planes: Floats) -> Floats:
        with torch.inference_mode(), _autocast(self.device, self.bf16):
            given = torch.from_numpy(planes)[None].to(self.device, memory_format=torch.channels_last)
            made: Tensor = self._network(given)
            values = np.ascontiguousarray(made[0].float().cpu().numpy())
        if not np.isfinite(values.sum(dtype=np.float64)):
            raise BurstsrError(f"{self.descriptor.name}: the network's values are not finite: its weights are damaged, or of another network")
        return values


def chosen_device(name: str) -> torch.device:
    """Return the device of --device. Raises SettingsError where it is not available."""
    kind, colon, index = name.partition(":")
    if kind not in DEVICES or (colon and not (kind == "cuda" and index.isdecimal())):
        raise SettingsError(f"--device must be one of {', '.join(DEVICES)}, cuda:N, not {name!r}")
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if there[kind]))
    if not there[kind] or (colon and int(index) >= torch.cuda.device_count()):
        raise SettingsError(
            f"--device {name}: not available on this machine or in this build of torch; must be one of auto, {', '.join(k for k, v in there.items() if v)}"
        )
    return torch.device(name)


def multiplies_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is multiplied in hardware: AVX512_BF16 or AMX on CPUs."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    try:
        flags = next(line for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines() if line.startswith("flags")).split()
        return bool({"avx512_bf16", "amx_bf16"} & set(flags))
    except (OSError, StopIteration):  # not Linux, or not x86
        asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
        return any(ask() for ask in asked if ask is not None)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in ("out of memory", "not enough memory", "can't allocate memory", "bad allocation"))


@contextmanager
def _autocast(device: torch.device, on: bool) -> Iterator[None]:
    if on:
        with torch.autocast(device.type, torch.bfloat16):
            yield
    else:
        yield


def _ends_in_full(network: nn.Module) -> None:
    """Run the first and the last convolution in 32 bits: bfloat16 has 8 bits of precision, to which the image itself must not be rounded.

    The sums of residual blocks are then in 32 bits, too. For RRDB with 23 blocks the largest error falls from 20 to 4.3 of 255, for an eighth more time.
    """
    convolutions: list[Any] = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    for layer in (convolutions[0], convolutions[-1]):
        layer.forward = _in_full(layer.forward)


def _in_full(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return function(x.float())

    return forward


def _free_memory(device: torch.device) -> int:
    """Return the available memory in bytes, where the system reports it; else 0."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return 0
