"""Expected gain of a burst from its motion, before it is processed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from burstsr.align import certain, coverage, expected_gain_db, sampling_uniformity, shifts, subpixel_phases, unknown_motion
from burstsr.bracket import PairModels, bracket_of
from burstsr.core.burst import Burst
from burstsr.core.flow import Flow
from burstsr.noise import estimate_noise, estimate_snr
from burstsr.report import Record
from burstsr.settings import Settings
from calibration.crop import crop_middle
from calibration.noise import make_aligner

_PART_PX = 1024  # side of the central part that is used
TRIPOD = "no sub-pixel motion (tripod), so no gain in resolution: move the camera slightly between frames, or by the offsets of calibrate jiggle"


@dataclass(frozen=True)
class Coverage:
    """Distribution of a burst's sampling grids. coverage: filled share of the sub-pixel cells that this many frames can fill.

    sampling_uniformity: 0 = all grids coincide, 1 = no aliasing left.
    expected_gain_db: of the best linear estimate over a single frame's. advice: "" where there is nothing to improve.
    motion_unknown: frames whose motion is uncertain by more than a quarter of a raw pixel; they count for nothing.
    """

    frames: int
    scale: float
    coverage: float
    sampling_uniformity: float
    expected_gain_db: float
    advice: str
    motion_unknown: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the coverage ready for JSON; evenness is the old name of sampling_uniformity, for one release."""
        return {name: round(v, 4) if isinstance(v, float) else v for name, v in (asdict(self) | {"evenness": self.sampling_uniformity}).items()}


def measure_coverage(burst: Burst, scale: float = 2.0) -> Coverage:
    """Measure the coverage from the motion of the centre of the frames, estimated as in the pipeline."""
    if len(burst) < 2:
        return Coverage(1, scale, 1.0, 0.0, 0.0, "a single frame: no gain from merging")
    part = crop_middle(burst, _PART_PX)
    bracket = bracket_of(part, None, Record(part, Settings()))
    if bracket is not None:
        noise, reference = bracket.noise.model, bracket.burst.frames[bracket.reference]
        models = PairModels(bracket.burst.frames, bracket.reference, Settings(), noise)
        flows, snr = [models.estimate_flow(i) for i in models.order], estimate_snr(reference, reference.noise(noise))
    else:
        noise, _ = estimate_noise(part)
        estimate_flow = make_aligner(part.frames[0], noise)
        flows = [Flow.zero(part.info.shape, 16), *(estimate_flow(frame) for frame in part.frames[1:])]
        snr = estimate_snr(part.frames[0], noise)
    known = certain(flows)
    middle = shifts(known)[-1]
    gain = expected_gain_db(middle, scale, max(snr, 1.0))
    still = len(known) > 1 and subpixel_phases(known, scale) == 1
    unknown = len(flows) - len(known)
    advice = "; ".join([*([unknown_motion(unknown, len(flows))] if unknown else []), *([TRIPOD] if still else [])])
    return Coverage(len(burst), scale, coverage(flows, scale), sampling_uniformity(middle, scale), gain, advice, unknown)
