"""The simulator: still picture in, burst of raw frames with known motion and noise out, and the truth beside it.

Shares no resampling code with align or merge: it must be able to prove them wrong. Writes no files.
"""

from __future__ import annotations

from burstsr.world.cameras import noise_of_camera
from burstsr.world.motion import FrameMotion, flow_at, flows_of_motions, motions_of_record, motions_record, read_motions, reference_at
from burstsr.world.paths import handheld, jiggle, tripod
from burstsr.world.record import TruthRecord, read_truth, truth_record
from burstsr.world.settings import Blink, Mover, SimulateSettings
from burstsr.world.stage import SimulatedBurst, simulate_burst

__all__ = [
    "Blink",
    "FrameMotion",
    "Mover",
    "SimulateSettings",
    "SimulatedBurst",
    "TruthRecord",
    "flow_at",
    "flows_of_motions",
    "handheld",
    "jiggle",
    "motions_of_record",
    "motions_record",
    "noise_of_camera",
    "read_motions",
    "read_truth",
    "reference_at",
    "simulate_burst",
    "tripod",
    "truth_record",
]
