"""Whether the pixels of a Bayer frame contradict the order of its filters that the file states."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.cfa import BAYER_ORDERS, GREEN, Cfa
from burstsr.core.sensor import samples

_BLOCK = 8  # samples of a site along the sides of the blocks whose means are compared, which have little noise
_FEWEST = 16  # blocks
_CERTAIN = 3.0  # times by which the two greens must differ more than the two other sites
_VISIBLE = 0.05  # of the level


def check_order(frame: Frame) -> str:
    """Return why the stated order of filters looks wrong: greens that differ where the two other sites agree; '' where nothing speaks against it.

    Red and blue that are exchanged cannot be told.
    """
    cfa = frame.info.cfa
    if not cfa.is_bayer:
        return ""
    x = samples(frame.mosaic, frame.info.levels)
    means = {site: _block_means(x[site[0] :: 2, site[1] :: 2]) for site in np.ndindex(2, 2)}
    green = cfa.sites(GREEN)
    others = [site for site in means if site not in green]
    if means[0, 0].size < _FEWEST:
        return ""
    apart, near = (float(np.median(np.abs(means[a] - means[b]))) for a, b in (green, others))
    level = float(np.median([np.median(mean) for mean in means.values()]))
    if apart <= _CERTAIN * near or apart <= _VISIBLE * level:
        return ""
    likely = [order for order in BAYER_ORDERS if set(Cfa.parse(order).sites(GREEN)) == set(others)]
    return f"the order of the colour filters, {cfa.name}, contradicts the pixels: its two greens differ, and {' or '.join(likely)} would fit better"


def _block_means(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = (length // _BLOCK for length in plane.shape)
    blocks = plane[: height * _BLOCK, : width * _BLOCK].reshape(height, _BLOCK, width, _BLOCK)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)
