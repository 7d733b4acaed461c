"""Whether frames can be of one burst: camera, size, pattern, exposure, levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from burstsr.core.burst import FrameInfo
from burstsr.core.errors import BurstError

_EXPOSURE_TOLERANCE = 0.02  # cameras round the same exposure differently from frame to frame
_BLACK_TOLERANCE = 0.002  # of full scale: black levels measured per frame drift by a fraction of this


def check_burst(infos: Sequence[FrameInfo]) -> None:
    """Raise BurstError, naming two files and what differs, unless all frames have one camera, size, CFA order, aperture, and levels at each ISO."""
    if not infos:
        raise BurstError("a burst must have at least one frame")
    first = infos[0]
    for info in infos[1:]:
        different = first_mismatch(first, info)
        if different:
            what, expected, found = different
            raise BurstError(f"{info.path}: {what} {found}, but {expected} in {first.path}; the frames of a burst must agree")


def first_mismatch(a: FrameInfo, b: FrameInfo, same_exposure: bool = False) -> tuple[str, str, str] | None:
    """Return the first property in which two frames of one burst must agree but do not: its name, its value in `a` and in `b`; else None.

    Exposure time and ISO may differ (a bracket), unless same_exposure, or for files that say what type of frame they are (astronomy). The aperture must not:
    it changes blur, depth of field and vignetting.
    """
    size_a, size_b = (f"{i.shape[1]} x {i.shape[0]}" for i in (a, b))
    of_a, of_b = a.observation, b.observation
    facts = (("camera", a.camera, b.camera), ("size", size_a, size_b), ("CFA order", a.cfa_order, b.cfa_order))
    for what, in_a, in_b in (*facts, ("filter", of_a.filter_name, of_b.filter_name), ("frame type", of_a.frame_type, of_b.frame_type)):
        if in_a != in_b:
            return what, in_a or "unknown", in_b or "unknown"
    if same_exposure or of_a.frame_type:
        if not _close(a.exposure_s, b.exposure_s):
            return "exposure time", f"{a.exposure_s:.6g} s", f"{b.exposure_s:.6g} s"
        if not _close(a.iso, b.iso):
            return "ISO", f"{a.iso:g}", f"{b.iso:g}"
    if min(a.aperture, b.aperture) > 0 and not _close(a.aperture, b.aperture):
        return "aperture", f"f/{a.aperture:g}", f"f/{b.aperture:g}"
    if not _close(a.iso, b.iso):  # cameras' levels may depend on it
        return None
    if not np.allclose(a.levels.black, b.levels.black, rtol=0, atol=_BLACK_TOLERANCE * (a.levels.white - a.levels.black.max())):
        return "black level", str(a.levels.black.ravel().tolist()), str(b.levels.black.ravel().tolist())
    if a.levels.white != b.levels.white:
        return "white level", f"{a.levels.white:g}", f"{b.levels.white:g}"
    return None


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= _EXPOSURE_TOLERANCE * max(a, b)
