"""Which frames of a burst are soft, before it is processed."""

from __future__ import annotations

from collections.abc import Sequence

from burstsr.align import Aligner, FrameBlur, frame_blur, select_reference
from burstsr.core.burst import Burst
from burstsr.noise import estimate_noise
from burstsr.settings import AlignSettings
from calibration.crop import crop_middle

_PART_PX = 1024  # side of the central part that is used
SOFT_WEIGHT = 0.5  # below it a frame is called soft


def measure_softness(burst: Burst, shown: Sequence[int]) -> FrameBlur:
    """Measure the blur of frames that show the same scene, burst.frames[i] for i in `shown`, against the sharpest of them, in the centre of the frames."""
    part = crop_middle(Burst(burst.name, tuple(burst.frames[i] for i in shown)), _PART_PX)
    noise, _ = estimate_noise(part)
    index = select_reference(part, noise)
    estimate_flow = Aligner(part.frames[index], noise, AlignSettings(refine=False)).estimate_flow  # a few pixels are near enough
    return frame_blur(part.frames, [estimate_flow(frame) for frame in part], index, noise)
