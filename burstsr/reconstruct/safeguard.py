"""Mode fast does no harm: where the merged image does not explain the frames, the reference's own image stands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from burstsr.core.flow import Flow
from burstsr.core.parallel import in_parallel
from burstsr.reconstruct.agreement import FEWEST_CELLS, contradicted
from burstsr.reconstruct.data import RegisteredFrame, Sampling, TileData
from burstsr.reconstruct.stage import MARGIN, SIDE, Task
from burstsr.reconstruct.tiles import Tile, tiles

Floats = NDArray[np.float32]
_ERROR_PX = 0.1  # what the merge's blur leaves unexplained, as an error of motion
_CONTRADICTION = (6.0, 9.0)  # squared residuals over what noise and such errors leave: from none to full
_OTHERS = 2  # frames, spread over the burst, that are asked besides the reference
_NO_BLUR = np.ones(1, np.float32)


def keep_what_agrees(task: Task) -> float:
    """Put task.alone into task.image, in place, where the reference and a few other frames contradict it.

    Returns the share of the image that was replaced.
    """
    views = _asked(task)
    if task.alone is None or len(views) < 2:
        return 0.0
    inverses = [view.flow.inverse() for view in views]
    every = list(tiles((task.image.shape[0], task.image.shape[1]), SIDE, MARGIN))
    replaced = [(tile, share) for tile, share in zip(every, in_parallel(lambda tile: _doubtful(task, views, inverses, tile), every), strict=True)]
    for tile, share in replaced:  # afterwards: tiles see each other's margins
        if share is not None:
            own = task.image[tile.y0 : tile.y1, tile.x0 : tile.x1]
            own += share[..., None] * (task.alone(tile.y0, tile.y1)[:, tile.x0 : tile.x1] - own)
    pixels = sum(float(share.sum(dtype=np.float64)) for _, share in replaced if share is not None)
    return pixels / float(task.image.shape[0] * task.image.shape[1])


def _doubtful(task: Task, views: Sequence[RegisteredFrame], inverses: Sequence[Flow], tile: Tile) -> Floats | None:
    """(h, w) of the tile's own pixels, 0 to 1; None where there is nothing to doubt."""
    start = tile.cut(task.image)
    data = TileData(tile, views, inverses, start, Sampling(task.noise, task.scale, _NO_BLUR, task.defects))
    doubtful = contradicted(data, data.weighted(data.robustness_maps), start, _ERROR_PX, _CONTRADICTION)
    return data.of_pixels(doubtful)[tile.own[1:]] if np.count_nonzero(doubtful) >= FEWEST_CELLS else None


def _asked(task: Task) -> list[RegisteredFrame]:
    """The reference, and other frames that count, spread over the burst."""
    others = [view for i, view in enumerate(task.views) if i != task.reference and view.weight > 0 and view.robustness.any()]
    chosen = np.unique(np.linspace(0, max(len(others) - 1, 0), min(_OTHERS, len(others))).astype(int))
    return [task.views[task.reference], *(others[i] for i in chosen)]
