"""Safeguard of mode "fast": where the merged image contradicts the frames, the reference among them, it is replaced by the reference's own image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from burstsr.core import large_arrays, mapped_pages
from burstsr.core.flow import Flow
from burstsr.core.parallel import in_parallel
from burstsr.reconstruct.agreement import FEWEST_CELLS, contradicted
from burstsr.reconstruct.data import Sampling, TileData
from burstsr.reconstruct.registered_frame import RegisteredFrame
from burstsr.reconstruct.stage import MARGIN, SIDE
from burstsr.reconstruct.task import Task
from burstsr.reconstruct.tiles import Tile, tiles

Floats = NDArray[np.float32]
_ERROR_PX = 0.07  # residuals caused by the merge's blur, expressed as a motion error
_CONTRADICTION = (6.0, 9.0)  # squared residuals relative to those expected from noise and such an error: from keeping to replacing
_OTHERS = 2  # frames, spread over the burst, that are compared besides the reference
_NO_BLUR = np.ones(1, np.float32)


def replace_contradicted(task: Task) -> float:
    """Replace task.image, in place, by task.alone where the reference and a few other frames contradict it.

    Returns the share of the image that was replaced.
    """
    views = _views_to_compare(task)
    if task.alone is None or len(views) < 2:
        return 0.0
    inverses = [view.flow.inverse() for view in views]
    every = list(tiles((task.image.shape[0], task.image.shape[1]), SIDE, MARGIN))
    shares, replaced, pixels = large_arrays.empty(task.image.shape[:2]), [], 0.0
    for tile, share in zip(every, in_parallel(lambda tile: _share_to_replace(task, views, inverses, tile), every), strict=True):
        if share is not None:
            shares[tile.y0 : tile.y1, tile.x0 : tile.x1] = share
            replaced.append(tile)
            pixels += float(share.sum(dtype=np.float64))
    for tile in replaced:  # deferred: tiles read each other's margins
        rows, columns = slice(tile.y0, tile.y1), slice(tile.x0, tile.x1)
        own = task.image[rows, columns]
        own += shares[rows, columns, None] * (task.alone(tile.y0, tile.y1)[:, tile.x0 : tile.x1] - own)
        mapped_pages.release()
    return pixels / float(task.image.shape[0] * task.image.shape[1])


def _share_to_replace(task: Task, views: Sequence[RegisteredFrame], inverses: Sequence[Flow], tile: Tile) -> Floats | None:
    """Return the share to replace, (h, w) 0 to 1, of the tile's own pixels; None if there is none."""
    start = tile.cut(task.planes)
    data = TileData(tile, views, inverses, start, Sampling(task.noise, task.scale, _NO_BLUR, task.defects, task.lateral))
    contradiction = contradicted(data, data.weighted(data.robustness_maps), start, _ERROR_PX, _CONTRADICTION, by_first=True)
    return data.of_pixels(contradiction)[tile.own[1:]] if np.count_nonzero(contradiction) >= FEWEST_CELLS else None


def _views_to_compare(task: Task) -> list[RegisteredFrame]:
    """Return the reference and other frames with weight, spread over the burst."""
    others = [view for i, view in enumerate(task.views) if i != task.reference and view.weight > 0 and view.robustness.any()]
    chosen = np.unique(np.linspace(0, max(len(others) - 1, 0), min(_OTHERS, len(others))).astype(int))
    return [task.views[task.reference], *(others[i] for i in chosen)]
