"""Whether a network trains faster with its channels last in memory: that depends on the network, the device and torch, so it is measured."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

LEAST_GAIN = 1.1  # below it, two measurements may disagree
_ROUNDS = 3


def laid_out(tensor: Tensor, channels_last: bool) -> Tensor:
    """Return a batch of images in that order."""
    return tensor.contiguous(memory_format=torch.channels_last) if channels_last else tensor


def faster_in_channels_last(net: nn.Module, given: Tensor, precision: Callable[[], AbstractContextManager[Any]]) -> bool:
    """Whether passes there and back over the batch `given` take less time by a tenth at least. net: unchanged. precision: context of the passes."""
    nets: dict[bool, Any] = {order: copy.deepcopy(net).train() for order in (False, True)}
    nets[True].to(memory_format=torch.channels_last)
    shortest = dict.fromkeys(nets, float("inf"))
    for round_ in range(_ROUNDS):
        for order, each in nets.items():
            start = time.perf_counter()
            with precision():
                made = each(laid_out(given, order))
            made.float().square().mean().backward()
            if given.device.type == "cuda":
                torch.cuda.synchronize(given.device)
            if round_:  # the first prepares more than it computes
                shortest[order] = min(shortest[order], time.perf_counter() - start)
    return shortest[False] >= LEAST_GAIN * shortest[True]
