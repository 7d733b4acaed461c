"""Simulator: a burst of raw frames with known motion and noise from a still image, with ground truth.

Shares no resampling code with align or merge: it must be able to prove them wrong. Writes no files.
"""

from __future__ import annotations

from burstsr.simulate.motion import FrameMotion, flow_at, flows_from_motions, motions_from_record, motions_record, read_motions, reference_at
from burstsr.simulate.noise_profiles import camera_noise
from burstsr.simulate.settings import Flicker, MovingObject, SimulateSettings
from burstsr.simulate.stage import SimulatedBurst, simulate_burst
from burstsr.simulate.trajectories import handheld, jiggle, tripod
from burstsr.simulate.truth import TruthRecord, read_truth, truth_record

__all__ = [
    "Flicker",
    "FrameMotion",
    "MovingObject",
    "SimulateSettings",
    "SimulatedBurst",
    "TruthRecord",
    "flow_at",
    "flows_from_motions",
    "handheld",
    "jiggle",
    "motions_from_record",
    "motions_record",
    "camera_noise",
    "read_motions",
    "read_truth",
    "reference_at",
    "simulate_burst",
    "tripod",
    "truth_record",
]


def __getattr__(name: str) -> object:
    renamed = {"Blink": "Flicker", "Mover": "MovingObject"}  # old names, for one release
    if name not in renamed:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import warnings

    warnings.warn(f"burstsr.simulate.{name} is now called {renamed[name]}", DeprecationWarning, stacklevel=2)
    return globals()[renamed[name]]
