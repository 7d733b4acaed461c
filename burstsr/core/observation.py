"""What astronomical files tell of an exposure beyond a photograph's metadata."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Observation:
    """Facts of an exposure. All may be unknown: None, or ''.

    temperature_c: of the sensor, degrees Celsius. filter_name: of a filter wheel. frame_type: "light", "dark", "flat" or "bias".
    gain_e_per_dn: electrons per DN.
    """

    temperature_c: float | None = None
    filter_name: str = ""
    frame_type: str = ""
    gain_e_per_dn: float | None = None


UNKNOWN = Observation()
