"""Which frames of a burst are soft, before it is processed."""

from __future__ import annotations

from collections.abc import Sequence

from burstsr.align import Aligner, FrameBlur, frame_blur, select_reference
from burstsr.bracket import PairModels, bracket_blur, bracket_of
from burstsr.core.burst import Burst
from burstsr.noise import estimate_noise
from burstsr.report import Record
from burstsr.settings import AlignSettings, Settings
from calibration.crop import crop_middle

_PART_PX = 1024  # side of the central part that is used
SOFT_WEIGHT = 0.5  # below it a frame is called soft


def measure_softness(burst: Burst, shown: Sequence[int]) -> FrameBlur:
    """Measure the blur of frames that show the same scene, burst.frames[i] for i in `shown`, against the sharpest of them, in the centre of the frames."""
    part = crop_middle(Burst(burst.name, tuple(burst.frames[i] for i in shown)), _PART_PX)
    settings = Settings(align=AlignSettings(refine=False))  # a few pixels are near enough
    bracket = bracket_of(part, None, Record(part, settings))
    if bracket is not None:
        models = PairModels(bracket.burst.frames, bracket.reference, settings, bracket.noise.model)
        flows = {i: models.estimate_flow(i) for i in models.order}
        return bracket_blur(models, [flows[i] for i in range(len(part))])
    noise, _ = estimate_noise(part)
    index = select_reference(part, noise)
    estimate_flow = Aligner(part.frames[index], noise, settings.align).estimate_flow
    return frame_blur(part.frames, [estimate_flow(frame) for frame in part], index, noise)
