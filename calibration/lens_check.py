"""Whether a burst bears a lens's blur out: held-out frames predicted with it and without it."""

from __future__ import annotations

import numpy as np

from burstsr.core.burst import Burst
from burstsr.core.errors import BurstsrError
from burstsr.profiles.apply import LensCheck
from calibration.held_out import FEWEST, HeldOut

_PART_PX = 256  # side of the central part that is predicted, raw pixels
_CERTAIN = 2.0  # standard errors by which prediction must be worse, for the burst to contradict the blur


def check_lens(burst: Burst, sigma_px: float) -> LensCheck:
    """Compare predictions of held-out frames with a lens of `sigma_px`, raw pixels, and without one.

    Too wide a blur rings, and predicts worse: then the burst contradicts it. A scene without fine detail, or too much noise, contradicts nothing.
    Bursts of fewer than four frames, brackets, and bursts that cannot be registered cannot be checked; no lens is then used.
    """
    if len(burst) < FEWEST:
        return LensCheck(False, f"{len(burst)} frames are too few to check it: at least {FEWEST} are required")
    if len({frame.info.exposure_s for frame in burst}) > 1 or len({frame.info.iso for frame in burst}) > 1:
        return LensCheck(False, "a bracket cannot check it")
    try:
        return judged(HeldOut(burst, _PART_PX), sigma_px)
    except BurstsrError as error:
        return LensCheck(False, f"the burst cannot check it: {error}")


def judged(held_out: HeldOut, sigma_px: float) -> LensCheck:
    """Compare predictions with a lens of `sigma_px` and without one."""
    worse = held_out.misfits(sigma_px) - held_out.misfits(0.0)
    worse = worse[np.isfinite(worse)]
    if worse.size < 2:
        return LensCheck(False, "the burst is too bright to check it")
    change, error_of = float(worse.mean()), float(worse.std(ddof=1) / np.sqrt(worse.size))
    contradicted = change > _CERTAIN * error_of
    verdict = "worse than without it: not used" if contradicted else "no worse than without it"
    return LensCheck(not contradicted, f"held-out frames are predicted {verdict}", change, error_of)
