"""Sets of a camera that shifts its sensor by whole or half pixels between frames, on a tripod: the known steps in place of motion that is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from burstsr.core.errors import BurstError, SettingsError

if TYPE_CHECKING:
    from burstsr.core.burst import Burst
    from burstsr.core.flow import Flow
    from burstsr.settings import Settings

STEPS_PX = {"pixel-shift-4": 1.0, "pixel-shift-16": 0.5}  # sets of 4 frames a whole pixel apart, and of 16 half a pixel apart
SET_FRAMES = {"pixel-shift-4": 4, "pixel-shift-16": 16}
_FARTHEST = 0.3  # of a step: measured motion further from a multiple of it is none of the sensor's alone
_TILE_PX = 16


def pixel_shift_flows(kind: str, burst: Burst, settings: Settings) -> list[Flow]:
    """Return the flows of all frames of a set against `settings.reference`: for each the multiple of the step next to the motion that is measured.

    Makers shift in different orders and directions, and write neither into their files; the measured motion shows which of the steps a frame made. kind: of
    STEPS_PX. Raises BurstError where the number of frames does not fit, a frame moved otherwise (the tripod, the scene), or two show the same.
    """
    import numpy as np

    from burstsr.core.coords import tile_count
    from burstsr.core.flow import Flow
    from burstsr.motion import register

    if len(burst) != SET_FRAMES[kind]:
        raise BurstError(
            f"burst {burst.name!r} has {len(burst)} frames: {kind} takes sets of {SET_FRAMES[kind]} (a folder may hold several, one after the other)"
        )
    reference, step, found = settings.reference or 0, STEPS_PX[kind], []
    if reference >= len(burst):
        raise SettingsError(f"burst {burst.name} has {len(burst)} frames: --reference must be auto or between 0 and {len(burst) - 1}, not {reference}")
    for frame, flow in zip(burst, register(burst, replace(settings, reference=reference)).flows, strict=True):
        motion = np.full(2, np.nan) if flow is None else np.median(flow.tiles.astype(np.float64), axis=(0, 1))
        steps = np.rint(np.nan_to_num(motion) / step)
        if not (np.abs(motion - steps * step) <= _FARTHEST * step).all():
            where = "shows another scene" if flow is None else f"moved by ({motion[0]:.2f}, {motion[1]:.2f}) px"
            raise BurstError(f"{frame.info.path}: {where}, which is no multiple of {step:g} px: no frame of a {kind} set, unless camera or scene moved")
        found.append(tuple(steps * step))
    phases = {(y % 2, x % 2) for y, x in found}  # of the CFA
    if len(phases) < len(burst):
        raise BurstError(f"burst {burst.name!r}: only {len(phases)} of the {len(burst)} frames of a {kind} set have their own position, by their motion")
    shape = tuple(tile_count(length, _TILE_PX) for length in burst.info.shape)
    return [Flow(np.broadcast_to(np.array(motion, np.float32), (*shape, 2)).copy(), _TILE_PX, 0.0) for motion in found]
