"""LPIPS, the learned perceptual distance (Zhang et al. 2018), if its package and AlexNet's weights are installed. Nothing is downloaded."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def lpips(image: NDArray[np.floating], truth: NDArray[np.floating]) -> float | None:
    """Return the distance of two sRGB images (H, W, 3), 0 to 1; 0 = identical. None where the lpips package, torchvision or AlexNet's weights are missing."""
    network = _network()
    if network is None:
        return None
    as_tensor: Any = import_module("lpips").im2tensor
    pair = [as_tensor(np.rint(np.clip(p, 0, 1) * 255).astype(np.uint8)) for p in (image, truth)]
    return float(network(*pair).item())


@lru_cache(1)
def _network() -> Any:  # noqa: ANN401  lpips has no types
    if any(find_spec(name) is None for name in ("lpips", "torch", "torchvision")):
        return None
    hub: Any = import_module("torch.hub")
    if not list((Path(hub.get_dir()) / "checkpoints").glob("alexnet-*.pth")):  # it would be downloaded
        return None
    made: Any = import_module("lpips")
    return made.LPIPS(net="alex", verbose=False)
