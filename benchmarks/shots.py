"""One simulated burst of the benchmark: what to photograph, and everything the rows are given."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from burstsr.align import Aligner
from burstsr.core.burst import Burst, Colour
from burstsr.core.coords import tile_centre, tile_count
from burstsr.core.flow import Flow
from burstsr.defects import find_defects, repair_pixels
from burstsr.io.images import read_image
from burstsr.noise import estimate_noise, estimate_snr
from burstsr.settings import ReconstructSettings, Settings
from burstsr.simulate import Flicker, FrameMotion, MovingObject, SimulatedBurst, SimulateSettings, flow_at, simulate_burst

Motion = Literal["handheld", "tripod", "jiggle"]
Mode = Literal["fast", "best"]
ROTATION_DEG = 0.12  # standard deviation; against the reference, over a dozen frames, up to about 0.3 degrees occur
_TRUE_TILE_PX = 16


@dataclass(frozen=True)
class Case:
    """A simulated case. section: of the benchmark. seed: of motion and noise; motion does not depend on ISO.

    lamp: the scene has a blinking lamp. hot: the sensor has hot pixels. blur: Gaussian sigma of the lens, raw pixels. psf: sigma given to mode "best";
    None = the true one. realisation: number that selects noise and motion.
    """

    section: str
    image: Path
    iso: float = 100.0
    frames: int = 13
    scale: float = 2.0
    motion: Motion = "handheld"
    mover: bool = False
    lamp: bool = False
    hot: int = 0
    blur: float = 0.0
    psf: float | None = None
    seed: int = 0
    realisation: int = 0

    @property
    def name(self) -> str:
        """What it is, for progress and messages."""
        given = "" if self.psf is None else f", psf {self.psf:g} px"
        return f"{self.section} {self.image.stem}, ISO {self.iso:g}, {self.frames} frames, x{self.scale:g}, {self.motion}{given}"

    @property
    def psf_px(self) -> float:
        """Sigma of the lens blur given to mode "best", raw pixels."""
        return self.blur if self.psf is None else self.psf


@dataclass(frozen=True)
class Shot:
    """A burst with its truth, and with the motion that the pipeline's alignment finds in it.

    flows: per frame, against frame 0, as the pipeline estimates them. align_seconds: what that took. true_flows: the same without error.
    psf_px: sigma of the lens blur given to mode "best", raw pixels.
    """

    made: SimulatedBurst
    flows: tuple[Flow, ...]
    align_seconds: float
    true_flows: tuple[Flow, ...]
    psf_px: float = 0.0

    @property
    def burst(self) -> Burst:
        """The frames."""
        return self.made.burst

    @property
    def scale(self) -> float:
        """Output pixels per raw pixel."""
        return self.made.settings.scale

    @property
    def colour(self) -> Colour:
        """The camera's."""
        return self.made.burst.info.colour


def settings_of(scale: float, mode: Mode = "fast", psf_px: float = 0.0) -> Settings:
    """The pipeline's own settings, with the geometry of frame 0, which is the truth's, and a lens that has been measured."""
    return Settings(scale=scale, mode=mode, reference=0, measure_noise=False, reconstruct=ReconstructSettings(psf_sigma_px=psf_px))


def take(case: Case) -> Shot:
    """Simulate a case. Raises InputFileError for an image that cannot be read, SettingsError for one too small."""
    image = read_image(case.image).rgb
    settings = SimulateSettings(
        frames=case.frames,
        scale=case.scale,
        iso=case.iso,
        motion=case.motion,
        rotation_deg=ROTATION_DEG,
        blur_sigma_px=case.blur,
        moving_object=MovingObject() if case.mover else None,
        flicker=Flicker() if case.lamp else None,
        hot_pixels=case.hot,
    )
    rng = np.random.default_rng([case.seed, case.realisation, zlib.crc32(case.image.stem.encode())])
    return shot_of(simulate_burst(image, settings, rng, case.image.stem), case.psf_px)


def shot_of(made: SimulatedBurst, psf_px: float = 0.0) -> Shot:
    """A simulated burst, aligned."""
    start = time.perf_counter()
    flows = estimated_flows(made.burst, settings_of(made.settings.scale))
    return Shot(made, flows, time.perf_counter() - start, tuple(true_flow(motion, made.burst.info.shape) for motion in made.motions), psf_px)


def estimated_flows(burst: Burst, settings: Settings, reference: int = 0) -> tuple[Flow, ...]:
    """Flow of every frame against frame `reference`, found as the pipeline does: the same noise, defects and settings."""
    noise, _ = estimate_noise(burst)
    defects = find_defects(burst, noise, settings.defects)
    frame = repair_pixels(burst.frames[reference], defects)
    tuned = settings.for_snr(estimate_snr(frame, noise))
    aligner = Aligner(frame, noise, tuned.align)
    zero = Flow.zero(frame.info.shape, tuned.align.tile_px)
    return tuple(zero if i == reference else aligner.estimate_flow(repair_pixels(other, defects)) for i, other in enumerate(burst))


def true_flow(motion: FrameMotion, shape: tuple[int, int]) -> Flow:
    """The exact flow at the centres of tiles of 16 raw pixels; between them it is linear to 1e-5 px."""
    centres = (tile_centre(np.arange(tile_count(length, _TRUE_TILE_PX)), _TRUE_TILE_PX) for length in shape)
    points: NDArray[np.float64] = np.stack(np.meshgrid(*centres, indexing="ij"), axis=-1)
    return Flow(flow_at(motion, points, shape).astype(np.float32), _TRUE_TILE_PX)
