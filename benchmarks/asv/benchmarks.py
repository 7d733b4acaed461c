"""Seconds (`time_`), peak memory (`peakmem_`) and quality (`track_`) of a small merge and a small burst. asv reads the names; nothing here needs it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.merge_case import made_case, merged, merged_naively
from benchmarks.pipeline_run import scene
from burstsr import Settings, super_resolve
from burstsr.quality.image_error import psnr_srgb
from burstsr.simulate import SimulatedBurst, SimulateSettings, simulate_burst

Mode = Literal["fast", "best"]
_BORDER = 16  # output pixels without a measure: what some frames do not show


class Merge:
    """The merge alone. shape: (H, W) of a frame."""

    params = (1.0, 2.0)
    param_names = ("scale",)
    shape = (480, 640)
    frames = 8

    def setup(self, scale: float) -> None:
        """Inputs, and a run that compiles."""
        self.case = made_case(self.shape, self.frames, scale)
        merged(self.case)

    def time_merge(self, scale: float) -> None:
        """The product's merge."""
        merged(self.case)

    def peakmem_merge(self, scale: float) -> None:
        """The product's merge."""
        merged(self.case)


class NaiveMerge:
    """What the merge is measured by; its time says how fast the machine was."""

    shape = (240, 320)
    frames = 4

    def setup(self) -> None:
        """Inputs, and a run that compiles."""
        self.case = made_case(self.shape, self.frames, 2.0)
        merged_naively(self.case)

    def time_naive_merge(self) -> None:
        """The naive loop."""
        merged_naively(self.case)


class Pipeline:
    """From frames in memory to the image."""

    params = (("fast", "best"),)
    param_names = ("mode",)
    shape = (480, 640)  # of the truth
    frames = 6
    timeout = 300.0

    def setup(self, mode: Mode) -> None:
        """A burst, and a run that compiles."""
        self.made: SimulatedBurst = simulate_burst(scene(self.shape), SimulateSettings(frames=self.frames, iso=400.0), np.random.default_rng(0))
        self._image(mode)

    def time_pipeline(self, mode: Mode) -> None:
        """Frames to image."""
        self._image(mode)

    def peakmem_pipeline(self, mode: Mode) -> None:
        """Frames to image."""
        self._image(mode)

    def track_psnr_db(self, mode: Mode) -> float:
        """PSNR of sRGB against the truth."""
        return psnr_srgb(self._image(mode), self.made.truth, self.made.burst.info.colour, _BORDER)

    track_psnr_db.unit = "dB"  # type: ignore[attr-defined]

    def _image(self, mode: Mode) -> NDArray[np.float32]:
        return super_resolve(self.made.burst, Settings(mode=mode, reference=0)).image
